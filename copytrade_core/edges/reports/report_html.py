"""The evidence report as one self-contained HTML file: the answer first, then why, then every table and plot.

The page around it and what its parts look like belong to `report_sections.py`.
"""

from __future__ import annotations

from html import escape

from copytrade_core.edges.reports.report_details import detail_tables
from copytrade_core.edges.reports.report_markdown import ANSWERS
from copytrade_core.edges.reports.report_plots import plots
from copytrade_core.edges.reports.report_sections import (
    conclusion_section,
    findings_section,
    html_page,
    plot_section,
    simulated_section,
    table_section,
)
from copytrade_core.edges.reports.report_tables import strategies_table, summary_table
from copytrade_core.edges.reports.report_text import Document


def render_html(document: Document) -> str:
    """The whole page."""
    shown = plots(document)
    named = f" ({escape(document['nickname'])})" if document["nickname"] else ""
    body = [
        f"<h1>Lead {escape(document['lead_id'])}{named}</h1>",
        simulated_section(document["origin"]),
        conclusion_section(document["conclusion"], ANSWERS),
        table_section(summary_table(document)),
        findings_section(document["findings"]),
        *(plot_section(plot) for plot in shown),
        table_section(strategies_table(document)),
        *(table_section(table) for table in detail_tables(document)),
    ]
    return html_page(f"Lead {document['lead_id']}: evidence", body, shown)
