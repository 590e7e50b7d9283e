"""The report as one self-contained HTML file: readable on a phone, in the dark, on paper and without a network.

Plotly is inlined once; a content security policy forbids every request. Without scripts all tables remain.
"""

from __future__ import annotations

from functools import cache
from html import escape
from importlib import resources

from plotly.offline import get_plotlyjs

from copytrade_core.edges.report_details import detail_tables
from copytrade_core.edges.report_figure import Plot
from copytrade_core.edges.report_markdown import ANSWERS, SIMULATED
from copytrade_core.edges.report_plots import figures_json, plots
from copytrade_core.edges.report_tables import strategies_table, summary_table
from copytrade_core.edges.report_text import Document, Table, wrapped

POLICY = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:"

PROSE_CHARACTERS_MIN = 36


def render_html(document: Document) -> str:
    """The whole page."""
    shown = plots(document)
    title = f"Lead {document['lead_id']}: evidence"
    named = f" ({escape(document['nickname'])})" if document["nickname"] else ""
    body = [
        f"<h1>Lead {escape(document['lead_id'])}{named}</h1>",
        _simulated(document),
        _conclusion(document),
        _table(summary_table(document)),
        _findings(document),
        *(_plot(plot) for plot in shown),
        _table(strategies_table(document)),
        *(_table(table) for table in detail_tables(document)),
    ]
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


@cache
def _asset(name: str) -> str:
    return resources.files("copytrade_core.edges").joinpath("report_page", name).read_text(encoding="utf-8")


@cache
def _plotly() -> str:
    return get_plotlyjs()


def _simulated(document: Document) -> str:
    if document["origin"] != "simulated":
        return ""
    return f'<p class="simulated">{SIMULATED.replace("**simulated**", "<strong>simulated</strong>")}</p>'


def _conclusion(document: Document) -> str:
    conclusion = document["conclusion"]
    reasons = "".join(f"<li>{escape(reason)}</li>" for reason in conclusion["reasons"])
    return (
        f'<section class="conclusion {escape(conclusion["answer"])}"><p class="question">'
        f'{escape(wrapped(conclusion["question"]))}</p><p class="answer">{ANSWERS[conclusion["answer"]]}</p>'
        f"<p>{escape(conclusion['sentence'])}</p>{f'<ul>{reasons}</ul>' if reasons else ''}</section>"
    )


def _findings(document: Document) -> str:
    found = "".join(
        f"<li><strong>{escape(item['title'])}.</strong> {escape(item['text'])}</li>" for item in document["findings"]
    )
    said = f"<ul>{found}</ul>" if found else "<p>Nothing was found that the checks look for.</p>"
    return f'<section class="findings"><h2>What to doubt</h2>{said}</section>'


def _plot(plot: Plot) -> str:
    height = int(plot.figure["layout"]["height"])
    return (
        f'<figure><h2>{escape(plot.title)}</h2><figcaption class="note">{escape(plot.note)}</figcaption>'
        f'<div class="plot" role="img" aria-label="{escape(plot.title)}" data-figure="{escape(plot.name)}" '
        f'style="height:{height}px"></div></figure>'
    )


def _table(table: Table) -> str:
    head = "".join(f'<th scope="col"{_artefact(cell)}>{escape(cell)}</th>' for cell in table.columns)
    marked = [_artefact(cell) for cell in table.columns]
    rows = "".join(
        "<tr>"
        f'<th scope="row"{_artefact(row[0])}>{escape(row[0])}</th>'
        + "".join(
            f"<td{mark or _artefact(row[0]) or _prose(cell)}>{escape(cell)}</td>"
            for cell, mark in zip(row[1:], marked[1:], strict=True)
        )
        + "</tr>"
        for row in table.rows
    )
    note = f'<p class="note">{escape(table.note)}</p>' if table.note else ""
    return (
        f'<section><h2{_artefact(table.title)}>{escape(table.title)}</h2>{note}<div class="scroll" tabindex="0"><table>'
        f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div></section>"
    )


def _artefact(label: str) -> str:
    """Whatever rests on lead prices looks different, not only reads different."""
    return ' class="artefact"' if label.startswith("Artefact") else ""


def _prose(cell: str) -> str:
    """Sentences and digests break into lines; numbers never do."""
    return ' class="prose"' if len(cell) > PROSE_CHARACTERS_MIN else ""
