"""Checks of stored data that are not gates: whole lists, fresh pages, schema, rows, gaps, prices, stated assumptions.

Each answers yes or no with the digest it read, what it saw, and what to do. Gates belong to `promotion`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from copytrade_core.edges.market.intervals import interval_ms_of
from copytrade_core.edges.market.market_store import bars_partition
from copytrade_core.edges.stages.leads import stored_lists
from copytrade_core.edges.stages.market import bar_sanity
from copytrade_core.edges.stages.sources import newest_page_at
from copytrade_core.edges.stages.study_store import load_study
from copytrade_core.edges.stages.workplace import Workplace
from copytrade_core.model.source import LeadId
from copytrade_core.promotion.gate_result import Gate
from copytrade_core.sources.consistency import check_consistency
from copytrade_core.sources.envelope import is_success
from copytrade_core.sources.lead_list import ListWalk
from copytrade_core.sources.schema_drift import EXPECTED, drift

SHOWN = 20
"""Gaps and jumps listed one by one; the rest is counted."""
PNL_ERROR_RATIO_MAX = 1e-6
"""Of the entry notional. The recorded rows agree to 1e-9; a profit net of fees would be off by over 1e-4."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DataCheck:
    """One answer. `digest` is of the object that was judged; `says` is one sentence for a person."""

    passed: bool
    digest: str
    says: str
    seen: Mapping[str, object]


def universe_complete(place: Workplace, day: str) -> DataCheck:
    """Every public list of the day was read to its end and has the leads that it claims."""
    head = place.lake.require("lead_lists", day)
    lists = stored_lists(place, day)
    return DataCheck(
        passed=bool(lists) and all(one.is_complete for one in lists),
        digest=head.digest,
        says="; ".join(_list_says(one) for one in lists) or "No list is stored.",
        seen={
            "incomplete": [f"{one.data_type} {one.time_range}" for one in lists if not one.is_complete],
            "short_by": {f"{one.data_type} {one.time_range}": one.short_by for one in lists},
            "leads": len({lead for one in lists for lead in one.ids}),
        },
    )


def _list_says(one: ListWalk) -> str:
    claimed = "an unknown number of" if one.total_count is None else str(one.total_count)
    said = f"{one.data_type} {one.time_range}: {one.distinct_count} of {claimed} leads, {one.pages_count} pages"
    if one.unreadable_count:
        said += f", {one.unreadable_count} rows without an id"
    if one.fault is not None:
        return f"{said}, {one.fault}"
    return said if one.reached_end else f"{said}, not read to the end"


def pages_fresh(place: Workplace, lead_id: str) -> DataCheck:
    """The newest history page is no older than the contract allows."""
    head = place.lake.require("source_pages", lead_id)
    newest = newest_page_at(place, lead_id)
    limit_s = float(place.contract().threshold(Gate.SOURCE_QUALITY, "source_age_s_max").value)
    age_s = None if newest is None else (place.now() - newest).total_seconds()
    return DataCheck(
        passed=age_s is not None and age_s <= limit_s,
        digest=head.digest,
        says="No history page is archived." if age_s is None else f"The newest history page is {age_s:.0f} s old.",
        seen={"age_s": age_s, "age_s_max": limit_s},
    )


def no_schema_drift(place: Workplace, lead_id: str) -> DataCheck:
    """No field that we rely on is gone or of another kind; a new one is only shown."""
    head = place.lake.require("source_pages", lead_id)
    lead = LeadId(lead_id)
    found = [
        drift(endpoint, [page for page in place.archive.pages(lead, endpoint) if is_success(page)])
        for endpoint in EXPECTED
    ]
    changes = [
        *(f"{one.endpoint}: {name} is missing" for one in found for name in one.missing),
        *(f"{one.endpoint}: {change.field} is {sorted(change.found)}" for one in found for change in one.retyped),
    ]
    new = [f"{one.endpoint}: {name}" for one in found for name in one.new]
    return DataCheck(
        passed=not any(one.blocks for one in found),
        digest=head.digest,
        says="; ".join(changes) or ("New fields: " + ", ".join(new) if new else "Fields are as documented."),
        seen={"changed": changes, "new": new, "rows_count": sum(one.rows_count for one in found)},
    )


def rows_accounted(place: Workplace, lead_id: str) -> DataCheck:
    """Rows in = usable + unusable + duplicates, counted again from the stored tables."""
    head = place.lake.require("closed_positions", lead_id)
    counts = place.lake.document_as("source_counts", lead_id, dict[str, object])
    rows, duplicates = int(str(counts["rows"])), int(str(counts["duplicates"]))
    usable = place.lake.table("closed_positions", lead_id).height
    unusable = place.lake.table("unusable_rows", lead_id).height
    return DataCheck(
        passed=rows == usable + unusable + duplicates,
        digest=head.digest,
        says=f"{rows} rows = {usable} usable + {unusable} unusable + {duplicates} duplicates",
        seen={"rows": rows, "usable": usable, "unusable": unusable, "duplicates": duplicates},
    )


def rows_consistent(place: Workplace, lead_id: str) -> DataCheck:
    """Closed rows agree with themselves: profit with prices and volume, close with update time, each position once."""
    head = place.lake.require("closed_positions", lead_id)
    found = check_consistency(place.lake.table("closed_positions", lead_id), pnl_error_ratio_max=PNL_ERROR_RATIO_MAX)
    return DataCheck(
        passed=found.holds,
        digest=head.digest,
        says=f"Of {found.rows_count} closed rows {found.pnl_differs_count} publish another profit than their prices"
        f" give, {found.update_lags_count} were updated at another time, {found.repeated_count} are repeated.",
        seen={
            "rows": found.rows_count,
            "pnl_error_ratio_max": found.pnl_error_ratio_max,
            "pnl_differs": list(found.pnl_differs),
            "update_lags": list(found.update_lags),
            "repeated": list(found.repeated),
        },
    )


def no_gaps(place: Workplace, market: str, month: str) -> DataCheck:
    """No bar is missing between the first and the last stored one of the month."""
    found = bar_sanity(place, market, month)
    gaps = [{"open_time_ms": gap.open_time_ms, "missing_count": gap.missing_count} for gap in found.gaps[:SHOWN]]
    return DataCheck(
        passed=found.no_gaps,
        digest=_bars_digest(place, market, month),
        says=f"{found.missing_count} of {found.bar_count + found.missing_count} bars are missing.",
        seen={"bars": found.bar_count, "missing": found.missing_count, "gaps": gaps},
    )


def prices_sane(place: Workplace, market: str, month: str) -> DataCheck:
    """No bar jumps beyond belief and the market was not silent."""
    found = bar_sanity(place, market, month)
    jumps = [{"open_time_ms": jump.open_time_ms, "move_bps": jump.move_bps} for jump in found.jumps[:SHOWN]]
    return DataCheck(
        passed=found.prices_sane,
        digest=_bars_digest(place, market, month),
        says=f"{len(found.jumps)} jumps; {found.zero_volume_ratio:.2%} of the bars have no volume.",
        seen={"jumps": jumps, "zero_volume_ratio": found.zero_volume_ratio},
    )


def assumptions_stated(place: Workplace, lead_id: str) -> DataCheck:
    """The replay names its fill models, costs with their source, delay and the origin of its prices."""
    head = place.lake.require("evidence_report", lead_id)
    spec = load_study(place.lake, lead_id).main_result.spec
    stated = place.lake.document_as("evidence_report", lead_id, dict[str, object]).get("assumptions")
    seen = {
        "market_fill": spec.market_fill.value,
        "rung_fill": spec.rung_fill.value,
        "delay_s": spec.delay_s,
        "costs_source": spec.costs.source,
        "in_report": len(stated) if isinstance(stated, list) else 0,
    }
    return DataCheck(
        passed=bool(spec.costs.source.strip()) and isinstance(stated, list) and bool(stated),
        digest=head.digest,
        says=f"{spec.market_fill}, {spec.rung_fill}, delay {spec.delay_s} s; {spec.costs.source}",
        seen=seen,
    )


def _bars_digest(place: Workplace, market: str, month: str) -> str:
    interval_ms = interval_ms_of(place.settings.market.bar_interval)
    return place.lake.require("bars", bars_partition(market, interval_ms, month)).digest
