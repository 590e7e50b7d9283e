"""No alert without a page: each rule and each kind of alert says what to do first, then, and how it ends."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

from copytrade_core.cli.app import main
from copytrade_core.edges.monitoring.monitor_record import read_record
from copytrade_core.edges.settings_monitor import AlertsSection, LevelsSection, MonitorSection
from copytrade_core.model.alert import AlertKind
from copytrade_core.monitor.finding import Rule
from copytrade_core.monitor.rules import RULES
from copytrade_core.monitor.rules_orders import RULE_OF_ALERT
from tests.alert_services import alert_services
from tests.monitor_floor import Runtime, iso


@pytest.fixture(scope="module")
def sections(project_root) -> dict[str, dict[str, str]]:
    """Heading of the second level -> heading of the third level -> text."""
    page = (project_root / "docs/runbook.md").read_text(encoding="utf-8")
    parts = re.split(r"^## (.+)$", page, flags=re.MULTILINE)
    found: dict[str, dict[str, str]] = {}
    for name, text in zip(parts[1::2], parts[2::2], strict=True):
        inner = re.split(r"^### (.+)$", text, flags=re.MULTILINE)
        found[name] = dict(zip(inner[1::2], inner[2::2], strict=True))
    return found


def test_every_rule_has_a_section_in_the_order_of_the_rules(sections) -> None:
    assert list(sections["Rules"]) == [rule.value for rule in Rule]


def test_every_alert_of_a_session_has_a_section(sections) -> None:
    assert list(sections["Alerts that a session raises"]) == [kind.value for kind in AlertKind]


def test_every_section_says_what_it_means_what_to_do_first_and_then_and_how_it_ends(sections) -> None:
    for name, text in (sections["Rules"] | sections["Alerts that a session raises"]).items():
        meaning, *_ = text.strip().split("\n\n")
        assert len(meaning) > 40, name
        assert re.search(r"^1\. First: \S", text, re.MULTILINE), name
        assert re.search(r"^2\. Then: \S", text, re.MULTILINE), name
        assert re.search(r"^Resolves (when|with) \S", text, re.MULTILINE), name


def test_severity_and_breach_are_those_of_the_code(sections) -> None:
    words = {"critical": "Critical", "warning": "Warning", "info": "Information"}
    for rule, info in RULES.items():
        first = sections["Rules"][rule.value].strip().split(".")[0]
        assert first == words[info.severity.value] + (", a breach" if info.is_breach else ""), rule


def test_an_alert_that_a_rule_tells_names_that_rule(sections) -> None:
    for kind in AlertKind:
        text = " ".join(sections["Alerts that a session raises"][kind.value].split())
        told = re.search(r"Told as `(\w+)`", text)
        assert (told[1] if told else Rule.SESSION_ALERT.value) == RULE_OF_ALERT.get(kind, Rule.SESSION_ALERT).value


def test_every_rule_has_a_level_in_the_settings() -> None:
    assert list(LevelsSection.model_fields) == [rule.value for rule in Rule]


VERB = re.compile(r"copytrade ([a-z][a-z-]*)((?: (?:DIR|ID|--[a-z-]+|\"…\"))*)")
PAGES = ("runbook.md", "how-to/alerts.md")


def commands(page: str) -> set[tuple[str, ...]]:
    """Every `copytrade …` of a page as words; a `…` is any text."""
    return {(found[1], *found[2].split()) for found in VERB.finditer(page)} - {("config",), ("doctor",)}


@pytest.mark.parametrize("page", PAGES)
def test_every_command_of_the_page_is_one_that_exists_and_does_what_it_is_for(
    page, project_root, tmp_path, monkeypatch, capsys
) -> None:
    """Each is run as written on a session's directory: no usage error, whatever it finds there."""
    runtime = Runtime(tmp_path / "runtime")
    (runtime.folder / "HOT_STOP").touch()
    with alert_services() as services:
        monkeypatch.setenv("COPYTRADE_ALERT_URL", services.hook)
        found = commands((project_root / "docs" / page).read_text(encoding="utf-8"))
        assert {verb for verb, *_ in found} <= {"monitor", "status", "stop", "kill", "resume"}
        for verb, *rest in sorted(found - {("monitor", "DIR")}):
            runtime.write_status(written_at=iso(time.time() * 1000))
            (runtime.folder / "HOT_STOP").touch()
            assert main(["monitor", str(runtime.folder), "--once"]) != 2
            names = {"DIR": str(runtime.folder), "ID": _newest(runtime.folder), '"…"': "a reason"}
            if verb == "resume":
                for control in ("KILL", "HOT_STOP"):
                    (runtime.folder / control).unlink(missing_ok=True)
            assert main([verb, *(names.get(word, word) for word in rest)]) in (0, 1), (verb, rest, capsys.readouterr())
    assert len(found) >= 3
    runtime.close()


def test_a_command_that_does_not_exist_would_be_found() -> None:
    assert commands("then `copytrade halt DIR --now`.") == {("halt", "DIR", "--now")}


def _newest(folder: Path) -> str:
    """An incident that can be acknowledged."""
    return [each.incident_id for each in read_record(folder).incidents if each.is_active][-1]


def test_nothing_on_the_page_speaks_of_a_rule_or_an_alert_that_does_not_exist(sections, project_root) -> None:
    """Links within the page and words in code that look like a rule are rules, alerts or names of rows and settings."""
    page = (project_root / "docs/runbook.md").read_text(encoding="utf-8")
    assert list(sections) == ["Rules", "Alerts that a session raises"], "a section of another kind has no test"
    known = {rule.value for rule in Rule} | {kind.value for kind in AlertKind}
    assert set(re.findall(r"\]\(#(\w+)\)", page)) <= known
    settings = {f"monitor.{name}" for name in MonitorSection.model_fields}
    settings |= {f"alerts.{name}" for name in AlertsSection.model_fields}
    settings |= {f"monitor_levels.{name}" for name in LevelsSection.model_fields}
    named = set(re.findall(r"`((?:monitor|alerts|monitor_levels)\.\w+)", page)) - {"monitor.sqlite"}
    assert named <= settings
