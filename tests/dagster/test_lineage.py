"""What we rely on of Dagster without a public promise: if an upgrade changes it, this fails and not the gate."""

import dagster as dg
import pytest

from copytrade_core.promotion.gate_result import Gate
from copytrade_dagster.lineage import EVIDENCE_KEY, latest_evaluations, latest_evidence, plain
from copytrade_dagster.partitioned_checks import blocking_check
from copytrade_dagster.partitions import LEADS

pytestmark = pytest.mark.filterwarnings("error")


@dg.asset(name="promotion_evidence", partitions_def=LEADS)
def evidence(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
    return dg.MaterializeResult(metadata={"digest": f"of {context.partition_key}"})


@blocking_check(evidence, LEADS, "If it fails, look.", name="drawdown")
def drawdown(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(passed=context.partition_key == "1", metadata={"digest": f"of {context.partition_key}"})


@pytest.fixture
def recorded():
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions("lead", ["1", "2"])
        for lead in ("1", "2"):
            _ = dg.materialize(
                [evidence, drawdown],
                instance=instance,
                partition_key=lead,
                resources={"place": object()},
                raise_on_error=False,
            )
        yield instance


def test_each_partition_has_its_own_latest_evaluation(recorded):
    found = {lead: latest_evaluations(recorded, lead, list(Gate)) for lead in ("1", "2", "3")}
    assert found["1"][Gate.DRAWDOWN].passed
    assert not found["2"][Gate.DRAWDOWN].passed
    assert found["2"][Gate.DRAWDOWN].digest == "of 2"
    assert found["3"] == {}
    assert list(found["1"]) == [Gate.DRAWDOWN]


def test_an_evaluation_names_the_materialisation_it_judged(recorded):
    for lead in ("1", "2"):
        latest = latest_evidence(recorded, lead)
        evaluation = latest_evaluations(recorded, lead, [Gate.DRAWDOWN])[Gate.DRAWDOWN]
        assert latest is not None
        assert latest.digest == f"of {lead}"
        assert evaluation.target_storage_id == latest.storage_id
        assert evaluation.target_run_id == latest.run_id == evaluation.run_id


def test_what_is_reported_from_outside_has_no_run(recorded):
    recorded.report_runless_asset_event(
        dg.AssetCheckEvaluation(asset_key=EVIDENCE_KEY, check_name="drawdown", passed=True, metadata={}, partition="1")
    )
    assert latest_evaluations(recorded, "1", [Gate.DRAWDOWN])[Gate.DRAWDOWN].run_id is None
    recorded.report_runless_asset_event(dg.AssetMaterialization(EVIDENCE_KEY, partition="1"))
    assert latest_evidence(recorded, "1") is None


def test_an_enumeration_of_ours_is_plain_text_to_dagster():
    found = plain({"ended": Gate.DRAWDOWN, "orders": 2, "unknown": None})
    assert found == {"ended": "drawdown", "orders": 2}
    assert type(found["ended"]) is str, "an event with anything else is not stored, and its run fails"
