"""A parity table as plain rows and numbers, for documents, tables and people. Floats only here, for showing."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

from copytrade_core.evidence.parity import BPS, Cause, ParityRow, ParityTable, PathTrade
from copytrade_core.model.instrument import Instrument

Plain = dict[str, object]


def parity_rows(table: ParityTable, instruments: Mapping[str, Instrument]) -> list[Plain]:
    """One flat row per intent: what both paths did, and the waterfall in basis points and its money in 1e-8 quote."""
    return [_row(row, table, instruments[row.pair.market]) for row in table.rows]


def parity_summary(table: ParityTable) -> Plain:
    """The table's totals: counts, notional, and each cause in basis points of it."""
    residual = table.residual_bps_max
    return {
        "base": table.base.value,
        "other": table.other.value,
        "intents_count": len(table.rows),
        "missed": list(table.missed),
        "notional_e8": table.notional,
        "total_bps": float(table.bps(table.total)),
        **{f"{cause.value}_bps": float(table.bps(table.cause(cause))) for cause in Cause},
        "residual_bps": float(table.bps(table.residual)),
        "residual_bps_max": None if residual is None else float(residual),
        "explains_all": all(row.explains for row in table.rows),
    }


def _row(row: ParityRow, table: ParityTable, rules: Instrument) -> Plain:
    pair = row.pair
    return {
        "episode_id": pair.key.episode_id,
        "kind": pair.key.kind.value,
        "leg": pair.key.leg,
        "occurrence": pair.key.occurrence,
        "market": pair.market,
        "buys": pair.buys,
        **_side(table.base.value, pair.base, rules),
        **_side(table.other.value, pair.other, rules),
        "lag_ms": row.lag_ms,
        "notional_e8": row.notional,
        "theoretical_vs_paper_bps": _price_bps(row),
        "total_e8": _exact(row.total),
        "total_bps": float(row.bps(row.total)),
        **{f"{cause.value}_bps": float(row.bps(row.causes[cause])) for cause in Cause},
        "residual_bps": float(row.bps(row.residual)),
        "explains": row.explains,
    }


def _side(name: str, trade: PathTrade | None, rules: Instrument) -> Plain:
    """What one path did; None where it never had the intent."""
    filled = 0 if trade is None else trade.filled
    price = None
    if trade is not None and filled:
        price = float(Fraction(trade.notional, filled * rules.money_per_tick_step) * Fraction(rules.tick_size))
    return {
        f"{name}_at_ms": None if trade is None else trade.at_ms,
        f"{name}_asked": None if trade is None else f"{rules.quantity(trade.asked):f}",
        f"{name}_quantity": None if trade is None else f"{rules.quantity(filled):f}",
        f"{name}_price": price,
        f"{name}_skipped": None if trade is None else trade.skipped_why,
    }


def _price_bps(row: ParityRow) -> float | None:
    """The price alone, positive where the other path's is worse; None where only one filled."""
    base, other = row.pair.base, row.pair.other
    if base is None or other is None or not (base.filled and other.filled):
        return None
    ours, theirs = Fraction(other.notional, other.filled), Fraction(base.notional, base.filled)
    return float((ours - theirs) / theirs * BPS) * (1 if row.pair.buys else -1)


def _exact(money: Fraction) -> str:
    """Whole numbers as they are, others as a fraction: nothing is rounded."""
    return str(money.numerator) if money.denominator == 1 else f"{money.numerator}/{money.denominator}"
