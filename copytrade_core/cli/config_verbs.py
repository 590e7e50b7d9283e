"""`copytrade config`: which settings are in force and where each came from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from copytrade_core.cli.options import JsonFlag, loaded
from copytrade_core.cli.output import answer, say, table

if TYPE_CHECKING:
    from rich.console import Console

    from copytrade_core.edges.settings import Loaded

group = typer.Typer(no_args_is_help=True, help="Settings: what is in force and where it comes from.")


def add_to(app: typer.Typer) -> None:
    """Adds the verbs of this module."""
    app.add_typer(group, name="config")


@group.command("show")
def show(json_output: JsonFlag = False) -> None:
    """Print every setting with where it came from; secrets are masked.

    Example: copytrade config show
    """
    found = loaded()
    rows = _rows(found)
    payload = {
        "file": str(found.file),
        "settings": {key: {"value": value, "from": layer, "name": name} for key, value, layer, name in rows},
    }
    answer(payload, as_json=json_output, render=lambda to: _draw(to, found, rows))


def _rows(found: Loaded) -> list[tuple[str, str, str, str]]:
    from copytrade_core.edges.settings_origin import shown

    rows: list[tuple[str, str, str, str]] = []
    for key, (_, layer, name) in found.leaves.items():
        value: object = found.settings
        for part in key.split("."):
            value = value[part] if isinstance(value, dict) else getattr(value, part)
        rows.append((key, shown(value), layer.value, name))
    return rows


def _draw(to: Console, found: Loaded, rows: list[tuple[str, str, str, str]]) -> None:
    say(f"file: {found.file}", to=to)
    shown = [(key, value, layer if layer == "file" else f"{layer} {name}") for key, value, layer, name in rows]
    table(to, ("setting", "value", "from"), shown, title=None, right=())
