"""`copytrade canary shadow`: certify, give a key, run a day; what it prints, and that no secret is ever in it."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from copytrade_core.cli.exit_codes import ExitCode
from copytrade_core.edges.stages.canary_shadow import KEY, SECRET
from copytrade_core.edges.standins.venue_setup import KeySetup, fake_key
from copytrade_core.model.venue import Venue
from tests.shadow_floor import nothing_was_sent, venue_beside
from tests.small_lead import LEAD, place_of, small_project

DAY = ("canary", "shadow", "--lead", LEAD, "--day", "2026-01-03")


@pytest.fixture
def project(made_once, project_root, tmp_path: Path, environment: dict[str, str]) -> Path:
    made = made_once("paper_lead", lambda root: small_project(root, project_root, positions=24))
    config = shutil.copytree(made, tmp_path / "project") / "settings/copytrade.toml"
    environment["COPYTRADE_CONFIG"] = str(config)
    environment["COPYTRADE_DATA_DIR"] = str(place_of(config).settings.data_dir)
    return config


def test_a_day_is_told_in_shadow_from_certificate_to_table(project: Path, copytrade, monkeypatch) -> None:
    for variable in (KEY, SECRET, f"{KEY}_FILE", f"{SECRET}_FILE"):
        monkeypatch.delenv(variable, raising=False)
    refused = copytrade(*DAY)
    assert refused.code == ExitCode.NOT_STORED
    assert "copytrade certify --venue bingx" in refused.err
    several = copytrade(*DAY[:4], "--from", "2026-01-03", "--to", "2026-01-04")
    assert several.code == ExitCode.NOT_STORED, "what no day has is not left out day by day"
    assert copytrade("certify", "--venue", "bingx", "--json").code == 0
    keyless = copytrade(*DAY)
    assert keyless.code == ExitCode.BAD_INPUT
    assert f"{KEY}_FILE" in keyless.err
    with venue_beside(place_of(project), Venue.BINGX, monkeypatch) as (_, standin):
        assert copytrade("certify", "--venue", "bingx", "--json").code == 0
        said = copytrade(*DAY, "--json")
        drawn = copytrade(*DAY)
        shown = copytrade("config", "show", "--json")
        assert nothing_was_sent(standin)
    assert (said.code, drawn.code, shown.code) == (0, 0, 0), said.err
    (session,) = said.json["sessions"]
    assert (said.json["passed"], session["invalid"], session["venue"]) == (True, [], "bingx")
    assert session["read_at"].startswith("http://127.0.0.1:")
    assert all(line["request"]["clientOrderID"] == line["client_order_id"] for line in session["desired"])
    text = re.sub(r"\s+", " ", drawn.out)
    assert "none was sent" in text
    assert "positionSide=LONG" in text
    fake = fake_key(Venue.BINGX, KeySetup())
    for run in (refused, keyless, said, drawn, shown):
        assert fake.secret not in run.out + run.err
        assert fake.api_key not in run.out + run.err
    stored = place_of(project).settings.data_dir
    kept = [path for path in stored.rglob("*") if path.is_file()]
    assert not [path for path in kept if fake.secret.encode() in path.read_bytes()]


def test_an_order_that_the_venue_would_not_take_is_exit_code_1(project: Path, copytrade, monkeypatch) -> None:
    with venue_beside(place_of(project), Venue.BINGX, monkeypatch, min_notional="500"):
        said, drawn = copytrade(*DAY, "--json"), copytrade(*DAY)
    assert (said.code, drawn.code) == (ExitCode.REFUSED, ExitCode.REFUSED)
    (session,) = said.json["sessions"]
    assert session["invalid"]
    assert json.dumps(session["rules_stricter_at_the_venue"]).count("min_notional") == 1
    assert "stricter at the venue" in drawn.out
