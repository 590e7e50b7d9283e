"""A lead's newest search for those who read it: its report as files, its answer in a few fields, its policies as files.

What a search is and does belongs to `stages/search.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from copytrade_core.edges.atomic_files import write_whole
from copytrade_core.edges.reports.search_report_files import SearchReportPaths, write_search_report
from copytrade_core.edges.stages.holdout_plan import CHAMPION
from copytrade_core.edges.stages.trial_facts import REPORT
from copytrade_core.edges.stages.workplace import Workplace
from copytrade_core.model.errors import BadInput, NotStored, Where

SHOWN = ("search_digest", "search", "conclusion", "counts", "best", "finalists", "overfitting", "engine", "holdout")
"""Parts of the report that a command answers with."""
BEST_COUNT = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundPolicy:
    """A policy that the newest search found; `reasons` speak against it (none = the champion)."""

    trial: int
    policy_digest: str
    toml: str
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """`champion_policy` as it is stored."""

    search_id: str
    trial: int | None
    policy_digest: str | None
    toml: str | None
    reasons: tuple[str, ...]
    finalists: tuple[FoundPolicy, ...]


def render_search(place: Workplace, lead_id: str) -> SearchReportPaths:
    """Writes the stored search report as search.html, search.md and search.json into `<reports_dir>/<lead>`.

    Raises:
        NotStored: no search has been made.
        StoreFault: the folder cannot be written.
    """
    folder = place.settings.reports_dir / lead_id
    return write_search_report(_report(place, lead_id), folder, tmp=folder / ".tmp")


def search_answer(place: Workplace, lead_id: str) -> dict[str, object]:
    """What the newest search found, in plain values: the parts of its report that fit on a screen, and the champion."""
    report, named = _report(place, lead_id), named_policies(place, lead_id)
    answer = {name: report[name] for name in SHOWN}
    best = answer["best"]
    assert isinstance(best, list), "the best trials are a list"
    champion = None if named.trial is None else {"trial": named.trial, "policy_digest": named.policy_digest}
    heads = {asset: place.lake.require(asset, lead_id).digest for asset in ("trials", REPORT, CHAMPION)}
    return {
        **answer,
        "best": best[:BEST_COUNT],
        "search_id": named.search_id,
        "champion": champion,
        "reasons": list(named.reasons),
        "digests": heads,
    }


def named_policies(place: Workplace, lead_id: str) -> Named:
    """The champion and the finalists of the newest search.

    Raises:
        NotStored: no search has been made.
    """
    if place.lake.head(CHAMPION, lead_id) is None:
        step = f"Run: copytrade search --lead {lead_id}"
        raise NotStored(f"no search of lead {lead_id} is stored", next_step=step)
    return place.lake.document_as(CHAMPION, lead_id, Named)


def reported_policies(place: Workplace, lead_id: str) -> Named:
    """The same as the stored report says it, before anybody is named; errors as `render_search`."""
    return msgspec.convert(_report(place, lead_id)[CHAMPION], type=Named)


def found_policy(place: Workplace, lead_id: str, trial: int | None) -> FoundPolicy | None:
    """The champion (None when there is none), or a finalist by the number of its trial.

    Raises:
        NotStored: no search has been made.
        BadInput: no finalist has that number.
    """
    named = named_policies(place, lead_id)
    wanted = named.trial if trial is None else trial
    if wanted is None:
        return None
    found = next((one for one in named.finalists if one.trial == wanted), None)
    if found is None:
        known = ", ".join(str(one.trial) for one in named.finalists) or "none"
        raise BadInput(
            f"trial {wanted} is no finalist of the newest search",
            where=Where(field="trial"),
            next_step=f"Finalists: {known}",
        )
    return found


def write_policy(found: FoundPolicy, path: Path) -> None:
    """Writes a policy file; one that is there is kept.

    Raises:
        BadInput: the file is there.
        StoreFault: it cannot be written.
    """
    if path.exists():
        raise BadInput("the file is there already", where=Where(file=str(path)), next_step="Name another file")
    write_whole(path, found.toml.encode(), tmp=path.parent)


def _report(place: Workplace, lead_id: str) -> Mapping[str, object]:
    if place.lake.head(REPORT, lead_id) is None:
        step = f"Run: copytrade search --lead {lead_id}"
        raise NotStored(f"no search of lead {lead_id} is stored", next_step=step)
    return msgspec.convert(place.lake.document(REPORT, lead_id), type=dict[str, object])
