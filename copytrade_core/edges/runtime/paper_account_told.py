"""A paper account's own telling, made again from its log alone: its terms, its orders, the prices it filled at.

Nothing of the session's journal is read here; comparing the two is `evidence.session_checks`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from copytrade_core.edges.runtime.paper_account_file import PaperAccountFile
from copytrade_core.edges.runtime.status_file import StatusPosition
from copytrade_core.ledger.pnl import linear_pnl
from copytrade_core.model.errors import BadInput, Where
from copytrade_core.model.instrument import Instrument
from copytrade_core.model.session_record import AccountPosition, AccountTold
from copytrade_core.model.units import Money
from copytrade_core.session.paper_broker import PaperBroker
from copytrade_core.session.paper_log import MemoryLog, Opened, PaperRecord, Placed, decode_record
from copytrade_core.session.paper_matching import PaperTerms
from copytrade_core.session.virtual_clock import VirtualClock

RulesOf = Callable[[str], Instrument]


def told_account(path: Path, rules_of: RulesOf, marked: Sequence[StatusPosition] | None) -> AccountTold | None:
    """What the account in a log has and has paid; None where there is no log.

    Args:
        path: `paper_account.jsonl`.
        rules_of: trading rules by market.
        marked: what the session valued when it ended; None: it has not, so that there is no such moment.

    Raises:
        StoreFault: the log cannot be read.
        BadInput: it is damaged, or does not follow from its own records.
    """
    lines = PaperAccountFile(path).load()
    if not lines:
        return None
    records = [decode_record(line, number) for number, line in enumerate(lines, start=1)]
    opened = records[0]
    if not isinstance(opened, Opened):
        raise BadInput("a paper account's log begins with its opening", where=Where(file=str(path), row=1))
    rules = {market: rules_of(market) for market in _markets(records)}
    log = MemoryLog()
    log.append(lines)
    broker = PaperBroker(
        account=opened.account,
        instruments=rules,
        terms=PaperTerms.of_text(opened.terms, cash=opened.cash),
        log=log,
        clock=VirtualClock(opened.at_ms),
    )
    books, held = broker.books, broker.books.account.at_cost()
    return AccountTold(
        initial=opened.cash,
        cash=books.account.cash,
        equity=None if marked is None else _equity(books.account.cash, held, rules, marked),
        fees=Money(sum(trade.fee for trade in books.trades)),
        funding=Money(sum(books.charges.values())),
        positions=held,
        trade_ids=tuple(trade.fill_id for trade in books.trades),
    )


def _markets(records: Sequence[PaperRecord]) -> frozenset[str]:
    return frozenset(record.order.market for record in records if isinstance(record, Placed))


def _equity(
    cash: Money, held: Sequence[AccountPosition], rules: Mapping[str, Instrument], marked: Sequence[StatusPosition]
) -> Money | None:
    marks = {each.market: each.mark_price for each in marked if each.mark_price is not None}
    worth = int(cash)
    for each in held:
        if each.market not in marks:
            return None
        traded = rules[each.market]
        notional = traded.notional(int(marks[each.market] / traded.tick_size), each.quantity)
        worth += linear_pnl(each.side, entry_notional=each.cost, exit_notional=notional)
    return Money(worth)
