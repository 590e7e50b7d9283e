"""The plain bar scan of the benchmark says what the reference says: else its speed would be worth nothing."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest

from copytrade_core.model.caps import ReplayCaps
from copytrade_core.model.fill import FillModel
from copytrade_core.model.sweep import SweepTable
from copytrade_core.replay.reference import replay
from copytrade_core.replay.reference_summary import summary_of
from tests.replay.scan_kernel import scan
from tests.replay.scan_packing import pack_market
from tests.replay.work_item import candidates, work_item
from tests.trading_floor import usdt

POLICIES = candidates(24)
TIGHT = ReplayCaps(notional_gross_max=usdt(7_000), daily_loss_max=usdt(10))


@pytest.fixture(scope="module")
def small():
    return work_item(days=4, episodes_count=6, policies_count=0)


@pytest.mark.parametrize("rung_fill", [FillModel.CLOSE_BEYOND, FillModel.TOUCH])
@pytest.mark.parametrize("caps", [None, TIGHT])
def test_every_figure_of_the_scan_equals_the_reference(small, rung_fill, caps):
    spec = replace(small.spec, rung_fill=rung_fill, caps=caps or small.spec.caps)
    scanned = scan(pack_market(small.episodes, spec, small.minute), POLICIES)
    for row, policy in enumerate(POLICIES):
        expected = summary_of(replay(small.episodes, policy, spec, small.minute))
        assert difference(scanned, row, expected) == {}


def test_the_cases_are_worth_comparing(small):
    """Trades, adds, skips and refusals all happen in them."""
    free = scan(pack_market(small.episodes, small.spec, small.minute), POLICIES)
    bound = scan(pack_market(small.episodes, replace(small.spec, caps=TIGHT), small.minute), POLICIES)
    assert free.trades_count.sum() > 60
    assert free.dca_fills.sum() > 40
    assert free.skipped_count.sum() > 10
    assert free.blocked_count.sum() == 0
    assert bound.blocked_count.sum() > 20
    assert (free.fill_hash != bound.fill_hash).any()


def difference(scanned: SweepTable, row: int, expected: SweepTable) -> dict[str, tuple[float, float]]:
    """Columns that differ: what the scan says, what is true."""
    found: dict[str, tuple[float, float]] = {}
    for field in fields(SweepTable):
        got: np.ndarray = getattr(scanned, field.name)
        true: np.ndarray = getattr(expected, field.name)
        if got[row] != true[0]:
            found[field.name] = (got[row].item(), true[0].item())
    return found
