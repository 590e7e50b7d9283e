"""How long a person waits for the command line and for the orchestrator: whole processes, the median of several."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

RUNS = 5
STARTS = {
    "python_alone_s": ["-c", "pass"],
    "copytrade_help_s": ["-m", "copytrade_core.cli", "--help"],
    "load_definitions_s": ["-c", "import copytrade_dagster.definitions as d; d.defs.get_repository_def()"],
}
LIMITS_S = {"copytrade_help_s": 0.5, "load_definitions_s": 5}


def run() -> dict:
    """Median seconds of each start, with the limits they must stay under."""
    measured: dict = {
        name: statistics.median(_timed(arguments) for _ in range(RUNS)) for name, arguments in STARTS.items()
    }
    return {**measured, "within_limits": all(measured[name] <= limit for name, limit in LIMITS_S.items())}


def _timed(arguments: list[str]) -> float:
    start = time.perf_counter()
    _ = subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
    return time.perf_counter() - start


if __name__ == "__main__":
    print(run())
