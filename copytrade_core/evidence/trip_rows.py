"""Round trips as flat rows for tables and CSV: one row each, units in the names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from copytrade_core.model.instrument import Instrument
from copytrade_core.model.intent import IntentKind
from copytrade_core.model.round_trip import ReplayResult, RoundTrip
from copytrade_core.model.units import money_to_float


@dataclass(frozen=True, slots=True, kw_only=True)
class TripRow:
    """One round trip. Prices are averages over its fills, quote per base unit; instants ISO 8601 UTC; money USDT."""

    episode_id: str
    source_id: str | None
    market: str
    side: str
    signal_at: str
    entered_at: str
    exited_at: str
    holding_time_s: float
    entry_price_mean: float | None
    exit_price_mean: float | None
    notional_usdt: float
    pnl_usdt: float
    pnl_ratio: float | None
    fees_usdt: float
    slippage_usdt: float
    funding_usdt: float
    mae_usdt: float
    mfe_usdt: float
    bars_held: int
    dca_fills: int
    rungs_skipped: int
    exit_reason: str
    is_truncated: bool


def trip_rows(result: ReplayResult, instruments: Mapping[str, Instrument]) -> tuple[TripRow, ...]:
    """Every round trip in the order of its signal. `pnl_ratio` is net profit over the notional entered."""
    ordered = sorted(result.round_trips, key=lambda trip: (trip.signal_at_ms, trip.episode_id))
    return tuple(_row(trip, instruments.get(trip.market)) for trip in ordered)


def _row(trip: RoundTrip, instrument: Instrument | None) -> TripRow:
    return TripRow(
        episode_id=trip.episode_id,
        source_id=trip.source_id,
        market=trip.market,
        side=trip.side.value,
        signal_at=_iso(trip.signal_at_ms),
        entered_at=_iso(trip.entered_at_ms),
        exited_at=_iso(trip.exited_at_ms),
        holding_time_s=(trip.exited_at_ms - trip.entered_at_ms) / 1000,
        entry_price_mean=_price_mean(trip, instrument, entries=True),
        exit_price_mean=_price_mean(trip, instrument, entries=False),
        notional_usdt=money_to_float(trip.entered),
        pnl_usdt=money_to_float(trip.pnl),
        pnl_ratio=trip.pnl / trip.entered if trip.entered else None,
        fees_usdt=money_to_float(trip.fees),
        slippage_usdt=money_to_float(trip.slippage),
        funding_usdt=money_to_float(trip.funding),
        mae_usdt=money_to_float(trip.mae),
        mfe_usdt=money_to_float(trip.mfe),
        bars_held=trip.bars_held,
        dca_fills=trip.dca_fills,
        rungs_skipped=trip.rungs_skipped,
        exit_reason=trip.exit_reason,
        is_truncated=trip.is_truncated,
    )


def _price_mean(trip: RoundTrip, instrument: Instrument | None, *, entries: bool) -> float | None:
    kinds = (IntentKind.OPEN, IntentKind.ADD) if entries else (IntentKind.REDUCE, IntentKind.CLOSE)
    fills = [fill for fill in trip.fills if fill.kind in kinds]
    quantity = sum(fill.quantity for fill in fills)
    if instrument is None or not quantity:
        return None
    return sum(fill.price * fill.quantity for fill in fills) / quantity * float(instrument.tick_size)


def _iso(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds")
