"""`copytrade canary paper --group`: two leads in one session over the archive, what it says of each, who is refused."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from copytrade_core.edges.lead_line import derive_lead
from copytrade_core.edges.stages.sources import import_pages
from copytrade_core.model.verdict import RefusalReason
from copytrade_core.strategies.leads import MARKET_NOT_FOLLOWED
from tests import trading_floor
from tests.cli.conftest import process_environment
from tests.made_lead import write_pages
from tests.runtime_floor import FACTS, Kept
from tests.small_lead import LEAD, history_row, place_of, small_project

OTHER, UNKNOWN, NAME, DAY = "4751838302089254889", "4751838302089254777", "two_leads", "2026-01-03"


def mirrored(number: int) -> dict[str, object]:
    """The same position the other way round."""
    row = history_row(number)
    side = "Short" if row["side"] == "Long" else "Long"
    return {**row, "side": side, "closingPnl": -float(str(row["closingPnl"]))}


@pytest.fixture(scope="module")
def project(made_once, project_root):
    """Two leads that do the opposite of each other, and the shipped group with their ids."""

    def make(folder: Path) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("COPYTRADE_DATA_DIR", str(folder / "data"))
            config = small_project(folder, project_root, positions=8)
            place = place_of(config)
            write_pages(folder / "others" / OTHER, [mirrored(number) for number in range(8)])
            _ = import_pages(place, folder / "others", lead_id=None)
            _ = derive_lead(place, OTHER)
        shipped = (project_root / "settings" / "canaries" / f"{NAME}.toml").read_text()
        file = folder / "settings" / "canaries" / f"{NAME}.toml"
        file.parent.mkdir()
        file.write_text(shipped.replace("4751838302089254401", LEAD).replace("4751838302089254402", OTHER))

    return made_once("two_leads_project", make)


@pytest.fixture
def group(project, tmp_path, environment, copytrade):
    """Runs `canary paper` on a copy of the project; `changed` edits the group's file."""
    mine = tmp_path / "project"
    shutil.copytree(project, mine)
    environment["COPYTRADE_DATA_DIR"] = str(mine / "data")

    def run(*arguments: str, changed: tuple[str, str] | None = None):
        file = mine / "settings" / "canaries" / f"{NAME}.toml"
        if changed is not None:
            assert changed[0] in file.read_text()
            file.write_text(file.read_text().replace(*changed, 1))
        return copytrade("--config", str(mine / "settings" / "copytrade.toml"), "canary", "paper", *arguments)

    return run


def test_a_group_is_followed_over_the_archive_and_says_what_each_lead_came_to(group, copytrade):
    said = group("--group", NAME, "--day", DAY, "--json")
    assert said.code == 0, said.err
    (session,) = said.json["sessions"]
    assert session["broken"] == []
    assert {each["lead"] for each in session["leads"]} == {LEAD, OTHER}
    for count in ("entries", "exits"):
        assert sum(each[count] for each in session["leads"]) == session[count] > 0
    assert sum(each["result_usdt"] for each in session["leads"]) == pytest.approx(session["result_usdt"])
    for each in session["leads"]:
        assert 0 < each["used_usdt_max"] <= each["capital_usdt"] == 30
        assert each["used_usdt"] == 0
    assert session["caps_over_all"]["notional_gross_usdt"] == 60
    assert session["parity"] is None
    text = group("--group", NAME, "--day", DAY).out
    for line in (LEAD, OTHER, "capital", "used at most", "counts for no lead's gates", "caps over all leads together"):
        assert line in text
    shown = copytrade("status", "--lead", NAME)
    assert shown.code == 0, shown.err
    for lead in (LEAD, OTHER):
        assert f"no open position of lead {lead}" in shown.out
        assert re.search(rf"lead {lead}\s+░+\s+0\s+of 30 USDT", shown.out)


def test_a_day_without_events_names_the_days_that_have_some(group):
    said = group("--lead", LEAD, "--day", "2030-01-01")
    assert said.code == 3
    named = re.search(r"Name a day from (2026-\S+) to (2026-\S+)", said.err)
    assert named is not None, said.err
    assert named[1] <= DAY <= named[2]


def test_a_lead_whose_market_is_blocked_is_told_so_and_the_other_trades_on(group):
    said = group("--group", NAME, "--day", DAY, "--json", changed=("DOGE/USDT:USDT", "BTC/USDT:USDT"))
    leads = {each["lead"]: each for each in said.json["sessions"][0]["leads"]}
    assert (leads[OTHER]["entries"], leads[OTHER]["used_usdt_max"]) == (0, 0)
    assert leads[OTHER]["refused_trades_by_reason"]["market_not_followed"] > 0
    assert leads[LEAD]["entries"] > 0


def test_what_cannot_be_followed_is_refused_by_name(group):
    nobody = group("--group", "nobody", "--day", DAY)
    assert (nobody.code, "canaries/nobody.toml" in nobody.err) == (2, True)
    assert f"name one of these groups: {NAME}" in nobody.err
    assert group("--group", "../x", "--day", DAY).code == 2
    assert group("--group", NAME, "--lead", LEAD, "--day", DAY).code == 2
    assert group("--day", DAY).code == 2
    days = ("--from", DAY, "--to", "2026-01-04")
    for asked in (("--day", DAY), days):
        unknown = group("--group", NAME, *asked, changed=(OTHER, UNKNOWN) if asked != days else None)
        assert (unknown.code, UNKNOWN in unknown.err, LEAD in unknown.err) == (3, True, False)
        assert f"copytrade poll --lead {UNKNOWN} --once && copytrade evidence --lead {UNKNOWN}" in unknown.err


def test_the_commands_of_the_how_to_do_what_it_says(group, copytrade, project_root):
    page = (project_root / "docs" / "how-to" / "paper-canary.md").read_text()
    section = page.partition("## Several leads in one session\n")[2].partition("\n## ")[0]
    archived, status, live = section.partition("```sh\n")[2].partition("\n```")[0].splitlines()
    told = [DAY if re.fullmatch(r"2026-..-..", word) else word for word in archived.split()]
    assert told[:3] == ["copytrade", "canary", "paper"]
    assert group(*told[3:]).code == 0
    assert copytrade(*status.split()[1:]).code == 0
    assert live.split()[:5] == told[:5], "the same group, polled"
    for reason in (RefusalReason.NOTIONAL_LEAD.value, MARKET_NOT_FOLLOWED, RefusalReason.OPPOSITE_POSITION.value):
        assert f"`{reason}`" in section


def test_positions_are_shown_by_lead(tmp_path, copytrade):
    held_by = trading_floor.LEAD
    kept = Kept(tmp_path / "session", facts=replace(FACTS, leads=(held_by, OTHER)))
    kept.open()
    kept.show()
    said = copytrade("status", str(kept.folder))
    kept.journal.close()
    held, none = (
        said.out.index(f"open positions of lead {held_by}"),
        said.out.index(f"no open position of lead {OTHER}"),
    )
    assert held < said.out.index("BTC/USDT") < none


def test_the_module_of_all_verbs_run_by_its_name_is_the_command(environment, tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "copytrade_core.cli.app", "stop", str(tmp_path / "none"), "--why", "x"],
        env=process_environment(environment),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 3
    assert "none" in done.stderr
