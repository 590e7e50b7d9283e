"""No alert without a page: each rule and each kind of alert says what to do first, then, and how it ends."""

from __future__ import annotations

import re

import pytest

from copytrade_core.edges.settings_monitor import LevelsSection
from copytrade_core.model.alert import AlertKind
from copytrade_core.monitor.finding import Rule
from copytrade_core.monitor.rules import RULES
from copytrade_core.monitor.rules_orders import RULE_OF_ALERT


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
