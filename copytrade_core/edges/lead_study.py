"""The last steps of one lead, for those who run them without the orchestrator: study, report, promotion evidence.

What a step does belongs to its stage; nothing is decided here.
"""

from __future__ import annotations

from pathlib import Path

from copytrade_core.edges.lead_line import derive_lead
from copytrade_core.edges.reports.report_files import ReportPaths, write_report
from copytrade_core.edges.stages.evidence import report_lead
from copytrade_core.edges.stages.promotion import promotion_evidence
from copytrade_core.edges.stages.replay import replay_lead
from copytrade_core.edges.stages.split import split_lead
from copytrade_core.edges.stages.workplace import StageOutcome, Workplace
from copytrade_core.model.errors import NotStored


def render_report(place: Workplace, lead_id: str, folder: Path | None) -> ReportPaths:
    """Writes the stored report as HTML, Markdown, JSON and CSV; `None` is `<reports_dir>/<lead>`.

    Raises:
        NotStored: the lead has no report yet.
        StoreFault: the folder cannot be written.
    """
    if place.lake.head("evidence_report", lead_id) is None:
        raise NotStored(f"lead {lead_id} has no report", next_step=f"Run: copytrade evidence --lead {lead_id}")
    target = folder or place.settings.reports_dir / lead_id
    document = place.lake.document("evidence_report", lead_id)
    assert isinstance(document, dict), "a report is an object"
    return write_report(document, target, tmp=target / ".tmp")


def judge_lead(place: Workplace, lead_id: str) -> StageOutcome:
    """Everything from the archived pages to the promotion evidence, prices being stored already.

    Returns:
        The outcome of the evidence report.

    Raises:
        NotStored: no page is archived, or there is no episode.
    """
    _ = derive_lead(place, lead_id)
    _ = split_lead(place, lead_id)
    _ = replay_lead(place, lead_id)
    report = report_lead(place, lead_id)
    _ = promotion_evidence(place, lead_id)
    return report
