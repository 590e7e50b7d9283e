"""Nouns are frozen values, and Dagster modules keep their annotations."""

from __future__ import annotations

import ast

import pytest

NEEDED = {"frozen", "slots", "kw_only"}

WORKING_STATE: dict[str, str] = {
    "copytrade_core/sources/page_rows.py:RowBatch": "columns that one decoding pass appends to; never leaves the room",
}
"""`path:class` -> why a dataclass above the model may change after it was made."""


def loose_dataclasses(tree: ast.Module) -> list[str]:
    """Dataclasses that are not frozen, slotted and keyword-only (a class without fields has no keywords)."""
    found: list[str] = []
    for node in ast.walk(tree):
        if not isinstance(node, ast.ClassDef):
            continue
        has_fields = any(isinstance(item, ast.AnnAssign) for item in node.body)
        for decorator in node.decorator_list:
            call = decorator.func if isinstance(decorator, ast.Call) else decorator
            name = call.attr if isinstance(call, ast.Attribute) else getattr(call, "id", "")
            if name != "dataclass":
                continue
            keywords = decorator.keywords if isinstance(decorator, ast.Call) else []
            given = {k.arg for k in keywords if isinstance(k.value, ast.Constant) and k.value.value is True}
            if missing := (NEEDED if has_fields else NEEDED - {"kw_only"}) - given:
                found.append(f"{node.name} is not {', '.join(sorted(missing))}")
    return found


def test_nouns_are_frozen_slotted_and_keyword_only(modules):
    nouns = [m for m in modules if m.path.startswith("copytrade_core/model/")]
    assert nouns
    assert {m.path: found for m in nouns if (found := loose_dataclasses(m.tree))} == {}


def test_only_named_working_state_changes_in_pure_rooms(modules):
    """Above the model values are frozen too; what a loop appends to is private to its module, or listed."""
    mutable = {
        f"{m.path}:{found.split(' ', 1)[0]}"
        for m in modules
        if m.is_pure and m.room != "model"
        for found in loose_dataclasses(m.tree)
        if "frozen" in found and not found.startswith("_")
    }
    assert mutable - set(WORKING_STATE) == set()
    assert set(WORKING_STATE) - mutable == set(), "frozen or gone now: take it off the list"


@pytest.mark.parametrize(
    "planted",
    [
        "@dataclass\nclass A:\n    x: int",
        "@dataclass(frozen=True, slots=True)\nclass A:\n    x: int",
        "@dataclasses.dataclass(frozen=False, slots=True, kw_only=True)\nclass A:\n    x: int",
    ],
)
def test_a_loose_dataclass_is_found(planted):
    assert loose_dataclasses(ast.parse(planted))


def future_annotations(tree: ast.Module) -> bool:
    return any(isinstance(node, ast.ImportFrom) and node.module == "__future__" for node in tree.body)


def type_checking_moves(tree: ast.Module) -> bool:
    return any(isinstance(node, ast.Name) and node.id == "TYPE_CHECKING" for node in ast.walk(tree))


def test_dagster_modules_keep_their_annotations(modules):
    """`from __future__ import annotations` and TYPE_CHECKING imports break asset signatures in dagster 1.13."""
    face = [m for m in modules if m.path.startswith("copytrade_dagster/")]
    assert face
    assert [m.path for m in face if future_annotations(m.tree) or type_checking_moves(m.tree)] == []


def test_a_future_import_is_found():
    assert future_annotations(ast.parse("from __future__ import annotations"))
    assert type_checking_moves(ast.parse("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import x"))


def float_money(tree: ast.Module) -> list[str]:
    """Annotated names that say quote money or a price and are floats: money is integer."""
    return [
        f"{node.lineno}: {node.target.id}"
        for node in ast.walk(tree)
        if isinstance(node, ast.AnnAssign)
        and isinstance(node.target, ast.Name)
        and isinstance(node.annotation, ast.Name)
        and node.annotation.id == "float"
        and node.target.id.endswith(("price", "notional", "fee", "cash", "pnl"))
    ]


MONEY_ROOMS = ("model", "risk", "orders", "virtual_exchange", "ledger", "flow")


def test_money_is_never_a_float_where_it_is_traded(modules):
    rooms = [m for m in modules if m.path.startswith("copytrade_core/") and m.room in MONEY_ROOMS]
    assert {m.path: found for m in rooms if "legacy" not in m.path and (found := float_money(m.tree))} == {}


def test_float_money_is_found():
    assert float_money(ast.parse("class A:\n    entry_price: float")) == ["2: entry_price"]
    assert float_money(ast.parse("class A:\n    entry_price: Ticks\n    win_ratio: float")) == []
