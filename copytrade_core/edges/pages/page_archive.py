"""The raw archive: every answer exactly as received, append-only, one folder per lead and endpoint.

Nothing is parsed here; an answer is archived before anyone looks at it. Layout below the root:
`<lead>/<endpoint>/bodies/<sha256>` (bytes, once), `<lead>/<endpoint>/observations.jsonl` (one line per answer) and
`<lead>/walks.jsonl` (which pages made up one reading of the history).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

import msgspec
from filelock import FileLock

from copytrade_core.edges.atomic_files import (
    append_line,
    make_folder,
    read_if_present,
    store_faults,
    write_whole,
)
from copytrade_core.model.errors import BadInput, StoreFault, Where
from copytrade_core.model.source import Endpoint, LeadId, SourcePage
from copytrade_core.sources.history_walk import HistoryWalk

Record = TypeVar("Record")
LEAD_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LOCK_TIMEOUT_S = 60.0
"""A writer holds the lock for one small write; a minute means that something is stuck."""


class Observation(msgspec.Struct, frozen=True, kw_only=True):
    """One answer as it is logged; the bytes are under `sha256`. `received_at_us` is epoch microseconds.

    `origin` is who answered: scheme, host and port; None for imports and what was logged before it was kept.
    """

    endpoint: Endpoint
    page: int | None
    url_path: str
    request: str
    status: int
    headers: tuple[tuple[str, str], ...]
    sha256: str
    bytes_count: int
    received_at_us: int
    origin: str | None = None


class WalkRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One reading of a history: the claim, what was read, and its pages as (request, sha256)."""

    total_count: int
    distinct_count: int
    restarts_count: int
    pages: tuple[tuple[str, str], ...]
    finished_at_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DamagedLine:
    """A log line that a crash left half-written; it was never acknowledged."""

    file: Path
    line: int


class PageArchive:
    """Append-only store of raw answers below `root`; safe under parallel processes and sudden death."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def append(self, page: SourcePage) -> bool:
        """Store an answer; True when its bytes are new for this lead and endpoint.

        The bytes are durable before the observation names them, so a crash in between loses nothing that was promised.

        Raises:
            BadInput: the lead id is no plain name, or the digest is not that of the body.
            StoreFault: the folder cannot be written.
        """
        if hashlib.sha256(page.body).hexdigest() != page.sha256:
            raise BadInput("sha256 is not the digest of the body", where=Where(field="sha256"))
        folder = self._folder(page.lead_id, page.endpoint)
        body = folder / "bodies" / page.sha256
        line = msgspec.json.encode(_observation(page))
        with store_faults(folder, "write to"), self._locked(folder):
            is_new = not body.exists()
            if is_new:
                write_whole(body, page.body, tmp=self.root / ".tmp")
            append_line(folder / "observations.jsonl", line)
        return is_new

    def append_walk(self, walk: HistoryWalk, *, finished_at: datetime) -> None:
        """Record which archived pages made up one reading of the history.

        Raises:
            BadInput: a page of the walk is not archived.
        """
        folder = self._folder(walk.lead_id, Endpoint.POSITION_HISTORY)
        for page in walk.pages:
            if not (folder / "bodies" / page.sha256).exists():
                raise BadInput("a page of the walk is not in the archive", where=Where(request=page.request))
        record = WalkRecord(
            total_count=walk.total_count,
            distinct_count=walk.distinct_count,
            restarts_count=walk.restarts_count,
            pages=tuple((page.request, page.sha256) for page in walk.pages),
            finished_at_us=_us(finished_at),
        )
        with self._locked(folder.parent):
            append_line(folder.parent / "walks.jsonl", msgspec.json.encode(record))

    def leads(self) -> tuple[LeadId, ...]:
        """Every lead with at least one answer, sorted."""
        if not self.root.is_dir():
            return ()
        with store_faults(self.root, "list"):
            names = [entry.name for entry in self.root.iterdir() if entry.is_dir() and LEAD_NAME.fullmatch(entry.name)]
        return tuple(LeadId(name) for name in sorted(names) if any(self.observations(LeadId(name))))

    def observations(self, lead_id: LeadId, endpoint: Endpoint | None = None) -> Iterator[Observation]:
        """Every answer of a lead in the order logged, endpoint by endpoint; damaged lines are left out."""
        for folder in self._folders(lead_id, endpoint):
            yield from _read_log(folder / "observations.jsonl", Observation)[0]

    def origins(self, lead_id: LeadId) -> frozenset[str]:
        """Who gave the answers about a lead, as far as the log says."""
        return frozenset(seen.origin for seen in self.observations(lead_id) if seen.origin is not None)

    def pages(self, lead_id: LeadId, endpoint: Endpoint | None = None) -> Iterator[SourcePage]:
        """Every distinct answer of a lead, first seen first within its endpoint; error answers included.

        Two requests that got the same bytes are two pages. `received_at` is the first time.

        Raises:
            StoreFault: bytes are gone or differ from their digest.
        """
        seen: set[tuple[Endpoint, str, str]] = set()
        for observation in self.observations(lead_id, endpoint):
            key = (observation.endpoint, observation.request, observation.sha256)
            if key not in seen:
                seen.add(key)
                yield self.answer(lead_id, observation)

    def walks(self, lead_id: LeadId) -> tuple[WalkRecord, ...]:
        """Every reading of the history, complete or not, oldest first."""
        records = _read_log(self._lead_folder(lead_id) / "walks.jsonl", WalkRecord)[0]
        return tuple(sorted(records, key=lambda record: record.finished_at_us))

    def answer(self, lead_id: LeadId, observation: Observation) -> SourcePage:
        """The answer behind one observation, `received_at` being that observation's: unchanged polls can be replayed.

        Raises:
            StoreFault: bytes are gone or differ from their digest.
        """
        path = self._folder(lead_id, observation.endpoint) / "bodies" / observation.sha256
        body = read_if_present(path)
        if body is None or hashlib.sha256(body).hexdigest() != observation.sha256:
            raise StoreFault("an archived answer is gone or was changed", where=Where(file=str(path)))
        return SourcePage(
            lead_id=lead_id,
            endpoint=observation.endpoint,
            page=observation.page,
            url_path=observation.url_path,
            request=observation.request,
            status=observation.status,
            headers=observation.headers,
            body=body,
            sha256=observation.sha256,
            received_at=EPOCH + timedelta(microseconds=observation.received_at_us),
            origin=observation.origin,
        )

    def newest_complete_walk(self, lead_id: LeadId) -> HistoryWalk | None:
        """The latest reading of the history that met its claim, with its pages; None when there is none."""
        records = _read_log(self._lead_folder(lead_id) / "walks.jsonl", WalkRecord)[0]
        complete = [record for record in records if record.total_count == record.distinct_count]
        if not complete:
            return None
        newest = max(complete, key=lambda record: record.finished_at_us)
        pages = {(page.request, page.sha256): page for page in self.pages(lead_id, Endpoint.POSITION_HISTORY)}
        return HistoryWalk(
            lead_id=lead_id,
            total_count=newest.total_count,
            distinct_count=newest.distinct_count,
            restarts_count=newest.restarts_count,
            pages=tuple(pages[key] for key in newest.pages),
        )

    def digest(self, lead_id: LeadId, endpoint: Endpoint | None = None) -> str:
        """Identity of the set of successful answers (HTTP 200) of a lead.

        sha256 over the sorted distinct lines `endpoint request body-sha256`: an unchanged poll and the order
        or time of arrival do not change it; a new body does.
        """
        lines = {
            f"{seen.endpoint.value} {seen.request} {seen.sha256}\n"
            for seen in self.observations(lead_id, endpoint)
            if seen.status == 200
        }
        return hashlib.sha256("".join(sorted(lines)).encode()).hexdigest()

    def damage(self, lead_id: LeadId) -> tuple[DamagedLine, ...]:
        """Half-written log lines of a lead."""
        logs = [folder / "observations.jsonl" for folder in self._folders(lead_id, None)]
        found = [_read_log(log, Observation)[1] for log in logs]
        found.append(_read_log(self._lead_folder(lead_id) / "walks.jsonl", WalkRecord)[1])
        return tuple(line for lines in found for line in lines)

    def _lead_folder(self, lead_id: LeadId) -> Path:
        if not LEAD_NAME.fullmatch(lead_id):
            raise BadInput(f"{lead_id!r} is not a lead id", where=Where(field="lead_id"))
        return self.root / lead_id

    def _folder(self, lead_id: LeadId, endpoint: Endpoint) -> Path:
        return self._lead_folder(lead_id) / endpoint.value

    def _folders(self, lead_id: LeadId, endpoint: Endpoint | None) -> list[Path]:
        wanted = list(Endpoint) if endpoint is None else [endpoint]
        return [self._folder(lead_id, one) for one in wanted]

    def _locked(self, folder: Path) -> FileLock:
        make_folder(folder)
        return FileLock(folder / ".lock", timeout=LOCK_TIMEOUT_S)


def _observation(page: SourcePage) -> Observation:
    return Observation(
        endpoint=page.endpoint,
        page=page.page,
        url_path=page.url_path,
        request=page.request,
        status=page.status,
        headers=page.headers,
        sha256=page.sha256,
        bytes_count=len(page.body),
        received_at_us=_us(page.received_at),
        origin=page.origin,
    )


def _us(instant: datetime) -> int:
    return (instant - EPOCH) // timedelta(microseconds=1)


def _read_log(path: Path, kind: type[Record]) -> tuple[list[Record], list[DamagedLine]]:
    content = read_if_present(path)
    records: list[Record] = []
    damaged: list[DamagedLine] = []
    if content is None:
        return records, damaged
    lines = content.split(b"\n")
    torn_tail = lines.pop()
    for number, line in enumerate(lines, start=1):
        try:
            records.append(msgspec.json.decode(line, type=kind))
        except (msgspec.DecodeError, UnicodeDecodeError):
            damaged.append(DamagedLine(file=path, line=number))
    if torn_tail:
        damaged.append(DamagedLine(file=path, line=len(lines) + 1))
    return records, damaged
