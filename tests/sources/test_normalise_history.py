from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from copytrade_core.model.source import LeadId, RejectReason
from copytrade_core.sources.consistency import check_consistency
from copytrade_core.sources.normalise_history import iter_normalised_history, normalise_history
from copytrade_core.sources.normalised import joined
from copytrade_core.sources.position_values import closed_positions, unusable_row_values
from copytrade_core.sources.schemas import CLOSED_POSITION_SCHEMA

SAMPLE = Path("data/sample/leads/4751838302089254401/position_history_pages_raw.json")


def recorded_rows(project_root: Path) -> list[dict[str, Any]]:
    return json.loads((project_root / SAMPLE).read_text())[0]["response"]["data"]["list"]


def test_the_recorded_lead_gives_47_exact_positions(pages: Any, project_root: Path) -> None:
    text = (project_root / SAMPLE).read_bytes()
    body = text[text.index(b'"response":') + len(b'"response":') : text.rindex(b"}]")]
    result = normalise_history([pages.raw(body)])
    assert (result.rows_count, result.positions.height, result.duplicates_count, result.rejected()) == (47, 47, 0, {})
    assert result.positions.schema == CLOSED_POSITION_SCHEMA
    first = closed_positions(result.positions)[0]
    assert first.avg_cost == Decimal("76247.40865858")
    assert first.closing_pnl == Decimal("11730.06149916")
    assert first.roi == Decimal("0.05792760")
    assert first.market == "BTC/USDT:USDT"
    assert first.opened_at == datetime(2026, 5, 18, 10, 8, 19, 731000, tzinfo=UTC)
    for position, row in zip(closed_positions(result.positions), recorded_rows(project_root), strict=True):
        assert position.avg_close_price == Decimal(repr(row["avgClosePrice"]))
        assert position.source_id == str(row["id"])


def test_recorded_profit_is_volume_times_price_move_to_1e_9(pages: Any, project_root: Path) -> None:
    result = normalise_history([pages.history(*recorded_rows(project_root))])
    found = check_consistency(result.positions, pnl_error_ratio_max=1e-9)
    assert (found.rows_count, found.pnl_differs, found.update_lags) == (47, (), ())
    wrong = normalise_history([pages.history(pages.row(closingPnl=-11730.06, updateTime=1779131766622 - 5000))])
    found = check_consistency(wrong.positions, pnl_error_ratio_max=1e-9)
    assert (found.pnl_differs_count, found.update_lags_count) == (1, 1)
    assert not found.holds


def test_rounded_prices_of_a_cheap_coin_are_no_disagreement_and_a_wrong_sign_is(pages: Any) -> None:
    cheap = {"symbol": "PEPEUSDT", "avgCost": 0.00001001, "avgClosePrice": 0.00001003, "maxOpenInterest": 10**9}
    cheap["closedVolume"] = 10**9
    for profit, differs in ((20.0, 0), (24.9, 0), (10.1, 0), (35.0, 1), (-20.0, 1)):
        frame = normalise_history([pages.history(pages.row(**cheap, closingPnl=profit))]).positions
        assert frame.height == 1
        assert check_consistency(frame, pnl_error_ratio_max=1e-6).pnl_differs_count == differs, profit


def test_a_position_that_is_there_twice_is_repeated_and_a_partial_close_is_not_judged(pages: Any) -> None:
    frame = normalise_history([pages.history(pages.row())]).positions
    found = check_consistency(pl.concat([frame, frame]), pnl_error_ratio_max=1e-6)
    assert (found.repeated_count, found.holds, len(found.repeated)) == (2, False, 2)
    partial = frame.with_columns(status=pl.lit("partially_closed"), closing_pnl_e8=pl.lit(0, pl.Int64))
    found = check_consistency(pl.concat([frame, partial]), pnl_error_ratio_max=1e-6)
    assert (found.rows_count, found.holds) == (1, True)
    assert check_consistency(frame.clear(), pnl_error_ratio_max=1e-6).holds


def test_values_and_frames_are_the_same_facts(pages: Any, frame_of_values: Any, project_root: Path) -> None:
    frame = normalise_history([pages.history(*recorded_rows(project_root))]).positions
    assert frame_of_values(closed_positions(frame), CLOSED_POSITION_SCHEMA).equals(frame)


BAD_ROWS: list[tuple[dict[str, Any], RejectReason, str]] = [
    ({"symbol": None}, RejectReason.MISSING_SYMBOL, "symbol"),
    ({"symbol": "  "}, RejectReason.MISSING_SYMBOL, "symbol"),
    ({"symbol": 7.5}, RejectReason.NO_MARKET, "symbol"),
    ({"symbol": ["BTCUSDT"]}, RejectReason.BAD_TYPE, "symbol"),
    ({"symbol": "BTCUSDT_260626"}, RejectReason.NO_MARKET, "symbol"),
    ({"symbol": "BTCEUR"}, RejectReason.NO_MARKET, "symbol"),
    ({"symbol": "BTCUSD_PERP", "type": "CM"}, RejectReason.NOT_LINEAR, "type"),
    ({"symbol": "BTCUSD_PERP"}, RejectReason.NOT_LINEAR, "symbol"),
    ({"symbol": "ETHUSD_260626"}, RejectReason.NOT_LINEAR, "symbol"),
    ({"type": "SPOT"}, RejectReason.NO_MARKET, "type"),
    ({"side": None}, RejectReason.MISSING_SIDE, "side"),
    ({"side": ""}, RejectReason.MISSING_SIDE, "side"),
    ({"side": "Sideways"}, RejectReason.UNKNOWN_SIDE, "side"),
    ({"side": {"a": 1}}, RejectReason.BAD_TYPE, "side"),
    ({"side": "Both", "closingPnl": 0}, RejectReason.UNKNOWN_SIDE, "side"),
    ({"avgCost": None}, RejectReason.MISSING_ENTRY, "avgCost"),
    ({"avgCost": " "}, RejectReason.MISSING_ENTRY, "avgCost"),
    ({"avgCost": 0}, RejectReason.NON_POSITIVE_PRICE, "avgCost"),
    ({"avgCost": "-76,000.5"}, RejectReason.NON_POSITIVE_PRICE, "avgCost"),
    ({"avgCost": "NaN"}, RejectReason.NOT_FINITE, "avgCost"),
    ({"avgCost": "abc"}, RejectReason.BAD_TYPE, "avgCost"),
    ({"avgCost": True}, RejectReason.BAD_TYPE, "avgCost"),
    ({"avgCost": "1,5"}, RejectReason.BAD_TYPE, "avgCost"),
    ({"avgClosePrice": -1}, RejectReason.NON_POSITIVE_PRICE, "avgClosePrice"),
    ({"avgClosePrice": None}, RejectReason.BAD_TYPE, "avgClosePrice"),
    ({"closingPnl": "inf"}, RejectReason.NOT_FINITE, "closingPnl"),
    ({"closedVolume": 0}, RejectReason.BAD_TYPE, "closedVolume"),
    ({"maxOpenInterest": []}, RejectReason.BAD_TYPE, "maxOpenInterest"),
    ({"roi": "much"}, RejectReason.BAD_TYPE, "roi"),
    ({"leverage": {}}, RejectReason.BAD_TYPE, "leverage"),
    ({"opened": None}, RejectReason.MISSING_TIME, "opened"),
    ({"closed": None}, RejectReason.MISSING_TIME, "closed"),
    ({"opened": "yesterday"}, RejectReason.BAD_TYPE, "opened"),
    ({"opened": 1779098899}, RejectReason.IMPOSSIBLE_TIME, "opened"),
    ({"closed": 1779131766}, RejectReason.IMPOSSIBLE_TIME, "closed"),
    ({"opened": 1779131766623}, RejectReason.IMPOSSIBLE_TIME, "closed"),
    ({"closed": 1779999999999}, RejectReason.IMPOSSIBLE_TIME, "closed"),
    ({"closed": 10**30}, RejectReason.IMPOSSIBLE_TIME, "closed"),
    ({"status": "Liquidated"}, RejectReason.BAD_TYPE, "status"),
    ({"status": None}, RejectReason.BAD_TYPE, "status"),
    ({"id": [1]}, RejectReason.BAD_TYPE, "id"),
]


@pytest.mark.parametrize(("change", "reason", "field"), BAD_ROWS)
def test_an_unusable_row_is_kept_with_reason_field_and_place(
    pages: Any, change: dict[str, Any], reason: RejectReason, field: str
) -> None:
    bad = pages.row(**change)
    result = normalise_history([pages.history(pages.row(), bad)])
    (unusable,) = unusable_row_values(result.unusable)
    assert (unusable.reason, unusable.field, unusable.page, unusable.index) == (reason, field, 1, 1)
    assert json.loads(unusable.row_json) == bad
    assert result.positions.height == 1


def test_a_row_that_is_no_object_is_unusable_and_its_neighbours_are_not(pages: Any) -> None:
    result = normalise_history([pages.history("row", pages.row(), None)])
    assert result.rejected() == {RejectReason.BAD_TYPE: 2}
    assert result.positions.height == 1
    assert result.unusable["row_json"].to_list() == ['"row"', "null"]


def test_a_missing_field_is_a_reject_but_leverage_and_roi_are_optional(pages: Any) -> None:
    row = pages.row()
    del row["leverage"], row["roi"]
    (position,) = closed_positions(normalise_history([pages.history(row)]).positions)
    assert (position.leverage, position.roi) == (None, None)
    del row["avgCost"]
    assert normalise_history([pages.history(row)]).rejected() == {RejectReason.MISSING_ENTRY: 1}


@pytest.mark.parametrize(
    ("word", "side"), [("Long", "long"), ("SHORT", "short"), ("buy", "long"), ("SELL", "short"), (" long ", "long")]
)
def test_every_word_for_a_side_is_understood(pages: Any, word: str, side: str) -> None:
    assert normalise_history([pages.history(pages.row(side=word))]).positions["side"].to_list() == [side]


def test_a_one_way_history_row_takes_its_side_from_its_result(pages: Any) -> None:
    rows = [pages.row(side="Both"), pages.row(side="BOTH", symbol="ETHUSDT", closingPnl=-3)]
    assert normalise_history([pages.history(*rows)]).positions["side"].to_list() == ["long", "short"]


def test_numbers_as_text_with_commas_are_the_same_numbers(pages: Any) -> None:
    as_text = pages.row(avgCost="76,247.40865858", closingPnl=" +11,730.06149916", opened="1779098899731")
    plain = normalise_history([pages.history(pages.row())]).positions
    text = normalise_history([pages.history(as_text)]).positions
    assert text.drop("page_sha256").equals(plain.drop("page_sha256"))


def test_the_same_row_twice_is_one_position_and_a_duplicate(pages: Any) -> None:
    later = pages.received + timedelta(days=1)
    again = pages.row(avgCost="76247.40865858", roi=None, leverage=None)
    result = normalise_history([pages.history(pages.row()), pages.history(again, received_at=later)])
    assert (result.positions.height, result.duplicates_count, result.rejected()) == (1, 1, {})
    assert result.positions["first_seen_at"].to_list() == [pages.received]


def test_the_same_row_with_other_facts_is_a_conflict_and_the_first_stands(pages: Any) -> None:
    result = normalise_history([pages.history(pages.row(), pages.row(avgCost=70000)), pages.history(pages.row())])
    assert result.rejected() == {RejectReason.DUPLICATE_CONFLICT: 1}
    assert result.duplicates_count == 1
    assert result.positions["avg_cost_e8"].to_list() == [7624740865858]


def test_one_id_on_two_symbols_or_sides_is_two_positions(pages: Any) -> None:
    rows = [pages.row(), pages.row(symbol="ETHUSDT"), pages.row(side="Short")]
    result = normalise_history([pages.history(*rows)])
    assert (result.positions.height, result.duplicates_count, result.rejected()) == (3, 0, {})


def test_a_partially_closed_row_and_its_later_end_are_two_rows(pages: Any) -> None:
    part = pages.row(status="Partially Closed", closedVolume=10, updateTime=1779120000000, closed=1779120000000)
    result = normalise_history([pages.history(part), pages.history(pages.row())])
    assert result.positions["status"].to_list() == ["partially_closed", "closed"]


def test_two_leads_never_share_a_duplicate(pages: Any) -> None:
    result = normalise_history([pages.history(pages.row()), pages.history(pages.row(), lead_id=LeadId("7"))])
    assert (result.positions.height, result.duplicates_count) == (2, 0)


def test_an_empty_history_is_no_rows(pages: Any) -> None:
    assert normalise_history([pages.history()]).rows_count == 0
    assert normalise_history([]).positions.schema == CLOSED_POSITION_SCHEMA


@pytest.mark.parametrize("batch_rows", [1, 2, 3, 100])
def test_repeats_are_found_across_batches_of_one_lead(pages: Any, batch_rows: int) -> None:
    other = pages.row(opened=1779098899732)
    answers = [
        pages.history(pages.row(), lead_id=LeadId("1")),
        pages.history(pages.row()),
        pages.history(other),
        pages.history(pages.row()),
        pages.history(pages.row(closedVolume=1), other),
        pages.history(pages.row(), lead_id=LeadId("9")),
    ]
    result = joined(list(iter_normalised_history(answers, batch_rows=batch_rows)), CLOSED_POSITION_SCHEMA)
    assert (result.positions.height, result.duplicates_count) == (4, 2)
    assert result.rejected() == {RejectReason.DUPLICATE_CONFLICT: 1}


GOOD = [{}, {"avgCost": 70000}, {"side": "SHORT"}, {"roi": None}]
CHANGES = st.lists(
    st.tuples(st.integers(0, 5), st.one_of(st.sampled_from(GOOD), st.sampled_from([c for c, _, _ in BAD_ROWS]))),
    max_size=40,
)


@given(CHANGES, st.integers(1, 7), st.integers(1, 20))
def test_no_row_is_ever_lost_and_batches_do_not_matter(
    pages: Any, drawn: list[tuple[int, dict[str, Any]]], page_rows: int, batch_rows: int
) -> None:
    rows = [{**pages.row(opened=1779098899731 + at, id=at), **change} for at, change in drawn]
    answers = [pages.history(*rows[i : i + page_rows]) for i in range(0, len(rows), page_rows)]
    whole = normalise_history(answers)
    parts = joined(list(iter_normalised_history(answers, batch_rows=batch_rows)), CLOSED_POSITION_SCHEMA)
    assert whole.rows_count == len(rows)
    assert whole.positions.height + whole.unusable.height + whole.duplicates_count == len(rows)
    assert parts.positions.equals(whole.positions)
    assert parts.unusable.equals(whole.unusable)
    keys = whole.positions.select(pl.struct("symbol", "side", "opened_at").alias("key"))
    assert keys.n_unique() == whole.positions.height
