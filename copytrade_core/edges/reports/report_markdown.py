"""The report as Markdown: conclusion first, then why, then every table."""

from __future__ import annotations

from copytrade_core.edges.reports.report_details import detail_tables
from copytrade_core.edges.reports.report_tables import strategies_table, summary_table
from copytrade_core.edges.reports.report_text import SIMULATED, Document, Table, wrapped

ANSWERS = {"yes": "Yes", "no": "No", "not_enough_evidence": "Not enough evidence"}


def render_markdown(document: Document) -> str:
    """The whole report as one Markdown text, ending with a newline."""
    conclusion = document["conclusion"]
    lines = [
        f"# Lead {document['lead_id']}: evidence",
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
    lines += markdown_table(summary_table(document))
    lines += ["## What to doubt", ""]
    lines += [f"- **{finding['title']}.** {escaped(finding['text'])}" for finding in document["findings"]]
    lines += [] if document["findings"] else ["Nothing was found that the checks look for."]
    lines.append("")
    for table in (strategies_table(document), *detail_tables(document)):
        lines += markdown_table(table)
    return "\n".join(lines).rstrip() + "\n"


def markdown_table(table: Table) -> list[str]:
    """A table as lines: heading, note, rows; cells cannot break it."""
    head = [f"## {table.title}", ""]
    if table.note:
        head += [escaped(table.note), ""]
    rows = ["| " + " | ".join(escaped(cell) for cell in row) + " |" for row in (table.columns, *table.rows)]
    aligned = "|---|" + "---:|" * (len(table.columns) - 1)
    return [*head, rows[0], aligned, *rows[1:], ""]


def escaped(text: str) -> str:
    """Text that Markdown reads as text, on one line."""
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")
