"""Which settings in force differ from those that a lead's stored study was made under.

What the numbers of a study are worth belongs to `promotion`; replaying again belongs to `replay`.
"""

from __future__ import annotations

from collections.abc import Mapping

from copytrade_core.edges.stages.policies import load_policies
from copytrade_core.edges.stages.replay import lead_spec
from copytrade_core.edges.stages.study_store import StoredRun, StoredStudy
from copytrade_core.edges.stages.workplace import Workplace
from copytrade_core.model.digest import digest_of
from copytrade_core.model.round_trip import ReplaySpec

POLICY = "policies/"
SETTING_OF = {
    "market_fill": "replay.market_fill",
    "rung_fill": "replay.rung_fill",
    "delay_s": "replay.delay_s",
    "initial_equity": "replay.initial_equity_usdt",
    "lead_margin_balance": "the lead's margin balance (a newer page)",
    "interval_ms": "market.bar_interval",
    "taker_fee": "costs.taker_fee_bps",
    "maker_fee": "costs.maker_fee_bps",
    "slippage": "costs.slippage_bps",
}
"""What people call the fields of the assumptions."""


def stale_settings(place: Workplace, lead_id: str) -> tuple[str, ...]:
    """Names of settings and policies that changed since the lead's study was stored; empty when none did.

    Raises:
        NotStored: no study is stored.
        StoreFault: stored bytes were changed.
        BadConfig: a policy cannot be read.
    """
    read = place.lake.require("study", lead_id).parents
    stored = place.lake.document_as("study", lead_id, StoredStudy)
    main = next(run for run in stored.runs if run.name == stored.main)
    spec = lead_spec(place, lead_id)
    changed = () if read.get("assumptions") == digest_of(spec) else _changed(main, spec)
    return (*changed, *_changed_policies(place, main, read))


def _changed(main: StoredRun, now: ReplaySpec) -> tuple[str, ...]:
    then = _fields(main.spec)
    names = [SETTING_OF[name] for name, value in _fields(now).items() if then[name] != value]
    # The main scenario adds its own stress to the sentence about costs.
    if not main.spec.costs.source.startswith(now.costs.source):
        names.append("costs.fee_source or costs.slippage_source")
    return tuple(names) or ("the assumptions of the replay",)


def _fields(spec: ReplaySpec) -> dict[str, object]:
    own = {name: getattr(spec, name) for name in SETTING_OF if hasattr(spec, name)}
    costs = {name: getattr(spec.costs, name) for name in SETTING_OF if hasattr(spec.costs, name)}
    return {**own, **costs}


def _changed_policies(place: Workplace, main: StoredRun, read: Mapping[str, str]) -> tuple[str, ...]:
    policies = load_policies(place.settings)
    then = {name.removeprefix(POLICY): digest for name, digest in read.items() if name.startswith(POLICY)}
    now = {name: digest_of(policy) for name, policy in policies.items()}
    changed = [f"policies.{name}" for name in sorted(then.keys() | now.keys()) if then.get(name) != now.get(name)]
    first = place.settings.main_policy
    if not changed and policies[first].name != main.policy:
        return (f"policies: {first} is the first now, {main.policy} was judged",)
    return tuple(changed)
