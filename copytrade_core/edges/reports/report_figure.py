"""What a plot is: a Plotly figure as plain dicts, with its heading. Colours are names that the page resolves."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

Figure = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """A figure with its heading and one sentence on how to read it."""

    name: str
    title: str
    note: str
    figure: Figure


def axis(title: str, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - any setting of Plotly's
    """An axis with a title and room for its labels."""
    return {"title": {"text": title}, "automargin": True, **more}


def figures_json(shown: Sequence[Plot]) -> str:
    """The figures by name as JSON that may stand inside a script element."""
    text = json.dumps({plot.name: plot.figure for plot in shown}, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
