"""Where alerts go: an apprise URL from the environment or a file, kept so that nothing ever shows it."""

from __future__ import annotations

import stat
from collections.abc import Mapping
from pathlib import Path

from pydantic import SecretStr

from copytrade_core.model.errors import BadConfig, Where

ALERT_URL = "COPYTRADE_ALERT_URL"
HEARTBEAT_URL = "COPYTRADE_HEARTBEAT_URL"
_FILE = "_FILE"
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def address(environ: Mapping[str, str], variable: str) -> SecretStr | None:
    """The URL that a variable holds, or the file that `<variable>_FILE` names; None when neither is set.

    Raises:
        BadConfig: both are set; the file cannot be read, is empty, or is open to others than its owner. What it says
            is never shown.
    """
    text, named = environ.get(variable, ""), environ.get(f"{variable}{_FILE}", "")
    if text and named:
        raise BadConfig(f"{variable} and {variable}{_FILE} are both set", where=Where(field=variable))
    if named:
        text = _from_file(Path(named), f"{variable}{_FILE}")
    return SecretStr(text.strip()) if text.strip() else None


def _from_file(path: Path, variable: str) -> str:
    where = Where(file=str(path), field=variable)
    try:
        mode = path.stat().st_mode
        if mode & _OTHERS:
            step = f"Run: chmod 600 {path}"
            raise BadConfig("the file with the alert address can be read by others", where=where, next_step=step)
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise BadConfig(f"the file with the alert address cannot be read: {reason}", where=where) from error
    if not text.strip():
        raise BadConfig("the file with the alert address is empty", where=where)
    return text
