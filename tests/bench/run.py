"""Runs every benchmark and writes what was measured: docs/performance.md to read, docs/performance.json to compare.

A benchmark is `tests/<room>/bench_<key>.py` with `run() -> dict`: medians in seconds or megabytes under names that end
in their unit, and anything else worth saying. How a thing is measured belongs there; here is only finding and writing.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("numpy", "numba", "polars", "msgspec", "pyarrow", "duckdb", "dagster", "vectorbt", "backtesting")
"""Whose versions the numbers depend on; the last two are peers and may be absent."""

ABOUT = ("measured_on", "machine")
"""Keys of performance.json that say where the numbers are from; every other key is a benchmark."""

READING = """How to read it: `_s`, `_ms` and `_mb` are seconds, milliseconds and megabytes. `wall` is what a person
waits, disk and other programs included; `processor` is what our own process worked. A `load_before` near the number of
cores or above makes wall times worse than they are. A target that is not met is said so."""


def benchmarks(root: Path) -> dict[str, Path]:
    """Key -> file of every benchmark below `tests/`.

    Raises:
        ValueError: two files claim the same key.
    """
    found: dict[str, Path] = {}
    for file in sorted((root / "tests").glob("*/bench_*.py")):
        key = file.stem.removeprefix("bench_")
        if key in found:
            raise ValueError(f"two benchmarks are named {key}: {found[key]} and {file}")
        found[key] = file
    return found


def measure(file: Path) -> dict[str, Any]:
    """One benchmark in a process of its own, so that no other one's memory or warm caches are measured."""
    code = (
        "import importlib.util, json, sys; "
        "spec = importlib.util.spec_from_file_location('bench', sys.argv[1]); "
        "module = importlib.util.module_from_spec(spec); sys.modules['bench'] = module; "
        "spec.loader.exec_module(module); "
        "print(chr(30) + json.dumps(module.run()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(file)], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True
    )
    result: dict[str, Any] = json.loads(done.stdout.rpartition(chr(30))[2])
    return result


def machine() -> dict[str, str | int]:
    """What the numbers were measured on."""
    model = ""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [
            line.partition(":")[2].strip() for line in cpuinfo.read_text().splitlines() if line.startswith("model name")
        ]
        model = names[0] if names else ""
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "processor": model or platform.processor(),
        "cores": os.cpu_count() or 0,
        "python": platform.python_version(),
        **{name: _version(name) for name in PACKAGES},
    }


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "absent"


def as_markdown(report: dict[str, Any]) -> str:
    """The report as a page."""
    said = ", ".join(f"{key} {value}" for key, value in report["machine"].items())
    lines = ["# Performance", "", f"Measured with `make bench` on {report['measured_on']}: {said}.", ""]
    lines += [READING, ""]
    for key in [key for key in report if key not in ABOUT]:
        lines += [f"## {key}", "", "| | |", "|---|---|"]
        lines += [f"| {name} | {shown} |" for name, shown in _rows(report[key])] + [""]
    return "\n".join(lines)


def _rows(numbers: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """One row a number; peers measured beside each other get one row each."""
    for name, value in numbers.items():
        if isinstance(value, dict) and value and all(isinstance(inner, dict) for inner in value.values()):
            for peer, inner in value.items():
                yield f"{name}: {peer}", ", ".join(f"{key} {_shown(number)}" for key, number in inner.items())
        else:
            yield name, _shown(value)


def _shown(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return json.dumps(value) if isinstance(value, dict | list) else str(value).replace("|", "\\|")


def main() -> int:
    """Measures and writes; stops before writing when a benchmark fails, so old numbers are not half replaced."""
    found = benchmarks(ROOT)
    if not found:
        print("no benchmark found (tests/*/bench_*.py)", file=sys.stderr)
        return 1
    measured: dict[str, dict[str, Any]] = {}
    for key, file in found.items():
        print(f"{key} ...", flush=True)
        measured[key] = measure(file)
        print("  " + ", ".join(f"{name} {_shown(value)}" for name, value in measured[key].items()))
    report = {"measured_on": datetime.now(UTC).date().isoformat(), "machine": machine(), **measured}
    (ROOT / "docs" / "performance.json").write_text(
        json.dumps(report, indent=2, sort_keys=True) + "\n", encoding="utf-8"
    )
    (ROOT / "docs" / "performance.md").write_text(as_markdown(report), encoding="utf-8")
    print("wrote docs/performance.md and docs/performance.json")
    return 0


if __name__ == "__main__":
    sys.exit(main())
