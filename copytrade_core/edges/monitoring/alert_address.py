"""Where alerts go: an apprise URL from the environment or a file. How a secret is read is `secret_text`'s."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import SecretStr

from copytrade_core.edges.secret_text import secret_text

ALERT_URL = "COPYTRADE_ALERT_URL"
HEARTBEAT_URL = "COPYTRADE_HEARTBEAT_URL"


def address(environ: Mapping[str, str], variable: str) -> SecretStr | None:
    """The URL that a variable holds, or the file that `<variable>_FILE` names; None when neither is set.

    Raises:
        BadConfig: as `secret_text`.
    """
    return secret_text(environ, variable, what="alert address")
