"""The command `copytrade`: its first function, so small that Ctrl-C is answered from the first moment.

Verbs live in modules of their own (`app.py` lists them); what they do belongs to the rooms and `edges.stages`.
"""

from __future__ import annotations

import signal
import sys


def run() -> None:
    """Entry point: run the command line and exit with its code."""
    try:
        from copytrade_core.cli.app import main

        code = main(sys.argv[1:])
    except KeyboardInterrupt:
        from copytrade_core.cli.faults import tell_stopped

        code = tell_stopped(as_json="--json" in sys.argv)
    # The answer is out: a Ctrl-C while the interpreter ends changes nothing any more.
    _ = signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.exit(code)


if __name__ == "__main__":
    run()
