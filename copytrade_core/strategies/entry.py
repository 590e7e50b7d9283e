"""Whether a signal may be taken: every entry rule, each with its reason and numbers. How much is decided in sizing."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from copytrade_core.model.episode import Provenance
from copytrade_core.model.event import View
from copytrade_core.model.policy import PolicySpec
from copytrade_core.model.units import RATE_SCALE
from copytrade_core.strategies.signal import Signal, epoch_ms
from copytrade_core.strategies.state import StrategyState


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """Why a signal is not taken."""

    reason: str
    numbers: tuple[tuple[str, str], ...] = ()


def drift_ppm(source_price: Decimal, executable: Decimal) -> int:
    """Distance between the source's price and ours in ppm of the source's, without sign."""
    return int(abs(executable / source_price - 1) * RATE_SCALE)


def why_not(signal: Signal, policy: PolicySpec, state: StrategyState, view: View) -> Held | None:
    """The first entry rule that forbids this signal, or None when it may be taken."""
    rules = policy.entry
    if signal.episode.provenance is Provenance.SEEDED:
        return Held(reason="seeded_first_poll")
    if not rules.side.allows(signal.side):
        return Held(reason="side_filtered", numbers=(("side", signal.side),))
    if signal.episode.episode_id in state.trades:
        return Held(reason="episode_already_traded")
    age_ms = view.now_ms - epoch_ms(signal.happened_at)
    if age_ms > rules.signal_age_s_max * 1000:
        return Held(
            reason="signal_too_old", numbers=(("age_ms", str(age_ms)), ("age_s_max", str(rules.signal_age_s_max)))
        )
    if view.mark is None:
        return Held(reason="mark_unknown")
    drift = drift_ppm(signal.source_price, view.instrument.price(view.mark))
    if drift > rules.entry_drift_ppm_max:
        return Held(
            reason="entry_drift",
            numbers=(("drift_ppm", str(drift)), ("drift_ppm_max", str(rules.entry_drift_ppm_max))),
        )
    if state.backoff.blocks(view.now_ms):
        return Held(reason="backoff", numbers=(("until_ms", str(state.backoff.until_ms)),))
    return None
