"""Adding a lead to the orchestrator's partitions, from a program that does not know the orchestrator.

The orchestrator's own process does it; here it is only started.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from copytrade_core.edges.settings import Settings
from copytrade_core.edges.settings_file import PROJECT
from copytrade_core.model.errors import BadInput, StoreFault, Where

LEAD_ID = re.compile(r"[0-9]{6,24}", re.ASCII)
TIMEOUT_S = 120.0


def require_portfolio_id(text: str) -> None:
    """Whether a text can be the id of a lead at all.

    Raises:
        BadInput: it cannot.
    """
    if not LEAD_ID.fullmatch(text):
        raise BadInput(
            f"{text!r} is not a portfolio id",
            where=Where(field="--lead"),
            next_step="It is the number in the address of the lead's copy-trading page: 6 to 24 digits",
        )


def track_lead(settings: Settings, lead_id: str) -> bool:
    """Whether the lead was added (False: it was there already).

    Raises:
        BadInput: not a portfolio id.
        StoreFault: the instance cannot be made or written.
    """
    require_portfolio_id(lead_id)
    make_instance(settings.dagster_home)
    done = subprocess.run(  # noqa: S603 - our own module
        [sys.executable, "-m", "copytrade_dagster.track", lead_id],
        env={**os.environ, "DAGSTER_HOME": str(settings.dagster_home), "DAGSTER_DISABLE_TELEMETRY": "yes"},
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    if done.returncode != 0:
        raise StoreFault(
            f"Dagster did not take the lead: {done.stderr.strip().splitlines()[-1:]}",
            where=Where(file=str(settings.dagster_home)),
            next_step="Check DAGSTER_HOME",
        )
    return bool(json.loads(done.stdout.splitlines()[-1])["added"])


def make_instance(home: Path) -> None:
    """The instance's folder with the project's `dagster.yaml`, when it is not there yet.

    Raises:
        StoreFault: it cannot be written.
    """
    try:
        home.mkdir(parents=True, exist_ok=True)
        if not (home / "dagster.yaml").exists():
            shutil.copy(PROJECT / "dagster.yaml", home / "dagster.yaml")
    except OSError as error:
        raise StoreFault(
            f"the Dagster instance cannot be made: {error.strerror}",
            where=Where(file=str(home)),
            next_step="Set DAGSTER_HOME to another folder",
        ) from error
