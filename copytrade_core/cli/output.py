"""How a verb answers: one JSON object for machines or a few lines and tables for people.

With `--json` nothing but the object reaches standard output; progress and warnings go to standard error.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

Payload = Mapping[str, object]
PIPE_WIDTH = 100
"""Columns of an output that is no terminal, when COLUMNS says nothing else."""
WORD_MAX = 40
"""Longer words, which are digests, may be broken to fit a table, as may paths."""
BROKEN_MIN = 20
"""What stays together of a word that may be broken."""


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
    """Standard output for people: as wide as the terminal or COLUMNS say, otherwise 100 columns."""
    from rich.console import Console

    is_known = sys.stdout.isatty() or os.environ.get("COLUMNS", "").isdigit()
    return Console(highlight=False, width=None if is_known else PIPE_WIDTH)


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
    """A table; columns named in `right` hold numbers. Cells are shown as they are.

    No word is broken: where the longest words do not fit beside each other, each row is a block of lines.
    """
    from rich import box
    from rich.table import Table
    from rich.text import Text

    cells = [[cell if isinstance(cell, Text) else Text(shown_cell(cell)) for cell in row] for row in rows]
    widths = _widths([[name, *(row[i].plain for row in cells)] for i, name in enumerate(columns)], to.width)
    if widths is None:
        _stacked(to, columns, cells, title=title)
        return
    drawn = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    for name, width in zip(columns, widths, strict=True):
        drawn.add_column(name, justify="right" if name in right else "left", overflow="fold", width=width)
    for row in cells:
        drawn.add_row(*row)
    to.print(drawn)


def _widths(columns: Sequence[Sequence[str]], width: int) -> list[int] | None:
    """Width of each column so that all fit and no word breaks, the widest cut first; None when that cannot be."""
    wanted = [max(len(line) for cell in cells for line in (cell.splitlines() or [""])) for cells in columns]
    needed = [max(_needed(word) for cell in cells for word in (cell.split() or [""])) for cells in columns]
    room = width - 3 * len(columns) + 1
    for cap in range(max(wanted), -1, -1):
        found = [max(need, min(want, cap)) for need, want in zip(needed, wanted, strict=True)]
        if sum(found) <= room:
            return found
    return None


def _needed(word: str) -> int:
    may_break = len(word) > WORD_MAX or word.startswith("/")
    return min(len(word), BROKEN_MIN) if may_break else len(word)


def _stacked(to: Console, columns: Sequence[str], rows: Sequence[Sequence[Text]], *, title: str | None) -> None:
    """Each row as a block: its first cell, and the others below it with their names."""
    if title is not None:
        to.print(title, style="bold", markup=False)
    for row in rows:
        to.print(row[0])
        for name, cell in zip(columns[1:], row[1:], strict=True):
            to.print(f"  {name}: ", end="", markup=False)
            to.print(cell, soft_wrap=True)


def draw_facts(to: Console, payload: Payload, *, title: str | None) -> None:
    """An object's fields, one per line."""
    table(to, ("what", "value"), payload.items(), title=title, right=())


def imported_words(payload: Payload) -> Payload:
    """What a market file brought in, for people: lists are counted, and the one doubt is explained."""
    months, gaps, corrections = (payload.get(name, []) for name in ("months", "gaps", "corrections"))
    assert isinstance(months, list)
    assert isinstance(gaps, list)
    assert isinstance(corrections, list)
    told = {name: value for name, value in payload.items() if name not in {"last_bar_doubtful", "dropped_open_bar"}}
    told["months"] = f"{months[0]} to {months[-1]} ({len(months)} months)" if len(months) > 1 else ", ".join(months)
    told["corrections"] = "; ".join(str(one["reason"]) for one in corrections) or "none"
    if "gaps" in payload:
        missing = sum(gap["missing_count"] for gap in gaps)
        told["gaps"] = f"{len(gaps)}, {missing} bars missing" if gaps else "none"
        told["last bar"] = _last_bar(payload)
    return told


def _last_bar(payload: Payload) -> str:
    if payload["dropped_open_bar"]:
        return "had not ended when the file was downloaded, and was left out"
    if payload["last_bar_doubtful"]:
        return "may not have ended when the file was downloaded; say when that was with --obtained-at"
    return "had ended"


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
