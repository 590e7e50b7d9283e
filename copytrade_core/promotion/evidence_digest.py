"""One digest over everything a promotion rests on: the same inputs give the same digest on any machine.

Where the digests come from belongs to edges.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from copytrade_core.model.digest import digest_of
from copytrade_core.model.errors import PromotionRefused, Where
from copytrade_core.promotion.facts import CandidateFacts
from copytrade_core.promotion.gate_result import Gate, GateResult

DIRTY = "dirty"
"""Suffix of a code version whose source tree could not be digested or is known to differ."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lineage:
    """Digests of every input, by what it is.

    `pages` is the raw-page set, `bars`, `funding` and `instruments` map partitions to digests, `costs` and `fills` are
    digests of the assumptions, `venue` names the venue rules (their digest), `code_version` is package version plus
    source tree hash.
    """

    pages: str
    positions: str
    episodes: str
    bars: Mapping[str, str]
    funding: Mapping[str, str]
    instruments: Mapping[str, str]
    split_manifest: str
    round_trips: str
    equity: str
    study: str
    policies: Mapping[str, str]
    fills: str
    costs: str
    venue: str
    contract: str
    code_version: str


def evidence_digest(lineage: Lineage, facts: CandidateFacts, results: Mapping[Gate, GateResult]) -> str:
    """sha256 over lineage, the gates' inputs and their results (as of the newest page, so that no clock is in it).

    Raises:
        PromotionRefused: the code version says that the source tree is not what it claims to be.
    """
    if lineage.code_version.endswith(DIRTY):
        raise PromotionRefused(
            "the source tree has no digest of its own",
            where=Where(field="code_version"),
            next_step="Install the project from a clean checkout and make the evidence again",
        )
    # Freshness is not evidence: only the clock changes it, and the same inputs must keep their digest.
    inputs = {"facts": _timeless(facts), "results": {gate.value: result.verdict for gate, result in results.items()}}
    return digest_of({"lineage": lineage, **inputs})


def _timeless(facts: CandidateFacts) -> Mapping[str, object]:
    return {
        "lead_id": facts.lead_id,
        "source": {name: getattr(facts.source, name) for name in facts.source.__slots__ if name != "newest_page_at"},
        "assumptions": facts.assumptions,
        "capital": facts.capital,
        "visible": facts.visible,
        "parts": facts.parts,
        "stressed": facts.stressed,
        "judged": facts.judged,
        "trials": facts.trials,
        "holdout": facts.holdout,
        "search": facts.search,
        "canary": facts.canary.without_clock,
        "preflight": None if facts.preflight is None else replace(facts.preflight, made_at=None),
    }
