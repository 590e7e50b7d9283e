"""How a fault is told: what happened, where, what to do next; a traceback only with `--debug`.

Which errors there are belongs to `model.errors`.
"""

from __future__ import annotations

import sys
import traceback

from copytrade_core.cli.exit_codes import ExitCode, exit_code_of
from copytrade_core.cli.output import error_console, print_json
from copytrade_core.model.errors import CopytradeError


def tell(error: BaseException, *, as_json: bool, debug: bool) -> ExitCode:
    """Tells one error and returns the exit code it means."""
    if debug:
        traceback.print_exception(error, file=sys.stderr)
    if isinstance(error, CopytradeError):
        step = error.next_step or next_step_of(error)
        return tell_fault(error.what, str(error.where), step, exit_code_of(error), as_json=as_json)
    what = f"copytrade itself failed: {type(error).__name__}: {error}"
    step = "Run the same command with --debug and report what it prints"
    return tell_fault(what, "", step, ExitCode.FAULT, as_json=as_json)


def tell_fault(what: str, where: str, next_step: str, code: ExitCode, *, as_json: bool) -> ExitCode:
    """Writes the three parts: as JSON on standard output, or for people on standard error."""
    if as_json:
        print_json({"error": {"what": what, "where": where, "next_step": next_step}})
        return code
    to = error_console()
    to.print("[bold red]error[/] ", end="")
    to.print(what, markup=False, soft_wrap=True)
    for name, text in (("where", where), ("next ", next_step)):
        if text:
            to.print(f"[dim]{name}[/] ", end="")
            to.print(text, markup=False, soft_wrap=True)
    return code


def tell_stopped(*, as_json: bool) -> ExitCode:
    """Says that Ctrl-C was heard."""
    step = "Run the same command again; what was finished is kept"
    return tell_fault("stopped; nothing is half-written", "", step, ExitCode.INTERRUPTED, as_json=as_json)


NEXT_STEPS = {
    ExitCode.REFUSED: "Run `copytrade gates --lead ID` to see what is missing",
    ExitCode.BAD_INPUT: "Correct it and run the command again; --help shows an example",
    ExitCode.NOT_STORED: "Run `copytrade status` to see what is stored",
    ExitCode.UPSTREAM: "Try again later; what did arrive is in the archive",
    ExitCode.STORE: "Run `copytrade doctor`",
}


def next_step_of(error: CopytradeError) -> str:
    """What to do when the error does not say it itself."""
    return NEXT_STEPS[exit_code_of(error)]
