"""A session's trades read from its journal, compared with themselves and refused to another session."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from copytrade_core.edges.runtime.parity_session import session_trades
from copytrade_core.edges.runtime.runtime_files import SESSION_FILE
from copytrade_core.evidence.parity import TradePath
from copytrade_core.evidence.parity_paths import MarketRecord, compare_paths
from copytrade_core.model.errors import BadInput, StoreFault
from copytrade_core.model.event import FundingPaid
from copytrade_core.model.intent import IntentKind
from copytrade_core.model.units import Money
from tests.runtime_floor import Kept
from tests.session_floor import IDENTITY
from tests.trading_floor import BTC


def test_a_journal_tells_each_intent_with_what_became_of_it(tmp_path: Path) -> None:
    kept = Kept(tmp_path)
    kept.open()
    paid = FundingPaid(
        episode_id=kept.session.episode.episode_id, market=BTC, cost=Money(3), time_ms=kept.session.now_ms()
    )
    kept.session.runner.fund(paid)
    kept.session.runner.fund(paid)
    kept.close()
    rules = kept.session.settings.instruments
    found = session_trades(
        tmp_path / SESSION_FILE,
        TradePath.PAPER,
        who=IDENTITY,
        record=MarketRecord(instruments=rules, bars={}),
    )
    assert [key.kind for key in found.by_intent] == [IntentKind.OPEN, IntentKind.CLOSE]
    opening, closing = found.by_intent.values()
    assert opening.filled == opening.asked == closing.filled > 0
    assert (opening.funding, closing.funding) == (0, 3)
    assert opening.seen is None, "there is no market record to attest it"
    same = compare_paths(found, found, rules)
    assert (same.total, same.missed) == (0, ())


def test_a_journal_of_another_session_or_none_is_refused(tmp_path: Path) -> None:
    kept = Kept(tmp_path)
    rules = kept.session.settings.instruments
    with pytest.raises(BadInput, match="policy_digest"):
        session_trades(
            tmp_path / SESSION_FILE,
            TradePath.PAPER,
            who=replace(IDENTITY, policy_digest="another"),
            record=MarketRecord(instruments=rules, bars={}),
        )
    with pytest.raises(StoreFault):
        session_trades(
            tmp_path / "none", TradePath.PAPER, who=IDENTITY, record=MarketRecord(instruments=rules, bars={})
        )
