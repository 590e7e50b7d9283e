"""A search of a small lead: stored, asked again, stopped and gone on with, judged, refused where it means nothing."""

import shutil
import tomllib
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from copytrade_core.edges.lead_search import found_policy, named_policies, search_answer, write_policy
from copytrade_core.edges.stages.holdout import open_holdout
from copytrade_core.edges.stages.holdout_plan import champion_of, plan_opening
from copytrade_core.edges.stages.policies import load_policy
from copytrade_core.edges.stages.search import (
    make_champion,
    make_report,
    make_trials,
    run_search,
    stored_search,
    try_policy,
)
from copytrade_core.edges.stages.search_desk import SearchRequest, open_desk
from copytrade_core.edges.stages.trial_facts import search_facts
from copytrade_core.edges.trial_registry import TrialRegistry
from copytrade_core.model.digest import digest_of
from copytrade_core.model.errors import BadConfig, BadInput, NotStored, StoreFault
from copytrade_core.model.trial import TrialOrigin
from copytrade_core.search.plan import SamplerChoice
from copytrade_core.strategies.policy_parse import policy_from_mapping
from tests.small_lead import LEAD, place_of, small_project

ASKED = SearchRequest(
    lead_id=LEAD,
    strategy="against",
    policy_file=None,
    space="tiny",
    trials_count=None,
    seed=1,
    sampler=SamplerChoice.PHASES,
    manual=(),
)


def quietly(_: object) -> None:
    """Nobody looks."""


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


@pytest.fixture(scope="module")
def blank(tmp_path_factory, project_root) -> Path:
    """A project without a search."""
    root = tmp_path_factory.mktemp("blank") / "project"
    _ = small_project(root, project_root)
    return root


@pytest.fixture(scope="module")
def searched(blank, tmp_path_factory) -> Path:
    """The same after one search."""
    root = tmp_path_factory.mktemp("searched") / "project"
    shutil.copytree(blank, root)
    _ = run_search(opened(root), ASKED, quietly)
    return root


@pytest.fixture
def copied(tmp_path):
    """A copy of a project that a test may change."""

    def copy(project: Path) -> Path:
        shutil.copytree(project, tmp_path / "project")
        return tmp_path / "project"

    return copy


def opened(root: Path):
    return place_of(root / "settings" / "copytrade.toml")


def counted(answer: dict[str, object]) -> int:
    """How many trials the figures about luck of an answer count."""
    figures = answer["overfitting"]
    assert isinstance(figures, dict)
    return figures["trials_count"]


def test_everything_is_stored_with_what_it_was_made_from(searched):
    place = opened(searched)
    heads = {asset: place.lake.require(asset, LEAD) for asset in ("trials", "search_report", "champion_policy")}
    assert heads["search_report"].parents[f"trials/{LEAD}"] == heads["trials"].digest
    assert heads["champion_policy"].parents == {f"search_report/{LEAD}": heads["search_report"].digest}
    assert heads["trials"].parents[f"episodes/{LEAD}"] == place.lake.require("episodes", LEAD).digest
    assert {"spaces/tiny", "policies/against", "search_settings", "assumptions", "split"} <= set(
        heads["trials"].parents
    )
    registry = TrialRegistry(place.lake.root)
    assert heads["trials"].rows == len(registry.trials(search_id=str(heads["trials"].metadata["search_id"])))
    assert registry.verify() == registry.head()


def test_the_champion_is_a_policy_file_that_reads_back_to_its_digest(searched, tmp_path):
    place = opened(searched)
    named = named_policies(place, LEAD)
    assert named.trial is not None
    assert named.toml is not None
    policy = policy_from_mapping(tomllib.loads(named.toml, parse_float=Decimal), file="champion")
    assert digest_of(policy) == named.policy_digest
    assert champion_of(place, LEAD) == policy
    found = found_policy(place, LEAD, None)
    assert found is not None
    write_policy(found, tmp_path / "champion.toml")
    assert load_policy(tmp_path / "champion.toml") == policy
    with pytest.raises(BadInput, match="there already"):
        write_policy(found, tmp_path / "champion.toml")


def test_what_gates_read_is_about_the_champion_and_it_was_compared(searched):
    place = opened(searched)
    facts = search_facts(place, LEAD)
    assert facts is not None
    assert facts.policy_digest == named_policies(place, LEAD).policy_digest
    assert facts.engine is not None
    assert facts.engine.verdict == "EQUAL"
    assert facts.policy_digest in facts.engine.policy_digests
    assert facts.overfitting is not None
    assert facts.overfitting.trials_count == TrialRegistry(place.lake.root).trials_count(facts.data_digest)


def test_a_finished_search_that_is_asked_again_is_read_not_made(searched):
    place, seen = opened(searched), []
    before = content(TrialRegistry(place.lake.root).folder)
    again = run_search(place, ASKED, seen.append)
    assert seen == []
    assert content(TrialRegistry(place.lake.root).folder) == before
    assert again.head("search_report") == place.lake.require("search_report", LEAD)


@pytest.mark.parametrize("stopped_at", [0, 3, 11])
def test_a_search_that_was_stopped_goes_on_to_the_same_registry_and_result(searched, blank, copied, stopped_at):
    root = copied(blank)
    place = opened(root)

    def stop(seen) -> None:
        if seen.batch_index == stopped_at:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _ = run_search(place, ASKED, stop)
    assert len(TrialRegistry(place.lake.root).segments()) == stopped_at + 1
    told: list[int] = []
    outcome = run_search(place, ASKED, lambda seen: told.append(seen.stored_count))
    assert max(told) >= 1
    whole = opened(searched)
    for asset in ("trials", "search_report", "champion_policy"):
        assert outcome.head(asset).digest == whole.lake.require(asset, LEAD).digest
    assert content(root / "data/registry/trials") == content(searched / "data/registry/trials")


def test_the_steps_one_by_one_give_the_same_as_all_at_once(searched, blank, copied):
    place = opened(copied(blank))
    heads = [
        *make_trials(place, ASKED, quietly).heads,
        *make_report(place, LEAD).heads,
        *make_champion(place, LEAD).heads,
    ]
    whole = opened(searched)
    assert [head.digest for head in heads] == [whole.lake.require(head.asset, LEAD).digest for head in heads]


def test_another_search_adds_to_the_count_and_leaves_the_first_digest_alone(searched, copied):
    place = opened(copied(searched))
    first = search_answer(place, LEAD)
    _ = run_search(place, replace(ASKED, seed=2), quietly)
    second = search_answer(place, LEAD)
    assert second["search_digest"] != first["search_digest"]
    again = run_search(place, ASKED, quietly)
    assert again.metadata["search_digest"] == first["search_digest"]
    assert counted(search_answer(place, LEAD)) > counted(first)


def test_under_the_real_limits_the_best_of_so_few_is_no_champion(searched, copied, project_root):
    root = copied(searched)
    shutil.copy(project_root / "settings/promotion.toml", root / "settings/promotion.toml")
    place = opened(root)
    _ = run_search(place, ASKED, quietly)
    named = named_policies(place, LEAD)
    assert named.trial is None
    assert any("deflated Sharpe ratio" in reason for reason in named.reasons)
    assert found_policy(place, LEAD, None) is None
    closest = named.finalists[0]
    assert found_policy(place, LEAD, closest.trial) == closest
    with pytest.raises(BadInput, match="no finalist"):
        _ = found_policy(place, LEAD, 10**6)


def test_a_holdout_that_somebody_else_opened_leaves_no_champion(searched, copied):
    place = opened(copied(searched))
    plan = plan_opening(place, LEAD, open_desk(place, ASKED).plan.base)
    _ = open_holdout(place, plan, by="somebody")
    _ = run_search(place, ASKED, quietly)
    named = named_policies(place, LEAD)
    assert named.trial is None
    assert any(reason.startswith("the holdout is spent: opened on") for reason in named.reasons)


def test_the_champion_keeps_its_name_after_its_own_opening(searched, copied):
    place = opened(copied(searched))
    before = named_policies(place, LEAD).policy_digest
    _ = open_holdout(place, plan_opening(place, LEAD, champion_of(place, LEAD)), by="me")
    _ = run_search(place, ASKED, quietly)
    assert named_policies(place, LEAD).policy_digest == before is not None


def test_one_policy_by_hand_is_counted_and_leaves_the_search_alone(searched, copied):
    place = opened(copied(searched))
    registry, before = TrialRegistry(place.lake.root), place.lake.require("search_report", LEAD)
    outcome = try_policy(place, replace(ASKED, sampler=SamplerChoice.MANUAL, seed=9), quietly)
    tried = registry.trials()[-1]
    assert tried == outcome.metadata["trial"]
    assert tried.origin is TrialOrigin.MANUAL
    assert place.lake.require("search_report", LEAD) == before
    with pytest.raises(BadInput, match="by hand"):
        _ = run_search(place, replace(ASKED, sampler=SamplerChoice.MANUAL), quietly)


def test_the_train_and_validation_signals_are_all_that_is_replayed(searched):
    desk = open_desk(opened(searched), ASKED)
    open_ids = {episode.episode_id for episode in (*desk.train, *desk.validation)}
    sealed = {name for part in desk.split.parts[2:] for name in part.episode_ids}
    assert sealed
    assert open_ids.isdisjoint(sealed | set(desk.split.embargoed))


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"space": "nowhere"}, BadInput, "no space 'nowhere'"),
        ({"strategy": "nobody"}, BadInput, "no strategy 'nobody'"),
        ({"trials_count": 0}, BadInput, "at least 1"),
        ({"lead_id": "1"}, NotStored, "episodes 1 is not stored"),
        ({"policy_file": Path("absent.toml")}, BadConfig, "absent.toml"),
    ],
)
def test_a_question_that_cannot_be_answered_is_refused_before_anything_is_tried(blank, change, error, words):
    with pytest.raises(error, match=words):
        _ = run_search(opened(blank), replace(ASKED, **change), quietly)
    assert TrialRegistry(opened(blank).lake.root).segments() == []


def test_without_bars_it_says_how_to_get_them(blank, copied):
    root = copied(blank)
    shutil.rmtree(root / "data/heads/bars")
    with pytest.raises(NotStored, match="no bars"):
        _ = run_search(opened(root), ASKED, quietly)


def test_a_registry_that_lost_a_segment_stops_the_search(searched, copied):
    root = copied(searched)
    sorted((root / "data/registry/trials").glob("*.parquet"))[1].unlink()
    with pytest.raises(StoreFault, match="missing"):
        _ = run_search(opened(root), replace(ASKED, seed=3), quietly)


def test_changed_assumptions_make_the_stored_search_one_of_the_past(searched, copied):
    root = copied(searched)
    config = root / "settings/copytrade.toml"
    config.write_text(config.read_text().replace("slippage_bps = 5", "slippage_bps = 6"))
    with pytest.raises(NotStored, match="other data, assumptions or settings"):
        _ = stored_search(opened(root), LEAD)
