"""Live, asked in every way that goes around the graph. The whole chain gets a permit: the door can open."""

import shutil
import tomllib
from decimal import Decimal
from typing import Any

import dagster as dg
import pytest
from dagster._core.definitions.asset_checks.asset_check_evaluation import AssetCheckEvaluationTargetMaterializationData

from copytrade_core.promotion.gate_result import Gate
from copytrade_dagster.automation import WITHOUT_POLL
from copytrade_dagster.definitions_live import defs as live_defs
from copytrade_dagster.defs.evidence import assets as evidence
from copytrade_dagster.defs.promotion import assets as promotion
from copytrade_dagster.defs.replay import assets as replay
from copytrade_dagster.defs.sources import assets as sources
from copytrade_dagster.lineage import EVIDENCE_KEY, latest_evidence
from copytrade_dagster.partitions import LEADS

BROKER = "there is no venue broker yet"


@pytest.fixture
def live(instance, project):
    """What launching the live asset says, never a success."""

    def launch(**changes) -> str:
        job = live_defs.resolve_implicit_global_asset_job_def()
        asked: dict[str, Any] = {
            "instance": instance,
            "partition_key": project.lead,
            "raise_on_error": False,
            **changes,
        }
        result = job.execute_in_process(**asked)
        assert not result.success
        assert not [event for event in result.all_events if event.is_step_materialization]
        failed = next(event for event in result.all_events if event.is_step_failure)
        said = failed.step_failure_data.user_failure_data
        assert said is not None, failed.step_failure_data.error
        return str(said.description)

    return launch


def forge(instance, project, gate: Gate, *, passed: bool = True, partition: str | None = "lead") -> None:
    """What the webserver's report_asset_check does for anyone who can reach it."""
    latest = latest_evidence(instance, project.lead)
    assert latest is not None
    instance.report_runless_asset_event(
        dg.AssetCheckEvaluation(
            asset_key=EVIDENCE_KEY,
            check_name=gate.value,
            passed=passed,
            metadata={"digest": latest.digest},
            target_materialization_data=AssetCheckEvaluationTargetMaterializationData(
                storage_id=latest.storage_id, run_id=latest.run_id, timestamp=0.0
            ),
            severity=dg.AssetCheckSeverity.ERROR,
            partition=project.lead if partition == "lead" else partition,
        )
    )


def require_also(project, gate: str) -> None:
    """Changes the contract: live needs one gate more."""
    path = project.root / "settings" / "promotion.toml"
    text = path.read_text()
    old = next(line for line in text.splitlines() if line.startswith("live_small = "))
    path.write_text(text.replace(old, f'live_small = ["{gate}"]'))
    assert tomllib.loads(path.read_text(), parse_float=Decimal)


def test_a_whole_chain_gets_a_permit_and_meets_no_broker(derived, live):
    assert BROKER in live()


def test_nothing_stored_is_refused(live):
    assert "promotion_evidence 4751838302089254999 is not stored" in live()


def test_the_approval_is_missing_as_long_as_nobody_can_sign(derive, live, project):
    require_also(project, "human_approval")
    _ = derive()
    assert "approval missing" in live()
    assert BROKER not in live()


def test_a_gate_of_a_later_step_cannot_be_passed_by_not_existing(derive, live, project):
    require_also(project, "copyability")
    _ = derive()
    assert "copyability: not evaluated" in live()


def test_a_failing_gate_is_refused_with_its_number(derive, live, project):
    require_also(project, "robustness")
    _ = derive()
    assert "robustness: INCONCLUSIVE" in live() or "robustness: FAIL" in live()


def test_evidence_without_its_checks_is_refused(instance, project, live):
    """An empty check selection: everything is materialised and nothing was asked."""
    assets = [
        sources.source_pages,
        sources.normalised_rows,
        sources.episodes,
        replay.replayed,
        evidence.split_manifest,
        evidence.evidence_report,
        promotion.promotion_evidence,
    ]
    made = dg.materialize(
        assets,
        instance=instance,
        partition_key=project.lead,
        resources={"place": project.place()},
        run_config=WITHOUT_POLL,
    )
    assert made.success
    said = live()
    assert [line for line in said.split("\n") if "no run has evaluated it" in line]
    assert BROKER not in said


def test_no_partition_is_refused(derived, instance):
    job = live_defs.resolve_implicit_global_asset_job_def()
    result = job.execute_in_process(instance=instance, raise_on_error=False)
    assert not result.success
    failed = next(event for event in result.all_events if event.is_step_failure)
    assert "partition" in str(failed.step_failure_data.error)
    assert BROKER not in str(failed.step_failure_data)


def test_another_lead_does_not_get_in_on_this_ones_evidence(derived, live, instance):
    instance.add_dynamic_partitions(str(LEADS.name), ["2"])
    assert "promotion_evidence 2 is not stored" in live(partition_key="2")


@pytest.mark.parametrize(
    "run_config",
    [
        {"resources": {"promotion_gate": {"config": {"required": [], "step": "researched"}}}},
        {"ops": {"live_canary": {"inputs": {"permit": {"value": "yes"}}}}},
    ],
)
def test_run_config_cannot_reach_the_door(derive, live, project, run_config):
    require_also(project, "robustness")
    _ = derive()
    said = live(run_config=run_config)
    assert "robustness: " in said
    assert BROKER not in said


@pytest.mark.parametrize("partition", ["lead", None])
def test_a_forged_pass_is_not_an_evaluation(derive, live, instance, project, partition):
    require_also(project, "robustness")
    _ = derive()
    forge(instance, project, Gate.ROBUSTNESS, partition=partition)
    said = live()
    assert "robustness: INCONCLUSIVE" in said or "robustness: FAIL" in said


def test_even_where_the_numbers_pass_a_reported_evaluation_does_not_count(derived, live, instance, project):
    forge(instance, project, Gate.DRAWDOWN)
    assert "drawdown: its latest evaluation was reported from outside" in live()


def test_a_pass_forged_without_partition_does_not_replace_the_real_one(derived, live, instance, project):
    forge(instance, project, Gate.DRAWDOWN, passed=False, partition=None)
    assert BROKER in live()


def test_tampered_evidence_is_refused(derived, live, project):
    place = project.place()
    head = place.lake.require("promotion_evidence", project.lead)
    path = place.lake.object_path(head.digest, head.kind)
    path.chmod(0o644)
    path.write_bytes(path.read_bytes().replace(b'"fail"', b'"pass"'))
    assert "the stored bytes were changed" in live()


@pytest.mark.parametrize("asset", ["equity", "round_trips", "episodes", "closed_positions"])
def test_tampered_inputs_are_refused(derived, live, project, asset):
    place = project.place()
    head = place.lake.require(asset, project.lead)
    path = place.lake.object_path(head.digest, head.kind)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))
    assert "the stored bytes were changed" in live()


def test_evidence_written_by_hand_with_a_right_digest_is_refused(derived, live, project):
    place = project.place()
    document = place.lake.document("promotion_evidence", project.lead)
    document["evidence_digest"] = "0" * 64
    head = place.lake.require("promotion_evidence", project.lead)
    _ = place.lake.put_document(
        "promotion_evidence",
        project.lead,
        document,
        schema_version=head.schema_version,
        code_version=head.code_version,
        parents=head.parents,
    )
    assert "does not follow from what is stored now" in live()


def test_a_store_that_moved_on_is_refused(derived, live, project, more_pages):
    from copytrade_core.edges.stages.episodes import derive_episodes
    from copytrade_core.edges.stages.sources import import_pages, list_source_pages, normalise_lead

    place = project.place()
    _ = import_pages(place, more_pages, lead_id=None)
    for stage in (list_source_pages, normalise_lead, derive_episodes):
        _ = stage(place, project.lead)
    assert "Live is refused" in live()
    assert BROKER not in live()


def test_a_changed_contract_is_refused(derived, live, project):
    path = project.root / "settings" / "promotion.toml"
    path.write_text(path.read_text().replace("evidence_age_s_max = 86_400", "evidence_age_s_max = 86_401"))
    assert "does not follow from what is stored now" in live()


def test_a_wiped_materialisation_is_refused(derived, live, instance):
    instance.wipe_assets([EVIDENCE_KEY])
    assert "no run has materialised promotion_evidence" in live()


def test_a_materialisation_reported_from_outside_is_refused(derived, live, instance, project):
    head = project.place().lake.require("promotion_evidence", project.lead)
    instance.report_runless_asset_event(
        dg.AssetMaterialization(
            EVIDENCE_KEY, partition=project.lead, metadata={"digest": head.digest}, tags={"by": "hand"}
        )
    )
    assert "no run has materialised promotion_evidence" in live()


def test_checks_that_judged_an_older_materialisation_are_refused(derived, live, instance, project):
    head = project.place().lake.require("promotion_evidence", project.lead)

    @dg.asset(name="promotion_evidence", partitions_def=LEADS)
    def again():
        return dg.MaterializeResult(metadata={"digest": head.digest})

    assert dg.materialize([again], instance=instance, partition_key=project.lead).success
    assert "judged another materialisation" in live()


def test_old_evidence_expires(derive, live, project):
    path = project.root / "settings" / "promotion.toml"
    path.write_text(path.read_text().replace("evidence_age_s_max = 86_400", "evidence_age_s_max = 1"))
    _ = derive()
    assert "the evidence has expired" in live()


def test_a_store_without_its_objects_is_refused(derived, live, project):
    shutil.rmtree(project.root / "data" / "objects")
    assert BROKER not in live()
