"""What a hot stop left in a runtime directory, read back. Whether it may be gone on with is decided in `session`."""

from __future__ import annotations

from pathlib import Path

import msgspec

from copytrade_core.edges.atomic_files import read_if_present
from copytrade_core.edges.runtime.runtime_files import SNAPSHOT_FILE
from copytrade_core.edges.runtime.runtime_stamp import SCHEMA_VERSION
from copytrade_core.model.errors import BadInput, Where
from copytrade_core.session.snapshot import HotRestart, decode_hot_restart


def read_hot_restart(folder: Path) -> HotRestart | None:
    """What a hot stop left in a runtime directory; None when it left nothing.

    Raises:
        StoreFault: it cannot be read.
        BadInput: it is damaged or of another schema; names the field.
    """
    path = folder / SNAPSHOT_FILE
    content = read_if_present(path)
    if content is None:
        return None
    try:
        document = msgspec.json.decode(content, type=dict[str, msgspec.Raw])
        version = msgspec.json.decode(document.get("schema_version", b"null"))
        raw = document["snapshot"]
    except (msgspec.DecodeError, KeyError) as error:
        raise BadInput(f"{SNAPSHOT_FILE} is damaged: {error}", where=Where(file=str(path), field="snapshot")) from error
    if version != SCHEMA_VERSION:
        raise BadInput(
            f"{SNAPSHOT_FILE} has schema {version}, this version reads {SCHEMA_VERSION}",
            where=Where(file=str(path), field="schema_version"),
            next_step="Start the session anew with the version that wrote the snapshot",
        )
    return decode_hot_restart(bytes(raw))
