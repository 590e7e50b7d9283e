"""`python -m copytrade_core.cli` is the command `copytrade`."""

from __future__ import annotations

from copytrade_core.cli.main import run

run()
