"""One polled lead with a year of 5m bars in a store of its own: what `bench_paper` runs a paper session over."""

from __future__ import annotations

import hashlib
import json
import shutil
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from copytrade_core.edges.lead_line import derive_lead
from copytrade_core.edges.stages.workplace import Workplace
from copytrade_core.model.source import Endpoint, LeadId, SourcePage
from tests.made_lead import INTERVAL_MS, closed_row, offline_settings, store_closes
from tests.polled_lead import at, slots, write_polls
from tests.small_lead import LEAD, place_of

ROOT = Path(__file__).resolve().parents[2]
START_MS = int(datetime(2025, 1, 1, tzinfo=UTC).timestamp() * 1000)
MINUTE_MS = 60_000
YEAR_POLLS = 365 * 24 * 60
CYCLE_POLLS = 2880
"""A position every two days, held for half of them: four times as many as the recorded lead had in its year."""
HELD = [("BTCUSDT", "0.01", "90000")]


def year_project(root: Path) -> Workplace:
    """Settings, pages, episodes, bars and a poll a minute; every poll that shows the position has another mark."""
    settings = root / "settings"
    settings.mkdir()
    for name in ("copytrade.toml", "promotion.toml", "instruments.toml", "search.toml"):
        shutil.copy(ROOT / "settings" / name, settings / name)
    shutil.copy(ROOT / "settings" / "policies" / "follow_lead.toml", settings / "follow_lead.toml")
    config = settings / "copytrade.toml"
    config.write_text(offline_settings(config.read_text(), "follow_lead"))
    place = place_of(config)
    for number in range(YEAR_POLLS // CYCLE_POLLS):
        _ = place.archive.append(_closed_page(number))
    times = np.arange((YEAR_POLLS * MINUTE_MS) // INTERVAL_MS + 12, dtype=np.int64) * INTERVAL_MS + START_MS
    closes = (900_000 + np.random.default_rng(7).integers(-3_000, 3_001, size=len(times))).astype(np.int32)
    store_closes(place, times, closes, np.concatenate((closes[:1], closes[:-1])), reach=150)
    _ = derive_lead(place, LEAD)
    # Only now: what a session is fed from is read by the session, and measured there.
    polls = []
    for number in range(YEAR_POLLS):
        held = HELD if number % CYCLE_POLLS >= CYCLE_POLLS // 2 else []
        polls.append((START_MS + number * MINUTE_MS, slots(held, 90_000 + number / 100)))
    _ = write_polls(place.archive.root, LEAD, polls)
    return place


def _closed_page(number: int) -> SourcePage:
    """The history's newest row, as a poll of it showed it a minute and a half after the close."""
    begins_ms = START_MS + (number * CYCLE_POLLS + CYCLE_POLLS // 2) * MINUTE_MS
    ends_ms = START_MS + (number + 1) * CYCLE_POLLS * MINUTE_MS
    row = closed_row(
        opened=begins_ms - 5_000, closed=ends_ms - 30_000, cost=90_000, leave=90_100, is_long=True, pnl=1.0
    )
    data = {"list": [row], "total": YEAR_POLLS // CYCLE_POLLS}
    body = json.dumps({"code": "000000", "message": None, "data": data, "success": True}).encode()
    return SourcePage(
        lead_id=LeadId(LEAD),
        endpoint=Endpoint.POSITION_HISTORY,
        page=1,
        url_path="/p",
        request=json.dumps({"pageNumber": 1, "pageSize": 100, "portfolioId": LEAD}),
        status=200,
        headers=(),
        body=body,
        sha256=hashlib.sha256(body).hexdigest(),
        received_at=at(ends_ms + 60_000),
    )
