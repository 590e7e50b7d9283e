"""The import contracts of pyproject.toml hold, and each of them bites when a breach is planted in a copy."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

LINT = Path(sys.executable).with_name("lint-imports")
ROOMS = ("model", "sources", "strategies", "replay", "edges", "cli")


@pytest.fixture(scope="session")
def skeleton(project_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A house with empty rooms and the real contracts: small, so a planted breach is found in a moment."""
    house = tmp_path_factory.mktemp("house")
    shutil.copy(project_root / "pyproject.toml", house)
    for package in ("copytrade_core", "copytrade_dagster", *(f"copytrade_core/{room}" for room in ROOMS)):
        (house / package).mkdir()
        (house / package / "__init__.py").touch()
    return house


def verdict(house: Path) -> tuple[int, str]:
    """Exit code and output of import-linter on a house."""
    done = subprocess.run(
        [LINT, "--no-cache", "--no-logo"],
        cwd=house,
        env={"PYTHONPATH": str(house), "PATH": "/usr/bin:/bin", "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def test_the_empty_house_keeps_every_contract(skeleton):
    code, said = verdict(skeleton)
    assert code == 0, said
    assert re.search(r"Contracts: \d+ kept, 0 broken", said)


@pytest.mark.parametrize(
    ("path", "text", "contract"),
    [
        ("copytrade_core/attic/__init__.py", "", "an unplaced folder fails"),
        ("copytrade_core/attic.py", "", "an unplaced folder fails"),
        ("copytrade_core/sources/x.py", "import copytrade_core.strategies", "Rooms"),
        ("copytrade_core/model/x.py", "import copytrade_core.sources", "Rooms"),
        ("copytrade_core/replay/x.py", "import copytrade_core.edges", "Rooms"),
        ("copytrade_core/cli/x.py", "import dagster", "The core knows no Dagster"),
        ("copytrade_core/edges/x.py", "import copytrade_dagster", "The core never imports"),
        ("copytrade_core/sources/x.py", "import httpx", "Only edges and the command line"),
        ("copytrade_core/model/x.py", "def f():\n    import pyarrow.parquet", "Only edges and the command line"),
        ("copytrade_core/flow.py", "import sqlite3", "Only edges and the command line"),
        ("copytrade_core/edges/x.py", "import ccxt", "ccxt is known only"),
        ("copytrade_core/replay/x.py", "import numba", "numba is known only"),
        ("copytrade_dagster/x.py", "import httpx", "only through edges"),
    ],
)
def test_a_planted_breach_is_found(skeleton, tmp_path, path, text, contract):
    house = tmp_path / "house"
    shutil.copytree(skeleton, house)
    (house / path).parent.mkdir(exist_ok=True)
    (house / path).write_text(text + "\n")
    code, said = verdict(house)
    assert code == 1, said
    broken = [line for line in said.splitlines() if line.rstrip().endswith("BROKEN")]
    assert len(broken) == 1 or "ccxt" in contract, said
    assert contract in " ".join(said.split()), said


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("copytrade_core/edges/x.py", "import httpx, duckdb, pyarrow, copytrade_core.sources"),
        ("copytrade_core/edges/venues/x.py", "import ccxt"),
        ("copytrade_core/replay/kernel/compiled.py", "import numba"),
        ("copytrade_core/cli/x.py", "import copytrade_core.edges, typer, rich"),
        ("copytrade_dagster/x.py", "import dagster, copytrade_core.edges"),
    ],
)
def test_what_the_plan_allows_is_allowed(skeleton, tmp_path, path, text):
    house = tmp_path / "house"
    shutil.copytree(skeleton, house)
    (house / path).parent.mkdir(exist_ok=True)
    (house / path).parent.joinpath("__init__.py").touch()
    (house / path).write_text(text + "\n")
    code, said = verdict(house)
    assert code == 0, said


SENDER = "copytrade_core/edges/venues/ccxt_broker.py"
SENDS = "import copytrade_core.edges.venues.ccxt_broker"


def planted(skeleton: Path, house: Path, files: dict[str, str]) -> tuple[int, str]:
    """The verdict on a house with the broker in it and these files."""
    shutil.copytree(skeleton, house)
    for path, text in ({SENDER: "import ccxt"} | files).items():
        place = house / path
        place.parent.mkdir(parents=True, exist_ok=True)
        for folder in place.relative_to(house).parents:
            if folder.parts:
                (house / folder / "__init__.py").touch()
        place.write_text(text + "\n")
    return verdict(house)


@pytest.mark.parametrize(
    "path",
    [
        "copytrade_core/edges/x.py",
        "copytrade_core/edges/stages/replay.py",
        "copytrade_core/cli/replay_verb.py",
        "copytrade_core/edges/standins/x.py",
        "copytrade_dagster/defs/monitor/assets.py",
        "copytrade_dagster/resources.py",
    ],
)
def test_what_sends_orders_is_known_to_few(skeleton, tmp_path, path):
    code, said = planted(skeleton, tmp_path / "house", {path: SENDS})
    assert code == 1, said
    assert "What can send an order is known only" in " ".join(said.split())


def test_the_preflight_live_and_shadow_places_may_know_it(skeleton, tmp_path):
    places = (
        *(
            "edges/preflight/http_world.py",
            "edges/live/desk.py",
            "edges/stages/certify.py",
            "edges/stages/preflight.py",
            "edges/stages/canary_shadow.py",
        ),
        *("edges/stages/live.py", "cli/preflight_verbs.py", "cli/live_verbs.py"),
    )
    files = {f"copytrade_core/{place}": SENDS for place in places}
    files |= {f"copytrade_dagster/defs/{stage}/assets.py": SENDS for stage in ("preflight", "live")}
    code, said = planted(skeleton, tmp_path / "house", files)
    assert code == 0, said


@pytest.mark.parametrize("through", ["live", "canary_shadow"])
@pytest.mark.parametrize("paper", ["stages/paper.py", "stages/paper_live.py", "stages/canary.py", "paper/session.py"])
def test_paper_cannot_reach_it_through_others_either(skeleton, tmp_path, paper, through):
    files = {
        f"copytrade_core/edges/stages/{through}.py": SENDS,
        f"copytrade_core/edges/{paper}": f"import copytrade_core.edges.stages.{through}",
    }
    code, said = planted(skeleton, tmp_path / "house", files)
    assert code == 1, said
    assert "Neither a strategy nor a session nor paper" in " ".join(said.split())


def test_every_room_of_the_plan_is_in_the_contract(project_root, modules):
    settings = tomllib.loads((project_root / "pyproject.toml").read_text())
    layers = next(c for c in settings["tool"]["importlinter"]["contracts"] if c["id"] == "layers")
    placed = {room.strip(" ()") for row in layers["layers"] for room in row.split("|")}
    assert layers["exhaustive"] is True
    assert {m.room for m in modules if m.path.startswith("copytrade_core/") and m.path.count("/") > 1} <= placed
