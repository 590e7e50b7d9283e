"""What most verbs work on: the settings in force with the store and the archive of their data folder.

What is done with them belongs to `edges.stages`.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from copytrade_core.cli.options import is_debugging, settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stamina.instrumentation import RetryDetails

    from copytrade_core.edges.stages.workplace import Workplace


def workplace(overrides: Mapping[str, object] | None = None) -> Workplace:
    """The workplace of the settings in force; nothing is created before the first write."""
    from copytrade_core.edges.stages.workplace import open_workplace

    if not is_debugging():
        _tell_retries_plainly()
    return open_workplace(settings(overrides))


def _tell_retries_plainly() -> None:
    from stamina.instrumentation import set_on_retry_hooks

    set_on_retry_hooks([_tell_retry])


def _tell_retry(details: RetryDetails) -> None:
    _ = sys.stderr.write(f"asking again in {details.wait_for:.1f} s ({details.caused_by})\n")
