"""The command `copytrade`: its first function, so small that Ctrl-C is answered from the first moment.

Verbs live in modules of their own (`app.py` lists them); what they do belongs to the rooms and `edges.stages`.
"""

from __future__ import annotations

import _thread
import os
import signal
import sys
import time
from typing import NoReturn

INTERRUPTED = 130


def run() -> NoReturn:
    """Entry point: run the command line and exit with its code."""
    sys.unraisablehook = _keep_interrupt
    try:
        from copytrade_core.cli.app import main

        code = int(main(sys.argv[1:]))
    except KeyboardInterrupt:
        from copytrade_core.cli.faults import tell_stopped

        code = int(tell_stopped(as_json="--json" in sys.argv))
    # The answer is out: a Ctrl-C while the interpreter ends changes nothing any more.
    _ = signal.signal(signal.SIGINT, signal.SIG_IGN)
    if code == INTERRUPTED:
        _leave_at_once(code)
    sys.exit(code)


def _keep_interrupt(unraisable: sys.UnraisableHookArgs) -> None:
    """A Ctrl-C that hits a destructor would be printed and forgotten; raise it again where it can be heard."""
    if isinstance(unraisable.exc_value, KeyboardInterrupt):
        _ = _thread.start_new_thread(_interrupt_soon, ())
    else:
        sys.__unraisablehook__(unraisable)


def _interrupt_soon() -> None:
    """From another thread and a moment later, so that the destructor is over.

    As a signal: `interrupt_main` only leaves a note, which a main thread that has begun to sleep reads when it wakes.
    """
    time.sleep(0.02)
    os.kill(os.getpid(), signal.SIGINT)


def _leave_at_once(code: int) -> NoReturn:
    """Without the interpreter's end, which would replace the exit code by the signal when Ctrl-C came at an import."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    run()
