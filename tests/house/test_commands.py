"""The commands that people are told to type exist, and what they say is true."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys

import pytest

WANTED = {
    "install",
    "demo",
    "ui",
    "test",
    "bench",
    "soak",
    "lint",
    "docs",
    "help",
    "requirements",
    "clean",
}


def make(project_root, *arguments, **environment):
    if shutil.which("make") is None:
        pytest.skip("make is not installed here, so its commands cannot be tried")
    plain = {key: value for key, value in os.environ.items() if key not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")}
    return subprocess.run(
        ["make", "-C", str(project_root), "--no-print-directory", *arguments],
        env={**plain, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_help_lists_every_command(project_root):
    said = make(project_root, "help")
    assert said.returncode == 0
    assert set(re.findall(r"make ([a-z]+)", said.stdout)) >= WANTED
    assert make(project_root).stdout == said.stdout, "plain `make` should help, not act"


def test_documents_name_only_commands_that_exist(project_root):
    known = set(re.findall(r"^([a-z]+):", (project_root / "Makefile").read_text(), re.MULTILINE))
    for name in ("README.md", "CONTRIBUTING.md", "docs/index.md"):
        text = (project_root / name).read_text(encoding="utf-8")
        assert set(re.findall(r"(?:^|`|&& )make ([a-z]+)", text, re.MULTILINE)) - known == set(), name


def test_documents_name_only_verbs_that_exist(project_root):
    said = subprocess.run(
        [sys.executable, "-m", "copytrade_core.cli", "--help"],
        env={**os.environ, "COLUMNS": "200", "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    ).stdout
    verbs = set(re.findall(r"^│ ([a-z-]+) {2,}", said, re.MULTILINE))
    assert len(verbs) > 3
    named: dict[str, set[str]] = {}
    for page in [*project_root.glob("*.md"), *(project_root / "docs").rglob("*.md")]:
        if page.name != "CHANGELOG.md" and "adr" not in page.parts:  # these tell of other times
            text = page.read_text(encoding="utf-8")
            shown = "\n".join(re.findall(r"^```.*?^```", text, re.MULTILINE | re.DOTALL))
            typed = re.findall(r"`copytrade ([a-z-]+)", text) + re.findall(
                r"^(?:\S*bin/)?copytrade ([a-z-]+)", shown, re.MULTILINE
            )
            unknown = set(typed) - verbs
            named |= {page.name: unknown} if unknown else {}
    assert named == {}


def test_a_python_that_is_not_there_is_said_plainly(project_root, tmp_path):
    said = make(project_root, "install", "PYTHON=python-of-nobody", f"VENV={tmp_path / 'venv'}")
    assert said.returncode != 0
    assert "needs Python 3.11, 3.12 or 3.13" in said.stderr
    assert not (tmp_path / "venv").exists()


def test_continuous_integration_runs_what_a_developer_runs(project_root):
    script = project_root / ".ci/run"
    assert os.access(script, os.X_OK)
    commands = [line for line in script.read_text().splitlines() if line and not line.startswith(("#", "set", "cd"))]
    assert commands == ["exec make test"]


def test_the_licence_is_whole(project_root):
    text = (project_root / "LICENSE").read_text()
    assert "Apache License" in text
    assert "Version 2.0, January 2004" in text
    assert "END OF TERMS AND CONDITIONS" in text
