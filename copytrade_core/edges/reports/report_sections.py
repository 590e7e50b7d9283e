"""What every HTML report is built of: the page around it, a table, a plot. One file, no network.

Plotly is inlined once; a content security policy forbids every request. What stands in a report belongs to its own
module.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from html import escape
from importlib import resources
from typing import Any

from plotly.offline import get_plotlyjs

from copytrade_core.edges.reports.report_figure import Plot, figures_json
from copytrade_core.edges.reports.report_text import SIMULATED, Table, wrapped

POLICY = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:"

PROSE_CHARACTERS_MIN = 36


def html_page(title: str, body: Sequence[str], shown: Sequence[Plot]) -> str:
    """The whole page: readable on a phone, in the dark, on paper; without scripts all tables remain.

    Args:
        title: plain text.
        body: HTML sections in reading order.
        shown: the plots that the sections have places for.
    """
    return "\n".join(
        [
            '<!doctype html><html lang="en"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="color-scheme" content="light dark">',
            f"<title>{escape(title)}</title><style>{_asset('report.css')}</style></head><body><main>",
            *body,
            "</main>",
            f'<script type="application/json" id="figures">{figures_json(shown)}</script>',
            f"<script>{_plotly()}</script>" if shown else "",
            f"<script>{_asset('report.js')}</script>" if shown else "",
            "</body></html>\n",
        ]
    )


def simulated_section(origin: str) -> str:
    """The banner of a simulated market; nothing for a recorded one."""
    if origin != "simulated":
        return ""
    return f'<p class="simulated">{SIMULATED.replace("**simulated**", "<strong>simulated</strong>")}</p>'


def conclusion_section(conclusion: Mapping[str, Any], answers: Mapping[str, str]) -> str:
    """Question, answer, the decisive numbers, and why it is not better."""
    reasons = "".join(f"<li>{escape(reason)}</li>" for reason in conclusion["reasons"])
    return (
        f'<section class="conclusion {escape(conclusion["answer"])}"><p class="question">'
        f'{escape(wrapped(conclusion["question"]))}</p><p class="answer">{escape(answers[conclusion["answer"]])}</p>'
        f"<p>{escape(conclusion['sentence'])}</p>{f'<ul>{reasons}</ul>' if reasons else ''}</section>"
    )


def findings_section(findings: Sequence[Mapping[str, Any]]) -> str:
    """What to doubt."""
    found = "".join(f"<li><strong>{escape(item['title'])}.</strong> {escape(item['text'])}</li>" for item in findings)
    said = f"<ul>{found}</ul>" if found else "<p>Nothing was found that the checks look for.</p>"
    return f'<section class="findings"><h2>What to doubt</h2>{said}</section>'


def plot_section(plot: Plot) -> str:
    """The place of one plot, with its heading and how to read it."""
    height = int(plot.figure["layout"]["height"])
    return (
        f'<figure><h2>{escape(plot.title)}</h2><figcaption class="note">{escape(plot.note)}</figcaption>'
        f'<div class="plot" role="img" aria-label="{escape(plot.title)}" data-figure="{escape(plot.name)}" '
        f'style="height:{height}px"></div></figure>'
    )


def table_section(table: Table) -> str:
    """One table with its heading; wide ones scroll sideways."""
    prose = _prose_columns(table)
    head = "".join(
        f'<th scope="col"{_artefact(cell) or _prose(is_prose)}>{escape(cell)}</th>'
        for cell, is_prose in zip(table.columns, prose, strict=True)
    )
    marked = [_artefact(cell) for cell in table.columns]
    rows = "".join(
        "<tr>"
        f'<th scope="row"{_artefact(row[0])}>{escape(row[0])}</th>'
        + "".join(
            f"<td{mark or _artefact(row[0]) or _prose(is_prose)}>{escape(cell)}</td>"
            for cell, mark, is_prose in zip(row[1:], marked[1:], prose[1:], strict=True)
        )
        + "</tr>"
        for row in table.rows
    )
    note = f'<p class="note">{escape(table.note)}</p>' if table.note else ""
    return (
        f'<section><h2{_artefact(table.title)}>{escape(table.title)}</h2>{note}<div class="scroll" tabindex="0"><table>'
        f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div></section>"
    )


@cache
def _asset(name: str) -> str:
    return resources.files("copytrade_core.edges.reports").joinpath("report_page", name).read_text(encoding="utf-8")


@cache
def _plotly() -> str:
    return get_plotlyjs()


def _artefact(label: str) -> str:
    """Whatever rests on lead prices looks different, not only reads different."""
    return ' class="artefact"' if label.startswith("Artefact") else ""


def _prose_columns(table: Table) -> list[bool]:
    """Which columns hold sentences or digests: these break into lines and start at the left, numbers never do."""
    return [
        place > 0 and any(len(row[place]) > PROSE_CHARACTERS_MIN for row in table.rows)
        for place in range(len(table.columns))
    ]


def _prose(is_prose: bool) -> str:  # noqa: FBT001 - of one column
    return ' class="prose"' if is_prose else ""
