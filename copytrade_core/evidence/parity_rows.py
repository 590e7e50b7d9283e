"""A parity table as plain rows and numbers, for documents, tables and people. Floats only here, for showing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction

from copytrade_core.evidence.parity import BPS, Cause, IntentKey, ParityRow, ParityTable, PathTrade, TradePath
from copytrade_core.model.instrument import Instrument

Plain = dict[str, object]


def parity_rows(tables: Sequence[ParityTable], instruments: Mapping[str, Instrument]) -> list[Plain]:
    """One flat row per intent: what each path did, and the waterfall of each other path against the base.

    Basis points are numbers, exact money is in 1e-8 quote. The first table's difference has plain names, those of the
    others the name of their path before them; what a table does not have of an intent is None. All have one base.
    """
    first, *others = tables
    found: dict[IntentKey, dict[TradePath, ParityRow]] = {}
    for table in tables:
        for row in table.rows:
            found.setdefault(row.pair.key, {})[table.other] = row
    return [_row(rows, first, others, instruments) for rows in found.values()]


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


def _row(
    rows: Mapping[TradePath, ParityRow],
    first: ParityTable,
    others: Sequence[ParityTable],
    instruments: Mapping[str, Instrument],
) -> Plain:
    """An intent on every path. The base path is as the first table that knows the intent has it."""
    known = next(iter(rows.values()))
    pair, rules = known.pair, instruments[known.pair.market]
    told = {path: row.pair.other for path, row in rows.items()}
    plain = _difference(rows.get(first.other))
    plain["theoretical_vs_paper_bps"] = plain.pop("price_bps")
    plain["notional_e8"] = next((row.notional for row in rows.values() if row.notional), 0)
    beside = {
        f"{table.other}_{name}": value for table in others for name, value in _difference(rows.get(table.other)).items()
    }
    return {
        "episode_id": pair.key.episode_id,
        "kind": pair.key.kind.value,
        "leg": pair.key.leg,
        "occurrence": pair.key.occurrence,
        "market": pair.market,
        "buys": pair.buys,
        **_side(first.base.value, pair.base, rules),
        **_side(first.other.value, told.get(first.other), rules),
        **{name: value for table in others for name, value in _side(table.other, told.get(table.other), rules).items()},
        **plain,
        **beside,
    }


def _difference(row: ParityRow | None) -> Plain:
    """One path's waterfall; None throughout where its table does not have the intent."""
    if row is None:
        return dict[str, object](dict.fromkeys(_DIFFERENCE))
    told: tuple[object, ...] = (
        row.lag_ms,
        row.notional,
        _price_bps(row),
        _exact(row.total),
        float(row.bps(row.total)),
        *(float(row.bps(row.causes[cause])) for cause in Cause),
        float(row.bps(row.residual)),
        row.explains,
    )
    return dict(zip(_DIFFERENCE, told, strict=True))


_DIFFERENCE = (
    *("lag_ms", "notional_e8", "price_bps", "total_e8", "total_bps"),
    *(f"{cause.value}_bps" for cause in Cause),
    *("residual_bps", "explains"),
)


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
