"""What must hold of every session, asked of its record alone: caps, cash, ids, and nothing opened while halted.

Everything is computed again from orders and fills; what the session itself believed is only compared. Whether a session
that kept all this may promote anything belongs to `promotion`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from copytrade_core.evidence.account_check import account_breaches
from copytrade_core.model.session_record import SessionFill, SessionRecord
from copytrade_core.model.side import Side
from copytrade_core.model.units import Money

HOUR_MS = 3_600_000
DAY_MS = 86_400_000
MILLION = 1_000_000
STOP_WITHIN_MS = 1_000
"""A control that was set must have blocked everything this much later."""
SHOWN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionAnswer:
    """One answer: every breach in words, and the numbers that were compared."""

    name: str
    breaches: tuple[str, ...]
    numbers: Mapping[str, float | int | str]

    @property
    def holds(self) -> bool:
        """Whether nothing was breached."""
        return not self.breaches

    @property
    def says(self) -> str:
        """One sentence for a person."""
        if self.holds:
            return f"{self.name} holds."
        more = f" and {len(self.breaches) - SHOWN} more" if len(self.breaches) > SHOWN else ""
        return "; ".join(self.breaches[:SHOWN]) + more


def caps_held(record: SessionRecord) -> SessionAnswer:
    """No entry exceeded a cap: notional at cost (gross, one side, a lead's), entries per hour, the day's realised loss.

    Notional may exceed its cap by what the entry drift cap allows an entry to fill worse than it was approved at. The
    unrealised part of the daily loss is not in fills and is not judged here.
    """
    walk = _Walk(record)
    walk.take_all()
    throttled, most = _throttle(record)
    return SessionAnswer(
        name="caps_held",
        breaches=(*walk.breaches, *throttled),
        numbers={
            "entries": sum(fill.is_entry for fill in record.fills),
            "gross_max_usdt": walk.gross_max / 1e8,
            "one_side_max_usdt": walk.one_side_max / 1e8,
            "day_loss_max_usdt": walk.day_loss_max / 1e8,
            "orders_per_hour_max": most,
            **_caps_in_units(record.caps),
        },
    )


def _caps_in_units(caps: Mapping[str, int]) -> dict[str, float | int]:
    """The caps beside what was measured, each with the unit in its name: money in USDT, ages in seconds."""
    told: dict[str, float | int] = {}
    for name, value in caps.items():
        if name.startswith(("notional", "daily_loss")):
            told[f"cap_{name}_usdt"] = value / 1e8
        else:
            told[f"cap_{name}{'_s' if '_age_' in name else ''}"] = value
    return told


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """What one lead of a session came to. Money: `realised` is after fees, `held` and `held_max` are at cost."""

    entries_count: int
    exits_count: int
    realised: Money
    held: Money
    held_max: Money


def course_of(record: SessionRecord, lead_id: str) -> Course:
    """The fills of one lead told again."""
    fills = tuple(fill for fill in record.fills if _lead(fill.episode_id) == lead_id)
    walk = _Walk(replace(record, fills=fills))
    walk.take_all()
    return Course(
        entries_count=sum(fill.is_entry for fill in fills),
        exits_count=sum(not fill.is_entry for fill in fills),
        realised=Money(walk.realised - sum(fill.fee for fill in fills)),
        held=Money(sum(walk.cost.values())),
        held_max=Money(walk.gross_max),
    )


def _lead(episode_id: str) -> str:
    return episode_id.partition("|")[0]


class _Walk:
    """The fills told again: what is held at cost (average, as the ledger does), and what each UTC day has realised."""

    def __init__(self, record: SessionRecord) -> None:
        self._record = record
        self._room = MILLION + record.caps.get("entry_drift_ppm_max", 0)
        self._quantity: dict[str, int] = {}
        self._side: dict[str, Side] = {}
        self._day = -1
        self._day_result = 0
        self.cost: dict[str, int] = {}
        self.realised = 0
        self.gross_max = self.one_side_max = self.day_loss_max = 0
        self.breaches: list[str] = []

    def take_all(self) -> None:
        """Every fill in the order in which it was posted."""
        for fill in self._record.fills:
            day = fill.at_ms // DAY_MS
            if day != self._day:
                self._day, self._day_result = day, 0
            (self._enter if fill.is_entry else self._leave)(fill)
            self._day_result -= fill.fee

    def _enter(self, fill: SessionFill) -> None:
        episode = fill.episode_id
        self._side[episode] = fill.side
        self.cost[episode] = self.cost.get(episode, 0) + fill.notional
        self._quantity[episode] = self._quantity.get(episode, 0) + fill.quantity
        gross = sum(self.cost.values())
        side = sum(cost for held, cost in self.cost.items() if self._side[held] is fill.side)
        self.gross_max, self.one_side_max = max(self.gross_max, gross), max(self.one_side_max, side)
        self.day_loss_max = max(self.day_loss_max, -self._day_result)
        self._judge(fill, gross, side)

    def _leave(self, fill: SessionFill) -> None:
        episode = fill.episode_id
        held = self._quantity.get(episode, 0)
        if fill.quantity > held:
            self.breaches.append(f"{fill.client_order_id} left more of episode {episode} than was held")
            return
        cost_out = self.cost[episode] * fill.quantity // held
        gained = fill.side.sign * (fill.notional - cost_out)
        self.realised += gained
        self._day_result += gained
        self.cost[episode] -= cost_out
        self._quantity[episode] -= fill.quantity

    def _judge(self, fill: SessionFill, gross: int, side: int) -> None:
        caps = self._record.caps
        lead = _lead(fill.episode_id)
        of_lead = sum(cost for held, cost in self.cost.items() if _lead(held) == lead)
        used = (("notional_gross_max", gross), ("notional_one_side_max", side), (f"notional_lead_{lead}_max", of_lead))
        for name, value in used:
            cap = caps.get(name)
            if cap is not None and value * MILLION > cap * self._room:
                self.breaches.append(f"{name}: {value / 1e8:g} held after {fill.client_order_id}, cap {cap / 1e8:g}")
        cap = caps.get("daily_loss_max")
        if cap is not None and -self._day_result >= cap:
            lost = f"{-self._day_result / 1e8:g} was lost, cap {cap / 1e8:g}"
            self.breaches.append(f"daily_loss_max: {fill.client_order_id} opened after {lost}")


def _throttle(record: SessionRecord) -> tuple[list[str], int]:
    """Entries that left within any hour, against the cap."""
    cap = record.caps.get("orders_per_hour_max")
    sent = sorted(order.sent_at_ms for order in record.orders if order.is_entry and order.sent_at_ms is not None)
    most, at_ms, first = 0, 0, 0
    for last, time_ms in enumerate(sent):
        while time_ms - sent[first] >= HOUR_MS:
            first += 1
        if last - first + 1 > most:
            most, at_ms = last - first + 1, time_ms
    if cap is None or most <= cap:
        return [], most
    return [f"orders_per_hour_max: {most} entries within the hour up to {at_ms}, cap {cap}"], most


def cash_balances(record: SessionRecord) -> SessionAnswer:
    """Initial equity + realised - fees - funding is the ledger's cash, and the account's own telling is the ledger's.

    To the last unit: cash, fees, funding, every trade, what is held and the equity.
    """
    walk = _Walk(record)
    walk.take_all()
    fees = sum(fill.fee for fill in record.fills)
    expected = record.initial_equity + walk.realised - fees - record.funding
    still = {episode: cost for episode, cost in walk.cost.items() if cost}
    breaches = [f"holding {episode} left the book without a fill" for episode in record.written_off]
    if expected != record.cash:
        breaches.append(f"the ledger's cash is {record.cash / 1e8:.8f}, fills give {expected / 1e8:.8f}")
    if not record.written_off and still != dict(record.held):
        breaches.append(f"fills leave {len(still)} holdings, the ledger has {len(record.held)} or at other costs")
    breaches.extend(account_breaches(record))
    return SessionAnswer(
        name="cash_balances",
        breaches=tuple(breaches),
        numbers={
            "initial_usdt": record.initial_equity / 1e8,
            "realised_usdt": walk.realised / 1e8,
            "fees_usdt": fees / 1e8,
            "funding_usdt": record.funding / 1e8,
            "cash_usdt": record.cash / 1e8,
            "difference_e8": record.cash - expected,
            "account_cash_usdt": "not told" if record.account_told is None else record.account_told.cash / 1e8,
        },
    )


def ids_unique(record: SessionRecord) -> SessionAnswer:
    """No client order id and no trade id twice, no intent as two orders that left, and every fill has its order."""
    known = {order.client_order_id for order in record.orders}
    left = [order.intent_digest for order in record.orders if order.sent_at_ms is not None]
    strangers = sorted({fill.client_order_id for fill in record.fills} - known)
    return SessionAnswer(
        name="ids_unique",
        breaches=(
            *(f"client order id {one} twice" for one in _twice([one.client_order_id for one in record.orders])),
            *(f"trade id {one} twice" for one in _twice(record.fill_ids)),
            *(f"intent {one[:12]} left as two orders" for one in _twice(left)),
            *(f"a fill of {one}, which is no order of ours" for one in strangers),
        ),
        numbers={"orders": len(record.orders), "fills": len(record.fills), "trade_ids": len(record.fill_ids)},
    )


def _twice(values: tuple[str, ...] | list[str]) -> Iterator[str]:
    return (value for value, count in Counter(values).items() if count > 1)


def no_open_while_halted(record: SessionRecord) -> SessionAnswer:
    """No open or add left more than a second after STOP_NEW_ORDERS, KILL or HOT_STOP was set and while it was."""
    breaches = [
        f"{order.client_order_id} left {(order.sent_at_ms - halt.from_ms) / 1000:.1f} s after {halt.control}"
        for halt in record.halts
        for order in record.orders
        if order.is_entry
        and order.sent_at_ms is not None
        and order.sent_at_ms > halt.from_ms + STOP_WITHIN_MS
        and (halt.until_ms is None or order.sent_at_ms < halt.until_ms)
    ]
    return SessionAnswer(name="no_open_while_halted", breaches=tuple(breaches), numbers={"halts": len(record.halts)})


def close_delay_s(record: SessionRecord) -> float:
    """The longest time from wanting a position closed to its last exit, or to the session's end while it is held.

    Only what was held within the session counts; 0 where nothing was to be closed.
    """
    left: dict[str, int] = {}
    for fill in record.fills:
        if not fill.is_entry:
            left[fill.episode_id] = fill.at_ms
    ends = {name: at_ms for name, at_ms in left.items() if at_ms >= record.started_at_ms}
    ends |= dict.fromkeys(record.held, record.ended_at_ms)
    wished = record.close_wished_ms
    return max((max(0, at_ms - wished[name]) / 1000 for name, at_ms in ends.items() if name in wished), default=0.0)


CHECKS: Mapping[str, Callable[[SessionRecord], SessionAnswer]] = {
    "caps_held": caps_held,
    "cash_balances": cash_balances,
    "ids_unique": ids_unique,
    "no_open_while_halted": no_open_while_halted,
}


def check_session(record: SessionRecord) -> tuple[SessionAnswer, ...]:
    """Every check of a session."""
    return tuple(ask(record) for ask in CHECKS.values())
