"""The stand-in as a process of its own: says where it listens, ends cleanly, never leaves loopback."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from copytrade_core.edges.standins.binance import StandinConfig, running_standin, serve
from copytrade_core.model.errors import BadConfig

MODULE = "copytrade_core.edges.standins.binance"
SAMPLE = "data/sample/leads/4751838302089254401"


@contextmanager
def started(project_root: Path, *arguments: str) -> Generator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", MODULE, "--pages", str(project_root / SAMPLE), *arguments]
    process = subprocess.Popen(command, cwd=project_root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        _ = process.communicate()


def test_one_json_line_says_where_it_listens_and_sigterm_ends_it_with_zero(project_root: Path):
    with started(project_root) as process:
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline())
        assert ready["pid"] == process.pid
        assert ready["base_url"] == f"http://127.0.0.1:{ready['port']}"
        assert httpx.get(f"{ready['base_url']}/fapi/v1/ping", trust_env=False).json() == {}
        process.send_signal(signal.SIGTERM)
        output, errors = process.communicate(timeout=10)
    assert (process.returncode, output, errors) == (0, "", "")


def test_ctrl_c_ends_it_with_zero_while_a_client_is_connected_and_waits(project_root: Path, tmp_path: Path):
    ready_file, faults = tmp_path / "ready.json", tmp_path / "faults.json"
    _ = faults.write_text('[{"kind": "slow", "delay_s": 30, "path": "/fapi/v1/time"}]')
    with started(project_root, "--ready-file", str(ready_file), "--faults", str(faults)) as process:
        deadline = time.monotonic() + 20
        while not ready_file.exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        url = json.loads(ready_file.read_text())["base_url"]
        ended: list[str] = []
        waiting = threading.Thread(target=lambda: ended.append(_outcome(f"{url}/fapi/v1/time")))
        waiting.start()
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=10)
        waiting.join()
    assert (process.returncode, output) == (0, "")
    assert ended[0] != "200"


def _outcome(url: str) -> str:
    try:
        return str(httpx.get(url, timeout=20, trust_env=False).status_code)
    except httpx.TransportError as error:
        return type(error).__name__


def test_bad_pages_and_bad_hosts_end_with_two_and_a_sentence(project_root: Path, tmp_path: Path):
    for arguments, says in (
        (["--pages", str(tmp_path)], "no position history page"),
        (["--pages", SAMPLE, "--host", "0.0.0.0"], "never listens on '0.0.0.0'"),
    ):
        command = [sys.executable, "-m", MODULE, *arguments]
        done = subprocess.run(command, cwd=project_root, capture_output=True, text=True, timeout=30, check=False)
        assert (done.returncode, done.stdout) == (2, "")
        assert says in done.stderr
        assert "Traceback" not in done.stderr


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.org", ""])
def test_it_refuses_every_address_but_loopback(sample_config: StandinConfig, host):
    with pytest.raises(BadConfig, match="never listens"):
        serve(replace(sample_config, host=host))


def test_a_port_in_use_is_a_sentence_not_a_traceback(sample_config: StandinConfig):
    with running_standin(sample_config) as first:
        taken = int(first.base_url.rpartition(":")[2])
        with pytest.raises(BadConfig, match=f"port {taken}"), running_standin(replace(sample_config, port=taken)):
            pass


def test_the_virtual_clock_runs_at_its_speed_and_stands_still_without(sample_config: StandinConfig):
    with running_standin(replace(sample_config, as_of_ms=1_000_000)) as standin:
        assert standin.control.state()["as_of_ms"] == standin.control.state()["as_of_ms"] == 1_000_000
        standin.control.set_time(2_000_000, speed=1_000.0)
        time.sleep(0.1)
        assert standin.control.state()["as_of_ms"] >= 2_100_000


def test_calls_are_counted_by_path_for_tests_of_retries(sample_config: StandinConfig):
    with running_standin(sample_config) as standin:
        for _ in range(3):
            _ = httpx.get(f"{standin.base_url}/fapi/v1/ping", trust_env=False)
        assert standin.control.state()["calls"] == {"/fapi/v1/ping": 3}
