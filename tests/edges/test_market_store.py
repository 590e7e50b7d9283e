"""Bars and funding in the store: months join, overlap must agree, nothing is overwritten in silence."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from copytrade_core.edges.lake import Lake
from copytrade_core.edges.market.intervals import (
    epoch_ms,
    instant,
    interval_ms_of,
    interval_text,
    month_span_ms,
    months_between,
)
from copytrade_core.edges.market.market_store import (
    Provenance,
    bar_digests,
    load_bars,
    load_funding,
    load_instrument,
    store_bars,
    store_funding,
    store_instrument,
    stored_instruments,
    stored_spans,
)
from copytrade_core.model.bar import BarSeries, FundingSeries, PriceOrigin
from copytrade_core.model.errors import BadInput, NotStored, StoreFault
from copytrade_core.model.instrument import Instrument, Market
from copytrade_core.model.units import Money, Steps

BTC = Market("BTC/USDT:USDT")
FIVE = 300_000
TICK = Decimal("0.1")
FROM_A = Provenance(file="a.csv", code_version="t", parents={"a.csv": "aa"}, correction=None)
FEBRUARY = epoch_ms(datetime(2026, 2, 1, tzinfo=UTC))


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path, now=lambda: datetime(2026, 6, 1, tzinfo=UTC))


def series(start_ms: int, count: int, *, price: int = 800_000, origin: PriceOrigin = PriceOrigin.RECORDED) -> BarSeries:
    times = start_ms + np.arange(count, dtype=np.int64) * FIVE
    prices = (price + times // FIVE % 97).astype(np.int32)
    return BarSeries(
        market=BTC,
        interval_ms=FIVE,
        origin=origin,
        open_time_ms=times,
        open=prices,
        high=prices + np.int32(5),
        low=prices - np.int32(5),
        close=prices + np.int32(1),
        volume=np.full(count, 1.5),
    )


def store(lake: Lake, bars: BarSeries, provenance: Provenance = FROM_A, tick: Decimal = TICK) -> list[str]:
    return [head.partition for head in store_bars(lake, bars, tick_size=tick, provenance=provenance)]


def test_bars_of_two_months_are_stored_apart_and_read_as_one(lake: Lake) -> None:
    bars = series(FEBRUARY - 3 * FIVE, 8)
    assert store(lake, bars) == ["BTC/USDT:USDT|5m|2026-01", "BTC/USDT:USDT|5m|2026-02"]
    back = load_bars(lake, BTC, FIVE, bars.start_ms, bars.end_ms)
    for name in ("open_time_ms", "open", "high", "low", "close", "volume"):
        assert np.array_equal(getattr(back, name), getattr(bars, name))
        assert getattr(back, name).dtype == getattr(bars, name).dtype
    assert back.first_gap(bars.start_ms, bars.end_ms) is None
    [span] = stored_spans(lake)
    assert (span.start_ms, span.end_ms, span.row_count, span.tick_size) == (bars.start_ms, bars.end_ms, 8, TICK)
    assert list(bar_digests(lake, BTC, FIVE)) == ["bars/BTC/USDT:USDT|5m|2026-01", "bars/BTC/USDT:USDT|5m|2026-02"]


def test_a_span_inside_a_bar_includes_that_bar(lake: Lake) -> None:
    store(lake, series(FEBRUARY, 10))
    back = load_bars(lake, BTC, FIVE, FEBRUARY + FIVE + 1, FEBRUARY + 3 * FIVE)
    assert back.open_time_ms.tolist() == [FEBRUARY + FIVE, FEBRUARY + 2 * FIVE]


def test_storing_again_and_equal_overlap_change_nothing_but_new_rows(lake: Lake) -> None:
    store(lake, series(FEBRUARY, 10))
    digests = bar_digests(lake, BTC, FIVE)
    other = replace(FROM_A, file="b.csv", parents={"b.csv": "bb"})
    store(lake, series(FEBRUARY + 2 * FIVE, 5), other)
    assert bar_digests(lake, BTC, FIVE) == digests
    store(lake, series(FEBRUARY + 8 * FIVE, 5), other)
    head = lake.require("bars", "BTC/USDT:USDT|5m|2026-02")
    assert (head.rows, head.parents) == (13, {"a.csv": "aa", "b.csv": "bb"})


def test_the_order_of_imports_does_not_matter_for_the_bytes(lake: Lake, tmp_path: Path) -> None:
    other = Lake(tmp_path / "other", now=lake.now)
    parts = [series(FEBRUARY, 10), series(FEBRUARY + 20 * FIVE, 10)]
    for part in parts:
        store(lake, part)
    for part in reversed(parts):
        store(other, part)
    assert bar_digests(lake, BTC, FIVE) == bar_digests(other, BTC, FIVE)
    assert (
        load_bars(lake, BTC, FIVE, FEBRUARY, FEBRUARY + 30 * FIVE).first_gap(FEBRUARY, FEBRUARY + 30 * FIVE)
        == FEBRUARY + 10 * FIVE
    )


def test_a_differing_bar_names_row_and_field_and_nothing_of_the_import_is_stored(lake: Lake) -> None:
    store(lake, series(FEBRUARY, 3))
    before = bar_digests(lake, BTC, FIVE)
    bars = series(FEBRUARY - 5 * FIVE, 10)
    bars.volume[6] = 2.5
    with pytest.raises(BadInput, match=r"volume at 2026-02-01 00:05:00 UTC is 1\.5 in the store, 2\.5 here") as fault:
        store(lake, bars)
    assert (fault.value.where.file, fault.value.where.row, fault.value.where.field) == ("a.csv", 7, "volume")
    assert bar_digests(lake, BTC, FIVE) == before


def test_a_correction_replaces_and_is_remembered(lake: Lake) -> None:
    store(lake, series(FEBRUARY, 3))
    bars = series(FEBRUARY, 3)
    bars.volume[2] = 2.5
    store(lake, bars, replace(FROM_A, correction="the last bar was still open"))
    head = lake.require("bars", "BTC/USDT:USDT|5m|2026-02")
    assert head.metadata["corrections"] == [{"reason": "the last bar was still open", "rows": 1}]
    assert load_bars(lake, BTC, FIVE, FEBRUARY, FEBRUARY + 3 * FIVE).volume.tolist() == [1.5, 1.5, 2.5]
    assert [entry.rows for entry in lake.history("bars", head.partition)] == [3, 3], "the old content stays provable"


def test_simulated_and_recorded_bars_are_never_mixed_in_one_market(lake: Lake) -> None:
    store(lake, series(FEBRUARY, 3))
    with pytest.raises(BadInput, match="origin recorded, the new rows have simulated"):
        store(lake, series(FEBRUARY + 90 * 24 * 12 * FIVE, 3, origin=PriceOrigin.SIMULATED))


def test_bars_of_another_tick_size_are_refused_at_storing_and_at_reading(lake: Lake) -> None:
    store(lake, series(FEBRUARY, 3))
    with pytest.raises(BadInput, match=r"tick_size 0\.1"):
        store(lake, series(FEBRUARY + 3 * FIVE, 3), tick=Decimal("0.10") / 10)
    store(lake, series(FEBRUARY + 3 * FIVE, 3), tick=Decimal("0.100"))
    store_instrument(lake, rules(tick_size=Decimal("0.01")), provenance=FROM_A)
    with pytest.raises(BadInput, match=r"ticks of 0\.1, the trading rules say 0\.01"):
        load_bars(lake, BTC, FIVE, FEBRUARY, FEBRUARY + FIVE)


def test_absent_bars_say_how_to_get_them(lake: Lake) -> None:
    with pytest.raises(NotStored, match="copytrade bars import PATH --market BTC/USDT:USDT --interval 5m"):
        load_bars(lake, BTC, FIVE, FEBRUARY, FEBRUARY + FIVE)
    store(lake, series(FEBRUARY, 3))
    with pytest.raises(NotStored):
        load_bars(lake, BTC, FIVE, FEBRUARY + 3 * FIVE, FEBRUARY + 9 * FIVE)
    with pytest.raises(BadInput, match="No bars"):
        store(lake, series(FEBRUARY, 0))


def rules(*, as_of: datetime = datetime(2026, 5, 1, tzinfo=UTC), tick_size: Decimal = TICK) -> Instrument:
    return Instrument(
        market=BTC,
        tick_size=tick_size,
        step_size=Decimal("0.001"),
        min_quantity=Steps(1),
        min_notional=Money(100 * 10**8),
        as_of=as_of,
        source="assumed: test",
    )


def test_trading_rules_come_back_exactly_and_never_go_back_in_time(lake: Lake) -> None:
    store_instrument(lake, rules(), provenance=FROM_A)
    assert load_instrument(lake, BTC) == rules()
    assert stored_instruments(lake) == {BTC: rules()}
    with pytest.raises(BadInput, match="these are older"):
        store_instrument(lake, rules(as_of=datetime(2026, 4, 1, tzinfo=UTC)), provenance=FROM_A)
    newer = rules(as_of=datetime(2026, 5, 2, tzinfo=UTC), tick_size=Decimal("0.01"))
    store_instrument(lake, newer, provenance=FROM_A)
    assert load_instrument(lake, BTC) == newer
    with pytest.raises(NotStored):
        load_instrument(lake, "ETH/USDT:USDT")


def test_funding_is_stored_by_month_and_merged(lake: Lake) -> None:
    def funding(*pairs: tuple[int, int]) -> FundingSeries:
        times, rates = zip(*pairs, strict=True)
        return FundingSeries(market=BTC, time_ms=np.array(times, dtype=np.int64), rate=np.array(rates, dtype=np.int64))

    eight = 8 * 3_600_000
    for pairs in ([(FEBRUARY - eight, 5), (FEBRUARY, -3)], [(FEBRUARY, -3), (FEBRUARY + eight, 7)]):
        store_funding(lake, funding(*pairs), origin=PriceOrigin.RECORDED, provenance=FROM_A)
    back = load_funding(lake, BTC, FEBRUARY - eight, FEBRUARY + eight)
    assert back.time_ms.tolist() == [FEBRUARY - eight, FEBRUARY]
    assert back.rate.tolist() == [5, -3]
    with pytest.raises(BadInput, match="rate at 2026-02-01 00:00:00 UTC is -3 in the store, 4 here"):
        store_funding(lake, funding((FEBRUARY, 4)), origin=PriceOrigin.RECORDED, provenance=FROM_A)
    assert len(load_funding(lake, "ETH/USDT:USDT", FEBRUARY, FEBRUARY + eight).time_ms) == 0


def test_content_of_another_schema_version_is_not_read_as_if_it_were_known(lake: Lake) -> None:
    store(lake, series(FEBRUARY, 3))
    head = lake.require("bars", "BTC/USDT:USDT|5m|2026-02")
    table = lake.table("bars", head.partition)
    lake.put_table(
        "bars", head.partition, table, schema_version=2, code_version="t", parents={}, metadata=head.metadata
    )
    with pytest.raises(StoreFault, match="has schema version 2, this program reads 1"):
        load_bars(lake, BTC, FIVE, FEBRUARY, FEBRUARY + FIVE)
    with pytest.raises(StoreFault, match="has schema version 2, this program reads 1"):
        store(lake, series(FEBRUARY, 3))


def test_intervals_and_months_have_one_name() -> None:
    assert [interval_text(interval_ms_of(text)) for text in ("60s", "5m", "60m", "24h", "1d")] == [
        "1m",
        "5m",
        "1h",
        "1d",
        "1d",
    ]
    for wrong in ("", "5", "7m", "0m", "5M", "2d", "1w", "5m ", "-5m"):
        with pytest.raises(BadInput, match="not a bar interval"):
            interval_ms_of(wrong)
    with pytest.raises(BadInput):
        interval_text(1)
    december = epoch_ms(datetime(2025, 12, 31, 23, 59, tzinfo=UTC))
    assert months_between(december, december + 60_001) == ["2025-12", "2026-01"]
    assert months_between(december, december + 60_000) == ["2025-12"]
    assert month_span_ms("2025-12")[1] - month_span_ms("2025-12")[0] == 31 * 86_400_000
    assert instant(epoch_ms(datetime(2026, 1, 1, tzinfo=UTC) + timedelta(milliseconds=7))).microsecond == 7000
    with pytest.raises(BadInput):
        month_span_ms("2026-13")
