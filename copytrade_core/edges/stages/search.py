"""The search stage: trials, their judgement in a report, and the champion of one lead, each stored with its parents.

Every step is a function of its own, so that an orchestrator can run them one by one; a person runs `run_search`.
"""

from __future__ import annotations

from dataclasses import dataclass

from copytrade_core.edges.lake import Head
from copytrade_core.edges.stages.search_desk import TRIALS, SearchDesk, SearchRequest, open_desk, stored_desk
from copytrade_core.edges.stages.search_engines import Engines, engines_of
from copytrade_core.edges.stages.search_judgement import judgement_of
from copytrade_core.edges.stages.search_result import store_champion, store_report, stored_result
from copytrade_core.edges.stages.search_trials import Progress, judging, sampled, store_trials, trials_digest
from copytrade_core.edges.stages.workplace import StageOutcome, Workplace
from copytrade_core.edges.trial_registry import TrialRegistry
from copytrade_core.model.errors import BadInput, StoreFault, Where
from copytrade_core.model.trial import Trial
from copytrade_core.search.plan import SamplerChoice


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StoredSearch:
    """The lead's newest search: its desk, its engines, the head of its trials, and those trials from the registry."""

    desk: SearchDesk
    engines: Engines
    head: Head
    trials: tuple[Trial, ...]


def run_search(place: Workplace, request: SearchRequest, progress: Progress) -> StageOutcome:
    """Searches, or gives what is stored of exactly this search: `search_report`, `champion_policy`, `trials`.

    Stopped at any moment, it goes on after its last whole batch when it is asked again, to the same end.

    Raises:
        BadInput, BadConfig: a question that cannot mean anything.
        NotStored: no episodes or no bars.
        StoreFault: registry, ledger or lake do not verify, or cannot be written.
    """
    desk = _asked(place, request)
    known = stored_result(place, desk, place.lake.head(TRIALS, desk.lead_id))
    if known is not None:
        return known
    engines = engines_of(desk)
    found = sampled(place, desk, engines, progress)
    trials = store_trials(place, desk, found)
    progress(judging(found))
    report = _judged(place, StoredSearch(desk=desk, engines=engines, head=trials.head(TRIALS), trials=found.trials))
    champion = store_champion(place, desk.lead_id)
    return StageOutcome(heads=(report, champion, *trials.heads), metadata=report.metadata)


def make_trials(place: Workplace, request: SearchRequest, progress: Progress) -> StageOutcome:
    """The first step alone: `trials`; errors as `run_search`."""
    desk = _asked(place, request)
    return store_trials(place, desk, sampled(place, desk, engines_of(desk), progress))


def make_report(place: Workplace, lead_id: str) -> StageOutcome:
    """The second step alone: `search_report` over the stored trials; errors as `stored_search`."""
    head = _judged(place, stored_search(place, lead_id))
    return StageOutcome(heads=(head,), metadata=head.metadata)


def make_champion(place: Workplace, lead_id: str) -> StageOutcome:
    """The third step alone: `champion_policy` as the stored report names it; errors as `store_champion`."""
    head = store_champion(place, lead_id)
    return StageOutcome(heads=(head,), metadata=head.metadata)


def stored_search(place: Workplace, lead_id: str) -> StoredSearch:
    """The lead's newest search as it is stored, laid again on the data of now.

    Raises:
        NotStored: there is none, or its data, assumptions or settings changed since.
        StoreFault: the registry does not hold the trials that were stored.
    """
    desk = stored_desk(place, lead_id)
    head = place.lake.require(TRIALS, lead_id)
    trials = tuple(TrialRegistry(place.lake.root).trials(search_id=desk.plan.search_id))
    if trials_digest(trials) != head.metadata.get("trials_digest"):
        raise StoreFault(
            "the registry does not hold the trials that the stored search is about",
            where=Where(file=f"{TRIALS}/{lead_id}"),
            next_step="Bring registry/trials back from a backup, or search again",
        )
    return StoredSearch(desk=desk, engines=engines_of(desk), head=head, trials=trials)


def try_policy(place: Workplace, request: SearchRequest, progress: Progress) -> StageOutcome:
    """One policy by hand on the train signals: counted in the registry like any trial, and never a champion.

    Raises:
        BadInput, BadConfig, NotStored, StoreFault: as `run_search`.
    """
    desk = open_desk(place, request)
    found = sampled(place, desk, engines_of(desk), progress)
    trial = found.trials[0]
    return StageOutcome(heads=(), metadata={"search_id": desk.plan.search_id, "trial": trial})


def _asked(place: Workplace, request: SearchRequest) -> SearchDesk:
    if request.sampler is SamplerChoice.MANUAL:
        raise BadInput("one policy by hand is a try, not a search", where=Where(field="sampler"))
    return open_desk(place, request)


def _judged(place: Workplace, search: StoredSearch) -> Head:
    found = judgement_of(place, search.desk, search.engines, search.trials)
    return store_report(place, search.desk, search.head, search.trials, found)
