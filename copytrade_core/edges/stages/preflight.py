"""The stage that rehearses a lead's orders at a venue's stand-in and stores what came of it for the gates.

What is drilled and how it is judged belongs to `edges/preflight`. Whoever imports this loads the venue's client: do it
where it runs.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import cast

import msgspec

from copytrade_core.edges.preflight.driver import BrokerWrap
from copytrade_core.edges.preflight.judge import Invariant
from copytrade_core.edges.preflight.report import SCHEMA_VERSION, PreflightReport
from copytrade_core.edges.preflight.run import PreflightPlan, PreflightProgress
from copytrade_core.edges.preflight.run import run_preflight as drill_all
from copytrade_core.edges.preflight.scenarios import BY_NAME
from copytrade_core.edges.stages.certify import certify_venue, stored_certificate
from copytrade_core.edges.stages.policies import load_policy
from copytrade_core.edges.stages.preflight_facts import CERTIFICATE, GATE_FACTS, MADE_AT, RESULT, certified_digest
from copytrade_core.edges.stages.workplace import StageOutcome, Workplace, parents
from copytrade_core.edges.venues.certificate import certificate_from_json
from copytrade_core.model.errors import BadInput, Where
from copytrade_core.model.policy import PolicySpec
from copytrade_core.model.venue import Venue
from copytrade_core.promotion.facts import PreflightFacts

__all__ = ["PreflightProgress", "PreflightRequest", "PreflightRun", "run_preflight"]

FIRST_SEED = 0
DUPLICATES = (Invariant.ONE_ORDER_PER_INTENT, Invariant.JOURNAL_FIRST, Invariant.NO_BLIND_RESEND)
RESTARTS = (Invariant.RESTART_CHANGES_NOTHING, Invariant.UNKNOWN_RESOLVED_OR_HALTED)
LEAD_ID = re.compile(r"[0-9]{6,24}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class PreflightRequest:
    """What is asked for; with `scenario` or `seed` (one run again) or `injected` (KIND=VALUE) nothing is stored.

    `seeds_count` None is the one of the settings.
    """

    lead_id: str
    venue: Venue
    seeds_count: int | None
    scenario: str | None
    seed: int | None
    injected: tuple[str, ...]

    @property
    def is_whole(self) -> bool:
        """Whether it counts for the gates."""
        return self.scenario is None and self.seed is None and not self.injected


@dataclass(frozen=True, slots=True, kw_only=True)
class PreflightRun:
    """What came of it: the report as plain JSON, whether it is clean, and what was stored (None: nothing was)."""

    payload: dict[str, object]
    passed: bool
    outcome: StageOutcome | None


def run_preflight(
    place: Workplace,
    request: PreflightRequest,
    listen: Callable[[PreflightProgress], None],
    *,
    wrap: BrokerWrap | None = None,
) -> PreflightRun:
    """Rehearses the policy that gates judge; a whole preflight is stored, clean or not.

    A venue that nobody has certified is certified first.

    Args:
        place: settings and store.
        request: what is drilled.
        listen: hears of every drill that is over.
        wrap: what a test puts between session and broker.

    Raises:
        BadInput: no portfolio id, or an unknown scenario or fault; nothing was drilled.
        BadConfig: the policy cannot be read, or the certificate is for another client.
        StoreFault: the store cannot be read or written.
    """
    if not LEAD_ID.fullmatch(request.lead_id):
        what = f"{request.lead_id!r} is not a portfolio id"
        raise BadInput(what, where=Where(field="lead"), next_step="It is a number")
    name = place.settings.main_policy
    policy = load_policy(place.settings.policies[name])
    if place.lake.head(CERTIFICATE, request.venue) is None:
        _ = certify_venue(place, request.venue)
    certificate = stored_certificate(place, request.venue)
    report = drill_all(
        _plan(place, request, policy),
        certificate=certificate_from_json(msgspec.json.encode(certificate)),
        listen=listen,
        wrap=wrap,
    )
    payload = _plain(report)
    stored = _stored(place, request, report, certificate) if request.is_whole and wrap is None else None
    return PreflightRun(payload=payload, passed=report.passed, outcome=stored)


def _plan(place: Workplace, request: PreflightRequest, policy: PolicySpec) -> PreflightPlan:
    one_seed, one_scenario = request.seed is not None, request.scenario is not None
    count = request.seeds_count or place.settings.preflight.seeds_count
    scenarios = None if not (one_seed or one_scenario) else () if request.scenario is None else (request.scenario,)
    return PreflightPlan(
        lead=request.lead_id,
        venue=request.venue,
        policy=policy,
        code_version=place.code_version,
        first_seed=FIRST_SEED if request.seed is None else request.seed,
        seeds_count=1 if one_seed else 0 if one_scenario else count,
        http_every=1,
        scenarios=scenarios,
        injected=request.injected,
    )


def _plain(report: PreflightReport) -> dict[str, object]:
    found = report.as_json()
    assert isinstance(found, dict), "a report is an object"
    return cast("dict[str, object]", found)


def _stored(
    place: Workplace, request: PreflightRequest, report: PreflightReport, certificate: Mapping[str, object]
) -> StageOutcome:
    """Stores the report and its facts for gates. When it was made is in the head: the result is the same every time."""
    facts = _facts(report, certified_digest(dict(certificate)))
    metadata: dict[str, object] = {
        "verdict": report.verdict,
        "venue": request.venue.value,
        "policy": report.policy,
        "seeds_count": facts.seeds_count,
        "drills_in_process_count": report.runs,
        "drills_over_http_count": report.runs_http,
        "scenarios_count": facts.scenarios_count,
        "failures_count": len(report.failures),
        "assumed_rules": list(report.assumed_rules),
        MADE_AT: place.now().isoformat(),
    }
    document = {**_plain(report), GATE_FACTS: msgspec.to_builtins(facts)}
    head = place.lake.put_document(
        RESULT,
        request.lead_id,
        document,
        schema_version=SCHEMA_VERSION,
        code_version=place.code_version,
        parents={
            **parents(place.lake.require(CERTIFICATE, request.venue)),
            f"policies/{place.settings.main_policy}": report.policy_digest,
        },
        metadata=metadata,
    )
    return StageOutcome(heads=(head,), metadata=metadata)


def _facts(report: PreflightReport, venue_digest: str) -> PreflightFacts:
    ran = {each.name for each in report.scenarios}
    return PreflightFacts(
        policy_digest=report.policy_digest,
        code_version=report.code_version,
        venue=report.venue,
        venue_digest=venue_digest,
        made_at=None,
        seeds_count=report.seeds[1],
        injected=report.injected,
        scenarios_count=len(ran),
        scenarios_missing=tuple(name for name in BY_NAME if name not in ran),
        scenarios_unmet=tuple(dict.fromkeys(each.name for each in report.scenarios if not each.passed)),
        failures=tuple(f"{each.drill} ({each.face}): {each.violations[0]}: {each.replay}" for each in report.failures),
        cells_empty=report.empty_required,
        crash_points_count=len({(each.what, each.after) for each in report.crash_points}),
        restarts_compared_count=report.compared_count,
        duplicates_count=sum(report.broken[each] for each in DUPLICATES),
        restarts_differing_count=sum(report.broken[each] for each in RESTARTS),
    )
