"""Shadow sessions from the key to the gate: a past day at every venue's stand-in, and a lead followed live."""

from __future__ import annotations

import shutil
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from copytrade_core.edges.lake_views import connect
from copytrade_core.edges.runtime.control_files import Control, set_control
from copytrade_core.edges.runtime.runtime_files import SESSION_FILE
from copytrade_core.edges.settings import load_settings
from copytrade_core.edges.stages.canary import run_canary
from copytrade_core.edges.stages.canary_due import due_comparisons
from copytrade_core.edges.stages.canary_gates import canary_gate
from copytrade_core.edges.stages.canary_parity import compare_session
from copytrade_core.edges.stages.canary_place import live_folder
from copytrade_core.edges.stages.canary_request import CanaryRequest, begins_at
from copytrade_core.edges.stages.canary_shadow import KEY, SECRET, run_shadow
from copytrade_core.edges.stages.canary_store import PARITY, SHADOW, SHADOW_SESSION, canary_facts, load_session
from copytrade_core.edges.stages.preflight_facts import CERTIFICATE
from copytrade_core.edges.stages.shadow_summary import shadow_row
from copytrade_core.edges.stages.workplace import Workplace
from copytrade_core.edges.standins.venue_setup import KeySetup, fake_key
from copytrade_core.evidence.parity import Cause
from copytrade_core.model.errors import BadConfig, BadInput, NotStored
from copytrade_core.model.venue import PositionMode, Venue
from copytrade_core.promotion.gate_result import Gate, GateVerdict
from copytrade_core.virtual_exchange.fault_json import faults_to_json
from copytrade_core.virtual_exchange.faults import VenueFault, VenueFaultKind
from copytrade_core.virtual_exchange.venue_ask import VenueCall
from tests.live_floor import LEAD as LIVE_LEAD
from tests.live_floor import Live, live, row
from tests.made_lead import loosened
from tests.shadow_floor import nothing_was_sent, now_ms, venue_beside
from tests.small_lead import LEAD, place_of, small_project
from tests.utc_day import leave_room_before_midnight

DAY = "2026-01-03"
ASKED = CanaryRequest(lead_id=LEAD, day=DAY, is_live=False, run_id="s1", deadline_s=None)


@pytest.fixture(scope="module")
def small(made_once, project_root) -> Path:
    return made_once("paper_lead", lambda root: small_project(root, project_root, positions=24))


@pytest.fixture
def project(small: Path, tmp_path: Path) -> Path:
    """The small lead's project for this test alone; its configuration file."""
    return shutil.copytree(small, tmp_path / "project") / "settings/copytrade.toml"


@pytest.fixture
def environ(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in (KEY, SECRET):
        for variable in (name, f"{name}_FILE"):
            monkeypatch.delenv(variable, raising=False)
    return monkeypatch


# -- the key -----------------------------------------------------------------------------------------------------------


def test_what_is_missing_is_named_with_the_next_command(project: Path, environ: pytest.MonkeyPatch) -> None:
    place = place_of(project)
    with pytest.raises(NotStored) as uncertified:
        run_shadow(place, ASKED, None)
    assert uncertified.value.next_step == "Run: copytrade certify --venue bingx"
    with venue_beside(place, Venue.BINGX, environ) as (place, standin):
        environ.delenv(SECRET)
        with pytest.raises(BadConfig) as keyless:
            run_shadow(place, ASKED, None)
        assert keyless.value.where.field == SECRET
        assert f"{SECRET}_FILE" in (keyless.value.next_step or "")
        assert standin.control.ledger().calls == {}


def test_a_key_file_that_others_may_read_is_refused(project: Path, environ: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "secret"
    with venue_beside(place_of(project), Venue.BINGX, environ) as (place, standin):
        file.write_text(fake_key(Venue.BINGX, KeySetup()).secret + "\n")
        file.chmod(0o640)
        environ.delenv(SECRET)
        environ.setenv(f"{SECRET}_FILE", str(file))
        with pytest.raises(BadConfig, match="read by others"):
            run_shadow(place, ASKED, None)
        assert standin.control.ledger().calls == {}
        file.chmod(0o600)
        assert run_shadow(place, ASKED, None).metadata["orders"]


@pytest.mark.parametrize(
    ("rights", "field"), [({"can_withdraw": True}, "permissions"), ({"ip_restricted": False}, "ip_allow_list")]
)
def test_an_unsafe_key_is_refused_before_any_session(
    project: Path, environ: pytest.MonkeyPatch, rights: dict[str, bool], field: str
) -> None:
    with venue_beside(place_of(project), Venue.BINGX, environ, key=KeySetup(**rights)) as (place, standin):
        with pytest.raises(BadConfig) as refused:
            run_shadow(place, ASKED, None)
        assert refused.value.where.field == field
        assert not (place.settings.data_dir / "runtime").exists()
        assert place.lake.head(SHADOW, f"{DAY}|{LEAD}") is None
        assert nothing_was_sent(standin)


def test_a_key_that_the_venue_does_not_know_says_what_to_check(project: Path, environ: pytest.MonkeyPatch) -> None:
    with venue_beside(place_of(project), Venue.BINGX, environ) as (place, _):
        environ.setenv(KEY, "hush-hush-hush")
        with pytest.raises(BadInput) as refused:
            run_shadow(place, ASKED, None)
    assert KEY in (refused.value.next_step or "")
    assert "hush" not in str(refused.value)


# -- a past day --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("venue", Venue)
def test_a_past_day_is_told_and_every_order_is_one_that_the_venue_takes(
    project: Path, environ: pytest.MonkeyPatch, venue: Venue
) -> None:
    with venue_beside(place_of(project), venue, environ) as (place, standin):
        outcome = run_shadow(place, ASKED, None)
        assert nothing_was_sent(standin)
    key = f"{DAY}|{LEAD}"
    shown = shadow_row(place, key)
    lines = shown["desired"]
    assert isinstance(lines, list)
    assert shown["orders"] == len(lines)
    assert len(lines) > 1
    assert (shown["invalid"], shown["probe_faults"], shown["broken"], shown["rules_stricter_at_the_venue"]) == (
        *([], [], []),
        [],
    )
    assert {line["fault"] for line in lines} == {None}
    assert {line["rounding_bps"] for line in lines} == {0}
    for line in lines:
        assert line["client_order_id"] in {value.removeprefix("t-") for value in line["request"].values()}
    assert shown["key_rights"] == {
        "can_trade": True,
        "can_withdraw": False,
        "ip_restricted": True,
    }
    assert shown["balance_readable"] is True
    (facts,) = canary_facts(place, LEAD, policy_digest="any").shadows
    assert (facts.orders_count, facts.is_observed, facts.key) == (len(lines), False, key)
    assert f"{CERTIFICATE}/{venue}" in outcome.head(SHADOW).parents
    record = load_session(place, key, asset=SHADOW_SESSION)
    assert (record.mode, len(record.orders)) == ("shadow", len(lines))


def test_a_shadow_session_stands_beside_the_paper_session_of_its_day_intent_by_intent(
    project: Path, environ: pytest.MonkeyPatch
) -> None:
    key = f"{DAY}|{LEAD}"
    with venue_beside(place_of(project), Venue.BINGX, environ) as (place, _):
        _ = run_canary(place, replace(ASKED, run_id="p1"), None)
        alone = compared(place, key)
        assert alone["shadow_summary"] is None
        assert alone["shadow_lacking"] == "no shadow session of this day is stored"
        assert all("shadow_price" not in one for one in alone["rows"])
        _ = run_shadow(place, ASKED, None)
    (due,) = [one.key for one in due_comparisons(replace(place, now=lambda: begins_at(DAY)), LEAD)]
    assert due == key, "it was compared before there was a shadow session"
    both = compared(place, key)
    assert due_comparisons(replace(place, now=lambda: begins_at(DAY)), LEAD) == ()
    assert both["shadow_lacking"] is None
    assert (len(both["rows"]), both["rows"] == []) == (len(alone["rows"]), False)
    for line in both["rows"]:
        assert line["shadow_quantity"] == line["paper_quantity"]
        assert (line["shadow_price"], line["shadow_at_ms"]) == (line["paper_price"], line["paper_at_ms"])
        assert line["shadow_total_bps"] == line["total_bps"], "the archive tells both the same"
        parts = sum(line[f"shadow_{cause}_bps"] for cause in (*Cause, "residual"))
        assert parts == pytest.approx(line["shadow_total_bps"], abs=1e-6)
    with closing(connect(place.lake)) as asked:
        query = "SELECT count(*), count(shadow_price), max(abs(shadow_residual_bps)) < 1 FROM paper_parity_rows"
        found = asked.execute(query).fetchall()
    assert found == [(len(both["rows"]), sum(one["shadow_price"] is not None for one in both["rows"]), True)]


def test_a_shadow_fill_at_a_price_that_the_market_never_had_fails_the_comparison_too(
    project: Path, environ: pytest.MonkeyPatch
) -> None:
    key = f"{DAY}|{LEAD}"
    with venue_beside(place_of(project), Venue.BINGX, environ) as (place, _):
        _ = run_canary(place, replace(ASKED, run_id="p1"), None)
        _ = run_shadow(place, ASKED, None)
    with closing(sqlite3.connect(Path(str(shadow_row(place, key)["folder"])) / SESSION_FILE)) as journal, journal:
        journal.execute("UPDATE fills SET raw_price = raw_price * 101 / 100, price = price * 101 / 100")
    document = compared(place, key)
    assert document["gate_facts"]["residual_bps_max"] > 50
    assert document["summary"]["explains_all"]
    assert not document["shadow_summary"]["explains_all"]


def compared(place: Workplace, key: str) -> dict[str, Any]:
    """The stored comparison, made now."""
    _ = compare_session(place, key)
    return place.lake.document_as(PARITY, key, dict[str, Any])


INVALID: dict[str, tuple[dict[str, Any], str]] = {
    "below the minimum": ({"min_notional": "500"}, "notional"),
    "off the grid": ({"step": "0.001"}, "quantity"),
    "another position mode": ({"position_mode": PositionMode.ONE_WAY}, "position_mode"),
    "a market that is not listed": ({"listed": "ETH/USDT:USDT"}, "market"),
}


@pytest.mark.parametrize("name", INVALID)
def test_an_order_that_the_venue_would_not_take_is_a_row_with_its_first_invalid_field(
    project: Path, environ: pytest.MonkeyPatch, name: str
) -> None:
    changes, field = INVALID[name]
    with venue_beside(place_of(project), Venue.BINGX, environ, **changes) as (place, standin):
        _ = run_shadow(place, ASKED, None)
        assert nothing_was_sent(standin)
    shown = shadow_row(place, f"{DAY}|{LEAD}")
    lines = shown["desired"]
    assert isinstance(lines, list)
    entries = [line for line in lines if line["intent"].startswith("open")]
    assert entries
    assert all(line["fault"].startswith(f"{field}: ") and line["request"] == {} for line in entries)
    assert len(shown["invalid"]) >= len(entries)  # pyright: ignore[reportArgumentType]
    mode = name == "another position mode"
    assert bool(shown["probe_faults"]) is mode
    assert bool(shown["rules_stricter_at_the_venue"]) is not mode


def test_a_venue_that_falls_silent_within_the_session_is_no_information_and_it_goes_on(
    project: Path, environ: pytest.MonkeyPatch
) -> None:
    silent = VenueFault(kind=VenueFaultKind.HTTP_STATUS, call=VenueCall.PROBE, nth=4, count=1_000, status=503)
    faults = msgspec.Raw(faults_to_json([silent]))
    with venue_beside(place_of(project), Venue.BINGX, environ, faults=faults) as (place, standin):
        _ = run_shadow(place, ASKED, None)
        assert standin.control.ledger().faults_met
    shown = shadow_row(place, f"{DAY}|{LEAD}")
    assert (shown["ended"], shown["looks_unanswered"]) == ("deadline", 1)
    assert (shown["invalid"], shown["probe_faults"]) == ([], [])


# -- today -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def follow(
    tmp_path: Path, project_root: Path, environ: pytest.MonkeyPatch
) -> Callable[..., tuple[Workplace, dict[str, Any]]]:
    """A lead that opens and closes while a shadow session polls it: the workplace and the session's row."""

    def run(*, heard: list[str], **venue: Any) -> tuple[Workplace, dict[str, Any]]:
        with live(tmp_path, project_root, [row(-3000, -2000), row(10, 40)]) as lead:
            contract = lead.place.settings.paths.promotion_contract
            contract.write_text(loosened(contract.read_text(), {"orders_count_min": 1}))
            canary = lead.place.settings.canary.model_copy(update={"poll_every_s": 0.1, "price_every_s": 0.1})
            quick = replace(lead.place, settings=lead.place.settings.model_copy(update={"canary": canary}))
            with venue_beside(quick, Venue.BINGX, environ, **venue) as (place, standin):
                lead.folder = live_folder(place.settings, LIVE_LEAD, "shadow")
                leave_room_before_midnight()  # only today can be followed live
                day = place.now().strftime("%Y-%m-%d")
                asked = CanaryRequest(lead_id=LIVE_LEAD, day=day, is_live=True, run_id="live", deadline_s=60)
                lead._thread = threading.Thread(target=run_shadow, args=(place, asked, None), daemon=True)
                lead._thread.start()
                lead.until(lambda: lead.lead().get("ok"), "a first poll")
                for second, orders in zip((15, 41), heard, strict=False):
                    lead.at(second)
                    lead.until(lambda wanted=orders: kinds(lead) == wanted, f"orders {orders}")
                set_control(lead.folder, Control.KILL, who="test", why="over", at_ms=now_ms())
                lead.join()
                assert nothing_was_sent(standin)
        return place, shadow_row(place, f"{day}|{LIVE_LEAD}")

    return run


def kinds(lead: Live) -> str:
    """What was desired and how it ended."""
    query = "SELECT s.kind, o.state FROM shadow_orders s JOIN orders o USING (client_order_id) ORDER BY s.number"
    return ", ".join(f"{kind} {state}" for kind, state in lead.ask(query))


def test_a_lead_followed_live_opens_and_closes_in_shadow_and_the_gate_passes(follow) -> None:
    place, shown = follow(heard=["open filled", "open filled, close filled"])
    assert (shown["ended"], shown["observed"], shown["venue"]) == ("kill", True, "bingx")
    assert [(line["intent"].split()[0], line["does"], line["fault"]) for line in shown["desired"]] == [
        ("open", "buy long", None),
        ("close", "sell long", None),
    ]
    first, last = (line["request"] for line in shown["desired"])
    assert first["quantity"] == last["quantity"]
    assert {first["positionSide"], last["positionSide"]} == {"LONG"}
    result, digest = canary_gate(place, LIVE_LEAD, Gate.SHADOW_CLEAN)
    assert result.verdict is GateVerdict.PASS, result
    assert digest == place.lake.require(SHADOW, f"{shown['day']}|{LIVE_LEAD}").digest


def test_one_order_that_the_venue_would_not_take_fails_the_gate(follow) -> None:
    place, shown = follow(heard=["open rejected"], min_notional="500")
    assert [line["fault"].partition(":")[0] for line in shown["desired"]] == ["notional"]
    result, _ = canary_gate(place, LIVE_LEAD, Gate.SHADOW_CLEAN)
    assert result.verdict is GateVerdict.FAIL
    broken = [each for each in result.criteria if each.verdict is GateVerdict.FAIL]
    assert [each.name for each in broken] == ["orders_invalid_count_max"]


def test_settings_name_the_venue_itself_or_this_machine(project: Path) -> None:
    for odd in ("http://10.0.0.1:80", "https://open-api.example.com", "http://127.0.0.1", "http://127.0.0.1:80/x"):
        with pytest.raises(BadConfig) as refused:
            load_settings(file=project, overrides={"shadow.base_url": odd})
        assert refused.value.where.field == "shadow.base_url"
    assert load_settings(file=project, overrides={"shadow.base_url": ""}).shadow.base_url == ""
