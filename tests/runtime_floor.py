"""A session with a runtime directory: the session floor's session, a feed that tests fill, and its files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from copytrade_core.edges.runtime.runtime_files import SESSION_FILE, RuntimeFiles
from copytrade_core.edges.runtime.session_db import SessionDb
from copytrade_core.edges.runtime.session_observer import SessionObserver
from copytrade_core.model.episode import EpisodeState
from copytrade_core.model.session_end import Ended
from copytrade_core.session.feed import Feed, FeedItem, FeedReading, FeedStep, SourceTold
from copytrade_core.session.standing import standing
from copytrade_core.session.status import PollNow, SessionFacts, SessionMode, SessionStatus
from tests.session_floor import IDENTITY, Session, Watch
from tests.trading_floor import START_MS, closed, opened

RUN = "run"
FACTS = SessionFacts(
    identity=IDENTITY,
    run_id=RUN,
    leads=("lead",),
    mode=SessionMode.PAPER,
    started_at_ms=START_MS,
    interval_ms=5_000,
    deadline_ms=START_MS + 3_600_000,
    is_reconstructed=False,
)


class ToldFeed(Feed):
    """Brings what a test puts into it."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self.items: list[FeedItem] = []
        self.state = EpisodeState.OPEN

    @property
    def watch(self) -> Watch:
        return self._watch

    @property
    def poll(self) -> PollNow:
        return PollNow(ok=True, at_ms=START_MS, reading="open positions")

    def source_state(self, episode_id: str) -> EpisodeState:
        return self.state

    def resume(self, cursor: str | None) -> None: ...

    def due_ms(self, working: frozenset[str]) -> int | None:
        return None

    def read(self, now_ms: int, working: frozenset[str]) -> FeedReading:
        steps = tuple(FeedStep(item=item, cursor=None) for item in self.items)
        self.items = []
        return FeedReading(at_ms=now_ms, steps=steps)


class Kept:
    """A session whose journal and files are in a folder."""

    def __init__(self, folder: Path, *, facts: SessionFacts = FACTS, write_every_ms: int = 0, **session: Any) -> None:
        self.folder, self.facts = folder, facts
        self.session = Session(**session)
        self.journal = SessionDb.open(
            folder / SESSION_FILE, identity=facts.identity, run_id=facts.run_id, now_ms=START_MS
        )
        self.session.journal = self.journal
        self.session.start()
        self.wall_ms = START_MS
        self.told = ToldFeed(self.session.watch)
        self.files = RuntimeFiles(
            folder,
            facts=facts,
            instruments=self.session.settings.instruments,
            code_version="1+test",
            wall_ms=lambda: self.wall_ms,
            write_every_ms=write_every_ms,
        )
        self.begin()

    def begin(self) -> None:
        self.observer = SessionObserver(
            journal=self.journal, files=self.files, instruments=self.session.settings.instruments
        )
        self.feed = self.observer.feed(self.told)

    def hear(self, items: Sequence[FeedItem]) -> None:
        self.told.items = list(items)
        for step in self.feed.read(self.session.now_ms(), frozenset()).steps:
            if isinstance(step.item, SourceTold):
                self.session.runner.tell(step.item.event)
                self.session.runner.pump()

    def open(self) -> None:
        self.hear([SourceTold(event=opened(self.session.episode))])
        self.session.let_pass(3)

    def close(self) -> None:
        """The lead closes, an hour later."""
        self.session.let_pass(3_600, step_s=600)
        self.hear([SourceTold(event=closed(self.session.episode))])
        self.session.let_pass(3)

    def status(self, *, ended: Ended | None = None, **changes: Any) -> SessionStatus:
        found = standing(
            facts=self.facts,
            trading=self.session.settings,
            runner=self.session.runner,
            feed=self.told,
            controls=self.session.panel.read(),
            at_ms=self.session.now_ms(),
            ended=ended,
            error=None,
        )
        return replace(found, **changes)

    def show(self, **changes: Any) -> SessionStatus:
        status = self.status(**changes)
        self.observer.show(status)
        return status
