"""What `copytrade canary` says to somebody who asked for something that cannot be: which option, and what to do."""

from __future__ import annotations

import pytest

LEAD = "4751838302089254401"


@pytest.mark.parametrize(
    ("arguments", "where", "said"),
    [
        (("--lead", "abc", "--day", "2026-02-23"), "--lead", "'abc' is not a portfolio id"),
        (("--lead", "12", "--day", "2026-02-23"), "--lead", "6 to 24 digits"),
        (("--day", "2026-02-23"), "--lead", "Give --lead ID or --group NAME"),
        (("--lead", LEAD), "--day", "--from and --to, or --live"),
        (("--lead", LEAD, "--from", "2026-02-23"), "--to", "Add --to"),
        (("--lead", LEAD, "--to", "2026-02-23"), "--from", "Add --from"),
        (("--lead", LEAD, "--from", "2026-02-25", "--to", "2026-02-23"), "--to", "2026-02-23 is before 2026-02-25"),
        (("--lead", LEAD, "--from", "1990-01-01", "--to", "2026-02-23"), "--to", "at most 3,660 days"),
        (("--lead", LEAD, "--day", "23.02.2026"), "--day", "Write it as 2026-11-02"),
        (("--lead", LEAD, "--live", "--day", "2026-02-23"), "--live", "Leave --day, --from and --to out"),
    ],
)
def test_an_argument_that_cannot_be_is_named_with_what_to_write(copytrade, arguments, where, said):
    told = copytrade("canary", "paper", *arguments)
    assert (told.code, f"where field {where}\n" in told.err, said in told.err) == (2, True, True), told.err


@pytest.mark.parametrize("days", [("--day", "2026-02-23"), ("--from", "2026-02-23", "--to", "2026-02-24")])
def test_a_lead_of_which_nothing_is_stored_is_told_once_what_would_store_it(copytrade, days):
    told = copytrade("canary", "paper", "--lead", LEAD, *days)
    assert told.code == 3
    assert told.err.count("no episodes of lead") == 1
    assert f"copytrade poll --lead {LEAD} --once && copytrade evidence --lead {LEAD}" in told.err
