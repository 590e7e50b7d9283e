from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from copytrade_core.model.source import Endpoint
from copytrade_core.sources.envelope import LeadNotFound, MalformedPage
from copytrade_core.sources.history_walk import walk_of_pages
from copytrade_core.sources.lead_detail import read_lead_detail
from copytrade_core.sources.normalise_history import normalise_history
from copytrade_core.sources.schema_drift import JsonKind, drift
from copytrade_core.sources.source_quality import source_quality

DETAIL = {
    "leadPortfolioId": "4751838302089254401",
    "nickname": None,
    "status": "ACTIVE",
    "positionShow": True,
    "startTime": 1768318446214,
    "closedTime": None,
    "endTime": None,
    "marginBalance": "123456.78000000",
    "profitSharingRate": "10.00000000",
}


def test_the_detail_page_says_what_decisions_need(pages: Any) -> None:
    detail = read_lead_detail(pages.answer(DETAIL, Endpoint.LEAD_DETAIL))
    assert (detail.is_active, detail.positions_visible, detail.nickname) == (True, True, None)
    assert (detail.margin_balance, detail.profit_share_ratio) == (Decimal("123456.78"), Decimal("0.1"))
    assert detail.started_at is not None
    assert detail.started_at.isoformat() == "2026-01-13T15:34:06.214000+00:00"
    assert detail.closed_at is None


@pytest.mark.parametrize("shown", [False, None, "absent"])
def test_positions_are_visible_only_when_the_page_says_so(pages: Any, shown: Any) -> None:
    data = {name: value for name, value in DETAIL.items() if name != "positionShow"}
    if shown != "absent":
        data["positionShow"] = shown
    assert not read_lead_detail(pages.answer(data, Endpoint.LEAD_DETAIL)).positions_visible


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"positionShow": "yes"}, "positionShow"),
        ({"leadPortfolioId": "1"}, "leadPortfolioId"),
        ({"marginBalance": "much"}, "marginBalance"),
        ({"startTime": "soon"}, "startTime"),
        ({"startTime": 10**18}, "startTime"),
    ],
)
def test_a_detail_page_of_another_shape_is_malformed(pages: Any, change: dict[str, Any], field: str) -> None:
    with pytest.raises(MalformedPage) as caught:
        _ = read_lead_detail(pages.answer({**DETAIL, **change}, Endpoint.LEAD_DETAIL))
    assert caught.value.where.field == field


def test_a_retired_lead_is_not_found(pages: Any) -> None:
    with pytest.raises(LeadNotFound):
        _ = read_lead_detail(pages.answer(None, Endpoint.LEAD_DETAIL, code="11012028"))


def test_recorded_rows_do_not_drift(pages: Any, real_data: Path) -> None:
    raw = json.loads((real_data / "leads/4751838302089254401/position_history_pages_raw.json").read_text())
    history = drift(Endpoint.POSITION_HISTORY, [pages.answer(raw[0]["response"]["data"])])
    assert (history.rows_count, history.new, history.blocks) == (47, (), False)
    body = (real_data / "leads/positions_sample_3699951837954445568_first3rows.json").read_bytes()
    opened = drift(Endpoint.OPEN_POSITIONS, [pages.raw(body, Endpoint.OPEN_POSITIONS)])
    assert (opened.rows_count, opened.new, opened.blocks) == (3, (), False)
    detail = drift(Endpoint.LEAD_DETAIL, [pages.answer(DETAIL, Endpoint.LEAD_DETAIL)])
    assert (detail.new, detail.blocks) == ((), False)


def test_a_new_field_is_named_and_a_missing_or_retyped_one_blocks(pages: Any) -> None:
    found = drift(Endpoint.POSITION_HISTORY, [pages.history(pages.row(positionId=7))])
    assert (found.new, found.blocks) == (("positionId",), False)
    row = pages.row()
    del row["closed"]
    found = drift(Endpoint.POSITION_HISTORY, [pages.history(pages.row(), row)])
    assert (found.missing, found.blocks) == (("closed",), True)
    found = drift(Endpoint.POSITION_HISTORY, [pages.history(pages.row(isolated=False))])
    assert found.blocks
    assert (found.retyped[0].field, found.retyped[0].found) == ("isolated", {JsonKind.BOOLEAN})


def test_leverage_and_roi_may_be_absent_and_no_rows_say_nothing(pages: Any) -> None:
    row = pages.row()
    del row["leverage"], row["roi"]
    assert not drift(Endpoint.POSITION_HISTORY, [pages.history(row)]).blocks
    assert not drift(Endpoint.POSITION_HISTORY, [pages.history()]).blocks


def test_quality_tells_completeness_losers_and_age(pages: Any) -> None:
    rows = [
        pages.row(),
        pages.row(opened=1779098899732, side="Short", closingPnl=-11730.06149916),
        pages.row(opened=1779098899733, symbol=None),
    ]
    page = pages.history(*rows, total=5)
    now = pages.received + timedelta(hours=1)
    quality = source_quality(
        normalise_history([page]),
        walk=walk_of_pages((page,), lead_id=pages.lead),
        has_open_side=False,
        observed_at=pages.received,
        now=now,
    )
    assert (quality.rows_count, quality.usable_count, quality.rejected_ratio) == (3, 2, pytest.approx(1 / 3))
    assert (quality.claimed_count, quality.short_by_count, quality.is_history_complete) == (5, 2, False)
    assert (quality.losers_count, quality.losers_ratio, quality.has_open_side) == (1, 0.5, False)
    assert quality.page_age_s == 3600
    assert quality.newest_close_age_s == 49433.378


def test_a_lead_without_rows_has_no_ratios(pages: Any) -> None:
    quality = source_quality(
        normalise_history([]), walk=None, has_open_side=False, observed_at=None, now=pages.received
    )
    assert (quality.losers_ratio, quality.newest_close_age_s, quality.is_history_complete) == (None, None, False)
