"""What is committed works on a stranger's machine: no machine path, package host, loose folder or big file."""

from __future__ import annotations

import re

import pytest

MACHINE_PATH = re.compile(r"(?<![\w.:/-])/(?:root|home/[a-z]+|Users/[A-Za-z]+|work|tmp/[a-z])/")
PACKAGE_HOST = re.compile(
    r"--(?:extra-)?index-url|--find-links|--trusted-host|files\.pythonhosted\.org|registry\.npmjs"
)
SECRET = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----|(?:api[_-]?secret|api[_-]?key)\s*=\s*[\"'][A-Za-z0-9]{32,}[\"']", re.IGNORECASE
)
BYTES_MAX = 600_000

TOP = {
    *(".ci", "copytrade_core", "copytrade_dagster", "data", "docs", "requirements", "settings", "tests"),
    *(".gitignore", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "Makefile", "README.md", "SECURITY.md"),
    *("copytrade.toml", "dagster.yaml", "mkdocs.yml", "pyproject.toml", "workspace.yaml"),
}
"""What may stand at the top of the checkout."""
TEXT = (".py", ".md", ".toml", ".yaml", ".yml", ".txt", ".json", ".csv", ".html", ".cfg", ".sh", "Makefile", "run")
THIS = "tests/architecture/test_tracked_files.py"


def faults(text: str) -> list[str]:
    """What in a text would not travel, or should never have."""
    return [
        f"{text.count(chr(10), 0, found.start()) + 1}: {found[0]}"
        for pattern in (MACHINE_PATH, PACKAGE_HOST, SECRET)
        for found in pattern.finditer(text)
    ]


def test_no_machine_path_package_host_or_secret_is_committed(project_root, tracked):
    texts = [path for path in tracked if path.endswith(TEXT) and path != THIS]
    assert len(texts) > 20
    assert {
        path: found
        for path in texts
        if (found := faults((project_root / path).read_text(encoding="utf-8", errors="replace")))
    } == {}


@pytest.mark.parametrize(
    "planted",
    [
        "cp /{}/x .".format("root"),
        "open('/{}/me/data')".format("home"),
        "--index-url x",
        "api_secret = 'abcdefghijklmnopqrstuvwxyz0123456789'",
    ],
)
def test_a_planted_fault_is_found(planted):
    assert faults(f"first line\n{planted}\n") != []


@pytest.mark.parametrize(
    "fine", ["../shared/data", "/fapi/v1/klines", "https://www.example.org/home/page", "tests/tmp/x"]
)
def test_what_travels_is_fine(fine):
    assert faults(fine) == []


def test_everything_at_the_top_has_a_place(tracked):
    assert {path.split("/")[0] for path in tracked} - TOP == set()


def test_only_the_sample_is_committed_as_data(tracked):
    assert [path for path in tracked if path.startswith("data/") and not path.startswith("data/sample/")] == []


def test_nothing_big_is_committed(project_root, tracked):
    assert {path: size for path in tracked if (size := (project_root / path).stat().st_size) > BYTES_MAX} == {}


def test_test_files_have_names_of_their_own(tracked):
    names = [path.rsplit("/", 1)[1] for path in tracked if path.startswith("tests/") and "/test_" in path]
    assert sorted({name for name in names if names.count(name) > 1}) == []


def test_tests_are_files_not_a_package(tracked):
    assert [path for path in tracked if path.startswith("tests/") and path.endswith("__init__.py")] == []


def test_tests_use_fakes_not_mocks(project_root, tracked):
    forbidden = re.compile(r"unittest\.mock|monkeypatch\.setattr|\bMagicMock\b|mocker\b")
    assert [
        path
        for path in tracked
        if path.startswith("tests/") and path.endswith(".py") and path != THIS
        if forbidden.search((project_root / path).read_text(encoding="utf-8"))
    ] == []
