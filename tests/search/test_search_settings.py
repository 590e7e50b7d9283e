"""Search settings: every value known, in range, and part of the search's identity."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from copytrade_core.model.errors import BadConfig
from copytrade_core.search.settings import Objective, SamplerName, search_settings_from_mapping
from tests.search.landscape import content, search_settings


def edited(path: str, value: Any) -> dict[str, Any]:
    text: dict[str, Any] = content("settings/search.toml")
    *folders, last = path.split(".")
    table = text
    for folder in folders:
        table = table[folder]
    if value == "DELETE":
        del table[last]
    else:
        table[last] = value
    return text


def test_the_shipped_file_is_read_exactly():
    settings = search_settings()
    assert settings.objective is Objective.T_STATISTIC
    assert settings.phase(SamplerName.QMC).share == Fraction(96, 100)
    assert sum(phase.share for phase in settings.phases) == 1
    assert settings.halving.spans == (Fraction(1, 2), Fraction(1))
    assert settings.limits.drawdown_marked_ratio_max == Fraction(15, 100)


def every_key(table: dict[str, Any], prefix: str = "") -> list[str]:
    found = []
    for key, value in table.items():
        name = f"{prefix}{key}"
        found += every_key(value, f"{name}.") if isinstance(value, dict) else [name]
    return found


@pytest.mark.parametrize("path", every_key(content("settings/search.toml")))
def test_no_value_has_a_hidden_default(path):
    with pytest.raises(BadConfig, match="is missing") as found:
        search_settings_from_mapping(edited(path, "DELETE"), file="search.toml")
    assert found.value.where.field == path
    assert found.value.where.file == "search.toml"


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        ("schema_version", 2, "outside 1..1"),
        ("objective.name", "luck", "none of"),
        ("phases.qmc.share_ratio", 1, "must add up to 1"),
        ("phases.qmc.share_ratio", -1, "outside"),
        ("phases.cma_es.batch_count", 1, "outside 5"),
        ("phases.tpe.trials_count_max", 0, "outside"),
        ("phases.tpe.batch_count", True, "whole number"),
        ("phases.annealing", {}, "unknown key"),
        ("halving.span_ratios", [1, "0.5"], "must grow and end with 1"),
        ("halving.span_ratios", ["0.5", "0.9"], "must grow and end with 1"),
        ("halving.span_ratios", [], "at least one"),
        ("halving.span_ratios", "all", "must be a list"),
        ("halving.keep_ratio", 0, "outside"),
        ("limits.drawdown_marked_ratio_max", "Infinity", "not finite"),
        ("limits.trades_count_min", 1, "outside 2"),
        ("overfitting.blocks_count", 7, "must be even"),
        ("plateau.flatness", 1, "unknown key"),
        ("finalists", 3, "must be a table"),
    ],
)
def test_a_wrong_value_is_refused_with_file_and_key(path, value, says):
    with pytest.raises(BadConfig, match=says) as found:
        search_settings_from_mapping(edited(path, value), file="search.toml")
    assert found.value.where.file == "search.toml"
    assert path.startswith((found.value.where.field or "").removesuffix("."))


def test_another_value_is_another_digest():
    changed = search_settings_from_mapping(edited("finalists.count", 11), file="search.toml")
    assert changed.digest != search_settings().digest
