"""A session's status as the facts that rules read, in the units of the rooms. Judges nothing."""

from __future__ import annotations

from decimal import InvalidOperation
from pathlib import Path

from copytrade_core.edges.market.intervals import epoch_ms
from copytrade_core.edges.runtime.status_file import STATUS_FILE, NoStatus, RunStatus, StatusPosition, read_status
from copytrade_core.model.units import money_from_decimal
from copytrade_core.monitor.facts import (
    LimitFact,
    PositionFact,
    SessionWords,
    StatusFact,
    UnknownOrderFact,
    Unreadable,
)


def status_fact(folder: Path) -> StatusFact | Unreadable:
    """The status of a runtime directory, or why there is none that can be used."""
    found = read_status(folder)
    if isinstance(found, NoStatus):
        return Unreadable(what=found.what)
    try:
        return _fact(found)
    except (InvalidOperation, OverflowError) as error:
        return Unreadable(what=f"{STATUS_FILE} is damaged: {error}")


def _fact(status: RunStatus) -> StatusFact:
    until = status.backoff.until
    return StatusFact(
        run_id=status.run_id,
        leads=status.leads,
        words=SessionWords(
            lead=status.lead,
            strategy=status.strategy,
            policy_digest=status.policy_digest,
            venue=status.venue,
            account=status.account,
        ),
        mode=status.mode,
        pid=status.pid,
        boot_id=status.boot_id,
        started_ms=epoch_ms(status.started_at),
        written_ms=epoch_ms(status.written_at),
        wall_ms=epoch_ms(status.wall_at),
        interval_s=status.interval_s,
        deadline_ms=None if status.deadline_at is None else epoch_ms(status.deadline_at),
        ended=status.ended,
        cash=money_from_decimal(status.cash_usdt),
        positions=tuple(_position(each) for each in status.positions),
        limits=tuple(
            LimitFact(name=each.name, value=each.value, limit=each.limit, unit=each.unit) for each in status.limits
        ),
        unknown_orders=tuple(
            UnknownOrderFact(client_order_id=each.client_order_id, market=each.market, since_ms=epoch_ms(each.since))
            for each in status.unknown_orders
        ),
        backoff_failures=status.backoff.failures,
        backoff_until_ms=None if until is None else epoch_ms(until),
        source_age_s=status.input_ages_s.source,
        last_error=status.last_error,
    )


def _position(position: StatusPosition) -> PositionFact:
    return PositionFact(
        episode_id=position.episode_id,
        market=position.market,
        cost=money_from_decimal(position.quantity * position.entry_price),
        source_state=position.source_state,
    )
