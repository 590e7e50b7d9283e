"""Tables of a stored search for the UI."""

import dagster as dg

from copytrade_core.edges.lead_search import reported_policies
from copytrade_core.edges.stages.workplace import StageOutcome, Workplace
from copytrade_dagster.tables import counts, table


def counts_of(outcome: StageOutcome, name: str) -> dg.MarkdownMetadataValue:
    """Trials counted by origin or status."""
    found = outcome.metadata[name]
    assert isinstance(found, dict), "trials are counted by name"
    return counts(name.removeprefix("by_"), found)


def finalists_table(place: Workplace, lead_id: str) -> dg.MarkdownMetadataValue:
    """Every finalist with what speaks against it."""
    rows = [(one.trial, "; ".join(one.reasons) or "nothing") for one in reported_policies(place, lead_id).finalists]
    return table(("trial", "against it"), rows)
