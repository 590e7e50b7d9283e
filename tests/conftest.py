"""What every test may use: where the real data is, Hypothesis profiles, and a quiet Dagster.

Fixtures of one room (lakes, servers, leads) belong beside that room's tests.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parent.parent

# No test may phone home. Set before anything imports dagster, and inherited by every subprocess a test starts.
os.environ["DAGSTER_DISABLE_TELEMETRY"] = "yes"
os.environ.pop("DAGSTER_HOME", None)
os.environ.pop("COPYTRADE_DATA_DIR", None)

# `ci` is the default: the same examples on every machine. HYPOTHESIS_PROFILE=dev looks for new ones.
settings.register_profile("ci", derandomize=True, deadline=None, max_examples=60, print_blob=True)
settings.register_profile("dev", deadline=None, max_examples=300)
settings.register_profile("soak", deadline=None, max_examples=5000, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


@pytest.fixture(scope="session")
def project_root() -> Path:
    """The checkout."""
    return ROOT


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder with the recorded pages and candles: `COPYTRADE_REAL_DATA`, else `../shared/data`.

    A path that was given and is not there is a mistake and fails; no path at all skips and says so.
    """
    given = os.environ.get("COPYTRADE_REAL_DATA")
    folder = Path(given) if given else ROOT.parent / "shared" / "data"
    if folder.is_dir():
        return folder.resolve()
    if given:
        pytest.fail(f"COPYTRADE_REAL_DATA names {given}, which is not a folder")
    pytest.skip("real data is absent: put it at ../shared/data or set COPYTRADE_REAL_DATA to run this test")


@pytest.fixture(scope="session")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, Callable[[Path], None]], Path]:
    """Makes a folder once for all workers of this run; who wants to change it takes a copy.

    A worker that comes while another is making it waits for it.
    """
    base = tmp_path_factory.getbasetemp()
    shared = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "made_once"

    def made(name: str, make: Callable[[Path], None]) -> Path:
        folder = shared / name
        shared.mkdir(exist_ok=True)
        with FileLock(f"{folder}.lock"):
            if not Path(f"{folder}.ready").exists():
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir()
                make(folder)
                Path(f"{folder}.ready").touch()
        return folder

    return made
