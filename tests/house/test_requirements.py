"""The pins: every package with its hashes, no host, the files agreeing, and everything that pyproject.toml names."""

from __future__ import annotations

import re
import tomllib

import pytest

PIN = re.compile(r"^([A-Za-z0-9_.\[\]-]+)==([^\s;\\]+)")


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", re.sub(r"\[.*?\]", "", name)).lower()


def pins(text: str) -> dict[tuple[str, str], int]:
    """(name, version) -> number of hashes."""
    found: dict[tuple[str, str], int] = {}
    key: tuple[str, str] | None = None
    for line in text.splitlines():
        if match := PIN.match(line):
            key = (canonical(match[1]), match[2])
            found[key] = 0
        elif "--hash=sha256:" in line and key is not None:
            found[key] += 1
        elif line.strip():
            raise AssertionError(f"neither a pin nor a hash: {line}")
    return found


@pytest.fixture(scope="session")
def runtime(project_root):
    return pins((project_root / "requirements/runtime.txt").read_text())


@pytest.fixture(scope="session")
def dev(project_root):
    return pins((project_root / "requirements/dev.txt").read_text())


@pytest.fixture(scope="session")
def bench(project_root):
    return pins((project_root / "requirements/bench.txt").read_text())


def test_every_pin_has_hashes_and_no_host(runtime, dev, bench):
    assert len(runtime) > 50
    assert [pin for pin, hashes in {**runtime, **dev, **bench}.items() if not hashes] == []


def test_development_pins_contain_the_runtime_pins(runtime, dev):
    assert set(runtime) - set(dev) == set()


def test_the_peers_of_the_benchmark_change_no_version(dev, bench):
    versions, beside = dict(dev), dict(bench)
    shared = versions.keys() & beside.keys()
    assert shared
    assert {name: beside[name] for name in shared} == {name: versions[name] for name in shared}


def test_everything_named_is_pinned(project_root, runtime, dev, bench):
    project = tomllib.loads((project_root / "pyproject.toml").read_text())
    groups = project["dependency-groups"]
    for wanted, pinned in (
        (project["project"]["dependencies"] + groups["build"], runtime),
        ([each for name, group in groups.items() if name != "bench" for each in group], dev),
        (groups["bench"], bench),
    ):
        names = {canonical(re.split(r"[<>=~! ]", requirement)[0]) for requirement in wanted}
        assert names - {name for name, _ in pinned} == set()


def test_a_line_that_is_no_pin_is_found():
    with pytest.raises(AssertionError, match="neither"):
        pins("-i somewhere\n")
