"""What becomes of one call to a virtual venue: the faults due on it, turned into what happens before, on and after it.

One decision for every face; how an outcome is worded is each face's own.
"""

from __future__ import annotations

from dataclasses import dataclass

from copytrade_core.model.instrument import Market
from copytrade_core.model.intent import LimitStyle
from copytrade_core.model.side import Side
from copytrade_core.model.units import Ppm, Steps, Ticks
from copytrade_core.model.venue import PositionMode
from copytrade_core.virtual_exchange.faults import PPM_PER_BPS, VenueFault, VenueFaultBook, VenueFaultKind
from copytrade_core.virtual_exchange.venue_ask import (
    ORDER_READS,
    PLAIN,
    PartialCut,
    PlaceAsk,
    Placed,
    PlaceTerms,
    VenueCall,
)
from copytrade_core.virtual_exchange.venue_engine import VenueEngine

AHEAD_MS = 1_000
"""How far ahead of the venue's clock a request may be stamped (Binance documents it; assumed of the others)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallPlan:
    """One call. `fault` decides what the client learns of it (None: the truth); `terms` is done to an order placed.

    `as_of_ms` is the instant a read shows (None: now), `slow_ms` how long the answer takes, `skew_ms` how far the
    venue's clock is ahead of ours during this call.
    """

    fault: VenueFault | None
    terms: PlaceTerms
    as_of_ms: int | None
    slow_ms: int
    skew_ms: int

    def is_refused_for_time(self, receive_window_ms: int) -> bool:
        """Whether the venue refuses the stamp of a signed call: too old for its window, or too far ahead."""
        return not -AHEAD_MS <= self.skew_ms <= receive_window_ms


UNTOUCHED = CallPlan(fault=None, terms=PLAIN, as_of_ms=None, slow_ms=0, skew_ms=0)


def plan_call(engine: VenueEngine, book: VenueFaultBook, call: VenueCall, *, closes: bool = False) -> CallPlan:
    """Count a call, let what others do to the account happen, and say what becomes of it.

    Of several faults that decide what the client learns, the first armed happens; the others wait for the next call.

    Args:
        engine: the account.
        book: its faults.
        call: the call.
        closes: whether it is an order that closes.
    """
    due = book.due(call, closes=closes)
    if not due:
        return UNTOUCHED
    fault: VenueFault | None = None
    terms, as_of_ms, slow_ms, skew_ms = PLAIN, None, 0, 0
    for each in due:
        match each.kind:
            case VenueFaultKind.EXTERNAL_ORDER | VenueFaultKind.EXTERNAL_POSITION | VenueFaultKind.MODE_FLIPPED:
                if not _interfere(engine, each):
                    book.postpone(each)
            case VenueFaultKind.PARTIAL_FILL | VenueFaultKind.MAX_SLIPPAGE_BPS:
                terms = _with(terms, each, book)
            case VenueFaultKind.NOT_VISIBLE if call is VenueCall.SUBMIT:
                terms = _with(terms, each, book)
            case VenueFaultKind.NOT_VISIBLE:
                as_of_ms = engine.now_ms - (each.delay_ms or 0)
            case VenueFaultKind.SLOW:
                slow_ms += each.delay_ms or 0
            case VenueFaultKind.CLOCK_SKEW:
                skew_ms += each.skew_ms or 0
            case _ if fault is None:
                fault = each
            case _:
                book.postpone(each)
    return CallPlan(fault=fault, terms=terms, as_of_ms=as_of_ms, slow_ms=slow_ms, skew_ms=skew_ms)


def _with(terms: PlaceTerms, fault: VenueFault, book: VenueFaultBook) -> PlaceTerms:
    hidden_ms, hidden_from, cut, slippage = terms.hidden_ms, terms.hidden_from, terms.cut, terms.slippage
    if fault.kind is VenueFaultKind.NOT_VISIBLE:
        hidden_ms = fault.delay_ms or 0
        hidden_from = ORDER_READS if fault.hides is None else frozenset(fault.hides)
    elif fault.kind is VenueFaultKind.PARTIAL_FILL:
        assert fault.ratio is not None, "FORMS asks for it"
        cut = PartialCut(ratio=fault.ratio, rest_after_ms=fault.delay_ms)
    else:
        slippage = Ppm(book.draw((fault.bps or 0) * PPM_PER_BPS))
    return PlaceTerms(hidden_ms=hidden_ms, hidden_from=hidden_from, cut=cut, slippage=slippage)


def _interfere(engine: VenueEngine, fault: VenueFault) -> bool:
    """Somebody else touches the account; False when the venue did not let them."""
    if fault.kind is VenueFaultKind.MODE_FLIPPED:
        return engine.flip_mode()
    assert fault.market is not None, "FORMS asks for it"
    assert fault.quantity is not None, "FORMS asks for it"
    if fault.kind is VenueFaultKind.EXTERNAL_POSITION:
        _ = engine.inject_position(fault.market, fault.side or Side.LONG, fault.quantity)
        return True
    assert fault.price is not None, "FORMS asks for it"
    ask = external_ask(
        engine.position_mode,
        fault.market,
        buys=fault.buys is True,
        side=fault.side,
        quantity=fault.quantity,
        price=fault.price,
    )
    return isinstance(engine.inject_order(ask), Placed)


def external_ask(
    mode: PositionMode, market: Market, *, buys: bool, side: Side | None, quantity: Steps, price: Ticks
) -> PlaceAsk:
    """A resting limit of somebody else's, without a client id; without a side it opens."""
    opens = Side.LONG if buys else Side.SHORT
    return PlaceAsk(
        client_order_id=None,
        market=market,
        buys=buys,
        position_side=(side or opens) if mode is PositionMode.HEDGE else None,
        reduce_only=None,
        style=LimitStyle(price=price, post_only=False),
        quantity=quantity,
    )
