"""The search report as Markdown: the answer first, then why, then every table."""

from __future__ import annotations

from copytrade_core.edges.reports.report_markdown import escaped, markdown_table
from copytrade_core.edges.reports.report_text import SIMULATED, Document, wrapped
from copytrade_core.edges.reports.search_report_details import search_detail_tables
from copytrade_core.edges.reports.search_report_tables import (
    best_table,
    finalists_table,
    judged_table,
    luck_table,
    parameters_table,
)
from copytrade_core.edges.reports.search_report_text import ANSWERS


def render_search_markdown(document: Document) -> str:
    """The whole report as one Markdown text, ending with a newline."""
    conclusion = document["conclusion"]
    lines = [
        f"# Lead {document['lead_id']}: search",
        "",
        f"**{escaped(wrapped(conclusion['question']))}**",
        "",
        f"**{ANSWERS[conclusion['answer']]}.** {escaped(conclusion['sentence'])}",
        "",
        *(f"- {escaped(reason)}" for reason in conclusion["reasons"]),
        "",
    ]
    if document["origin"] == "simulated":
        lines += [f"> {SIMULATED}", ""]
    judged = judged_table(document)
    for table in (judged, luck_table(document)):
        lines += markdown_table(table) if table is not None and table.rows else []
    lines += ["## What to doubt", ""]
    lines += [f"- **{escaped(doubt['title'])}.** {escaped(doubt['text'])}" for doubt in document["findings"]]
    lines += [] if document["findings"] else ["Nothing was found that the checks look for."]
    lines.append("")
    main = (finalists_table(document), parameters_table(document), best_table(document))
    for table in (*main, *search_detail_tables(document)):
        lines += markdown_table(table) if table.rows else []
    if document["policy_toml"] is not None:
        lines += ["## The champion's policy file", "", "```toml", document["policy_toml"].rstrip(), "```"]
    return "\n".join(lines).rstrip() + "\n"
