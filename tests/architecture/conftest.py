"""The project's source as parsed modules: what every architecture test reads."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceModule:
    """One Python file. `path` is relative to the checkout, with forward slashes."""

    path: str
    text: str
    tree: ast.Module

    @property
    def room(self) -> str:
        """`copytrade_core/edges/lake.py` -> `edges`, `copytrade_core/flow.py` -> `flow`; the package for the rest."""
        parts = self.path.split("/")
        if parts[0] != "copytrade_core" or len(parts) < 2:
            return parts[0]
        return parts[1].removesuffix(".py")

    @property
    def is_pure(self) -> bool:
        """Whether it belongs to a room that may not touch the world."""
        return self.path.startswith("copytrade_core/") and self.room not in ("edges", "cli")


def _module(path: str, text: str) -> SourceModule:
    return SourceModule(path=path, text=text, tree=ast.parse(text, filename=path))


@pytest.fixture(scope="session")
def parsed() -> Callable[[str, str], SourceModule]:
    """Parses a text as if it stood at a path: how a test plants a breach."""
    return _module


@pytest.fixture(scope="session")
def modules(project_root: Path) -> list[SourceModule]:
    """Every module of both packages."""
    found = [
        _module(file.relative_to(project_root).as_posix(), file.read_text(encoding="utf-8"))
        for package in ("copytrade_core", "copytrade_dagster")
        for file in sorted((project_root / package).rglob("*.py"))
    ]
    assert len(found) > 10, "the packages were not found, so nothing would be checked"
    return found


@pytest.fixture(scope="session")
def tracked(project_root: Path) -> list[str]:
    """Paths that git tracks; skips outside a checkout (an unpacked archive has no history)."""
    if not (project_root / ".git").exists():
        pytest.skip("not a git checkout: tracked files cannot be listed")
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=project_root, capture_output=True, check=True, timeout=30
    ).stdout.decode()
    return [path for path in listed.split("\0") if path and (project_root / path).is_file()]
