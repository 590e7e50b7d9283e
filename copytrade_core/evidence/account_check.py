"""The account of a session against its ledger and its fills, to the last unit: three tellings of the same money.

A ledger keeps what an episode cost, an account what a position cost; averaged over other fills, the same exit realises
another result in each. What neither averaging nor grouping can move is settled money: cash, less what the longs cost,
plus what the shorts brought in. A fill of notional n and fee f changes it by -n - f where it buys and by n - f where it
sells, whatever was held; funding changes it by what was paid. Equity at any prices is settled money plus the signed
notional of what is held, so equal settled money and equal positions are equal equity.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from copytrade_core.model.session_record import AccountTold, SessionRecord
from copytrade_core.model.side import Side
from copytrade_core.model.units import Money

KEEPS_LOG = ("paper", "shadow")
"""Modes whose account is ours and keeps a log."""
NAMED = 3


def settled(cash: int, held: Iterable[tuple[Side, int]]) -> Money:
    """Cash less the signed cost of what is held."""
    return Money(cash - sum(side.sign * cost for side, cost in held))


def settled_by_fills(record: SessionRecord) -> Money:
    """What the fills, fees and funding of a session make of its initial equity."""
    traded = sum(fill.notional if fill.is_entry is not (fill.side is Side.LONG) else -fill.notional
                 for fill in record.fills)  # fmt: skip
    return Money(record.initial_equity + traded - sum(fill.fee for fill in record.fills) - record.funding)


def account_breaches(record: SessionRecord) -> Iterator[str]:
    """Everything in which the account's own telling is not the ledger's, in words."""
    account = record.account_told
    if account is None:
        if record.mode in KEEPS_LOG and record.fills:
            yield "the account tells nothing of its own: its log is gone, or was not read"
        return
    sides = {fill.episode_id: fill.side for fill in record.fills}
    ledger = settled(record.cash, ((sides[name], cost) for name, cost in record.held.items() if name in sides))
    told = settled(account.cash, ((each.side, each.cost) for each in account.positions))
    yield from _trades(record, account)
    for what, ours, theirs in (
        ("initial equity", record.initial_equity, account.initial),
        ("fees", sum(fill.fee for fill in record.fills), account.fees),
        ("funding", record.funding, account.funding),
        ("settled money by its fills", settled_by_fills(record), told),
        ("settled money", ledger, told),
    ):
        if ours != theirs:
            yield f"{what}: the ledger has {ours / 1e8:.8f}, the account {theirs / 1e8:.8f}"
    held = _held(record)
    there = {(each.market, each.side): int(each.quantity) for each in account.positions}
    if held != there:
        yield f"fills leave {_words(held)}, the account holds {_words(there)}"
    if account.equity is not None and account.equity != record.equity:
        yield f"equity: the last status says {record.equity / 1e8:.8f}, the account {account.equity / 1e8:.8f}"


def _trades(record: SessionRecord, account: AccountTold) -> Iterator[str]:
    posted = {name for name in record.fill_ids if not name.startswith("funding|")}
    for what, names in (
        ("the ledger has not posted trade", sorted(set(account.trade_ids) - posted)),
        ("the account never made trade", sorted(posted - set(account.trade_ids))),
    ):
        if names:
            more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
            yield f"{what} {', '.join(names[:NAMED])}{more}"


def _held(record: SessionRecord) -> Mapping[tuple[str, Side], int]:
    """Steps by market and side that the fills leave."""
    found: Counter[tuple[str, Side]] = Counter()
    for fill in record.fills:
        found[fill.market, fill.side] += fill.quantity if fill.is_entry else -fill.quantity
    return {place: steps for place, steps in found.items() if steps}


def _words(held: Mapping[tuple[str, Side], int]) -> str:
    return ", ".join(f"{steps} steps {market} {side}" for (market, side), steps in sorted(held.items())) or "nothing"
