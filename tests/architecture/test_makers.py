"""One maker per noun: an approval, an order and a fill are each born in exactly one place."""

from __future__ import annotations

import ast

MAKERS = {
    "Approved": ("copytrade_core/risk/gate.py",),
    # Certification makes a few that nobody wished for: they go to a stand-in only.
    "Order": ("copytrade_core/orders/build.py", "copytrade_core/edges/venues/request_capture.py"),
    "Fill": ("copytrade_core/virtual_exchange/", "copytrade_core/orders/booking.py"),
}
UNNAMEABLE = {
    # A strategy wishes; it may not know what an order, a verdict or a fill is made of.
    "strategies": {"copytrade_core.model.order", "copytrade_core.model.verdict"},
}


def made(tree: ast.Module) -> list[tuple[str, int]]:
    """Every construction of a guarded noun: name and line. `replace(x, ...)` keeps an identity: no birth."""
    aliases = {
        alias.asname or alias.name: alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if alias.name in MAKERS
    }
    found: list[tuple[str, int]] = []
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id=name)) if name in aliases:
                found.append((aliases[name], node.lineno))
            case ast.Call(func=ast.Attribute(attr=name)) if name in MAKERS:
                found.append((name, node.lineno))
            case _:
                pass
    return found


def forged(modules) -> list[str]:
    return [
        f"{module.path}:{line} makes {noun}"
        for module in modules
        for noun, line in made(module.tree)
        if not module.path.startswith(MAKERS[noun])
    ]


def test_each_noun_has_one_maker(modules):
    assert forged(modules) == []


def test_strategies_cannot_name_an_order(modules):
    assert [
        f"{module.path}:{node.lineno} {node.module}"
        for module in modules
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ImportFrom) and node.module in UNNAMEABLE.get(module.room, set())
    ] == []


def test_a_forged_approval_is_found(parsed):
    text = "from copytrade_core.model.verdict import Approved\nx = Approved(intent=i, worst_notional=0)\n"
    assert forged([parsed("copytrade_core/flow.py", text)]) == ["copytrade_core/flow.py:2 makes Approved"]
    assert forged([parsed("copytrade_core/risk/gate.py", text)]) == []


def test_a_renamed_or_dotted_maker_is_found(parsed):
    renamed = "from copytrade_core.model.order import Order as Wish\nx = Wish()\n"
    dotted = "from copytrade_core.model import fill\nx = fill.Fill()\n"
    assert forged([parsed("copytrade_core/ledger/post.py", text) for text in (renamed, dotted)]) == [
        "copytrade_core/ledger/post.py:2 makes Order",
        "copytrade_core/ledger/post.py:2 makes Fill",
    ]
