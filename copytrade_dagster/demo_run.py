"""The orchestrator's part of `copytrade demo`: materialises one lead's graph and asks for live.

Each step is said as one JSON line on standard output; what is shown of it belongs to the command line. Nothing here is
special to the demo but the order: the assets, checks and the refusal are the ones of the UI.
"""

import json
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import dagster as dg

from copytrade_core.edges.settings import load_settings
from copytrade_core.edges.stages.canary_days import busiest_day
from copytrade_core.edges.stages.canary_store import load_session, session_key
from copytrade_core.edges.stages.episodes import load_episodes
from copytrade_core.edges.stages.market_data import needed_months
from copytrade_core.edges.stages.workplace import Workplace, open_workplace, utc_now
from copytrade_core.promotion.gate_result import Gate
from copytrade_dagster.definitions import defs
from copytrade_dagster.definitions_live import defs as live_defs
from copytrade_dagster.track import track

SOURCES = ["lead_details", "source_pages", "closed_positions", "unusable_rows", "episodes"]
JUDGED = ["split_manifest", "round_trips", "equity", "evidence_report", "promotion_evidence"]
PAPER = ["paper_session", "paper_parity"]
LIVE = "live_canary"


@dataclass(slots=True, kw_only=True)
class Said:
    """What a step may still add to its last line."""

    detail: str = ""
    state: str = "done"


@contextmanager
def step(name: str) -> Generator[Said]:
    """Says that a step begins and, when it ends, how."""
    said = Said()
    _say(name, "begun", "")
    yield said
    _say(name, said.state, said.detail)


def _say(name: str, state: str, detail: str) -> None:
    sys.stdout.write(json.dumps({"name": name, "state": state, "detail": detail}) + "\n")
    sys.stdout.flush()


def materialise(
    definitions: dg.Definitions, instance: dg.DagsterInstance, assets: list[str], partition: str, *, may_fail: bool
) -> dg.ExecuteInProcessResult:
    """Materialises assets of one partition together with their checks, in this process."""
    job = definitions.resolve_implicit_global_asset_job_def()
    return job.execute_in_process(
        instance=instance,
        asset_selection=[dg.AssetKey(name) for name in assets],
        partition_key=partition,
        raise_on_error=not may_fail,
    )


def failure_of(result: dg.ExecuteInProcessResult) -> str:
    """Why a run failed, in the words of the first step that did."""
    for event in result.all_events:
        if event.is_step_failure:
            data = event.step_failure_data
            if data.user_failure_data is not None and data.user_failure_data.description:
                return data.user_failure_data.description
            error = data.error
            while error is not None and error.cause is not None:
                error = error.cause
            return error.message.strip() if error is not None else "failed"
    return "failed before any step"


def run(instance: dg.DagsterInstance, place: Workplace, lead_id: str) -> None:
    """Every step of the graph for one lead, then the question that must be refused."""
    _ = track(instance, lead_id)
    with step("lead lists") as said:
        result = materialise(defs, instance, ["lead_lists"], f"{utc_now():%Y-%m-%d}", may_fail=True)
        said.detail = "snapshot of today" if result.success else failure_of(result)
    with step("poll over HTTP, rows, episodes") as said:
        _ = materialise(defs, instance, SOURCES, lead_id, may_fail=False)
        episodes = load_episodes(place, lead_id)
        said.detail = f"{len(episodes)} episodes"
    _markets(instance, place, lead_id)
    with step("split, replay, report, gates") as said:
        result = materialise(defs, instance, JUDGED, lead_id, may_fail=True)
        said.detail = judged(result.get_asset_check_evaluations())
    _paper(instance, place, lead_id)
    with step("ask for live") as said:
        result = materialise(live_defs, instance, [LIVE], lead_id, may_fail=True)
        assert not result.success, "live must refuse"
        said.state, said.detail = "refused", failure_of(result)


def _paper(instance: dg.DagsterInstance, place: Workplace, lead_id: str) -> None:
    """One paper session over the busiest archived day, on a virtual clock, and its parity with replay."""
    with step("paper session, parity") as said:
        day = busiest_day(place, lead_id)
        if day is None:
            said.detail = "the archive has no day with a trade"
            return
        key = dg.MultiPartitionKey({"day": day, "lead": lead_id})
        result = materialise(defs, instance, PAPER, key, may_fail=True)
        if not result.success:
            said.detail = failure_of(result)
            return
        record = load_session(place, session_key(day, lead_id))
        said.detail = f"{day}: {len(record.fills)} fills; {judged(result.get_asset_check_evaluations())}"
        # The gates read the record, so the evidence follows it; a check of the record must not hold it back.
        for name in ("paper_record", "promotion_evidence"):
            _ = materialise(defs, instance, [name], lead_id, may_fail=True)


def judged(checks: Sequence[dg.AssetCheckEvaluation]) -> str:
    """Gates and the other checks of the data, each if there are any: `0 of 7 gates and 1 of 1 data checks pass`."""
    names = {gate.value for gate in Gate}
    gates = [check.passed for check in checks if check.check_name in names]
    data = [check.passed for check in checks if check.check_name not in names]
    told = (("gates", gates), ("data checks", data))
    return " and ".join(f"{sum(passed)} of {len(passed)} {what}" for what, passed in told if passed) + " pass"


def spanned(months: Sequence[tuple[str, str]]) -> str:
    """Market and month pairs in words: `2 markets x 5 months`, or their number where markets differ."""
    markets, named = {market for market, _ in months}, {month for _, month in months}
    if len(months) == len(markets) * len(named):
        return f"{len(markets)} markets x {len(named)} months"
    return f"{len(months)} market-months of {len(markets)} markets"


def _markets(instance: dg.DagsterInstance, place: Workplace, lead_id: str) -> None:
    months = needed_months(place, load_episodes(place, lead_id))
    with step("instruments") as said:
        markets = sorted({need.market for need in months})
        for market in markets:
            _ = materialise(defs, instance, ["instruments"], market, may_fail=False)
        said.detail = ", ".join(markets)
    with step("bars and funding") as said:
        absent = 0
        for number, need in enumerate(months, start=1):
            partition = f"{need.market}|{need.month}"
            result = materialise(defs, instance, ["bars", "funding"], partition, may_fail=True)
            absent += not result.success
            _say("bars and funding", "begun", f"{partition}, {number} of {len(months)}")
        span = spanned([(str(need.market), str(need.month)) for need in months])
        said.detail = span + (f", {absent} without data" if absent else "")


def main(arguments: list[str]) -> None:
    """Runs the demo's graph in the instance of DAGSTER_HOME."""
    with dg.DagsterInstance.get() as instance:
        run(instance, open_workplace(load_settings()), arguments[0])


if __name__ == "__main__":
    main(sys.argv[1:])
