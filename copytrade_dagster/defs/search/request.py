"""Run configuration as a search's request, and a search's progress as lines of the run's log."""

from collections.abc import Callable

from copytrade_core.edges.stages.search_desk import SearchRequest
from copytrade_core.edges.stages.search_trials import Progress, SearchProgress
from copytrade_core.model.errors import BadInput, Where
from copytrade_core.search.plan import SamplerChoice


def request_of(
    lead_id: str, *, strategy: str | None, space: str | None, trials: int | None, seed: int | None, sampler: str
) -> SearchRequest:
    """The request of a run; None stands for what the settings say.

    Raises:
        BadInput: no such sampler, or the manual one, which is no search.
    """
    known = [choice.value for choice in SamplerChoice if choice is not SamplerChoice.MANUAL]
    if sampler not in known:
        what = f"there is no sampler {sampler!r} for a search"
        raise BadInput(what, where=Where(field="sampler"), next_step=f"Use one of {', '.join(known)}")
    return SearchRequest(
        lead_id=lead_id,
        strategy=strategy,
        policy_file=None,
        space=space,
        trials_count=trials,
        seed=seed,
        sampler=SamplerChoice(sampler),
        manual=(),
    )


def logged(log: Callable[[str], None]) -> Progress:
    """Says each batch."""

    def tell(seen: SearchProgress) -> None:
        best = "none yet" if seen.best is None else f"{seen.best:.4g}"
        log(f"{seen.doing}, batch {seen.batch_index + 1}: {seen.sampled_count} of {seen.wanted_count}, best {best}")

    return tell
