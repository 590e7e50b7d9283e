"""A paper session put together: runner, paper broker and loop on one clock and one feed. Decides nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from copytrade_core.model.broker import Broker
from copytrade_core.session.feed import Feed
from copytrade_core.session.loop import LoopSettings, Session
from copytrade_core.session.paper_broker import PaperBroker
from copytrade_core.session.paper_log import PaperLog
from copytrade_core.session.paper_matching import PaperTerms
from copytrade_core.session.ports import ControlPanel, Journal, RestartSink, StatusSink, WaitingClock
from copytrade_core.session.runner import Runner
from copytrade_core.session.settings import RunnerSettings
from copytrade_core.session.status import SessionFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionPorts:
    """What a session touches the world through."""

    journal: Journal
    log: PaperLog
    panel: ControlPanel
    clock: WaitingClock
    shown: StatusSink
    restart: RestartSink


def paper_session(
    *,
    facts: SessionFacts,
    loop: LoopSettings,
    trading: RunnerSettings,
    terms: PaperTerms,
    feed: Feed,
    ports: SessionPorts,
    through: Callable[[Broker], Broker],
) -> Session:
    """A session whose orders fill on paper.

    Args:
        facts: who it is and until when.
        loop: how patient it is.
        trading: who trades what.
        terms: the paper account's assumptions.
        feed: what it hears.
        ports: what it touches the world through.
        through: what its orders pass on their way to the paper account: `directly`, or a shadow's look at a venue.

    Raises:
        BadInput: the paper account's log is of another account or of other terms.
        BadConfig: a fill model that is no paper fill.
    """
    broker = PaperBroker(
        account=trading.account, instruments=trading.instruments, terms=terms, log=ports.log, clock=ports.clock
    )
    runner = Runner(
        settings=trading,
        broker=through(broker),
        journal=ports.journal,
        panel=ports.panel,
        clock=ports.clock,
        market_watch=feed.watch,
    )
    return Session(
        facts=facts,
        settings=loop,
        trading=trading,
        runner=runner,
        feed=feed,
        taker=broker,
        panel=ports.panel,
        clock=ports.clock,
        shown=ports.shown,
        restart=ports.restart,
    )


def directly(paper: Broker) -> Broker:
    """The paper account itself."""
    return paper
