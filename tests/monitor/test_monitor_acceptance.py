"""`copytrade monitor DIR --once` on the directory of a real session: each fault is told once, ends, and comes anew.

An hour passes by looking with shorter windows, so that what happened is older than they are. A session that failed is
itself judged by its window: it is looked at with the usual one.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from copytrade_core.cli.app import main
from copytrade_core.monitor.finding import Rule
from tests.alert_services import AlertServices, alert_services
from tests.live_floor import copy_of, hold_on_paper
from tests.monitor_faults import FAULTS, LiveRuntime

IN_AN_HOUR = {"COPYTRADE_MONITOR__EVENT_WINDOW_S": "0.001", "COPYTRADE_MONITOR__REJECTS_WINDOW_S": "0.001"}
SETTINGS = {
    "COPYTRADE_MONITOR__CLEAR_S": "0",
    "COPYTRADE_ALERTS__MESSAGE_INTERVAL_S": "0",
    "COPYTRADE_ALERTS__MESSAGES_PER_HOUR_MAX": "100",
    "COPYTRADE_ALERTS__RETRY_WAIT_S": "0",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One `copytrade monitor DIR --once`: its exit code, the rules that it says opened, ended and are active, and what
    arrived at the alert address, as (word, rule)."""

    code: int
    opened: tuple[Rule, ...]
    over: tuple[Rule, ...]
    active: frozenset[Rule]
    told: tuple[tuple[str, Rule], ...]


@pytest.fixture(scope="module")
def kept(made_once, project_root) -> Path:
    return made_once("live_runtime", lambda folder: hold_on_paper(folder, project_root))


@pytest.fixture(scope="module")
def running() -> Iterator[AlertServices]:
    with alert_services() as services:
        yield services


@pytest.fixture
def runtime(kept: Path, tmp_path: Path) -> Iterator[LiveRuntime]:
    made = LiveRuntime(copy_of(kept, tmp_path / "runtime"))
    yield made
    made.journal.close()


@pytest.fixture
def look(runtime: LiveRuntime, running: AlertServices, capsys, monkeypatch) -> Callable[..., Look]:
    """The session writes its status, and the command line looks."""
    for name, value in {**SETTINGS, "COPYTRADE_ALERT_URL": running.hook}.items():
        monkeypatch.setenv(name, value)
    running.taken.clear()

    def once(*options: str, in_an_hour: bool = False) -> Look:
        for name, value in IN_AN_HOUR.items():
            if in_an_hour:
                monkeypatch.setenv(name, value)
            else:
                monkeypatch.delenv(name, raising=False)
        runtime.show()
        _ = capsys.readouterr()
        code = main(["monitor", str(runtime.folder), "--once", "--json", *options])
        said = json.loads(capsys.readouterr().out)
        told = [_word(line) for each in running.taken for line in each["message"].splitlines()]
        running.taken.clear()
        return Look(
            code=int(code),
            opened=tuple(_rule(each) for each in said["opened"]),
            over=tuple(_rule(each) for each in said["resolved"]),
            active=frozenset(Rule(each["rule"]) for each in said["active"]),
            told=tuple(each for each in told if each is not None),
        )

    return once


def _rule(incident_id: str) -> Rule:
    return Rule(incident_id.rpartition("-")[0])


def _word(line: str) -> tuple[str, Rule] | None:
    word, _, rest = line.partition(" ")
    return (word, _rule(rest.split()[0])) if word in ("CRITICAL", "WARNING", "INFO", "OVER") else None


def test_every_rule_has_a_fault() -> None:
    assert set(FAULTS) == set(Rule)


@pytest.mark.parametrize("rule", Rule)
def test_a_planted_fault_is_told_once_ends_and_is_told_anew(rule: Rule, runtime: LiveRuntime, look) -> None:
    """Well; planted: told; still there: silent; mended and an hour later: over, told so; planted again: told again."""
    fault = FAULTS[rule]
    assert look().told == (("INFO", Rule.ORDER_FILLED),), "what the session really did: it opened"
    assert look("--init-baseline").opened == ()

    fault.plant(runtime)
    planted = look()
    assert rule in planted.opened
    assert set(planted.opened) <= {rule, *fault.also}
    assert [each for _, each in planted.told] == sorted(planted.opened, key=lambda each: each is not rule)
    assert planted.code == (0 if rule is Rule.ORDER_FILLED else 1)

    for _ in range(2):
        again = look()
        assert (again.opened, again.told) == ((), ())
        assert rule in again.active

    fault.mend(runtime)
    over = look(in_an_hour=True)
    assert (over.code, over.active) == (0, frozenset())
    assert rule in over.over
    assert over.told == (() if rule is Rule.ORDER_FILLED else (("OVER", rule),))

    fault.plant(runtime)
    anew = look(in_an_hour=rule is not Rule.SESSION_FAILED)
    assert rule in anew.opened
    assert set(anew.opened) <= {rule, *fault.also}
    assert [each for _, each in anew.told].count(rule) == planted.opened.count(rule)


@pytest.mark.parametrize("rule", Rule)
def test_what_was_declared_as_seen_is_never_told_and_what_is_new_of_its_kind_is(
    rule: Rule, runtime: LiveRuntime, look
) -> None:
    fault = FAULTS[rule]
    assert look().opened == (Rule.ORDER_FILLED,)
    fault.plant(runtime)
    baseline = look("--init-baseline")
    assert (baseline.code, baseline.told) == (0, ())
    for _ in range(2):
        again = look()
        assert (again.code, again.opened, again.told) == (0, (), ())
    fault.mend(runtime)
    over = look(in_an_hour=True)
    assert (over.active, over.told) == (frozenset(), ())

    fault.plant(runtime)
    anew = look(in_an_hour=rule is not Rule.SESSION_FAILED)
    assert rule in anew.opened
    assert rule in {each for _, each in anew.told}
