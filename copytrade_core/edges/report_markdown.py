"""The report as Markdown: conclusion first, then why, then every table."""

from __future__ import annotations

from copytrade_core.edges.report_details import detail_tables
from copytrade_core.edges.report_tables import strategies_table, summary_table
from copytrade_core.edges.report_text import Document, Table, wrapped

ANSWERS = {"yes": "Yes", "no": "No", "not_enough_evidence": "Not enough evidence"}
SIMULATED = "The market in this report is **simulated**. No number says anything about real money."


def render_markdown(document: Document) -> str:
    """The whole report as one Markdown text, ending with a newline."""
    conclusion = document["conclusion"]
    lines = [
        f"# Lead {document['lead_id']}: evidence",
        "",
        f"**{_escaped(wrapped(conclusion['question']))}**",
        "",
        f"**{ANSWERS[conclusion['answer']]}.** {_escaped(conclusion['sentence'])}",
        "",
        *(f"- {_escaped(reason)}" for reason in conclusion["reasons"]),
        "",
    ]
    if document["origin"] == "simulated":
        lines += [f"> {SIMULATED}", ""]
    lines += _table(summary_table(document))
    lines += ["## What to doubt", ""]
    lines += [f"- **{finding['title']}.** {_escaped(finding['text'])}" for finding in document["findings"]]
    lines += [] if document["findings"] else ["Nothing was found that the checks look for."]
    lines.append("")
    for table in (strategies_table(document), *detail_tables(document)):
        lines += _table(table)
    return "\n".join(lines).rstrip() + "\n"


def _table(table: Table) -> list[str]:
    head = [f"## {table.title}", ""]
    if table.note:
        head += [_escaped(table.note), ""]
    rows = ["| " + " | ".join(_escaped(cell) for cell in row) + " |" for row in (table.columns, *table.rows)]
    aligned = "|---|" + "---:|" * (len(table.columns) - 1)
    return [*head, rows[0], aligned, *rows[1:], ""]


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")
