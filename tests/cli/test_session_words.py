"""What a person is told first of a paper session."""

from typing import Any

import pytest

from copytrade_core.cli.session_words import is_quiet, session_words


def row(*, parity: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    compared = {"compared_count": 5, "missed": [], "residual_bps_max": 0.2, **(parity or {})}
    usual = {"day": "2026-02-23", "entries": 5, "exits": 2, "result_usdt": -1.9166, "observed": False, "broken": []}
    usual |= {"ended": "deadline", "refused": 0, "folder": "DIR"}
    return {**usual, "refused_by_reason": {}, "parity": compared, **changes}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "2026-02-23 on paper: 5 entries, 2 exits, -1.92 USDT after costs."),
        ({}, "counts for no gate"),
        ({"entries": 1, "exits": 1}, "1 entry, 1 exit, -1.92"),
        ({"ended": "hot_stop"}, "HOT_STOP ended it, and ends every session of this folder until it is taken back"),
        ({"ended": "kill"}, "copytrade resume DIR --why"),
        ({"observed": True}, "so it counts for the gates"),
        ({"observed": True, "broken": ["caps_held: no"]}, "believe none of it"),
        ({}, "5 of 5 intents agree"),
        ({"parity": {"missed": ["open base"]}}, "Paper missed 1 intent that"),
        ({"parity": {"residual_bps_max": 3.0}}, "3.00 bps that no cause explains"),
        ({"parity": {"residual_bps_max": None}}, "No intent could be compared"),
        (
            {"refused_by_reason": {"deadline_reached": 815, "notional_gross": 50}},
            "deadline_reached 815, notional_gross 50",
        ),
    ],
)
def test_a_session_is_concluded_in_plain_words(changes, said):
    assert said in " ".join(session_words(row(**changes)))


def test_nothing_good_is_said_of_a_session_that_missed_or_cannot_explain():
    for parity in ({"missed": ["open base"]}, {"residual_bps_max": 3.0}, {"residual_bps_max": None}):
        assert "agree" not in " ".join(session_words(row(parity=parity)))


def test_of_many_days_only_those_on_which_something_happened_are_told_in_words():
    idle = {"entries": 0, "exits": 0, "refused": 0}
    assert is_quiet({**row(), **idle})
    for happened in ({"refused": 1}, {"broken": ["caps_held: no"]}, {"observed": True}, {"entries": 1}):
        assert not is_quiet({**row(), **idle, **happened})
