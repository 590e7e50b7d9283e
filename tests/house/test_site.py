"""The documentation builds as a site without a warning, and asks nobody else's server for anything."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

THIRD_PARTY = re.compile(
    r"<(?:script|link|img)[^>]+(?:src|href)=\"?https?://(?!127\.0\.0\.1)[^\">\s]+\"?", re.IGNORECASE
)


@pytest.fixture(scope="session")
def site(project_root, tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)],
        cwd=project_root,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert built.returncode == 0, built.stdout + built.stderr
    return folder


def test_the_site_builds_strictly(site):
    assert (site / "index.html").exists()
    assert (site / "architecture.html").exists()
    assert not (site / "_generate").exists()


def test_the_site_loads_nothing_from_elsewhere(site):
    assert {
        page.name: found
        for page in site.rglob("*.html")
        if (found := [tag for tag in THIRD_PARTY.findall(page.read_text(encoding="utf-8")) if "canonical" not in tag])
    } == {}


def test_a_request_to_elsewhere_would_be_found():
    assert THIRD_PARTY.findall('<script src="https://cdn.example.org/x.js">')
    assert not THIRD_PARTY.findall('<a href="https://example.org">')
