"""The difference of one intent on two paths, told apart into causes that sum exactly. The values are `parity`'s.

Each cause is what changes when its one driver of the base path is replaced by the other path's, in the order of the
waterfall and on the quantity that both filled. A price is a product: p = seen x (attested / seen) x (mid / attested)
x (touch / mid) x (p / touch), so equal drivers give exactly nothing. `seen` and `attested` are what the market
record that both paths share says of the path's two moments; what it does not attest is explained by nothing: it is the
residual. A price that one path does not tell joins its neighbours, and what they span is residual too. The fee is a
rate of the notional, funding a sum per step. Quantity that one path lacks is worth, per step, what it earned with its
fee and funding on the path that has it; an exit lacks what its entries lacked.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from fractions import Fraction

from copytrade_core.evidence.parity import (
    Cause,
    IntentKey,
    IntentPair,
    ParityRow,
    ParityTable,
    PathTrade,
    TradePath,
    Wish,
)
from copytrade_core.model.units import Money, Steps


def parity_table(base: TradePath, other: TradePath, pairs: Iterable[IntentPair]) -> ParityTable:
    """Every intent compared, oldest first."""
    rows = sorted((compared(pair) for pair in pairs), key=_when)
    return ParityTable(base=base, other=other, rows=tuple(rows))


def paired(
    base: Mapping[IntentKey, PathTrade], other: Mapping[IntentKey, PathTrade]
) -> Sequence[tuple[IntentKey, PathTrade | None, PathTrade | None]]:
    """Every intent of either path, with what both did."""
    keys = dict.fromkeys((*base, *other))
    return [(key, base.get(key), other.get(key)) for key in keys]


def compared(pair: IntentPair) -> ParityRow:
    """One intent's waterfall. Causes are computed one by one; what they leave of the total is the residual."""
    base, other = pair.base, pair.other
    causes = dict.fromkeys(Cause, Fraction(0))
    total = _result(pair, base) - _result(pair, other)
    if base is not None and other is not None and base.filled and other.filled:
        both = min(base.filled, other.filled)
        for cause, money in (*_price_causes(pair, base, other, both), *_cost_causes(base, other, both)):
            causes[cause] += money
        larger = base if base.filled >= other.filled else other
        worth = _result(pair, larger) / larger.filled
        for cause, steps in lacked(pair).items():
            causes[cause] += worth * steps
    else:
        for cause, share in _absence(pair).items():
            causes[cause] += total * share
    return ParityRow(
        pair=pair,
        notional=_notional(base) or _notional(other),
        total=total,
        causes=causes,
        residual=total - sum(causes.values(), Fraction(0)),
    )


def lacked(pair: IntentPair) -> dict[Cause, Fraction]:
    """How many steps fewer the other path filled, by cause. What no cause explains is left out."""
    base, other = pair.base, pair.other
    filled_base, filled_other = _filled(base), _filled(other)
    if base is None or other is None or not (filled_base and filled_other):
        return {cause: share * (filled_base - filled_other) for cause, share in _absence(pair).items()}
    asked = base.asked - other.asked
    found = {cause: share * asked for cause, share in pair.lacking.items()} or _wished(
        pair, base.wish, other.wish, asked
    )
    unfilled = (other.asked - other.filled) - (base.asked - base.filled)
    return {**found, Cause.PARTIAL: found.get(Cause.PARTIAL, Fraction(0)) + unfilled}


def _wished(pair: IntentPair, base: Wish | None, other: Wish | None, asked: int) -> dict[Cause, Fraction]:
    """Two orders differ by the price that the money was divided by, by the money, and by what rounding made of it."""
    if base is None or other is None:
        return {}
    by_price = by_money = Fraction(0)
    if base.money is not None and other.money is not None:
        by_price = Fraction(base.money, base.price * pair.unit) - Fraction(base.money, other.price * pair.unit)
        by_money = Fraction(base.money - other.money, other.price * pair.unit)
    elif base.steps is not None and other.steps is not None:
        by_money = Fraction(base.steps - other.steps)
    elif (base.money, base.steps) != (other.money, other.steps):
        return {}
    return {
        Cause.OBSERVATION_DELAY: by_price,
        Cause.DECISION: by_money,
        Cause.ROUNDING: asked - by_price - by_money,
    }


def _price_causes(pair: IntentPair, base: PathTrade, other: PathTrade, both: Steps) -> Iterator[tuple[Cause, Fraction]]:
    """The base path's price becomes the other's, factor by factor; each costs its notional and the fee on it."""
    theirs, ours = _prices(base, pair.unit), _prices(other, pair.unit)
    each = both * pair.unit * (_sign(pair) + Fraction(base.fee, base.notional))
    price = theirs[-1]
    assert price is not None, "what is filled has a price"
    last, before, became = -1, Fraction(1), Fraction(1)
    for place, (its, mine) in enumerate(zip(theirs, ours, strict=True)):
        if its is None or mine is None:
            continue
        moved = price * (mine / became) / (its / before)
        cause = _FACTORS[place]
        if cause is not None and last == place - 1:
            yield cause, each * (moved - price)
        price, last, before, became = moved, place, its, mine


def _cost_causes(base: PathTrade, other: PathTrade, both: Steps) -> Iterator[tuple[Cause, Fraction]]:
    rate = Fraction(other.fee, other.notional) - Fraction(base.fee, base.notional)
    yield Cause.FEE, rate * Fraction(other.notional, other.filled) * both
    yield Cause.FUNDING, both * (Fraction(other.funding, other.filled) - Fraction(base.funding, base.filled))


_FACTORS = (Cause.OBSERVATION_DELAY, Cause.DECISION, None, Cause.SPREAD, Cause.SLIPPAGE)
"""What each factor of the price is put down to; the third is what the market record does not attest."""


def _prices(trade: PathTrade, unit: int) -> tuple[Fraction | None, ...]:
    """Seen, attested, mid, touch and filled price, in exact ticks."""
    return (trade.seen, trade.attested, trade.mid, trade.touch, Fraction(trade.notional, trade.filled * unit))


def _absence(pair: IntentPair) -> Mapping[Cause, Fraction]:
    """Why only one path filled it."""
    if pair.lacking:
        return pair.lacking
    absent = pair.other if _filled(pair.base) else pair.base
    skipped = absent is not None and absent.skipped_why is not None
    return {Cause.SKIPPED if skipped else Cause.MISSED: Fraction(1)}


def _result(pair: IntentPair, trade: PathTrade | None) -> Fraction:
    """What the intent earned on one path against the shared price."""
    if trade is None or not trade.filled:
        return Fraction(0)
    gained = _sign(pair) * (pair.mark * trade.filled * pair.unit - trade.notional)
    return Fraction(gained - trade.fee - trade.funding)


def _filled(trade: PathTrade | None) -> Steps:
    return Steps(0) if trade is None else trade.filled


def _notional(trade: PathTrade | None) -> Money:
    return Money(0) if trade is None else trade.notional


def _sign(pair: IntentPair) -> int:
    return 1 if pair.buys else -1


def _when(row: ParityRow) -> tuple[int, str, str]:
    known = [trade.at_ms for trade in (row.pair.base, row.pair.other) if trade is not None]
    return (min(known, default=0), row.pair.key.episode_id, row.pair.key.leg)
