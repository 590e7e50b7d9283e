"""The engines of a search, prepared once, and the fast one compared with the reference on what it was used for.

What a difference means for a champion belongs to `search_judgement.py`.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

from copytrade_core.edges.stages.search_desk import SearchDesk
from copytrade_core.model.digest import digest_of
from copytrade_core.model.episode import Episode
from copytrade_core.model.policy import PolicySpec
from copytrade_core.model.trial import Trial
from copytrade_core.replay.arrays import prepare_markets
from copytrade_core.replay.equivalence import EngineVerdict, EquivalenceRecord, check_engine
from copytrade_core.replay.sweep import ENGINE
from copytrade_core.search.engine import KernelEngine
from copytrade_core.search.plan import policy_of


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Engines:
    """The fast engine on the train and on the validation signals."""

    train: KernelEngine
    validation: KernelEngine


def engines_of(desk: SearchDesk) -> Engines:
    """Both engines of a desk; nothing is prepared before it is asked for."""
    data, spec = desk.markets.data, desk.spec
    markets, threads = prepare_markets(data, spec.interval_ms), os.cpu_count() or 1
    train, validation = (
        KernelEngine(episodes, spec, data, markets, threads=threads) for episodes in (desk.train, desk.validation)
    )
    return Engines(train=train, validation=validation)


def compared(
    desk: SearchDesk, engines: Engines, sample: Sequence[Trial], finalists: Sequence[Trial]
) -> EquivalenceRecord | None:
    """Both engines on what the search used: each trial on its own train span, the finalists on validation, too.

    A trial whose fills are not the ones that the registry holds is a difference as well. None without a trial.
    """
    records: list[EquivalenceRecord] = []
    changed: list[str] = []
    for span in sorted({trial.signals_count for trial in sample}):
        mine = [trial for trial in sample if trial.signals_count == span]
        policies = [policy_of(desk.plan, trial) for trial in mine]
        records.append(_checked(desk, engines.train, desk.train[:span], policies))
        changed += _changed(engines.train, span, mine, policies)
    if finalists and desk.validation:
        policies = [policy_of(desk.plan, trial) for trial in finalists]
        records.append(_checked(desk, engines.validation, desk.validation, policies))
    return _joined(records, changed) if records else None


def _checked(
    desk: SearchDesk, engine: KernelEngine, episodes: Sequence[Episode], policies: Sequence[PolicySpec]
) -> EquivalenceRecord:
    prepared = engine.prepared(len(episodes))
    return check_engine(prepared, episodes, policies, desk.spec, desk.markets.data, threads=os.cpu_count() or 1)


def _changed(engine: KernelEngine, span: int, trials: Sequence[Trial], policies: Sequence[PolicySpec]) -> list[str]:
    table = engine(policies, span)
    hashes = [f"{int(value) & (2**64 - 1):016x}" for value in table.fill_hash]
    return [
        f"trial {trial.number} of the registry: its fills have the hash {trial.fill_hash}, the fast engine gives {now}"
        for trial, now in zip(trials, hashes, strict=True)
        if trial.fill_hash != now
    ]


def _joined(records: Sequence[EquivalenceRecord], changed: Sequence[str]) -> EquivalenceRecord:
    differences = (*(difference for record in records for difference in record.differences), *changed)
    digests = dict.fromkeys(digest for record in records for digest in record.policy_digests)
    equal = not differences and all(record.verdict is EngineVerdict.EQUAL for record in records)
    return EquivalenceRecord(
        engine=ENGINE,
        verdict=EngineVerdict.EQUAL if equal else EngineVerdict.REJECTED_FOR_SEARCH,
        compared_count=len(digests),
        episodes_count=sum(record.episodes_count for record in records),
        fills_count=sum(record.fills_count for record in records),
        hash_of_hashes=digest_of([record.hash_of_hashes for record in records]),
        differences=differences,
        policy_digests=tuple(digests),
    )
