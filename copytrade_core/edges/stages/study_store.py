"""A study in the lake and back, exactly: `round_trips`, `fills`, `equity` and the `study` document that names them.

What a study computes belongs to `replay`; what it amounts to belongs to `evidence`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import polars as pl

from copytrade_core.edges.lake import Head, Kind, Lake
from copytrade_core.edges.stages.record_table import frame_of, records_of
from copytrade_core.edges.stages.workplace import SCHEMA_VERSION
from copytrade_core.edges.tables import frame_from_parquet
from copytrade_core.model.bar import PriceOrigin
from copytrade_core.model.fill import Fill
from copytrade_core.model.round_trip import Blocked, EquityCurve, ReplayResult, ReplaySpec, RoundTrip, Skipped
from copytrade_core.model.study import Scenario, Study

CURVE = ("time_ms", "equity", "worst_intrabar", "cash", "gross")
TABLES = ("round_trips", "fills", "equity")


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRun:
    """One scenario's result without its tables."""

    name: str
    label: str
    policy: str
    delay_s: int
    slippage_multiple: str
    fee_multiple: str
    result_policy: str
    policy_digest: str
    spec: ReplaySpec
    origin: PriceOrigin
    funding_known: bool
    fill_hash: int
    skipped: list[Skipped]
    blocked: list[Blocked]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredStudy:
    """The `study` document: which scenario is which, and the digests of the tables that belong to it."""

    main: str
    by_strategy: list[str]
    delay_slippage: list[str]
    stressed: dict[str, str]
    runs: list[StoredRun]
    tables: dict[str, str]


def name_of(scenario: Scenario) -> str:
    """What a scenario is called in the tables: policy and label, which together occur once."""
    return f"{scenario.policy}: {scenario.label}"


def store_study(
    lake: Lake, partition: str, study: Study, *, code_version: str, parents: Mapping[str, str]
) -> tuple[Head, ...]:
    """Stores tables first and the document that names them last, so that a reader never mixes two studies.

    Returns:
        Heads of `study`, `round_trips`, `fills`, `equity`.
    """
    results = [(name_of(scenario), study.results[scenario]) for scenario in study.results]
    assert len({label for label, _ in results}) == len(results), "names tell scenarios apart"
    frames = {
        "round_trips": _labelled(
            [(label, frame_of(result.round_trips, RoundTrip, leave_out=("fills",))) for label, result in results]
        ),
        "fills": _labelled([(label, _fills(result)) for label, result in results]),
        "equity": _labelled([(label, _curve_frame(result.equity)) for label, result in results]),
    }
    stored = {
        asset: lake.put_table(
            asset, partition, frame, schema_version=SCHEMA_VERSION, code_version=code_version, parents=parents
        )
        for asset, frame in frames.items()
    }
    digests = {asset: head.digest for asset, head in stored.items()}
    document = lake.put_document(
        "study",
        partition,
        _document(study, digests),
        schema_version=SCHEMA_VERSION,
        code_version=code_version,
        parents={**parents, **{f"{asset}/{partition}": digest for asset, digest in digests.items()}},
    )
    return (document, *(stored[asset] for asset in TABLES))


def load_study(lake: Lake, partition: str) -> Study:
    """The stored study, every byte verified against its digest.

    Raises:
        NotStored: none is stored.
        StoreFault: bytes were changed, or have another shape.
    """
    stored = lake.document_as("study", partition, StoredStudy)
    tables = {
        asset: frame_from_parquet(
            lake.verified_bytes(asset, partition, digest), path=lake.object_path(digest, Kind.PARQUET)
        )
        for asset, digest in stored.tables.items()
    }
    scenarios = {run.name: _scenario(run) for run in stored.runs}
    return Study(
        main=scenarios[stored.main],
        by_strategy=tuple(scenarios[label] for label in stored.by_strategy),
        delay_slippage=tuple(scenarios[label] for label in stored.delay_slippage),
        stressed={name: scenarios[label] for name, label in stored.stressed.items()},
        results={scenarios[run.name]: _result(run, tables) for run in stored.runs},
    )


def _document(study: Study, digests: Mapping[str, str]) -> StoredStudy:
    return StoredStudy(
        main=name_of(study.main),
        by_strategy=[name_of(scenario) for scenario in study.by_strategy],
        delay_slippage=[name_of(scenario) for scenario in study.delay_slippage],
        stressed={name: name_of(scenario) for name, scenario in study.stressed.items()},
        runs=[_stored_run(scenario, result) for scenario, result in study.results.items()],
        tables=dict(digests),
    )


def _stored_run(scenario: Scenario, result: ReplayResult) -> StoredRun:
    return StoredRun(
        name=name_of(scenario),
        label=scenario.label,
        policy=scenario.policy,
        delay_s=scenario.delay_s,
        slippage_multiple=str(scenario.slippage_multiple),
        fee_multiple=str(scenario.fee_multiple),
        result_policy=result.policy,
        policy_digest=result.policy_digest,
        spec=result.spec,
        origin=result.origin,
        funding_known=result.funding_known,
        fill_hash=result.fill_hash,
        skipped=list(result.skipped),
        blocked=list(result.blocked),
    )


def _scenario(run: StoredRun) -> Scenario:
    return Scenario(
        label=run.label,
        policy=run.policy,
        delay_s=run.delay_s,
        slippage_multiple=Fraction(run.slippage_multiple),
        fee_multiple=Fraction(run.fee_multiple),
    )


def _result(run: StoredRun, tables: Mapping[str, pl.DataFrame]) -> ReplayResult:
    mine = {asset: table.filter(pl.col("scenario") == run.name).drop("scenario") for asset, table in tables.items()}
    fills: dict[int, list[object]] = {}
    for row in mine["fills"].iter_rows(named=True):
        fills.setdefault(row["trip"], []).append({name: row[name] for name in row if name != "trip"})
    trips = [
        {**row, "fills": fills.get(number, [])} for number, row in enumerate(mine["round_trips"].iter_rows(named=True))
    ]
    return ReplayResult(
        policy=run.result_policy,
        policy_digest=run.policy_digest,
        spec=run.spec,
        origin=run.origin,
        funding_known=run.funding_known,
        round_trips=tuple(records_of(trips, RoundTrip, table="round_trips")),
        skipped=tuple(run.skipped),
        blocked=tuple(run.blocked),
        equity=EquityCurve(**{name: mine["equity"][name].to_numpy() for name in CURVE}),
        fill_hash=run.fill_hash,
    )


def _fills(result: ReplayResult) -> pl.DataFrame:
    """Fills with the number of their round trip (its row within the scenario)."""
    numbers = [number for number, trip in enumerate(result.round_trips) for _ in trip.fills]
    frame = frame_of([fill for trip in result.round_trips for fill in trip.fills], Fill)
    return frame.with_columns(pl.Series("trip", numbers, dtype=pl.Int64))


def _curve_frame(curve: EquityCurve) -> pl.DataFrame:
    return pl.DataFrame({name: getattr(curve, name) for name in CURVE}, schema=dict.fromkeys(CURVE, pl.Int64))


def _labelled(frames: Sequence[tuple[str, pl.DataFrame]]) -> pl.DataFrame:
    return pl.concat([frame.select(pl.lit(label).alias("scenario"), pl.all()) for label, frame in frames])
