import copy
from decimal import Decimal

import pytest

from copytrade_core.model.errors import BadConfig
from copytrade_core.promotion.contract import THRESHOLDS, Step, contract_from_mapping
from copytrade_core.promotion.gate_result import Gate


def changed(table, path, value):
    table = copy.deepcopy(table)
    *parents, last = path.split(".")
    target = table
    for name in parents:
        target = target[name]
    if value is None:
        del target[last]
    else:
        target[last] = value
    return table


def test_the_contract_of_the_project_states_every_threshold_with_unit_and_meaning(candidates):
    contract = candidates.contract()
    for gate, names in THRESHOLDS.items():
        for name in names:
            threshold = contract.threshold(gate, name)
            assert threshold.unit
            assert threshold.meaning.endswith(".")


def test_a_later_step_never_needs_fewer_gates_and_live_needs_a_person(candidates):
    required = candidates.contract().required
    assert Gate.HUMAN_APPROVAL in required[Step.LIVE_SMALL]
    for before, after in zip(list(Step), list(Step)[1:], strict=False):
        assert set(required[before]) <= set(required[after])


def test_any_change_is_another_contract(candidates):
    table = candidates.contract_table()
    other = changed(table, "gates.drawdown.trade_loss_ratio_max.value", Decimal("0.06"))
    assert contract_from_mapping(other, file="x").digest != candidates.contract().digest


@pytest.mark.parametrize(
    ("path", "value", "key"),
    [
        ("surprise", 1, "surprise"),
        ("schema_version", 2, "schema_version"),
        ("evidence_age_s_max", 0, "evidence_age_s_max"),
        ("evidence_age_s_max", True, "evidence_age_s_max"),
        ("gates.copyability", {}, "gates.copyability"),
        ("gates.drawdown", None, "gates.drawdown"),
        ("gates.drawdown.trade_loss_ratio_max", None, "gates.drawdown.trade_loss_ratio_max"),
        ("gates.drawdown.trade_loss_pct", {"value": 1}, "gates.drawdown.trade_loss_pct"),
        ("gates.drawdown.trade_loss_ratio_max.value", "0.05", "gates.drawdown.trade_loss_ratio_max.value"),
        ("gates.drawdown.trade_loss_ratio_max.value", Decimal("NaN"), "gates.drawdown.trade_loss_ratio_max.value"),
        ("gates.drawdown.trade_loss_ratio_max.value", True, "gates.drawdown.trade_loss_ratio_max.value"),
        ("gates.drawdown.trade_loss_ratio_max.unit", "", "gates.drawdown.trade_loss_ratio_max.unit"),
        ("gates.drawdown.trade_loss_ratio_max.meaning", None, "gates.drawdown.trade_loss_ratio_max.meaning"),
        ("fills.market", ["legacy"], "fills.market"),
        ("fills.market", "next_bar_open_v1", "fills.market"),
        ("steps.paper", ["sample_size"], "steps.paper"),
        ("steps.live", [], "steps.live"),
        ("steps.scaled", ["monitor_clean", "monitor_clean"], "steps.scaled"),
        ("splits.holdout_ratio", Decimal("0.3"), "splits"),
        ("splits.train_ratio", 1, "splits.train_ratio"),
        ("bootstrap.seed", 0, "bootstrap.seed"),
    ],
)
def test_a_contract_that_says_something_else_is_refused_by_key(candidates, path, value, key):
    with pytest.raises(BadConfig) as refused:
        contract_from_mapping(changed(candidates.contract_table(), path, value), file="promotion.toml")
    assert refused.value.where.field == key
    assert refused.value.where.file == "promotion.toml"
