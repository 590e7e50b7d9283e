"""What the gates read about orders: the lead's newest preflight, and what is certified of the venue.

What a number must be belongs to `promotion`; nothing here knows how a preflight is run, so no venue is loaded.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import msgspec

from copytrade_core.edges.stages.policies import load_policy
from copytrade_core.edges.stages.workplace import Workplace
from copytrade_core.model.digest import digest_of
from copytrade_core.model.errors import StoreFault, Where
from copytrade_core.model.venue import Venue
from copytrade_core.promotion.facts import PreflightFacts, RehearsalFacts
from copytrade_core.promotion.gate_result import Gate, GateResult
from copytrade_core.promotion.gates_preflight import preflight_clean, restart_clean

CERTIFICATE, RESULT = "venue_certificate", "preflight_result"
"""Assets: the first by venue, the second by lead."""
GATE_FACTS, MADE_AT = "gate_facts", "made_at"
WHEN = "made_at_ms"


def venue_digest(place: Workplace, venue: Venue) -> str | None:
    """Digest of what is certified of a venue, whenever that was; None when nothing is.

    Raises:
        StoreFault: the stored certificate was changed.
    """
    if place.lake.head(CERTIFICATE, venue) is None:
        return None
    return certified_digest(place.lake.document_as(CERTIFICATE, venue, dict[str, object]))


def certified_digest(certificate: dict[str, object]) -> str:
    """Digest of a certificate without its date: certifying the same again changes nothing."""
    return digest_of({name: value for name, value in certificate.items() if name != WHEN})


def preflight_facts(place: Workplace, lead_id: str) -> PreflightFacts | None:
    """What the lead's newest preflight found; None when none was run.

    When it was run is in the head and not in the result, which is the same whenever it is made again.

    Raises:
        StoreFault: the stored result was changed, or has no facts for gates.
    """
    head = place.lake.head(RESULT, lead_id)
    if head is None:
        return None
    result = place.lake.document_as(RESULT, lead_id, dict[str, object])
    try:
        found = msgspec.convert(result.get(GATE_FACTS), type=PreflightFacts)
        made_at = msgspec.convert(head.metadata.get(MADE_AT), type=datetime)
    except msgspec.ValidationError as error:
        where = Where(file=f"{RESULT}/{lead_id}", field=GATE_FACTS)
        raise StoreFault(f"the preflight result has no facts for gates: {error}", where=where) from error
    return replace(found, made_at=made_at)


def rehearsal_gate(place: Workplace, lead_id: str, gate: Gate) -> GateResult:
    """One gate about orders, asked of the stored preflight and the policy, venue and code of today.

    Raises:
        BadConfig: the policy or the contract cannot be read.
        StoreFault: stored bytes were changed.
    """
    venue = place.settings.preflight.venue
    facts = RehearsalFacts(
        lead_id=lead_id,
        policy_digest=digest_of(load_policy(place.settings.policies[place.settings.main_policy])),
        code_version=place.code_version,
        venue=venue,
        venue_digest=venue_digest(place, venue),
        preflight=preflight_facts(place, lead_id),
    )
    ask = preflight_clean if gate is Gate.PREFLIGHT_CLEAN else restart_clean
    return ask(facts, place.contract(), now=place.now())
