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
from types import TracebackType
from typing import Self

REPLAY = "copytrade_core/replay"
SERVE = """
import os, sys
import msgspec, numba, numpy, polars
for line in sys.stdin:
    seeds, folder = line.rstrip().split(" ", 1)
    child = os.fork()
    if not child:
        os.chdir(folder)
        sys.path.insert(0, folder)
        from tests.replay.kernel_mutants import main
        main(int(seeds))
        sys.stdout.flush()
        os._exit(0)
    print("ended", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """Texts that occur once in the kernel, each with what a tired author might have written instead."""

    name: str
    why: str
    swaps: tuple[tuple[str, str], ...]


MUTANTS = (
    Mutant(
        name="fee_rounded_down",
        why="fees are rounded down instead of up",
        swaps=(("return rounded(notional * rate, PPM, True)", "return rounded(notional * rate, PPM, False)"),),
    ),
    Mutant(
        name="average_rounded_for_us",
        why="the average entry is rounded in our favour: exits lie a tick away",
        swaps=(("rounded(cost, unit, sign > 0)", "rounded(cost, unit, sign < 0)"),),
    ),
    Mutant(
        name="rung_before_stop",
        why="an open beyond stop and rung fills the rung first",
        swaps=(("if stop_at >= rung_at:", "if stop_at > rung_at:"),),
    ),
    Mutant(
        name="profit_before_stop",
        why="a bar that reaches both pays the take-profit: exits in the wrong order",
        swaps=(("if low <= stop else -NEVER", "if low <= stop and high < memory[trade + T_PROFIT] else -NEVER"),),
    ),
    Mutant(
        name="profit_in_the_bar_of_a_rung",
        why="the favourable is assumed to have come after the adverse of the same bar",
        swaps=(("if not added and high >= memory[trade + T_PROFIT]:", "if high >= memory[trade + T_PROFIT]:"),),
    ),
    Mutant(
        name="shorts_ladder_as_longs",
        why="a short's rungs are laid out below its entry",
        swaps=(("levels[rung if sign > 0 else RUNGS_MAX + rung]", "levels[rung]"),),
    ),
    Mutant(
        name="shorts_pay_what_longs_pay",
        why="the sign of a short's funding is lost",
        swaps=(("facts[facts[F_PAY_RATE] + at] * sign", "facts[facts[F_PAY_RATE] + at]"),),
    ),
    Mutant(
        name="close_at_the_rung_is_beyond_it",
        why="a close equal to the rung fills it: not strict",
        swaps=(
            ("close_at = memory[trade + T_PRICE + rung] - 1", "close_at = memory[trade + T_PRICE + rung]"),
            ("last_price < memory[trade + T_PRICE + rung]", "last_price <= memory[trade + T_PRICE + rung]"),
        ),
    ),
    Mutant(
        name="life_one_bar_longer",
        why="the time-to-live is judged one bar late",
        swaps=(
            (
                "ceil_div(time_ms + candidate[C_TTL], facts[F_INTERVAL]) - 1 - facts[F_FIRST_BAR]",
                "ceil_div(time_ms + candidate[C_TTL], facts[F_INTERVAL]) - facts[F_FIRST_BAR]",
            ),
        ),
    ),
    Mutant(
        name="profit_without_slippage",
        why="a take-profit is filled at its price as if nobody stood before us",
        swaps=(
            (
                "price = against(raw, facts[F_SLIPPAGE], sign < 0)",
                "price = raw if why == 104 else against(raw, facts[F_SLIPPAGE], sign < 0)",
            ),
        ),
    ),
    Mutant(
        name="reserve_forgotten",
        why="resting rungs reserve no capital, so later entries are not refused",
        swaps=(("        memory[A_RESERVED] += memory[trade + T_HELD_BACK + rung]\n", ""),),
    ),
    Mutant(
        name="peak_seen_inside_the_bar",
        why="the trailing stop moves up with a high of the same bar before its low is judged",
        swaps=(
            (
                "    added = False\n    while True:",
                "    bar_ended(memory, trade, candidate, low, high)\n    added = False\n    while True:",
            ),
        ),
    ),
    Mutant(
        name="stop_never_worse_than_its_trigger",
        why="an open beyond the stop fills at the trigger",
        swaps=(("stop_at = min(stop, first) if", "stop_at = stop if"),),
    ),
    Mutant(
        name="brake_stays_on",
        why="a filled entry does not release the entry brake",
        swaps=(("    memory[A_FAILURES], memory[A_UNTIL] = 0, 0\n    return price", "    return price"),),
    ),
    Mutant(
        name="slept_through_the_release",
        why="a trade that waits for the brake to end does not hear that a fill has released it",
        swaps=(("if memory[A_SLEEPERS] != 0 and memory[A_UNTIL] == 0:", "if False:"),),
    ),
    Mutant(
        name="woken_as_what_it_had_planned",
        why="a trade that is woken keeps the extremes of bars that have not come yet",
        swaps=(("            woken(memory, trade)\n", "            memory[trade + T_ASLEEP] = 0\n"),),
    ),
    Mutant(
        name="sleeps_on_when_the_brake_has_ended",
        why="a refused rung does not ask again once the brake is over, only when a fill releases it",
        swaps=(
            ("ceil_div(memory[A_UNTIL], facts[F_INTERVAL]) - 1", "ceil_div(memory[A_UNTIL], facts[F_INTERVAL]) + 99"),
        ),
    ),
    Mutant(
        name="refused_at_a_close_and_not_asked_again",
        why="a rung refused at an entry by the close waits for the next bar's end: one failure is not counted",
        swaps=(("if at_close and memory[trade + T_PLACED] < memory[trade + T_RUNGS]:", "if False:"),),
    ),
    Mutant(
        name="shorts_left_out_of_the_bound",
        why="blocks of bars are skipped whose shorts fell deeper than known: a drawdown is missed",
        swaps=(
            (" + ((gross - net) >> 1) * nodes[\n            market, node + N_HIGH\n        ]", ""),
            ("lower += net * (least if net > 0 else most)", "lower += net * least"),
        ),
    ),
    Mutant(
        name="exits_of_one_moment_in_any_order",
        why="realised equity falls by another path when two trades end at once",
        swaps=(("memory[at - 2] > episode", "memory[at - 2] < episode"),),
    ),
)


def kernel_files(root: Path) -> list[Path]:
    """The files that hold compiled code, however many they are."""
    replay = root / REPLAY
    return sorted(path for path in replay.rglob("*.py") if path.relative_to(replay).parts[0].startswith("kernel"))


def occurrences(root: Path, text: str) -> list[Path]:
    """The kernel's files that hold a text, one entry for each time."""
    return [path for path in kernel_files(root) for _ in range(path.read_text("utf-8").count(text))]


def planted(root: Path, folder: Path, mutant: Mutant | None) -> Path:
    """The package in `folder` with one fault in its kernel (or none); all other files are the project's own."""
    package = folder / "copytrade_core"
    shutil.copytree(root / REPLAY, folder / REPLAY, ignore=shutil.ignore_patterns("__pycache__"))
    for old, new in mutant.swaps if mutant is not None else ():
        (path,) = occurrences(folder, old)
        path.write_text(path.read_text("utf-8").replace(old, new), "utf-8")
    for part in (root / "copytrade_core").iterdir():
        if part.name not in ("replay", "__pycache__"):
            (package / part.name).symlink_to(part)
    (folder / "tests").symlink_to(root / "tests")
    return folder


class Hunter:
    """A process that has loaded what every hunt needs and forks a child for each: loading it takes as long as hunting.

    Interpreted (numba's own switch) a fault shows without the seconds that compiling takes. Use as a context.
    """

    def __init__(self, *, compiled: bool) -> None:
        self._environment = {**os.environ, "NUMBA_DISABLE_JIT": "0" if compiled else "1"}

    def __enter__(self) -> Self:
        # Not started in the checkout: the child's first place to look for the engine is the folder it is given.
        self._process = subprocess.Popen(
            [sys.executable, "-c", SERVE],
            cwd=Path(sys.executable).parent,
            env=self._environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        _ = self._process.wait(timeout=30)

    def hunt(self, folder: Path, seeds: int) -> tuple[str, str] | None:
        """The first case on which the planted engine differs: its name and the difference in words."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{seeds} {folder}\n")
        self._process.stdin.flush()
        said: list[str] = []
        while not (line := self._process.stdout.readline()).startswith("ended "):
            assert line, "the hunter died"
            said.append(line)
        assert line == "ended 0\n", f"the hunt failed: {line}"
        found = json.loads(said[-1])
        assert Path(found["sweep"]).parent == folder / REPLAY, "another engine was loaded"
        return None if found["case"] is None else (found["case"], found["difference"])


def main(seeds: int) -> None:
    """Print the first differing case of this process's engines."""
    from copytrade_core.replay import sweep
    from tests.replay.both_engines import difference_in
    from tests.replay.golden_cases import GOLDEN
    from tests.replay.random_cases import case

    found: dict[str, str | None] = {"sweep": sweep.__file__, "case": None, "difference": None}
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
