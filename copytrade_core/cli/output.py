"""How a verb answers: one JSON object for machines or a few lines and tables for people.

With `--json` nothing but the object reaches standard output; progress and warnings go to standard error.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

Payload = Mapping[str, object]


def answer(payload: Payload, *, as_json: bool, render: Callable[[Console], None]) -> None:
    """Prints the payload as JSON, or lets `render` draw it for people."""
    if as_json:
        print_json(payload)
    else:
        render(console())


def print_json(payload: Payload) -> None:
    """One JSON object and a newline; not-a-number and unknown types are refused rather than written."""
    text = json.dumps(payload, allow_nan=False, ensure_ascii=False)
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def console() -> Console:
    """Standard output for people; wide when nobody watches, so that a pipe never gets folded words."""
    from rich.console import Console

    return Console(highlight=False, width=None if sys.stdout.isatty() else 160)


def error_console() -> Console:
    """Standard error for people."""
    from rich.console import Console

    return Console(stderr=True, highlight=False)


def say(text: str, *, to: Console) -> None:
    """One line of prose: no markup is read from data; words wrap where somebody watches, and never in a pipe."""
    to.print(text, markup=False, soft_wrap=not to.is_terminal)


def say_exactly(text: str, *, to: Console) -> None:
    """One line that may be copied (a path, a command): never broken."""
    to.print(text, markup=False, soft_wrap=True)


def table(
    to: Console, columns: Sequence[str], rows: Iterable[Sequence[object]], *, title: str | None, right: Sequence[str]
) -> None:
    """A table; columns named in `right` hold numbers. Cells are shown as they are."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    drawn = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    for name in columns:
        drawn.add_column(name, justify="right" if name in right else "left", overflow="fold")
    for row in rows:
        drawn.add_row(*(cell if isinstance(cell, Text) else Text(shown_cell(cell)) for cell in row))
    to.print(drawn)


def draw_facts(to: Console, payload: Payload, *, title: str | None) -> None:
    """An object's fields, one per line."""
    table(to, ("what", "value"), payload.items(), title=title, right=())


def shown_cell(value: object) -> str:
    """A cell's text: absent is a dash, numbers have at most six significant digits."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:,.2f}" if abs(value) >= 1000 else f"{value:.6g}"
    return str(value)


def verdict_text(verdict: str) -> object:
    """A verdict in words and colour; the word alone is enough to read it."""
    from rich.text import Text

    styles = {"pass": "green", "fail": "red", "inconclusive": "yellow", "refused": "red", "ok": "green"}
    return Text(verdict, style=styles.get(verdict, ""))
