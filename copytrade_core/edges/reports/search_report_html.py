"""The search report as one self-contained HTML file: the answer first, then luck, the finalists, the ground, the rest.

The page around it and what its parts look like belong to `report_sections.py`.
"""

from __future__ import annotations

from html import escape

from copytrade_core.edges.reports.report_sections import (
    conclusion_section,
    findings_section,
    html_page,
    plot_section,
    simulated_section,
    table_section,
)
from copytrade_core.edges.reports.report_text import Document
from copytrade_core.edges.reports.search_report_details import search_detail_tables
from copytrade_core.edges.reports.search_report_plots import search_plots
from copytrade_core.edges.reports.search_report_tables import (
    best_table,
    finalists_table,
    judged_table,
    luck_table,
    parameters_table,
)
from copytrade_core.edges.reports.search_report_text import ANSWERS


def render_search_html(document: Document) -> str:
    """The whole page."""
    shown = search_plots(document)
    named = f" ({escape(document['nickname'])})" if document["nickname"] else ""
    judged = judged_table(document)
    body = [
        f"<h1>Lead {escape(document['lead_id'])}{named}: search</h1>",
        simulated_section(document["origin"]),
        conclusion_section(document["conclusion"], ANSWERS),
        "" if judged is None else table_section(judged),
        table_section(luck_table(document)) if document["luck"] else "",
        findings_section(document["findings"]),
        table_section(finalists_table(document)) if document["finalists"] else "",
        *(plot_section(plot) for plot in shown),
        table_section(parameters_table(document)) if document["parameters"] else "",
        table_section(best_table(document)) if document["best"] else "",
        _policy(document),
        *(table_section(table) for table in search_detail_tables(document)),
    ]
    return html_page(f"Lead {document['lead_id']}: search", body, shown)


def _policy(document: Document) -> str:
    if document["policy_toml"] is None:
        return ""
    return (
        '<section><h2>The champion\'s policy file</h2><p class="note">Save it under settings/policies/ to use it.</p>'
        f'<pre tabindex="0">{escape(document["policy_toml"])}</pre></section>'
    )
