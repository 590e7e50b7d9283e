"""Writes the generated parts of docs/architecture.md: the tree, the layers and the glossary, from the code itself.

Prose stands outside the markers and is kept. `make docs` runs this; a test fails when the page and the code differ.
"""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "architecture.md"

ROOMS = {
    "copytrade_core": "the trading domain; knows no Dagster",
    "copytrade_core/model": "nouns: frozen values that every room speaks in",
    "copytrade_core/sources": "pages to positions to episodes",
    "copytrade_core/strategies": "events to intents",
    "copytrade_core/risk": "intents to verdicts",
    "copytrade_core/orders": "verdicts to orders",
    "copytrade_core/virtual_exchange": "orders to fills on a virtual clock",
    "copytrade_core/ledger": "fills to book",
    "copytrade_core/evidence": "finished runs to measures, uncertainty and tables",
    "copytrade_core/promotion": "digests, gates and approval statements; signs nothing",
    "copytrade_core/monitor": "status to incidents",
    "copytrade_core/replay": "drives the flow with history",
    "copytrade_core/replay/kernel": "the fast engine: one compiled function, proved equal to the reference",
    "copytrade_core/search": "drives replay over many policies",
    "copytrade_core/session": "drives the flow with a live or archived feed",
    "copytrade_core/edges": "everything that touches the world",
    "copytrade_core/edges/pages": "the copy-trading pages: asked, archived as received, imported",
    "copytrade_core/edges/market": "public market data: asked, imported, merged, kept",
    "copytrade_core/edges/feeds": "what a session hears: polls, quotes and funding, live or from the archive",
    "copytrade_core/edges/runtime": "a session's runtime directory: journal, files, lease, controls, readers",
    "copytrade_core/edges/monitoring": "what the monitor sees, keeps and tells a person",
    "copytrade_core/edges/reports": "reports as files for people",
    "copytrade_core/edges/stages": "the steps of the line: what each reads from and writes to the store",
    "copytrade_core/edges/standins": "loopback servers that speak the venues' dialects",
    "copytrade_core/edges/preflight": "drills the way of an order at a venue that misbehaves, and judges it there",
    "copytrade_core/edges/venues": "the only place that knows ccxt",
    "copytrade_core/cli": "the `copytrade` command, thin",
    "copytrade_dagster": "the orchestrator's face; decides nothing about trading",
    "copytrade_dagster/defs": "assets and checks by stage, in the core's words",
}
"""What a folder is for. Folders below `copytrade_dagster/defs` are named after their stage and need no entry."""

PACKAGES = ("copytrade_core", "copytrade_dagster")


def first_line(tree: ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    """First line of a docstring, without its full stop."""
    return (ast.get_docstring(tree) or "").split("\n")[0].rstrip(".")


def parse(path: Path) -> ast.Module:
    """A Python file as a tree."""
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def tree(root: Path) -> list[str]:
    """Every folder and module of both packages with what it is for, in one text block."""
    rows: list[tuple[str, str]] = []
    for package in PACKAGES:
        for folder in [root / package, *sorted(p for p in (root / package).rglob("*") if p.is_dir())]:
            modules = [file for file in sorted(folder.glob("*.py")) if file.name != "__init__.py"]
            if not modules and not any(folder.glob("*/*.py")) and not (folder / "__init__.py").exists():
                continue
            name = folder.relative_to(root).as_posix()
            depth = name.count("/")
            purpose = ROOMS.get(name) or ("stage" if name.startswith("copytrade_dagster/defs/") else "UNPLACED")
            rows.append(("  " * depth + folder.name + "/", purpose))
            rows += [("  " * (depth + 1) + file.name, first_line(parse(file))) for file in modules]
    width = max(len(name) for name, _ in rows) + 2
    return ["```text", *(f"{name:<{width}}{purpose}".rstrip() for name, purpose in rows), "```"]


def layers(root: Path) -> list[str]:
    """The layers contract, top first, and the names of all contracts, from pyproject.toml."""
    contracts = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    rows = next(contract["layers"] for contract in contracts if contract["id"] == "layers")
    text = [re.sub(r"[()]", "", row) for row in rows]
    return ["```text", "copytrade_dagster", *text, "```", "", *(f"- {contract['name']}." for contract in contracts)]


def glossary(root: Path) -> list[str]:
    """Every public noun of the model with the first line of its docstring."""
    rows = [
        (node.name, first_line(node).replace("|", "\\|"), file.stem)
        for file in (root / "copytrade_core" / "model").glob("*.py")
        for node in parse(file).body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    ]
    lines = [f"| `{name}` | {meaning} | `{module}` |" for name, meaning, module in sorted(rows)]
    return ["| noun | meaning | module |", "|---|---|---|", *lines]


def render(page: str, root: Path) -> str:
    """The page with every generated part replaced.

    Raises:
        ValueError: a marker is missing from the page.
    """
    for name, part in (("tree", tree(root)), ("layers", layers(root)), ("glossary", glossary(root))):
        marker = re.compile(rf"(<!-- generated: {name} -->\n).*?(\n<!-- end -->)", re.DOTALL)
        if not marker.search(page):
            raise ValueError(f"docs/architecture.md has no part {name}")
        text = "\n" + "\n".join(part) + "\n"
        page = marker.sub(lambda found, text=text: found[1] + text + found[2], page)
    return page


if __name__ == "__main__":
    _ = PAGE.write_text(render(PAGE.read_text(encoding="utf-8"), ROOT), encoding="utf-8")
