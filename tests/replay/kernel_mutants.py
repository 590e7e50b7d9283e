"""Faults that a person could make in the fast engine, planted one at a time, and the hunt for the case that shows each.

python -m tests.replay.kernel_mutants SEEDS      the first case on which the engines of this process differ, as JSON
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

KERNEL = "copytrade_core/replay/kernel.py"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """A text of the kernel that occurs once, and what a tired author might have written instead."""

    name: str
    old: str
    new: str
    why: str


MUTANTS: tuple[Mutant, ...] = ()


def planted(root: Path, folder: Path, mutant: Mutant | None) -> Path:
    """The package in `folder` with one fault in its kernel (or none); all other files are the project's own."""
    source = (root / KERNEL).read_text("utf-8")
    if mutant is not None:
        assert source.count(mutant.old) == 1, f"{mutant.name}: its text is not in the kernel exactly once"
        source = source.replace(mutant.old, mutant.new)
    package = folder / "copytrade_core"
    shutil.copytree(root / "copytrade_core/replay", package / "replay", ignore=shutil.ignore_patterns("kernel*.nb?"))
    (folder / KERNEL).write_text(source, "utf-8")
    for part in (root / "copytrade_core").iterdir():
        if part.name not in ("replay", "__pycache__"):
            (package / part.name).symlink_to(part)
    (folder / "tests").symlink_to(root / "tests")
    return folder


def hunt(folder: Path, seeds: int, *, compiled: bool) -> tuple[str, str] | None:
    """The first case on which the planted engine differs: its name and the difference in words.

    Interpreted (numba's own switch) a fault shows without the seconds that compiling takes.
    """
    environment = {**os.environ, "PYTHONPATH": str(folder), "NUMBA_DISABLE_JIT": "0" if compiled else "1"}
    done = subprocess.run(
        [sys.executable, "-m", "tests.replay.kernel_mutants", str(seeds)],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["kernel"] == str(folder / KERNEL), "another kernel was loaded"
    return None if found["case"] is None else (found["case"], found["difference"])


def main(seeds: int) -> None:
    """Print the first differing case of this process's engines."""
    from copytrade_core.replay import kernel
    from tests.replay.both_engines import difference_in
    from tests.replay.golden_cases import GOLDEN
    from tests.replay.random_cases import case

    found: dict[str, str | None] = {"kernel": kernel.__file__, "case": None, "difference": None}
    for name, given in (*GOLDEN.items(), *((f"seed {seed}", lambda s=seed: case(s)) for seed in range(seeds))):
        try:
            difference = difference_in(given() if callable(given) else given, alone=True)
        except Exception as error:  # noqa: BLE001 - a fault that stops the engine shows too
            difference = f"{type(error).__name__}: {error}"
        if difference is not None:
            found |= {"case": name, "difference": difference}
            break
    print(json.dumps(found))


if __name__ == "__main__":
    main(int(sys.argv[1]))
