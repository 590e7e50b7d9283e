"""Imports by several processes at once, and one that is interrupted."""

from __future__ import annotations

import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from copytrade_core.edges.lake import Lake
from copytrade_core.edges.market.market_store import load_bars, stored_spans

START = 1_764_547_200_000  # 2025-12-01 00:00 UTC
MINUTE = 60_000
IMPORTER = """
import sys
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from copytrade_core.edges.market.bars_import import import_bars
from copytrade_core.edges.lake import Lake
from copytrade_core.model.instrument import Instrument

now = datetime(2026, 6, 1, tzinfo=UTC)
rules = Instrument(market="BTC/USDT:USDT", tick_size=Decimal("0.1"), step_size=Decimal("0.001"), min_quantity=1,
                   min_notional=1, as_of=now, source="assumed: test")
print("ready", flush=True)
for path in sys.argv[2:]:
    import_bars(Lake(Path(sys.argv[1]), now=lambda: now), Path(path), market="BTC/USDT:USDT", interval_ms=60_000,
                instrument=rules, code_version="t")
print("done", flush=True)
"""


def write_part(folder: Path, first: int, count: int) -> str:
    path = folder / f"part{first}.csv"
    lines = [
        f"{START + k * MINUTE},{90_000 + k % 7}.1,90009.1,89999.1,90001.1,1.5" for k in range(first, first + count)
    ]
    path.write_text("\n".join(lines) + "\n")
    return str(path)


def start(root: Path, *paths: str) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [sys.executable, "-c", IMPORTER, str(root), *paths], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    return process


def test_two_imports_into_the_same_month_lose_no_bar(tmp_path: Path) -> None:
    parts = [write_part(tmp_path, first, 50) for first in range(0, 1_000, 50)]
    importers = [start(tmp_path / "data", *parts[k::2]) for k in range(2)]
    for importer in importers:
        _out, errors = importer.communicate(timeout=60)
        assert importer.returncode == 0, errors.decode()
    lake = Lake(tmp_path / "data", now=lambda: datetime(2026, 6, 1, tzinfo=UTC))
    bars = load_bars(lake, "BTC/USDT:USDT", MINUTE, START, START + 1_000 * MINUTE)
    assert bars.first_gap(START, START + 1_000 * MINUTE) is None


def test_ctrl_c_in_the_middle_leaves_whole_months_and_a_rerun_completes(tmp_path: Path) -> None:
    count = 90 * 24 * 60
    whole = write_part(tmp_path, 0, count)
    importer = start(tmp_path / "data", whole)
    lake = Lake(tmp_path / "data", now=lambda: datetime(2026, 6, 1, tzinfo=UTC))
    while importer.poll() is None and not lake.partitions("bars"):
        pass
    importer.send_signal(signal.SIGINT)
    importer.communicate(timeout=60)
    for partition in lake.partitions("bars"):
        assert lake.table("bars", partition).height == lake.require("bars", partition).rows > 0
    rerun = start(tmp_path / "data", whole)
    _out, errors = rerun.communicate(timeout=60)
    assert rerun.returncode == 0, errors.decode()
    [span] = stored_spans(lake)
    assert span.row_count == count
    assert list((tmp_path / "data" / "tmp").iterdir()) == []
