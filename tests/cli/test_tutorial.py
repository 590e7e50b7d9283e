"""The tutorial works: its commands are read from the page and run as written, against a stand-in on loopback."""

import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/tutorial.md"
FENCE = re.compile(r"^```sh(?P<how> [a-z0-9-]+)?\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
PORT = "8900"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One command of the page and the exit code that it says."""

    words: list[str]
    exit_code: int
    background: bool


def lines_of(page: str) -> list[Line]:
    found: list[Line] = []
    for fence in FENCE.finditer(page):
        how = (fence["how"] or "").strip()
        for text in fence["body"].strip().splitlines():
            code = int(how.removeprefix("exit-")) if how.startswith("exit-") else 0
            found.append(Line(words=shlex.split(text), exit_code=code, background=how == "background"))
    return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until_it_answers(port: int) -> None:
    for _ in range(200):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/fapi/v1/ping", timeout=1):
                return
        except OSError:
            time.sleep(0.1)
    pytest.fail("the stand-in of the tutorial did not start")


def test_every_command_of_the_tutorial_does_what_the_page_says(copytrade, environment, monkeypatch, tmp_path):
    """The shell is this process: what is typed goes through the command line's own entry, in one environment."""
    page = PAGE.read_text(encoding="utf-8")
    port = free_port()
    lines = lines_of(page.replace(PORT, str(port)))
    assert sum(line.words[0] == "copytrade" for line in lines) >= 12
    shutil.copytree(ROOT / "data/sample", tmp_path / "data/sample")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    environment.clear()
    for section in ("SOURCE", "MARKET"):
        environment[f"COPYTRADE_{section}__REQUEST_INTERVAL_S"] = "0"
    running: list[subprocess.Popen] = []
    try:
        for line in lines:
            if line.words[0] == "export":
                name, value = line.words[1].split("=", 1)
                environment[name] = value
                continue
            assert line.words[0] == "copytrade", line.words
            if line.background:
                command = [sys.executable, "-m", "copytrade_core.cli", *line.words[1:]]
                running.append(subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL))
                wait_until_it_answers(port)
                continue
            said = copytrade(*line.words[1:])
            told = f"{shlex.join(line.words)}\n{said.out}\n{said.err}"
            assert said.code == line.exit_code, told
            assert "Traceback" not in said.err, told
            assert said.out.strip() or line.exit_code, told
    finally:
        for process in running:
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=20) == 0


def test_the_verbs_that_the_page_teaches_exist_and_the_page_says_when_one_refuses():
    lines = lines_of(PAGE.read_text(encoding="utf-8"))
    refusing = {line.words[1] for line in lines if line.exit_code}
    assert refusing == {"gates", "live"}
