"""Between the store and the instance: a head as a materialisation, and what the instance recorded last.

The filter on one partition's check evaluations has no public import in 1.13, so it is used here and nowhere else
(`tests/dagster/test_lineage.py` holds Dagster to what we rely on).
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

import dagster as dg
from dagster._core.event_api import PartitionKeyFilter
from dagster._core.storage.asset_check_execution_record import (
    AssetCheckExecutionRecord,
    AssetCheckExecutionRecordStatus,
)

from copytrade_core.edges.lake import Head
from copytrade_core.edges.stages.workplace import StageOutcome
from copytrade_core.promotion.chain import CheckEvaluation, Materialisation
from copytrade_core.promotion.gate_result import Gate

EVIDENCE_KEY = dg.AssetKey("promotion_evidence")
DIGEST = "digest"
"""Metadata name under which an asset writes the digest it stored and a check the digest it read."""


def materialised(
    head: Head, metadata: Mapping[str, object], *, shown: Mapping[str, dg.MetadataValue] | None = None
) -> dg.MaterializeResult:
    """A stored head as a materialisation: the digest is the data version; what is `shown` goes before."""
    return dg.MaterializeResult(
        asset_key=dg.AssetKey(head.asset),
        data_version=dg.DataVersion(head.digest),
        metadata={**plain(metadata), **head_metadata(head), **(shown or {})},
    )


def outcome_results(outcome: StageOutcome, assets: Sequence[str]) -> list[dg.MaterializeResult]:
    """One materialisation per named asset of an outcome."""
    return [materialised(outcome.head(asset), outcome.metadata) for asset in assets]


def head_metadata(head: Head) -> dict[str, Any]:
    """What every materialisation says about its content."""
    return {
        DIGEST: head.digest,
        "dagster/row_count": head.rows,
        "schema_version": head.schema_version,
        "code_version": head.code_version,
        "parents": dg.MetadataValue.json(dict(head.parents)),
    }


def plain(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Metadata that Dagster takes: scalars as they are, everything else as JSON, absent values left out."""
    return {
        name: _scalar(value) if isinstance(value, str | int | float | bool) else dg.MetadataValue.json(value)
        for name, value in metadata.items()
        if value is not None
    }


def _scalar(value: str | float) -> str | float:
    """Our enumerations are text, but Dagster writes none that it does not know."""
    return value.value if isinstance(value, StrEnum) else value


def latest_evidence(instance: dg.DagsterInstance, lead_id: str) -> Materialisation | None:
    """The latest materialisation of exactly this lead's promotion evidence that a run made, or None."""
    found = instance.fetch_materializations(
        dg.AssetRecordsFilter(asset_key=EVIDENCE_KEY, asset_partitions=[lead_id]), limit=1
    ).records
    if not found or not found[0].run_id or found[0].asset_materialization is None:
        return None
    said = found[0].asset_materialization.metadata.get(DIGEST)
    digest = said.value if said is not None else ""
    return Materialisation(storage_id=found[0].storage_id, run_id=found[0].run_id, digest=str(digest))


def latest_evaluations(
    instance: dg.DagsterInstance, lead_id: str, gates: Sequence[Gate]
) -> Mapping[Gate, CheckEvaluation]:
    """The latest evaluation of each gate for exactly this lead, whoever made it; gates without any are left out."""
    keys = {gate: dg.AssetCheckKey(EVIDENCE_KEY, gate.value) for gate in gates}
    records = instance.event_log_storage.get_latest_asset_check_execution_by_key(
        list(keys.values()), partition_filter=PartitionKeyFilter(key=lead_id)
    )
    return {gate: _evaluation(instance, records[key]) for gate, key in keys.items() if key in records}


def _evaluation(instance: dg.DagsterInstance, record: AssetCheckExecutionRecord) -> CheckEvaluation:
    said = record.evaluation if record.status is not AssetCheckExecutionRecordStatus.PLANNED else None
    target = None if said is None else said.target_materialization_data
    digest = None if said is None else said.metadata.get(DIGEST)
    known_run = bool(record.run_id) and instance.get_run_by_id(record.run_id) is not None
    return CheckEvaluation(
        succeeded=record.status is AssetCheckExecutionRecordStatus.SUCCEEDED,
        passed=said is not None and said.passed,
        run_id=record.run_id if known_run else None,
        target_storage_id=None if target is None else target.storage_id,
        target_run_id=None if target is None else target.run_id,
        digest=None if digest is None else str(digest.value),
    )
