"""Whether the bars cover a trade from its signal to its latest exit. A gap blocks a trade; it is never filled."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np

from copytrade_core.model.bar import FundingSeries
from copytrade_core.model.episode import Episode
from copytrade_core.model.market_data import MarketData
from copytrade_core.model.policy import PolicySpec, SignalMode
from copytrade_core.model.round_trip import Skipped
from copytrade_core.model.source_event import SourceClosed, SourceOpened
from copytrade_core.replay.timeline import closed_event, opened_event


def epoch_ms(at: datetime) -> int:
    """An instant as epoch milliseconds."""
    return round(at.timestamp() * 1000)


def utc(time_ms: int) -> str:
    """Epoch milliseconds as an ISO instant."""
    return datetime.fromtimestamp(time_ms / 1000, tz=UTC).isoformat(timespec="seconds")


def why_skipped(episode: Episode, policy: PolicySpec, delay_s: int, data: MarketData) -> Skipped | None:
    """The first reason why the episode's trade cannot be replayed on these bars, or None.

    The window runs from the bar in which the signal is known (its predecessor gives the mark) to three bars after the
    latest exit (time-to-live, or the source's close, whichever the exit family waits for): one until the entry's bar
    opens, one until it fills (`first_bar_close`), one until the exit's bar opens.
    """
    series = data.bars.get(episode.market)
    if series is None or len(series) == 0:
        return _skipped(episode, "no_bars", "no bars of this market are stored")
    closed = closed_event(episode, delay_s)
    if closed is None and (policy.signal is SignalMode.CONTRARIAN_ON_CLOSE or policy.exit.follows_source_close):
        return _skipped(episode, "still_open", "the source has not closed this position")
    follows = policy.signal is SignalMode.FOLLOW_OPEN
    opening_price = data.price_when_opened(episode)
    if follows and opening_price is None:
        return _skipped(episode, "before_bars", f"opened {episode.opened_at:%Y-%m-%d %H:%M}, no bar had ended by then")
    signal = opened_event(episode, delay_s, opening_price) if follows and opening_price is not None else closed
    assert signal is not None, "a contrarian signal needs the close, which was just checked"
    if closed is not None and closed.known_at < signal.known_at:
        return _skipped(episode, "closed_before_known", "the source had closed before its opening was known")
    start_ms = epoch_ms(signal.known_at) - 2 * series.interval_ms
    end_ms = _latest_exit_ms(signal, closed, policy) + 3 * series.interval_ms
    if start_ms < series.start_ms:
        return _skipped(
            episode, "before_bars", f"signal at {signal.known_at:%Y-%m-%d %H:%M}, bars start {utc(series.start_ms)}"
        )
    if epoch_ms(signal.known_at) >= series.end_ms:
        return _skipped(
            episode, "after_bars", f"signal at {signal.known_at:%Y-%m-%d %H:%M}, bars end {utc(series.end_ms)}"
        )
    if end_ms > series.end_ms:
        return _skipped(
            episode, "bars_end_early", f"the trade may last until {utc(end_ms)}, bars end {utc(series.end_ms)}"
        )
    gap = series.first_gap(start_ms, end_ms)
    return None if gap is None else _skipped(episode, "bar_gap", f"no bar at {utc(gap)}")


FUNDING_INTERVAL_MS_MAX = 8 * 3600 * 1000
"""Venues pay at least every eight hours; published times are some milliseconds late."""
FUNDING_LATE_MS = 60_000


def is_funding_known(series: FundingSeries | None, start_ms: int, end_ms: int) -> bool:
    """Whether recorded payments cover a holding: none of the payments that must have been due is missing."""
    if series is None:
        return False
    longest = FUNDING_INTERVAL_MS_MAX + FUNDING_LATE_MS
    near = (series.time_ms >= start_ms - longest) & (series.time_ms <= end_ms + longest)
    times = series.time_ms[near]
    if len(times) == 0 or times[0] > start_ms + longest or times[-1] < end_ms - longest:
        return False
    return bool((np.diff(times) <= longest).all())


def _latest_exit_ms(signal: SourceOpened | SourceClosed, closed: SourceClosed | None, policy: PolicySpec) -> int:
    known_ms = epoch_ms(signal.known_at)
    ttl_ms = None if policy.exit.ttl_s is None else known_ms + policy.exit.ttl_s * 1000
    close_ms = epoch_ms(closed.known_at) if closed is not None and policy.exit.follows_source_close else None
    latest = [time for time in (ttl_ms, close_ms) if time is not None]
    assert latest, "every exit family has a last moment: a time-to-live or the source's close"
    return min(latest) if len(latest) == 2 else latest[0]


def _skipped(episode: Episode, reason: str, detail: str) -> Skipped:
    return Skipped(
        episode_id=episode.episode_id,
        source_id=episode.source_id,
        market=episode.market,
        reason=reason,
        detail=detail,
    )
