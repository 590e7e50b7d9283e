"""At which addresses a runtime directory's sessions read, as their journal says it, and whether one may go on in it.

What such a difference means for evidence is decided in `promotion`.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

import msgspec

from copytrade_core.edges.runtime.runtime_files import SESSION_FILE
from copytrade_core.edges.runtime.session_reader import reading
from copytrade_core.edges.settings import Settings
from copytrade_core.edges.settings_url import origin_of
from copytrade_core.model.errors import BadInput, StoreFault, Where
from copytrade_core.model.read_at import ReadAt

THE_VENUE = "the venue itself"
Found = set[ReadAt | None]
"""None stands for runs that told no address: they were told the archive, or are older than addresses are kept."""


class _InForce(msgspec.Struct, frozen=True):
    read_at: ReadAt | None = None


def addresses_of(settings: Settings, *, with_venue: bool) -> ReadAt:
    """Where a live session reads with these settings; `with_venue` for one in shadow."""
    return ReadAt(
        source=origin_of(settings.source.base_url),
        market=origin_of(settings.market.base_url),
        venue=(settings.shadow.base_url or THE_VENUE) if with_venue else None,
    )


def addresses_in(folder: Path) -> Found:
    """Where the runs in a runtime directory read; empty where none has begun.

    Raises:
        StoreFault: the journal cannot be read.
    """
    if not (folder / SESSION_FILE).exists():
        return set()
    with reading(folder / SESSION_FILE) as connection:
        return _addresses(connection)


def only_address(connection: sqlite3.Connection) -> ReadAt | None:
    """Where all runs of a journal read; None where one told no address, or another: what is held came from both.

    Raises:
        StoreFault: what is in force cannot be read.
    """
    found = _addresses(connection)
    return found.pop() if len(found) == 1 else None


def elsewhere(found: Found, ours: ReadAt) -> str | None:
    """What a runtime directory read where the settings do not point, in words; None where it may go on."""
    others = [one for one in found if one != ours]
    if not others:
        return None
    known = sorted(one.against(ours) for one in others if one is not None)
    return "; ".join(known) or "an address that it does not tell"


def refuse_elsewhere(folder: Path, ours: ReadAt) -> None:
    """A live session goes on only where it read before: what it holds must be of one lead, market and venue.

    Raises:
        BadInput: the folder's sessions read elsewhere.
        StoreFault: the journal cannot be read.
    """
    where = elsewhere(addresses_in(folder), ours)
    if where is not None:
        raise BadInput(
            f"the session in this runtime directory read {where}",
            where=Where(file=str(folder), field="base_url"),
            next_step="Point the settings back, or move the folder away: another session begins",
        )


def _addresses(connection: sqlite3.Connection) -> Found:
    tables = "SELECT 1 FROM sqlite_schema WHERE name = 'config_snapshots'"
    if connection.execute(tables).fetchone() is None:
        return set()
    bodies = connection.execute("SELECT body FROM config_snapshots").fetchall()
    try:
        return {msgspec.json.decode(body, type=_InForce).read_at for (body,) in bodies}
    except msgspec.DecodeError as error:
        raise StoreFault(f"what was in force in the session cannot be read: {error}") from error
