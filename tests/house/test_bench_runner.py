"""Benchmarks are found by name, run in a process of their own, and written as a page."""

from __future__ import annotations

import importlib.util
import subprocess

import pytest


@pytest.fixture(scope="session")
def runner(project_root):
    spec = importlib.util.spec_from_file_location("bench_runner", project_root / "tests/bench/run.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_benchmark_is_found_run_and_shown(runner, tmp_path):
    room = tmp_path / "tests" / "somewhere"
    room.mkdir(parents=True)
    (room / "bench_adding.py").write_text(
        "def run():\n    print('chatter')\n    return {'median_s': 0.25, 'rows': 1000000, 'note': 'a|b'}\n"
    )
    found = runner.benchmarks(tmp_path)
    assert list(found) == ["adding"]
    numbers = runner.measure(found["adding"])
    assert numbers == {"median_s": 0.25, "rows": 1_000_000, "note": "a|b"}
    page = runner.as_markdown({"measured_on": "2026-11-23", "machine": runner.machine(), "adding": numbers})
    assert "| median_s | 0.25 |" in page
    assert "| rows | 1,000,000 |" in page


def test_two_benchmarks_may_not_share_a_name(runner, tmp_path):
    for room in ("one", "two"):
        (tmp_path / "tests" / room).mkdir(parents=True)
        (tmp_path / "tests" / room / "bench_same.py").write_text("")
    with pytest.raises(ValueError, match="two benchmarks"):
        runner.benchmarks(tmp_path)


def test_a_failing_benchmark_is_not_a_number(runner, tmp_path):
    broken = tmp_path / "bench_broken.py"
    broken.write_text("def run():\n    raise SystemExit(3)\n")
    with pytest.raises(subprocess.CalledProcessError):
        runner.measure(broken)
