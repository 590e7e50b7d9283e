"""A secret from the environment or from a file that only its owner may read, kept so that nothing ever shows it.

Which secrets there are, and what they open, is not known here.
"""

from __future__ import annotations

import stat
from collections.abc import Mapping
from pathlib import Path

from pydantic import SecretStr

from copytrade_core.model.errors import BadConfig, Where

FILE = "_FILE"
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def secret_text(environ: Mapping[str, str], variable: str, *, what: str) -> SecretStr | None:
    """The text that a variable holds, or the file that `<variable>_FILE` names; None when neither is set.

    Args:
        environ: the environment.
        variable: its name.
        what: the secret in a word or two, for errors ("alert address").

    Raises:
        BadConfig: both are set; the file cannot be read, is empty, or is open to others than its owner. What it says
            is never shown.
    """
    text, named = environ.get(variable, ""), environ.get(f"{variable}{FILE}", "")
    if text and named:
        raise BadConfig(
            f"{variable} and {variable}{FILE} are both set",
            where=Where(field=variable),
            next_step=f"Unset one of them: the {what} is said once",
        )
    if named:
        text = _from_file(Path(named), f"{variable}{FILE}", what)
    return SecretStr(text.strip()) if text.strip() else None


def _from_file(path: Path, variable: str, what: str) -> str:
    where = Where(file=str(path), field=variable)
    try:
        mode = path.stat().st_mode
        if mode & _OTHERS:
            step = f"Run: chmod 600 {path}"
            raise BadConfig(f"the file with the {what} can be read by others", where=where, next_step=step)
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise BadConfig(f"the file with the {what} cannot be read: {reason}", where=where) from error
    if not text.strip():
        raise BadConfig(f"the file with the {what} is empty", where=where)
    return text
