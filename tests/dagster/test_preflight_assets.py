"""Preflight in Dagster: a certificate, a result with its lineage, and two checks that compare it with today."""

import shutil

import dagster as dg
import pytest

from copytrade_core.edges.stages.preflight_facts import preflight_facts, rehearsal_gate
from copytrade_core.model.errors import StoreFault
from copytrade_core.promotion.gate_result import Gate, GateVerdict
from copytrade_dagster.definitions import defs

CHECKS = ("preflight_clean", "restart_clean")


def run_job(instance: dg.DagsterInstance, name: str, partition: str, **config: object) -> dg.ExecuteInProcessResult:
    run_config = {"ops": {"preflight_result": {"config": config}}} if config else None
    return defs.resolve_job_def(name).execute_in_process(
        instance=instance, partition_key=partition, run_config=run_config, raise_on_error=False
    )


@pytest.fixture(scope="module")
def rehearsed(template, tmp_path_factory):
    """The project after a certificate and a preflight of two seeds, and what the checks of that run said."""
    root = tmp_path_factory.mktemp("rehearsed") / "project"
    shutil.copytree(template, root)
    with pytest.MonkeyPatch.context() as patch, dg.DagsterInstance.ephemeral() as instance:
        patch.setenv("COPYTRADE_CONFIG", str(root / "settings/copytrade.toml"))
        instance.add_dynamic_partitions("lead", ["4751838302089254999"])
        certified = run_job(instance, "certify_venue", "bingx")
        result = run_job(instance, "preflight_lead", "4751838302089254999", venue="bingx", seeds=2)
    return root, certified, result


@pytest.fixture
def store(rehearsed, project):
    """A copy of its store in the project of this test."""
    shutil.rmtree(project.root / "data")
    shutil.copytree(rehearsed[0] / "data", project.root / "data")
    return project.place()


def test_a_run_certifies_rehearses_and_says_what_it_was_made_from(rehearsed, store, project):
    _, certified, result = rehearsed
    assert certified.success
    events = [event for event in result.all_events if event.is_step_materialization]
    assert [event.asset_key.to_user_string() for event in events] == ["preflight_result"]
    certificate, found = (
        store.lake.require("venue_certificate", "bingx"),
        store.lake.require("preflight_result", project.lead),
    )
    assert found.parents["venue_certificate/bingx"] == certificate.digest
    materialisation = events[0].step_materialization_data.materialization
    assert materialisation.tags["dagster/data_version"] == found.digest
    assert "timeout_after_accept" in materialisation.metadata["scenarios"].value
    facts = preflight_facts(store, project.lead)
    assert facts is not None
    assert (facts.seeds_count, facts.failures, facts.scenarios_missing, facts.duplicates_count) == (2, (), (), 0)
    assert facts.scenarios_count > 20
    assert facts.made_at is not None


def test_the_checks_are_the_gates_and_two_seeds_are_too_few(rehearsed, store, project):
    checks = {check.check_name: check for check in rehearsed[2].get_asset_check_evaluations()}
    assert set(checks) == set(CHECKS)
    digest = store.lake.require("preflight_result", project.lead).digest
    for check in checks.values():
        assert not check.passed
        assert check.metadata["verdict"].value == "inconclusive"
        assert check.metadata["digest"].value == digest
    assert "too few to tell" in (checks["preflight_clean"].description or "")
    assert "--seeds 200" in checks["preflight_clean"].metadata["criteria"].value


def deciding(store, lead: str, gate: Gate) -> str:
    found = rehearsal_gate(store, lead, gate)
    assert found.verdict is GateVerdict.INCONCLUSIVE
    return found.deciding.name


@pytest.mark.parametrize("gate", [Gate.PREFLIGHT_CLEAN, Gate.RESTART_CLEAN])
def test_another_policy_makes_the_result_one_about_something_else(store, project, gate):
    file = project.root / "settings/short.toml"
    file.write_text(file.read_text().replace("ttl_s = 3600", "ttl_s = 7200"))
    assert deciding(store, project.lead, gate) == "of_this_policy"


def test_another_venue_is_another_question(project, store, monkeypatch):
    monkeypatch.setenv("COPYTRADE_PREFLIGHT__VENUE", "gate")
    assert deciding(project.place(), project.lead, Gate.PREFLIGHT_CLEAN) == "at_this_venue"


def test_a_result_whose_bytes_were_changed_is_noticed(store, project):
    head = store.lake.require("preflight_result", project.lead)
    file = store.lake.object_path(head.digest, head.kind)
    file.chmod(0o644)
    file.write_bytes(file.read_bytes().replace(b'"seeds_count":2', b'"seeds_count":9'))
    with pytest.raises(StoreFault):
        _ = rehearsal_gate(store, project.lead, Gate.PREFLIGHT_CLEAN)


@pytest.mark.soak
def test_the_same_preflight_made_again_is_the_same_result_with_a_new_date(instance, store, project):
    before = store.lake.require("preflight_result", project.lead)
    again = run_job(instance, "preflight_lead", project.lead, seeds=2)
    assert [check.check_name for check in again.get_asset_check_evaluations()]
    after = project.place().lake.require("preflight_result", project.lead)
    assert after.digest == before.digest
    assert after.metadata["made_at"] != before.metadata["made_at"]
