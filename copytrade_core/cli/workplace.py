"""What most verbs work on: the settings in force with the store and the archive of their data folder.

What is done with them belongs to `edges.stages`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from copytrade_core.cli.options import settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from copytrade_core.edges.stages.workplace import Workplace


def workplace(overrides: Mapping[str, object] | None = None) -> Workplace:
    """The workplace of the settings in force; nothing is created before the first write."""
    from copytrade_core.edges.stages.workplace import open_workplace

    return open_workplace(settings(overrides))
