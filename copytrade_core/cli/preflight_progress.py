"""What a person sees while a preflight runs: one line on standard error, and nothing where nobody watches."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import TYPE_CHECKING, Self

from copytrade_core.cli.output import error_console

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from copytrade_core.edges.stages.preflight import PreflightProgress


class Watch:
    """Use as a context; call it with every drill that is over."""

    def __init__(self) -> None:
        self._shown: Progress | None = None
        self._task: TaskID | None = None

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
            self._task = self._shown.add_task("the venue's stand-in", total=None, told="")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        del kind, error, trace
        if self._shown is not None:
            self._shown.stop()

    def __call__(self, seen: PreflightProgress) -> None:
        """One drill further."""
        if self._shown is None or self._task is None:
            return
        told = f"{seen.broken} broken" if seen.broken else ""
        self._shown.update(self._task, description=seen.doing, completed=seen.done, total=seen.total, told=told)
