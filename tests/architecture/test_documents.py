"""Pages that cannot drift: the architecture page equals the code, indexes list everything, links lead somewhere."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

LINK = re.compile(r"\[[^\]]*\]\((?!https?:|mailto:|#)([^)#\s]+)(#[^)]*)?\)")


@pytest.fixture(scope="session")
def generator(project_root):
    spec = importlib.util.spec_from_file_location("architecture_page", project_root / "docs/_generate/architecture.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_architecture_page_equals_the_code(generator, project_root):
    page = (project_root / "docs/architecture.md").read_text(encoding="utf-8")
    assert page == generator.render(page, project_root), "the code moved on: run `make docs`"


def test_every_folder_has_a_place_and_every_module_a_first_line(generator, project_root):
    tree = generator.tree(project_root)
    assert [line for line in tree if "UNPLACED" in line] == []
    assert [line for line in tree if line.rstrip().endswith(".py")] == [], "a module without a docstring"


def test_a_new_module_changes_the_page(generator, tmp_path):
    package = tmp_path / "copytrade_core"
    (package / "attic").mkdir(parents=True)
    (tmp_path / "copytrade_dagster").mkdir()
    (package / "flow.py").write_text('"""Tells the story."""\n')
    (package / "attic" / "box.py").write_text('"""Holds things."""\n')
    tree = "\n".join(generator.tree(tmp_path))
    assert "UNPLACED" in tree
    assert "Tells the story" in tree


def test_decisions_are_numbered_listed_and_dated(project_root):
    folder = project_root / "docs/adr"
    listed = set(LINK.findall((folder / "README.md").read_text(encoding="utf-8")))
    files = sorted(file.name for file in folder.glob("*.md") if file.name != "README.md")
    assert {name for name, _ in listed} >= set(files)
    assert all(re.fullmatch(r"\d{4}-[a-z0-9-]+\.md", name) for name in files)
    numbers = [name[:4] for name in files]
    assert len(set(numbers)) == len(numbers)
    for name in files:
        text = (folder / name).read_text(encoding="utf-8")
        assert re.match(rf"# {name[:4]}: ", text), name
        assert re.search(r"^(Accepted|Superseded by \[\d{4}\]).*\d{4}-\d{2}-\d{2}", text, re.MULTILINE), name


def broken_links(file: Path, root: Path) -> list[str]:
    """Relative links of a Markdown file that lead nowhere; code blocks are not links."""
    text = re.sub(r"```.*?```|`[^`\n]*`", "", file.read_text(encoding="utf-8"), flags=re.DOTALL)
    return [
        f"{file.relative_to(root).as_posix()} -> {target}"
        for target, _ in LINK.findall(text)
        if not (file.parent / target).exists()
    ]


def test_links_lead_somewhere(project_root):
    pages = [*project_root.glob("*.md"), *(project_root / "docs").rglob("*.md")]
    assert len(pages) > 5
    assert [link for page in pages for link in broken_links(page, project_root)] == []


def test_a_broken_link_is_found(tmp_path):
    (tmp_path / "a.md").write_text("see [b](b.md) and [web](https://example.org) and `[c](c.md)`")
    assert broken_links(tmp_path / "a.md", tmp_path) == ["a.md -> b.md"]
