"""`copytrade monitor` as a person and a script meet it: words, exit codes, and no secret anywhere."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from copytrade_core.cli.app import main
from tests.alert_services import AlertServices, alert_services
from tests.monitor_floor import Runtime, iso


@pytest.fixture
def services() -> Iterator[AlertServices]:
    with alert_services() as made:
        yield made


@pytest.fixture
def runtime(tmp_path: Path) -> Iterator[Runtime]:
    """A session that is well by the clock on the wall."""
    made = Runtime(tmp_path / "runtime")
    made.now_ms = time.time_ns() // 1_000_000
    made.status |= {"started_at": iso(made.now_ms), "deadline_at": iso(made.now_ms + 86_400_000)}
    made.write_status(written_at=iso(made.now_ms))
    yield made
    made.close()


@pytest.fixture
def run(capsys, monkeypatch, services):
    """One command line in this process, with an alert address in its environment unless told otherwise."""

    def call(*arguments: object, url: str | None = services.hook) -> tuple[int, str, str]:
        monkeypatch.delenv("COPYTRADE_ALERT_URL", raising=False)
        if url is not None:
            monkeypatch.setenv("COPYTRADE_ALERT_URL", url)
        monkeypatch.setenv("COPYTRADE_ALERTS__RETRY_WAIT_S", "0")
        code = main(["monitor", *(str(each) for each in arguments)])
        out, err = capsys.readouterr()
        return int(code), out, err

    return call


def test_a_well_session_is_exit_code_0_and_one_line(run, runtime) -> None:
    code, out, _ = run(runtime.folder, "--once")
    assert code == 0
    assert "0 active incidents" in out


def test_an_incident_is_exit_code_1_until_it_is_acknowledged(run, runtime, services) -> None:
    (runtime.folder / "KILL").touch()
    code, out, _ = run(runtime.folder, "--once")
    assert code == 1
    assert "control_active-1" in out
    assert len(services.taken) == 1
    code, out, _ = run(runtime.folder, "--ack", "control_active-1")
    assert code == 0
    assert "acknowledged" in out
    assert run(runtime.folder, "--once")[0] == 0
    code, _, err = run(runtime.folder, "--ack", "control_active-7")
    assert code == 2
    assert "Active incidents: control_active-1" in err


def test_json_is_one_object(run, runtime) -> None:
    (runtime.folder / "KILL").touch()
    code, out, _ = run(runtime.folder, "--once", "--json")
    assert code == 1
    found = json.loads(out)
    assert [each["id"] for each in found["active"]] == found["opened"] == ["control_active-1"]
    assert found["active"][0]["delivery"] == "sent"


def test_a_dry_run_prints_the_message_and_leaves_no_trace(run, runtime, services) -> None:
    (runtime.folder / "KILL").touch()
    code, out, _ = run(runtime.folder, "--dry-run")
    assert code == 1
    assert "WARNING control_active-1 KILL" in out
    assert services.taken == []
    assert not list(runtime.folder.glob("monitor*"))


def test_a_baseline_is_silent_for_ever(run, runtime, services) -> None:
    (runtime.folder / "KILL").touch()
    assert run(runtime.folder, "--init-baseline")[0] == 0
    assert run(runtime.folder, "--once")[0] == 0
    assert services.taken == []


def test_a_test_message_is_sent_or_its_failure_is_exit_code_4(run, runtime, services) -> None:
    code, out, _ = run(runtime.folder, "--test")
    assert (code, len(services.taken)) == (0, 1)
    assert "took the test message" in out
    services.failures = [500] * 3
    code, out, err = run(runtime.folder, "--test")
    assert code == 4
    assert "500" in out
    assert "s3cret-path" not in out + err
    code, _, err = run(runtime.folder, "--test", url=None)
    assert code == 2
    assert "COPYTRADE_ALERT_URL" in err


def test_an_alert_that_fails_is_told_and_kept(run, runtime, services) -> None:
    runtime.fill()
    services.failures = [500] * 3
    code, out, _ = run(runtime.folder, "--once")
    assert code == 4, "only information waits, but nobody heard of it"
    assert "not told yet" in out
    assert "s3cret-path" not in out


@pytest.mark.parametrize("options", [("--once",), ("--once", "--json"), ("--once", "--debug"), ("--test", "--debug")])
def test_a_bot_token_that_telegram_refuses_is_shown_and_kept_nowhere(
    options, run, runtime, services, monkeypatch
) -> None:
    """Neither in what is printed, nor in a traceback, nor in the monitor's history."""
    monkeypatch.setenv("COPYTRADE_ALERTS__TELEGRAM_BASE_URL", services.base_url)
    (runtime.folder / "KILL").touch()
    token = f"{'9' * 9}:{'Zq' * 17}x"
    code, out, err = run(runtime.folder, *options, url=f"tgram://{token}/987654321")
    assert services.refused == [401] * 3
    assert code == (4 if "--test" in options else 1)
    assert "Unauthorized" in out
    kept = b"".join(file.read_bytes() for file in runtime.folder.rglob("*") if file.is_file())
    for secret in (token, token.partition(":")[2], "987654321"):
        assert secret not in out + err
        assert secret.encode() not in kept


def test_without_an_address_information_waits_and_the_exit_code_says_that_all_is_well(run, runtime) -> None:
    runtime.fill()
    code, out, _ = run(runtime.folder, "--once", url=None)
    assert code == 0
    assert "no alert address is set; 1 incident waits" in out
    (runtime.folder / "KILL").touch()
    assert run(runtime.folder, "--once", url=None)[0] == 1


def test_an_address_that_is_none_is_refused_before_anything_is_written(run, runtime) -> None:
    code, _, err = run(runtime.folder, "--once", url="nosuchservice://hunter22")
    assert code == 2
    assert "hunter22" not in err
    assert not list(runtime.folder.glob("monitor*"))


def test_a_directory_that_is_not_there_is_exit_code_3(run, tmp_path) -> None:
    code, _, err = run(tmp_path / "nowhere", "--once")
    assert code == 3
    assert "RUN_STATUS.json" in err


def test_options_that_exclude_each_other_are_refused(run, runtime) -> None:
    assert run(runtime.folder, "--test", "--dry-run")[0] == 2


def test_without_an_option_it_looks_until_ctrl_c(runtime, services) -> None:
    (runtime.folder / "KILL").touch()
    environment = {**os.environ, "COPYTRADE_ALERT_URL": services.hook, "COPYTRADE_MONITOR__INTERVAL_S": "0.05"}
    command = [sys.executable, "-m", "copytrade_core.cli", "monitor", str(runtime.folder), "--json"]
    root = Path(__file__).resolve().parents[2]
    with subprocess.Popen(
        command, cwd=root, env={**environment, "PYTHONPATH": str(root)}, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        looks = [json.loads(process.stdout.readline()) for _ in range(3)]
        process.send_signal(signal.SIGINT)
        _ = process.stdout.read()
        assert process.wait(timeout=20) == 130
    assert [each["opened"] for each in looks] == [["control_active-1"], [], []]
    assert len(services.taken) == 1
