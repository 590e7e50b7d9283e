"""A command line in this process, with its own data folder, and the same in a process of its own."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from copytrade_core.cli.app import main

ROOT = Path(__file__).resolve().parents[2]
SAMPLE_LEAD = "4751838302089254401"
SAMPLE = ROOT / "data/sample/leads" / SAMPLE_LEAD


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What one command line did."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict:
        """Standard output as exactly one JSON object."""
        lines = self.out.splitlines()
        assert len(lines) == 1, self.out
        value = json.loads(lines[0])
        assert isinstance(value, dict)
        return value


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Folders of this test alone."""
    return {
        "COPYTRADE_DATA_DIR": str(tmp_path / "data"),
        "COPYTRADE_REPORTS_DIR": str(tmp_path / "reports"),
        "DAGSTER_HOME": str(tmp_path / "dagster_home"),
    }


@pytest.fixture
def copytrade(environment: dict[str, str], monkeypatch, capsys) -> Callable[..., Said]:
    """Runs one command line in this process."""

    def run(*arguments: str) -> Said:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        _ = capsys.readouterr()
        code = main(list(arguments))
        out, err = capsys.readouterr()
        return Said(code=int(code), out=out, err=err)

    return run


def command(*arguments: str) -> list[str]:
    """The command line for a process of its own."""
    return [sys.executable, "-m", "copytrade_core.cli", *arguments]


def process_environment(environment: dict[str, str]) -> dict[str, str]:
    """The environment of a process of its own."""
    return {**os.environ, **environment, "COLUMNS": "120"}


@pytest.fixture
def start(environment: dict[str, str], tmp_path: Path) -> Callable[..., subprocess.Popen]:
    """Starts one command line in a process of its own and does not wait for it."""

    def begin(*arguments: str) -> subprocess.Popen:
        return subprocess.Popen(
            command(*arguments),
            env=process_environment(environment),
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return begin


@pytest.fixture
def copytrade_process(environment: dict[str, str], tmp_path: Path) -> Callable[..., Said]:
    """Runs one command line in a process of its own, in the test's folder."""

    def run(*arguments: str, cwd: Path = tmp_path) -> Said:
        done = subprocess.run(
            command(*arguments),
            env=process_environment(environment),
            cwd=cwd,
            capture_output=True,
            text=True,
            timeout=220,
            check=False,
        )
        return Said(code=done.returncode, out=done.stdout, err=done.stderr)

    return run


@pytest.fixture(scope="session")
def recorded(made_once, real_data) -> Path:
    """A data folder with the lead's pages and the recorded 5-minute bars, made with the command line. Read it only."""

    def make(folder: Path) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("COPYTRADE_DATA_DIR", str(folder))
            assert main(["import", "--from-dir", str(real_data / "leads" / SAMPLE_LEAD), "--json"]) == 0
            for coin in ("BTC", "ETH"):
                file = real_data / f"candles/um_5m_2025-11_2026-05/{coin}USDT_5m.csv.gz"
                arguments = ["bars", "import", str(file), "--market", f"{coin}/USDT:USDT", "--interval", "5m", "--json"]
                assert main(arguments) == 0

    return made_once("recorded", make)


@pytest.fixture(scope="session")
def studied(made_once, recorded) -> Path:
    """The same with a stored study. Read it only."""

    def make(folder: Path) -> None:
        shutil.copytree(recorded, folder, dirs_exist_ok=True)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("COPYTRADE_DATA_DIR", str(folder))
            patch.setenv("COPYTRADE_REPORTS_DIR", str(folder.parent / "studied_reports"))
            assert main(["evidence", "--lead", SAMPLE_LEAD, "--json"]) == 0

    return made_once("studied", make)


@pytest.fixture
def judged(environment, studied, tmp_path) -> Path:
    """A copy of it for this test alone; it is the data folder in force."""
    mine = tmp_path / "judged"
    shutil.copytree(studied, mine)
    environment["COPYTRADE_DATA_DIR"] = str(mine)
    return mine


@pytest.fixture(scope="module")
def standin_url() -> Iterator[str]:
    """A stand-in of Binance that serves the sample lead and a simulated market."""
    from copytrade_core.edges.standins.binance import USUAL_PLAN, StandinConfig, running_standin
    from copytrade_core.edges.standins.lead_records import records_from_directory

    config = StandinConfig(records=records_from_directory(SAMPLE.parent), plan=USUAL_PLAN, port=0)
    with running_standin(config) as standin:
        yield standin.base_url
