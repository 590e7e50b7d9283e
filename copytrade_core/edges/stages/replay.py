"""The replay stage: episodes, markets and policies of the settings -> a stored study of one lead.

What a replay does belongs to `replay`.
"""

from __future__ import annotations

from dataclasses import replace

from copytrade_core.edges.settings_values import replay_spec
from copytrade_core.edges.stages.episodes import load_episodes
from copytrade_core.edges.stages.manual_trials import ManualTries, record_manual
from copytrade_core.edges.stages.market_data import load_markets
from copytrade_core.edges.stages.policies import load_policies
from copytrade_core.edges.stages.split import split_of
from copytrade_core.edges.stages.study_store import store_study
from copytrade_core.edges.stages.trial_data import DATA, data_digest_of
from copytrade_core.edges.stages.workplace import StageOutcome, Workplace, parents
from copytrade_core.evidence.parts import OPEN_PARTS, seal
from copytrade_core.model.digest import digest_of
from copytrade_core.model.errors import NotStored
from copytrade_core.model.policy import PolicySpec
from copytrade_core.model.round_trip import ReplayResult, ReplaySpec, Skipped
from copytrade_core.model.source import Endpoint, LeadDetail, LeadId
from copytrade_core.model.study import Study
from copytrade_core.model.units import Money, money_from_decimal, money_to_float
from copytrade_core.replay.study import run_study
from copytrade_core.sources.envelope import SourceError, is_success
from copytrade_core.sources.lead_detail import read_lead_detail


def replay_lead(place: Workplace, lead_id: str) -> StageOutcome:
    """Replays every scenario of the study and stores it (`study`, `round_trips`, `fills`, `equity`).

    Each policy under the settings' assumptions is a trial by hand and counted in the registry, once.
    The signals of the closed holdout are not replayed at all, so that no stored number knows them.

    Raises:
        NotStored: there are no episodes.
        BadInput: bars and settings disagree; recorded and simulated bars are mixed.
    """
    head = place.lake.require("episodes", lead_id)
    episodes = load_episodes(place, lead_id)
    if not episodes:
        raise NotStored(f"lead {lead_id} has no episode to replay", next_step="Poll it again later")
    markets = load_markets(place, episodes)
    policies = load_policies(place.settings)
    spec = lead_spec(place, lead_id)
    split = split_of(place, episodes)
    visible, sealed = seal(split, episodes, OPEN_PARTS)
    study = _with_sealed(run_study(visible, list(policies.values()), spec, markets.data), sealed)
    data_digest = data_digest_of(episodes, markets)
    tries = ManualTries(
        results=[(name, _as_assumed(study, policy)) for name, policy in policies.items()],
        split=split,
        data_digest=data_digest,
        assumptions_digest=digest_of(spec),
    )
    _ = record_manual(place, lead_id, tries)  # before the study: nothing is shown that was not counted
    read = {
        **parents(head),
        **markets.digests,
        **{f"policies/{name}": digest_of(policy) for name, policy in policies.items()},
        "assumptions": digest_of(spec),
        "split": split.digest,
        DATA: data_digest,
    }
    heads = store_study(place.lake, lead_id, study, code_version=place.code_version, parents=read)
    metadata = {
        **summary(study),
        "months_without_bars": [f"{need.market} {need.month}" for need in markets.without_bars],
    }
    return StageOutcome(heads=heads, metadata=metadata)


def _as_assumed(study: Study, policy: PolicySpec) -> ReplayResult:
    scenario = next(found for found in study.by_strategy if found.policy == policy.name)
    return study.results[scenario]


def lead_spec(place: Workplace, lead_id: str) -> ReplaySpec:
    """The settings' assumptions with the lead's margin balance, where its newest detail page shows one."""
    return replay_spec(place.settings, lead_margin_balance=_margin_balance(place, LeadId(lead_id)))


def _margin_balance(place: Workplace, lead_id: LeadId) -> Money | None:
    detail = lead_detail(place, lead_id)
    return None if detail is None or detail.margin_balance is None else money_from_decimal(detail.margin_balance)


def lead_detail(place: Workplace, lead_id: str) -> LeadDetail | None:
    """The newest archived detail page of a lead, or None when there is none that can be read."""
    pages = [page for page in place.archive.pages(LeadId(lead_id), Endpoint.LEAD_DETAIL) if is_success(page)]
    if not pages:
        return None
    try:
        return read_lead_detail(max(pages, key=lambda page: page.received_at))
    except SourceError:
        return None


def _with_sealed(study: Study, sealed: tuple[Skipped, ...]) -> Study:
    """Every result also says which signals it was not shown."""
    told = {scenario: replace(found, skipped=(*found.skipped, *sealed)) for scenario, found in study.results.items()}
    return replace(study, results=told)


def summary(study: Study) -> dict[str, object]:
    """The main scenario in numbers, of train and validation: the holdout is sealed before the replay."""
    main = study.main_result
    reasons: dict[str, int] = {}
    for skip in main.skipped:
        reasons[skip.reason] = reasons.get(skip.reason, 0) + 1
    return {
        "strategy": main.policy,
        "origin": main.origin.value,
        "funding_known": main.funding_known,
        "trades_count": len(main.round_trips),
        "skipped": reasons,
        "blocked_count": len(main.blocked),
        "net_pnl_usdt": _net_usdt(main),
        "net_pnl_usdt_by_strategy": {
            scenario.policy: _net_usdt(study.results[scenario]) for scenario in study.by_strategy
        },
        "fill_hash": str(main.fill_hash),
    }


def _net_usdt(result: ReplayResult) -> float:
    return money_to_float(sum(trip.pnl for trip in result.round_trips))
