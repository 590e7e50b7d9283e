"""The state of this machine for copytrade: settings' files, store, clock, permissions, and what the next step lacks.

Nothing is mended here; every finding says what to do.
"""

from __future__ import annotations

import os
import platform
import shutil
import stat
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from copytrade_core.edges.diagnosis_sessions import SessionFinding, sessions, told, watched
from copytrade_core.edges.holdout_file import HoldoutFile
from copytrade_core.edges.lake import Lake
from copytrade_core.edges.lake_garbage import garbage
from copytrade_core.edges.pages.page_archive import PageArchive
from copytrade_core.edges.settings import Settings
from copytrade_core.edges.trial_registry import TrialRegistry
from copytrade_core.model.errors import CopytradeError

FREE_BYTES_MIN = 500_000_000
"""A year of minute bars of ten markets is about 100 MB; below this a long poll may not finish."""
BUILT_AT = datetime(2026, 11, 1, tzinfo=UTC)
"""A clock before this program existed is wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at. `next_step` is empty when it is fine."""

    subject: str
    is_fine: bool
    found: str
    next_step: str


def diagnose(
    settings: Settings, lake: Lake, archive: PageArchive, *, now: datetime, garbage_age_s: float
) -> list[Finding]:
    """Everything that was looked at, in the order a reader would mend it."""
    return [
        _python(),
        _files(settings),
        _writable(settings.data_dir),
        _permissions(settings.data_dir),
        _space(settings.data_dir),
        _clock(archive, now),
        _guarded("store", lambda: _objects(lake)),
        _guarded("archive", lambda: _archive(archive)),
        _guarded("trials", lambda: _trials(lake)),
        _guarded("holdout", lambda: _holdout(lake)),
        _guarded("leftovers", lambda: _leftovers(lake.root, now.timestamp() - garbage_age_s)),
        _guarded("leads", lambda: _leads(archive)),
        _guarded("sessions", lambda: _session("sessions", sessions(settings.data_dir, now))),
        _guarded("monitor", lambda: _session("monitor", watched(settings.data_dir, now))),
        _guarded("alerts", lambda: _session("alerts", told(settings.data_dir, now, os.environ))),
    ]


def _fine(subject: str, found: str) -> Finding:
    return Finding(subject=subject, is_fine=True, found=found, next_step="")


def _bad(subject: str, found: str, next_step: str) -> Finding:
    return Finding(subject=subject, is_fine=False, found=found, next_step=next_step)


def _session(subject: str, found: SessionFinding) -> Finding:
    return Finding(subject=subject, is_fine=not found.next_step, found=found.found, next_step=found.next_step)


def _guarded(subject: str, look: Callable[[], Finding]) -> Finding:
    try:
        return look()
    except CopytradeError as error:
        return _bad(subject, f"{error.what} {error.where}".strip(), error.next_step or "Restore it from a copy")


def _python() -> Finding:
    found = f"Python {platform.python_version()}"
    if (3, 11) <= sys.version_info[:2] < (3, 14):
        return _fine("python", found)
    return _bad("python", found, "Use Python 3.11, 3.12 or 3.13")


def _files(settings: Settings) -> Finding:
    paths = settings.paths
    wanted = [paths.instruments, paths.promotion_contract, paths.search, *settings.policies.values()]
    absent = [str(path) for path in wanted if not path.is_file()]
    if absent:
        return _bad("settings", f"absent: {', '.join(absent)}", "Restore the files or correct copytrade.toml")
    return _fine("settings", f"{len(wanted)} files of rules and policies are there")


def _existing(folder: Path) -> Path:
    return next(place for place in (folder, *folder.parents) if place.exists())


def _writable(folder: Path) -> Finding:
    place = _existing(folder)
    probe = place / f".copytrade-{uuid4().hex}"
    try:
        probe.touch()
        probe.unlink()
    except OSError as error:
        return _bad("data folder", f"{place}: {error.strerror}", "Make it writable or set COPYTRADE_DATA_DIR")
    return _fine("data folder", f"{folder} is writable")


def _permissions(folder: Path) -> Finding:
    if os.name != "posix" or not folder.exists():
        return _fine("permissions", "nothing to look at")
    mode = stat.S_IMODE(folder.stat().st_mode)
    if mode & stat.S_IWOTH:
        return _bad("permissions", f"{folder} is writable by everyone ({mode:o})", f"chmod o-w {folder}")
    return _fine("permissions", f"{mode:o}")


def _space(folder: Path) -> Finding:
    free = shutil.disk_usage(_existing(folder)).free
    found = f"{free / 1e9:.1f} GB free"
    if free < FREE_BYTES_MIN:
        return _bad("disk", found, "Free some space; writes refuse cleanly when it runs out")
    return _fine("disk", found)


def _clock(archive: PageArchive, now: datetime) -> Finding:
    if now < BUILT_AT:
        return _bad("clock", f"{now:%Y-%m-%d %H:%M} UTC is before this program was made", "Set the clock")
    latest = max((seen.received_at_us for lead in archive.leads() for seen in archive.observations(lead)), default=0)
    if latest > now.timestamp() * 1e6:
        return _bad("clock", "a page was received in the future", "Set the clock; it went back since the last poll")
    return _fine("clock", f"{now:%Y-%m-%d %H:%M} UTC")


def _objects(lake: Lake) -> Finding:
    count = 0
    for asset in lake.assets():
        for partition in lake.partitions(asset):
            head = lake.require(asset, partition)
            _ = lake.verified_bytes(asset, partition, head.digest)
            count += 1
    return _fine("store", f"{count} partitions, every object has its digest")


def _archive(archive: PageArchive) -> Finding:
    pages, damaged = 0, 0
    for lead in archive.leads():
        pages += sum(1 for _ in archive.pages(lead))
        damaged += len(archive.damage(lead))
    torn = f", {damaged} log lines torn by a crash are left out" if damaged else ""
    return _fine("archive", f"{pages} pages, every body has its digest{torn}")


def _trials(lake: Lake) -> Finding:
    registry = TrialRegistry(lake.root)
    segments = registry.verify().sequence
    count = sum(segment.rows for segment in registry.segments())
    return _fine("trials", f"{count} trials in {segments} segments, each following the one before it")


def _holdout(lake: Lake) -> Finding:
    count = len(HoldoutFile(lake, code_version="").entries())
    return _fine("holdout", f"{count} entries in the ledger, each following the one before it")


def _leftovers(root: Path, older_than_s: float) -> Finding:
    found = garbage(root, older_than_s=older_than_s)
    if found:
        return _bad("leftovers", f"{len(found)} files of killed writers", "copytrade doctor --gc")
    return _fine("leftovers", "none")


def _leads(archive: PageArchive) -> Finding:
    leads = [lead for lead in archive.leads() if not lead.startswith("_")]
    if not leads:
        return _bad(
            "leads", "no lead is archived", "copytrade import --from-dir DIR, or copytrade poll --lead ID --once"
        )
    return _fine("leads", f"{len(leads)} archived")
