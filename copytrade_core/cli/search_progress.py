"""What a person sees while a search runs: one line on standard error, and nothing where nobody watches."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

from copytrade_core.cli.output import error_console

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from copytrade_core.edges.stages.search_trials import SearchProgress

WORDS = {"neighbours": "neighbours of the best", "judging": "validation, both engines, luck"}


class Watch:
    """Use as a context; call it with every step of a search. `last` is the newest one."""

    def __init__(self) -> None:
        self.last: SearchProgress | None = None
        self._shown: Progress | None = None
        self._task: TaskID | None = None
        self._begun_s = time.monotonic()

    def __enter__(self) -> Self:
        if sys.stderr.isatty():
            from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

            columns = (
                TextColumn("{task.description}", markup=False),
                BarColumn(bar_width=24),
                TextColumn("{task.completed}/{task.total}", markup=False),
                TextColumn("{task.fields[told]}", markup=False),
                TimeElapsedColumn(),
            )
            self._shown = Progress(*columns, console=error_console(), transient=True)
            self._shown.start()
            self._task = self._shown.add_task("data and engine", total=None, told="")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        del kind, error, trace
        if self._shown is not None:
            self._shown.stop()

    def __call__(self, seen: SearchProgress) -> None:
        """One step further."""
        self.last = seen
        if self._shown is None or self._task is None:
            return
        fresh = seen.trials_count - seen.stored_count
        speed = fresh / max(time.monotonic() - self._begun_s, 1e-3)
        best = "" if seen.best is None else f"best {seen.best:.4g}, "
        self._shown.update(
            self._task,
            description=f"{WORDS.get(seen.doing, seen.doing)}, batch {seen.batch_index + 1}",
            completed=seen.sampled_count,
            total=seen.wanted_count,
            told=f"{best}{speed:,.0f} trials/s",
        )
