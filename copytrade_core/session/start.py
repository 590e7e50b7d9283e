"""Whether a session may begin at an account: the key's permissions, the position mode, the clocks, the market rules."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from copytrade_core.model.alert import AlertKind
from copytrade_core.model.broker import Broker
from copytrade_core.model.errors import BadConfig, Where
from copytrade_core.model.instrument import Instrument, Market
from copytrade_core.model.outcome import RejectReason, Unavailable
from copytrade_core.model.units import money_to_decimal
from copytrade_core.session.settings import RunnerSettings

ALARMING = {
    RejectReason.AUTHENTICATION: AlertKind.AUTHENTICATION,
    RejectReason.PERMISSION: AlertKind.AUTHENTICATION,
    RejectReason.POSITION_MODE: AlertKind.POSITION_MODE,
}
"""Rejects after which no other entry can succeed: they stop new orders and call a person."""

PERHAPS_FLAT = (RejectReason.NO_POSITION, RejectReason.REDUCE_ONLY)
"""Rejects of a close that a venue may give when there is nothing to close; whether that is so, its books say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountFault:
    """Why nothing may open at this account yet."""

    kind: AlertKind
    what: str


def why_not_here(broker: Broker, settings: RunnerSettings) -> AccountFault | None:
    """What is wrong with the account now; None when entries may be sent.

    Raises:
        BadConfig: what no waiting mends: a key that may withdraw or may not trade, a market that the venue does not
            list, or lists on another grid than ours.
    """
    probe = broker.probe()
    if isinstance(probe, Unavailable):
        return AccountFault(kind=AlertKind.VENUE_UNAVAILABLE, what=f"the account cannot be read: {probe.why}")
    if probe.can_withdraw:
        raise BadConfig(
            "this API key may withdraw",
            where=Where(field="permissions"),
            next_step="Make a key that may trade and nothing else; copytrade never uses this one",
        )
    if not probe.can_trade:
        raise BadConfig("this API key may not trade futures", where=Where(field="permissions"))
    fault = _market_fault(broker, settings)
    if fault is not None:
        return fault
    if probe.position_mode is not settings.position_mode:
        what = f"the account is in {probe.position_mode} mode, the session expects {settings.position_mode}"
        return AccountFault(kind=AlertKind.POSITION_MODE, what=what)
    if abs(probe.clock_skew_ms) > settings.clock_skew_ms_max:
        return AccountFault(kind=AlertKind.CLOCK_SKEW, what=f"the venue's clock differs by {probe.clock_skew_ms} ms")
    return None


def _market_fault(broker: Broker, settings: RunnerSettings) -> AccountFault | None:
    listed = broker.markets()
    if isinstance(listed, Unavailable):
        return AccountFault(kind=AlertKind.VENUE_UNAVAILABLE, what=f"the markets cannot be read: {listed.why}")
    for market, ours in settings.instruments.items():
        theirs = listed.get(Market(market))
        if theirs is None or not theirs.is_open:
            raise BadConfig(f"the venue does not trade {market}", where=Where(field="market"))
        for rule in rules_broken(ours, theirs.instrument):
            raise BadConfig(
                f"{market}: {rule.what}",
                where=Where(field=rule.name),
                next_step="Take the venue's rules: an order on another grid cannot be placed",
            )
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokenRule:
    """A trading rule of a market that what we build orders with does not keep, in base and quote units."""

    name: str
    theirs: Decimal
    ours: Decimal

    @property
    def what(self) -> str:
        """In words."""
        return f"{self.name} is {self.theirs.normalize():f} at the venue, {self.ours.normalize():f} here"


def rules_broken(ours: Instrument, theirs: Instrument) -> tuple[BrokenRule, ...]:
    """The rules in which ours do not keep the venue's: another grid, or a lower minimum."""
    least_ours, least_theirs = ours.quantity(ours.min_quantity), theirs.quantity(theirs.min_quantity)
    money_ours, money_theirs = money_to_decimal(ours.min_notional), money_to_decimal(theirs.min_notional)
    compared = (
        ("tick_size", theirs.tick_size, ours.tick_size, ours.tick_size == theirs.tick_size),
        ("step_size", theirs.step_size, ours.step_size, ours.step_size == theirs.step_size),
        ("min_quantity", least_theirs, least_ours, least_ours >= least_theirs),
        ("min_notional", money_theirs, money_ours, money_ours >= money_theirs),
    )
    return tuple(BrokenRule(name=name, theirs=there, ours=here) for name, there, here, fits in compared if not fits)
