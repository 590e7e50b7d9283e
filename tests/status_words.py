"""A whole `RUN_STATUS.json` of a session that is well, as a session writes it; a test says what is otherwise."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import Any

from copytrade_core.edges.runtime.session_lease import boot_id


def iso(at_ms: float) -> str:
    return datetime.fromtimestamp(at_ms / 1000, tz=UTC).isoformat()


def status_words(*, written_ms: float, **otherwise: object) -> dict[str, Any]:
    """Written at an instant by a clock that is the machine's."""
    polled = {"ok": True, "at": iso(written_ms), "reading": "positions"}
    return {
        "schema_version": 1,
        "run_id": "run-1",
        "mode": "paper",
        "lead": "1234",
        "strategy": "follow",
        "policy_digest": "digest",
        "venue": "paper",
        "account": "paper",
        "leads": ["1234"],
        "paper_only": True,
        "is_reconstructed": False,
        "pid": os.getpid(),
        "boot_id": boot_id(),
        "started_at": iso(written_ms - 3_600_000),
        "written_at": iso(written_ms),
        "wall_at": iso(written_ms),
        "interval_s": 60.0,
        "deadline_at": iso(written_ms + 30 * 86_400_000),
        "ended": None,
        "controls": {"kill": False, "stop_new_orders": False, "hot_stop": False},
        "limits": [
            {"name": "daily_loss", "value": 0.5, "limit": 5.0, "unit": "usdt"},
            {"name": "notional_gross", "value": 30, "limit": 30, "unit": "usdt"},
        ],
        "positions": [],
        "cash_usdt": "30",
        "equity_usdt": "30",
        "day_result_usdt": "0",
        "working_orders": 0,
        "unknown_orders": [],
        "backoff": {"failures": 0, "until": None},
        "input_ages_s": {"source": 20.0, "mark": 1.0},
        "last_poll": {**polled, "price_latency_s": None, "seen_after_s": None, "leads": []},
        "counters": {"orders": 0, "fills": 0, "not_placed": 0, "rejected": 0},
        "alerts": [],
        "last_error": None,
        "versions": {"code": "0.1.0", "schema": 1},
        **otherwise,
    }
