"""`copytrade search` and `copytrade champion`: try policies on a lead, and take away what survived."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from copytrade_core.cli.exit_codes import ExitCode
from copytrade_core.cli.options import JsonFlag, LeadOption
from copytrade_core.cli.output import answer, error_console, say, say_exactly
from copytrade_core.cli.search_progress import Watch
from copytrade_core.cli.search_tables import draw_search, draw_trial
from copytrade_core.cli.workplace import workplace
from copytrade_core.model.errors import BadInput, Where

if TYPE_CHECKING:
    from rich.console import Console

    from copytrade_core.edges.lead_search import FoundPolicy
    from copytrade_core.edges.stages.search_desk import SearchRequest
    from copytrade_core.edges.stages.workplace import Workplace
    from copytrade_core.search.plan import SamplerChoice

AUTO = "auto"


def add_to(app: typer.Typer) -> None:
    """Adds the verbs of this module."""
    app.command("search")(search)
    app.command("champion")(champion)


def search(
    lead: LeadOption,
    strategy: Annotated[
        str | None, typer.Option("--strategy", metavar="NAME", help="A strategy of copytrade.toml; default its first.")
    ] = None,
    space: Annotated[
        str | None, typer.Option("--space", metavar="NAME", help="A space of settings/spaces; default search.space.")
    ] = None,
    trials: Annotated[
        int | None, typer.Option("--trials", min=1, help="Policies to try; default search.trials_count.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option("--seed", min=0, help="Same seed, same trials; default search.seed.")
    ] = None,
    sampler: Annotated[
        str | None,
        typer.Option("--sampler", metavar="NAME", help="auto (default), qmc, tpe, cma_es, grid, random or manual."),
    ] = None,
    policy: Annotated[
        Path | None,
        typer.Option(
            "--policy", metavar="FILE", help="A policy file instead of a strategy; without a sampler: manual."
        ),
    ] = None,
    json_output: JsonFlag = False,
) -> None:
    """Try policies of a space on a lead, judge the best, and say whether one of them may be called a champion.

    Every trial is kept in the registry. Ctrl-C leaves whole batches: the same command goes on from there, to the same
    result. The holdout stays closed. --sampler manual tries the strategy itself, once.

    Example: copytrade search --lead 4751838302089254401 --strategy contrarian_on_close --space dca_shape_v1 --seed 1
    """
    from copytrade_core.edges.lead_line import derive_lead
    from copytrade_core.edges.stages.search_desk import SearchRequest

    request = SearchRequest(
        lead_id=lead,
        strategy=strategy,
        policy_file=policy,
        space=space,
        trials_count=trials,
        seed=seed,
        sampler=_sampler(sampler, by_hand=policy is not None),
        manual=(),
    )
    place = workplace()
    _ = derive_lead(place, lead)
    with Watch() as watch:
        try:
            payload = _searched(place, request, watch)
        except KeyboardInterrupt:
            _tell_kept(watch)
            raise
    draw = draw_trial if request.sampler.value == "manual" else draw_search
    answer(payload, as_json=json_output, render=lambda to: draw(to, payload))


def _searched(place: Workplace, request: SearchRequest, watch: Watch) -> dict[str, object]:
    import msgspec

    from copytrade_core.edges.lead_search import render_search, search_answer
    from copytrade_core.edges.stages.search import run_search, try_policy
    from copytrade_core.search.plan import SamplerChoice

    lead = request.lead_id
    if request.sampler is SamplerChoice.MANUAL:
        outcome = try_policy(place, request, watch)
        return {"lead": lead, **msgspec.to_builtins(dict(outcome.metadata))}
    _ = run_search(place, request, watch)
    found = search_answer(place, lead)
    paths = render_search(place, lead)
    new_count = 0 if watch.last is None else watch.last.trials_count - watch.last.stored_count
    return {"lead": lead, **found, "new_trials_count": new_count, "html": str(paths.html), "next": _next(lead, found)}


def _next(lead: str, found: dict[str, object]) -> str:
    if found["champion"] is not None:
        return f"copytrade holdout open --lead {lead}"
    return f"copytrade poll --lead {lead} --once"


def _sampler(name: str | None, *, by_hand: bool) -> SamplerChoice:
    from copytrade_core.search.plan import SamplerChoice

    if name is None or name == AUTO:
        return SamplerChoice.MANUAL if by_hand and name is None else SamplerChoice.PHASES
    known = [choice.value for choice in SamplerChoice if choice is not SamplerChoice.PHASES]
    if name not in known:
        raise BadInput(
            f"there is no sampler {name!r}",
            where=Where(field="--sampler"),
            next_step=f"Use one of {AUTO}, {', '.join(known)}",
        )
    return SamplerChoice(name)


def _tell_kept(watch: Watch) -> None:
    if watch.last is not None:
        kept = f"{watch.last.trials_count} trials are in the registry: the same command goes on from there"
        error_console().print(kept, markup=False, soft_wrap=True)


def champion(
    lead: LeadOption,
    trial: Annotated[
        int | None, typer.Option("--trial", min=0, help="A finalist by the number of its trial, champion or not.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Write the policy file there; one that exists stays.")
    ] = None,
    json_output: JsonFlag = False,
) -> None:
    """Show the champion of the newest search as a policy file, or why there is none (exit code 1).

    The file can be named in [policies] of copytrade.toml, or given to --policy of other verbs.

    Example: copytrade champion --lead 4751838302089254401 --out settings/policies/champion.toml
    """
    from copytrade_core.edges.lead_search import found_policy, named_policies, write_policy

    place = workplace()
    found = found_policy(place, lead, trial)
    if found is None:
        reasons = named_policies(place, lead).reasons
        payload: dict[str, object] = {"lead": lead, "champion": None, "reasons": list(reasons)}
        answer(payload, as_json=json_output, render=lambda to: _draw_none(to, reasons))
        raise typer.Exit(ExitCode.REFUSED)
    if out is not None:
        write_policy(found, out)
    payload = {
        "lead": lead,
        "trial": found.trial,
        "policy_digest": found.policy_digest,
        "reasons": list(found.reasons),
        "toml": found.toml,
        "file": None if out is None else str(out),
    }
    answer(payload, as_json=json_output, render=lambda to: _draw_policy(to, found, out))


def _draw_none(to: Console, reasons: tuple[str, ...]) -> None:
    say("no champion:", to=to)
    for reason in reasons:
        say(f"  {reason}", to=to)
    say("a finalist's policy can still be read: copytrade champion --trial NUMBER", to=to)


def _draw_policy(to: Console, found: FoundPolicy, out: Path | None) -> None:
    if out is None:
        say_exactly(found.toml.rstrip(), to=to)
    else:
        say_exactly(f"written: {out}", to=to)
    for reason in found.reasons:
        error_console().print(f"against it: {reason}", markup=False, soft_wrap=True)
