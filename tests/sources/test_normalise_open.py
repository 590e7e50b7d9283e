from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from copytrade_core.model.side import Side
from copytrade_core.model.source import Endpoint, RejectReason
from copytrade_core.sources.envelope import HiddenPositions, MalformedPage
from copytrade_core.sources.normalise_open import normalise_open
from copytrade_core.sources.position_values import open_snapshots, unusable_row_values
from copytrade_core.sources.schemas import OPEN_POSITION_SCHEMA


def test_recorded_zero_slots_are_not_positions(pages: Any, real_data: Path) -> None:
    body = (real_data / "leads/positions_sample_3699951837954445568_first3rows.json").read_bytes()
    result = normalise_open([pages.raw(body, Endpoint.OPEN_POSITIONS)])
    assert (result.rows_count, result.positions.height, result.empty_slots_count) == (3, 0, 3)


@pytest.mark.parametrize(
    ("side", "amount", "expected"),
    [
        ("BOTH", "0.5", Side.LONG),
        ("BOTH", "-0.5", Side.SHORT),
        ("LONG", "0.5", Side.LONG),
        ("SHORT", "-0.5", Side.SHORT),
        ("SHORT", "0.5", Side.SHORT),
        ("SELL", "0.5", Side.SHORT),
    ],
)
def test_the_side_is_the_slot_s_or_the_amount_s_sign(pages: Any, side: str, amount: str, expected: Side) -> None:
    page = pages.open(pages.slot(positionSide=side, positionAmount=amount))
    (snapshot,) = open_snapshots(normalise_open([page]).positions)
    assert (snapshot.side, snapshot.amount) == (expected, Decimal("0.5"))


def test_a_live_slot_becomes_a_snapshot(pages: Any, frame_of_values: Any) -> None:
    frame = normalise_open([pages.open(pages.slot(), pages.slot(symbol="ETHUSDT", positionAmount="0"))]).positions
    (snapshot,) = open_snapshots(frame)
    assert (snapshot.entry_price, snapshot.mark_price) == (Decimal("76000.1"), Decimal("76025.1"))
    assert (snapshot.leverage, snapshot.margin_mode.value) == (Decimal(5), "cross")
    assert snapshot.observed_at == pages.received
    assert frame_of_values([snapshot], OPEN_POSITION_SCHEMA).equals(frame)


def test_a_both_slot_without_quantity_is_neither_long_nor_short(pages: Any) -> None:
    result = normalise_open([pages.open(pages.slot(positionAmount="0", entryPrice=None, symbol=None))])
    assert (result.empty_slots_count, result.positions.height, result.unusable.height) == (1, 0, 0)


def test_a_zero_entry_falls_back_on_break_even_and_says_so(pages: Any) -> None:
    (snapshot,) = open_snapshots(normalise_open([pages.open(pages.slot(entryPrice="0.0"))]).positions)
    assert (snapshot.entry_price, snapshot.entry_is_break_even) == (Decimal("76030.2"), True)
    result = normalise_open([pages.open(pages.slot(entryPrice="0.0", breakEvenPrice="0.0"))])
    assert result.rejected() == {RejectReason.NON_POSITIVE_PRICE: 1}


@pytest.mark.parametrize(
    ("change", "reason", "field"),
    [
        ({"symbol": None}, RejectReason.MISSING_SYMBOL, "symbol"),
        ({"symbol": "BTCUSD_PERP"}, RejectReason.NOT_LINEAR, "symbol"),
        ({"symbol": "WHAT"}, RejectReason.NO_MARKET, "symbol"),
        ({"positionSide": None}, RejectReason.MISSING_SIDE, "positionSide"),
        ({"positionSide": "UP"}, RejectReason.UNKNOWN_SIDE, "positionSide"),
        ({"positionAmount": None, "positionSide": "LONG"}, RejectReason.BAD_TYPE, "positionAmount"),
        ({"positionAmount": "NaN", "positionSide": "LONG"}, RejectReason.NOT_FINITE, "positionAmount"),
        ({"entryPrice": None, "breakEvenPrice": None}, RejectReason.MISSING_ENTRY, "entryPrice"),
        ({"entryPrice": "-3"}, RejectReason.NON_POSITIVE_PRICE, "entryPrice"),
        ({"markPrice": []}, RejectReason.BAD_TYPE, "markPrice"),
    ],
)
def test_an_unusable_slot_keeps_its_reason(
    pages: Any, change: dict[str, Any], reason: RejectReason, field: str
) -> None:
    bad = pages.slot(**change)
    (unusable,) = unusable_row_values(normalise_open([pages.open(bad)]).unusable)
    assert (unusable.reason, unusable.field, json.loads(unusable.row_json)) == (reason, field, bad)


def test_one_slot_listed_twice_with_other_amounts_is_a_conflict(pages: Any) -> None:
    result = normalise_open([pages.open(pages.slot(), pages.slot(), pages.slot(positionAmount="0.7"))])
    assert (result.positions.height, result.duplicates_count) == (1, 1)
    assert result.rejected() == {RejectReason.DUPLICATE_CONFLICT: 1}


def test_the_positions_object_form_is_read_and_null_in_it_means_hidden(pages: Any) -> None:
    page = pages.answer({"positions": [pages.slot()]}, Endpoint.OPEN_POSITIONS)
    assert normalise_open([page]).positions.height == 1
    with pytest.raises(HiddenPositions):
        _ = normalise_open([pages.answer({"positions": None}, Endpoint.OPEN_POSITIONS)])
    with pytest.raises(MalformedPage):
        _ = normalise_open([pages.answer({"rows": []}, Endpoint.OPEN_POSITIONS)])
