"""One replay that somebody asked for, as one plain document: summary, round trips, what was skipped, digests.

What gates judge is the study of `stages.replay`; of a replay here only the try is kept, in the trial registry, because
whoever replays a policy has looked at the data. The holdout stays closed here, too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import msgspec

from copytrade_core.edges.stages.episodes import load_episodes
from copytrade_core.edges.stages.manual_trials import ManualTries, record_manual
from copytrade_core.edges.stages.market_data import LoadedMarkets, load_markets
from copytrade_core.edges.stages.policies import load_policies, load_policy
from copytrade_core.edges.stages.replay import lead_spec
from copytrade_core.edges.stages.split import split_of
from copytrade_core.edges.stages.trial_data import data_digest_of
from copytrade_core.edges.stages.workplace import Workplace
from copytrade_core.evidence.measures import measures
from copytrade_core.evidence.parts import OPEN_PARTS, seal
from copytrade_core.model.digest import digest_of
from copytrade_core.model.episode import Episode
from copytrade_core.model.errors import BadInput, NotStored, Where
from copytrade_core.model.fill import FillModel
from copytrade_core.model.policy import PolicySpec, SignalMode
from copytrade_core.model.round_trip import ReplayResult, RoundTrip
from copytrade_core.model.units import money_to_float
from copytrade_core.replay.legacy_contrarian import legacy_study
from copytrade_core.replay.reference import replay
from copytrade_core.sources.position_values import closed_positions

LEGACY_NOTE = "entries are the lead's own close prices, which nobody could have traded: a labelled study, not evidence"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayRequest:
    """What to replay. `policy_file` wins over `strategy`; `rungs_count` is for the legacy study only."""

    lead_id: str
    strategy: str
    policy_file: Path | None
    rungs_count: int | None


def replay_legacy(place: Workplace, request: ReplayRequest) -> dict[str, object]:
    """The original study on the bars that are stored, with the ladder of `rungs_count` rungs.

    Raises:
        BadInput: another strategy than `contrarian_on_close`, a policy file, or no number of rungs.
        NotStored: no bars of the lead's markets.
    """
    if request.strategy != SignalMode.CONTRARIAN_ON_CLOSE or request.policy_file is not None:
        raise BadInput(
            f"{FillModel.LEGACY_CONTRARIAN} knows the strategy {SignalMode.CONTRARIAN_ON_CLOSE} only",
            where=Where(field="strategy"),
        )
    positions = closed_positions(place.lake.table("closed_positions", request.lead_id))
    markets = _markets(place, load_episodes(place, request.lead_id))
    study = legacy_study(positions, markets.data, request.rungs_count or 0)
    document: dict[str, object] = msgspec.to_builtins(
        {
            "summary": {
                **asdict(study.summary),
                "strategy": request.strategy,
                "fill_model": study.fill_model,
                "rungs": study.rungs_count,
                "interval_ms": study.interval_ms,
                "origin": study.origin,
                "note": LEGACY_NOTE,
            },
            "round_trips": list(study.round_trips),
            "skipped": list(study.skipped),
        }
    )
    head = place.lake.require("closed_positions", request.lead_id)
    read = {f"closed_positions/{request.lead_id}": head.digest, **markets.digests}
    return _with_digests(document, place, read)


def replay_executable(place: Workplace, request: ReplayRequest) -> dict[str, object]:
    """The reference replay of one policy at prices that could have been traded; assumptions are those of the settings.

    Signals of the holdout are listed as skipped and never replayed. The try is counted in the trial registry, once.

    Raises:
        BadInput: an unknown strategy, or rungs (a policy names its own ladder).
        NotStored: no episodes, or no bars of the lead's markets.
    """
    if request.rungs_count is not None:
        raise BadInput(
            "rungs belong to the legacy study; a policy names its own ladder",
            where=Where(field="rungs"),
            next_step=f"Use --fill-model {FillModel.LEGACY_CONTRARIAN}, or a --policy file with that ladder",
        )
    policy = _policy(place, request)
    episodes = load_episodes(place, request.lead_id)
    markets = _markets(place, episodes)
    spec = lead_spec(place, request.lead_id)
    split = split_of(place, episodes)
    visible, sealed = seal(split, episodes, OPEN_PARTS)
    result = replay(visible, policy, spec, markets.data)
    head = place.lake.require("episodes", request.lead_id)
    tries = ManualTries(
        results=[(result.policy, result)],
        split=split,
        data_digest=data_digest_of(episodes, markets),
        assumptions_digest=digest_of(spec),
    )
    _ = record_manual(place, request.lead_id, tries)
    document: dict[str, object] = msgspec.to_builtins(
        {
            "summary": _summary(result, place, sealed_count=len(sealed)),
            "round_trips": [_trip(trip) for trip in result.round_trips],
            "skipped": [*result.skipped, *sealed],
        }
    )
    read = {
        f"episodes/{request.lead_id}": head.digest,
        **markets.digests,
        "policy": result.policy_digest,
        "assumptions": digest_of(spec),
        "split": split.digest,
    }
    return _with_digests(document, place, read)


def _policy(place: Workplace, request: ReplayRequest) -> PolicySpec:
    if request.policy_file is not None:
        return load_policy(request.policy_file)
    policies = load_policies(place.settings)
    if request.strategy not in policies:
        raise BadInput(
            f"there is no strategy {request.strategy!r}",
            where=Where(field="strategy"),
            next_step=f"Use one of {', '.join(policies)}, or --policy FILE",
        )
    return policies[request.strategy]


def _markets(place: Workplace, episodes: Sequence[Episode]) -> LoadedMarkets:
    markets = load_markets(place, episodes)
    if not markets.data.bars:
        interval = place.settings.market.bar_interval
        wanted = ", ".join(sorted({str(episode.market) for episode in episodes})) or "any market"
        raise NotStored(
            f"no {interval} bars of {wanted} are stored",
            next_step="Run: copytrade bars fetch --lead ID, or copytrade bars import PATH --market NAME --interval "
            + interval,
        )
    return markets


def _summary(result: ReplayResult, place: Workplace, *, sealed_count: int) -> dict[str, object]:
    """Measures under their own names, with the names of the legacy summary beside them."""
    measured = asdict(measures(result, place.contract().bootstrap))
    return {
        "count": measured["trades_count"],
        "skipped": len(result.skipped) + sealed_count,
        "max_drawdown_ratio": measured["max_drawdown_marked_ratio"],
        **measured,
        "strategy": result.policy,
        "fill_model": result.spec.market_fill,
        "rung_fill": result.spec.rung_fill,
        "delay_s": result.spec.delay_s,
        "slippage_bps": result.spec.costs.slippage / 100,
        "interval_ms": result.spec.interval_ms,
        "origin": result.origin,
        "funding_known": result.funding_known,
        "note": "train and validation only: the holdout is closed, its signals are listed as skipped",
    }


def _trip(trip: RoundTrip) -> dict[str, object]:
    return {
        "source_id": trip.source_id,
        "episode_id": trip.episode_id,
        "market": trip.market,
        "side": trip.side,
        "entered_at_ms": trip.entered_at_ms,
        "exited_at_ms": trip.exited_at_ms,
        "pnl_usdt": money_to_float(trip.pnl),
        "fees_usdt": money_to_float(trip.fees),
        "slippage_usdt": money_to_float(trip.slippage),
        "funding_usdt": money_to_float(trip.funding),
        "notional_usdt": money_to_float(trip.entered),
        "mae_usdt": money_to_float(trip.mae),
        "mfe_usdt": money_to_float(trip.mfe),
        "dca_fills": trip.dca_fills,
        "exit_reason": trip.exit_reason,
        "is_truncated": trip.is_truncated,
    }


def _with_digests(document: dict[str, object], place: Workplace, read: Mapping[str, str]) -> dict[str, object]:
    return {**document, "digests": {**read, "code_version": place.code_version, "result": digest_of(document)}}
