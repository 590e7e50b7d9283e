"""A monitor beside a session that really trades: it hears of fills, and of nothing that is not wrong."""

from __future__ import annotations

from pathlib import Path

from copytrade_core.edges.monitoring.monitor_pass import Monitor, MonitorPass
from copytrade_core.model.episode import EpisodeState
from copytrade_core.model.session_end import Ended
from copytrade_core.monitor.finding import Rule
from tests.monitor_floor import settings
from tests.runtime_floor import Kept

CHOSEN = settings(monitor__slippage_bps_max=10_000)


def look(kept: Kept, *, seconds: float = 1, **shown: object) -> MonitorPass:
    kept.wall_ms = kept.session.now_ms()
    kept.show(**shown)
    return Monitor(kept.folder, CHOSEN, alerts=None).look(now_ms=kept.wall_ms + int(seconds * 1000))


def rules(found: MonitorPass) -> set[Rule]:
    return {each.rule for each in found.active}


def test_a_round_trip_is_two_fills_and_nothing_else(tmp_path: Path) -> None:
    """Open, hold, close, end: the ledger, the status and the venue's words agree to the monitor's tolerance."""
    kept = Kept(tmp_path)
    assert rules(look(kept)) == set()
    kept.open()
    found = look(kept)
    assert rules(found) == {Rule.ORDER_FILLED}
    assert found.blind == ()
    kept.close()
    found = look(kept, ended=Ended.FEED_ENDED)
    assert rules(found) == {Rule.ORDER_FILLED}
    assert len(found.opened) == 1
    kept.journal.close()


def test_a_status_that_is_older_than_the_book_is_not_compared_with_it(tmp_path: Path) -> None:
    kept = Kept(tmp_path)
    kept.show()
    kept.open()
    kept.wall_ms = kept.session.now_ms()
    found = Monitor(kept.folder, CHOSEN, alerts=None).look(now_ms=kept.wall_ms + 1)
    assert Rule.NOTIONAL_MISMATCH in found.blind
    assert Rule.NOTIONAL_MISMATCH not in rules(found)
    kept.journal.close()


def test_a_lead_that_closed_while_we_hold_is_missed_after_its_time(tmp_path: Path) -> None:
    kept = Kept(tmp_path)
    kept.open()
    kept.told.state = EpisodeState.CLOSED
    assert Rule.MISSED_CLOSE in rules(look(kept, seconds=181))
    kept.journal.close()


def test_the_session_ends_soon_with_what_it_holds(tmp_path: Path) -> None:
    kept = Kept(tmp_path)
    kept.open()
    kept.session.let_pass(3_000, step_s=600)
    assert Rule.DEADLINE_NEAR in rules(look(kept))
    kept.journal.close()
