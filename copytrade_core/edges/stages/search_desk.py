"""What a search works on: the lead's open signals, the markets, the strategy and the space, as one plan.

Trying candidates belongs to `search_trials.py`, judging them to `search_judgement.py`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path

import msgspec

from copytrade_core.edges.lake import Head
from copytrade_core.edges.stages.episodes import load_episodes
from copytrade_core.edges.stages.market_data import LoadedMarkets, load_markets
from copytrade_core.edges.stages.policies import load_policies, load_policy
from copytrade_core.edges.stages.replay import lead_spec
from copytrade_core.edges.stages.split import split_of
from copytrade_core.edges.stages.trial_data import data_digest_of
from copytrade_core.edges.stages.workplace import Workplace, parents, read_toml
from copytrade_core.evidence.splits import Part, SplitManifest
from copytrade_core.model.digest import digest_of
from copytrade_core.model.episode import Episode
from copytrade_core.model.errors import BadInput, NotStored, StoreFault, Where
from copytrade_core.model.policy import ExitSpec, PolicySpec
from copytrade_core.model.round_trip import ReplaySpec
from copytrade_core.model.side import Side
from copytrade_core.search.engine import our_sides
from copytrade_core.search.plan import SamplerChoice, SearchPlan, search_id_of
from copytrade_core.search.settings import SearchSettings, search_settings_from_mapping
from copytrade_core.search.space import Space
from copytrade_core.search.space_parse import space_from_mapping
from copytrade_core.search.space_policy import check_space, longest_ttl_s
from copytrade_core.strategies.policy_parse import policy_from_mapping
from copytrade_core.strategies.policy_text import policy_text

TRIALS = "trials"
QUESTION = "question"
"""What was asked, in the metadata of the stored trials: enough to ask it again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchRequest:
    """What somebody asks for; None stands for what the settings say.

    `policy_file` wins over `strategy`. `manual` names one point of the space for the manual sampler; empty = the
    strategy itself.
    """

    lead_id: str
    strategy: str | None
    policy_file: Path | None
    space: str | None
    trials_count: int | None
    seed: int | None
    sampler: SamplerChoice
    manual: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A request with everything filled in; `policy` is the text of the strategy's policy file."""

    strategy: str
    policy: str
    space: str
    trials_count: int
    seed: int
    sampler: SamplerChoice
    manual: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SearchDesk:
    """A search before it begins: the plan, and what it is evaluated on.

    `train` and `validation` are in the order of their signals. The holdout's episodes are not here.
    """

    lead_id: str
    question: Question
    plan: SearchPlan
    split: SplitManifest
    markets: LoadedMarkets
    spec: ReplaySpec
    train: tuple[Episode, ...]
    validation: tuple[Episode, ...]
    parents: Mapping[str, str]


def open_desk(place: Workplace, request: SearchRequest) -> SearchDesk:
    """Everything that a request needs.

    Raises:
        NotStored: no episodes, or no bars of the lead's markets.
        BadInput: an unknown strategy or space, or a question that cannot mean anything.
        BadConfig: a policy, the space or settings/search.toml cannot be read, or the strategy cannot take the space.
    """
    settings = place.settings
    name, base = _strategy(place, request)
    question = Question(
        strategy=name,
        policy=policy_text(base, comment=f"strategy {name} of a search"),
        space=request.space or settings.search.space,
        trials_count=settings.search.trials_count if request.trials_count is None else request.trials_count,
        seed=settings.search.seed if request.seed is None else request.seed,
        sampler=request.sampler,
        manual=request.manual,
    )
    return desk_of(place, request.lead_id, question)


def stored_desk(place: Workplace, lead_id: str) -> SearchDesk:
    """The desk of the lead's newest stored search, laid again from what is stored now.

    Raises:
        NotStored: no search has been made, or its data, assumptions, strategy, space or settings changed since.
        StoreFault: the stored question cannot be read.
    """
    head = place.lake.require(TRIALS, lead_id)
    try:
        question = msgspec.convert(head.metadata.get(QUESTION), type=Question)
    except msgspec.ValidationError as error:
        raise StoreFault(
            f"the question of a stored search: {error}", where=Where(file=f"{TRIALS}/{lead_id}")
        ) from error
    desk = desk_of(place, lead_id, question)
    if desk.plan.search_id != head.metadata.get("search_id"):
        raise NotStored(
            f"the stored search of lead {lead_id} was made on other data, assumptions or settings than those of now",
            where=Where(file=f"{TRIALS}/{lead_id}"),
            next_step=f"Search again: copytrade search --lead {lead_id}",
        )
    return desk


def desk_of(place: Workplace, lead_id: str, question: Question) -> SearchDesk:
    """The desk of a question; errors as `open_desk`."""
    head = place.lake.require("episodes", lead_id)
    episodes = load_episodes(place, lead_id)
    markets = load_markets(place, episodes)
    if not markets.data.bars:
        step = f"Run: copytrade bars fetch --lead {lead_id}, or import bars"
        raise NotStored(f"no bars of the markets of lead {lead_id} are stored", next_step=step)
    base = policy_from_mapping(tomllib.loads(question.policy, parse_float=Decimal), file=question.strategy)
    space, settings = load_space(place, question.space), load_search_settings(place)
    check_space(space, base, file=str(place.settings.paths.spaces / f"{question.space}.toml"))
    split = split_of(place, episodes, _longest(space, base))
    train, validation = (_members(episodes, split, part) for part in (Part.TRAIN, Part.VALIDATION))
    spec = lead_spec(place, lead_id)
    plan = _plan(
        place,
        lead_id,
        question,
        base=base,
        space=space,
        settings=settings,
        spec=spec,
        data_digest=data_digest_of(episodes, markets),
        train_sides=our_sides(train, base.signal),
    )
    return SearchDesk(
        lead_id=lead_id,
        question=question,
        plan=plan,
        split=split,
        markets=markets,
        spec=spec,
        train=train,
        validation=validation,
        parents=_parents(plan, head, markets, split, question),
    )


def load_space(place: Workplace, name: str) -> Space:
    """A space by name.

    Raises:
        BadInput: there is no such file; names those that are there.
        BadConfig: it cannot be read.
    """
    folder = place.settings.paths.spaces
    known = sorted(path.stem for path in folder.glob("*.toml"))
    if name not in known:
        raise BadInput(
            f"there is no space {name!r}",
            where=Where(file=str(folder), field="space"),
            next_step=f"Use one of {', '.join(known) or 'none: the folder is empty'}",
        )
    path = folder / f"{name}.toml"
    return space_from_mapping(read_toml(path), file=str(path))


def load_search_settings(place: Workplace) -> SearchSettings:
    """How searches are run.

    Raises:
        BadConfig: settings/search.toml cannot be read.
    """
    path = place.settings.paths.search
    return search_settings_from_mapping(read_toml(path), file=str(path))


def _strategy(place: Workplace, request: SearchRequest) -> tuple[str, PolicySpec]:
    if request.policy_file is not None:
        return request.policy_file.stem, load_policy(request.policy_file)
    policies = load_policies(place.settings)
    name = request.strategy or place.settings.main_policy
    if name not in policies:
        raise BadInput(
            f"there is no strategy {name!r}",
            where=Where(field="strategy"),
            next_step=f"Use one of {', '.join(policies)}, or --policy FILE",
        )
    return name, policies[name]


def _plan(
    place: Workplace,
    lead_id: str,
    question: Question,
    *,
    base: PolicySpec,
    space: Space,
    settings: SearchSettings,
    spec: ReplaySpec,
    data_digest: str,
    train_sides: tuple[Side, ...],
) -> SearchPlan:
    assumptions = digest_of(spec)
    return SearchPlan(
        search_id=search_id_of(
            lead_id=lead_id,
            data_digest=data_digest,
            assumptions_digest=assumptions,
            base=base,
            space=space,
            settings=settings,
            sampler=question.sampler,
            seed=question.seed,
            trials_count=question.trials_count,
            manual=question.manual,
        ),
        space=space,
        base=base,
        settings=settings,
        sampler=question.sampler,
        seed=question.seed,
        trials_count=question.trials_count,
        manual=question.manual,
        train_sides=train_sides,
        initial_equity=spec.initial_equity,
        data_digest=data_digest,
        assumptions_digest=assumptions,
        code_version=place.code_version,
    )


def _longest(space: Space, base: PolicySpec) -> PolicySpec:
    """The strategy with the longest trade of any candidate, which the embargo of the split must cover."""
    if space.exit_family is None:
        return base
    leave = ExitSpec(
        family=space.exit_family,
        take_profit_ppm=None,
        stop_loss_ppm=None,
        trailing_callback_ppm=None,
        ttl_s=longest_ttl_s(space, base),
    )
    return replace(base, exit=leave)


def _members(episodes: Sequence[Episode], split: SplitManifest, part: Part) -> tuple[Episode, ...]:
    """The episodes of one part in the order of their signals."""
    by_id = {episode.episode_id: episode for episode in episodes}
    return tuple(by_id[name] for name in split.part(part).episode_ids)


def _parents(
    plan: SearchPlan, episodes: Head, markets: LoadedMarkets, split: SplitManifest, question: Question
) -> dict[str, str]:
    return {
        **parents(episodes),
        **markets.digests,
        f"policies/{question.strategy}": digest_of(plan.base),
        f"spaces/{question.space}": plan.space.digest,
        "search_settings": plan.settings.digest,
        "assumptions": plan.assumptions_digest,
        "split": split.digest,
    }
