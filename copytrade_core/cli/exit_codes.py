"""What the command's exit codes mean, and which error gives which.

The table in `docs/reference/cli.md` is generated from here.
"""

from __future__ import annotations

from enum import IntEnum

from copytrade_core.model.errors import (
    BadConfig,
    BadInput,
    CopytradeError,
    NotStored,
    OutOfBounds,
    PromotionRefused,
    StoreFault,
)


class ExitCode(IntEnum):
    """Exit codes; scripts may rely on them."""

    OK = 0
    REFUSED = 1
    BAD_INPUT = 2
    NOT_STORED = 3
    UPSTREAM = 4
    STORE = 5
    FAULT = 70
    INTERRUPTED = 130


MEANINGS = {
    ExitCode.OK: "done",
    ExitCode.REFUSED: "a gate did not pass, a check found something, or a step was refused",
    ExitCode.BAD_INPUT: "wrong usage, setting, file, row or field",
    ExitCode.NOT_STORED: "something that was asked for has not been stored yet",
    ExitCode.UPSTREAM: "the source or the market did not answer as it should",
    ExitCode.STORE: "the store cannot be read or written",
    ExitCode.FAULT: "a fault of copytrade itself; run again with --debug and report it",
    ExitCode.INTERRUPTED: "stopped with Ctrl-C; nothing is half-written",
}


def exit_code_of(error: CopytradeError) -> ExitCode:
    """The exit code of an error. Whatever a client met on its way to a host counts as upstream."""
    match error:
        case PromotionRefused():
            return ExitCode.REFUSED
        case BadInput() | BadConfig() | OutOfBounds():
            return ExitCode.BAD_INPUT
        case NotStored():
            return ExitCode.NOT_STORED
        case StoreFault():
            return ExitCode.STORE
        case _:
            return ExitCode.UPSTREAM
