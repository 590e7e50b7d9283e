"""Normalising a million recorded-shape rows, beside the plain ways to do it. `python tests/sources/bench_normalise.py`.

Every way reads the same 10,000 pages of 100 rows (1,000 leads x 1,000 rows), made one at a time so that only one page
exists before it is read, and ends in typed Parquet. Each runs in a process of its own, so that peak memory is its own.
The peers skip what makes ours slower: rejects with reasons, duplicates and exact decimals.
"""

from __future__ import annotations

import hashlib
import io
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import polars as pl

from copytrade_core.model.source import Endpoint, LeadId, SourcePage
from copytrade_core.sources.normalise_history import BATCH_ROWS, iter_normalised_history

SAMPLE = Path(__file__).resolve().parents[2] / "data/sample/leads/4751838302089254401/position_history_pages_raw.json"
RECEIVED = datetime(2026, 5, 19, 8, 0, tzinfo=UTC)
ROWS = 1_000_000
PAGE_ROWS = 100
LEAD_ROWS = 1_000
LIMIT_S = 10.0
LIMIT_MB = 400.0


def recorded_pages(rows: int) -> Iterator[SourcePage]:
    """Pages whose rows are the 47 recorded ones, moved to distinct open times."""
    recorded = json.loads(SAMPLE.read_text())[0]["response"]["data"]["list"]
    templates = [json.dumps(row, separators=(",", ":")).replace(str(row["id"]), "%d") for row in recorded]
    opened = [row["opened"] for row in recorded]
    for number in range(rows // PAGE_ROWS):
        lead, first = divmod(number * PAGE_ROWS, LEAD_ROWS)
        listed: list[str] = []
        for n in range(first, first + PAGE_ROWS):
            moment = opened[n % 47] + n
            listed.append(templates[n % 47] % (moment, moment))
        data = f'{{"indexValue":null,"total":{LEAD_ROWS},"list":[{",".join(listed)}]}}'
        body = f'{{"code":"000000","message":null,"messageDetail":null,"data":{data},"success":true}}'.encode()
        yield SourcePage(
            lead_id=LeadId(f"{4_000_000_000_000_000_000 + lead}"),
            endpoint=Endpoint.POSITION_HISTORY,
            page=first // PAGE_ROWS + 1,
            url_path="/bench",
            request="{}",
            status=200,
            headers=(),
            body=body,
            sha256=hashlib.sha256(body).hexdigest(),
            received_at=RECEIVED,
        )


def ours(rows: int, folder: Path) -> int:
    """The project's normaliser, batch by batch into Parquet."""
    written = 0
    for number, part in enumerate(iter_normalised_history(recorded_pages(rows), batch_rows=BATCH_ROWS)):
        assert not part.unusable.height
        part.positions.write_parquet(folder / f"{number}.parquet")
        part.unusable.write_parquet(folder / f"{number}.unusable.parquet")
        written += part.positions.height
    return written


def polars_read_json(rows: int, folder: Path) -> int:
    """The short way: `polars.read_json` per page, floats, no rules."""
    frames: list[pl.DataFrame] = []
    written = 0
    for number, page in enumerate(recorded_pages(rows)):
        data = pl.read_json(io.BytesIO(page.body)).select(pl.col("data").struct.field("list")).explode("list")
        frames.append(data.unnest("list").with_columns(pl.lit(page.lead_id).alias("lead_id")))
        if len(frames) == BATCH_ROWS // PAGE_ROWS:
            frame = pl.concat(frames)
            frame.write_parquet(folder / f"{number}.parquet")
            written += frame.height
            frames.clear()
    return written


class _Row(msgspec.Struct, rename="camel"):
    id: int
    symbol: str
    opened: int
    closed: int
    avg_cost: float
    avg_close_price: float
    closing_pnl: float
    max_open_interest: float
    closed_volume: float
    side: str
    status: str


class _Data(msgspec.Struct):
    rows: list[_Row] = msgspec.field(name="list")


class _Page(msgspec.Struct):
    data: _Data


def msgspec_loop(rows: int, folder: Path) -> int:
    """Typed structs and a Python loop, floats, a few rules."""
    decoder = msgspec.json.Decoder(_Page)
    batch: list[dict[str, Any]] = []
    written = 0
    for number, page in enumerate(recorded_pages(rows)):
        for row in decoder.decode(page.body).data.rows:
            if row.avg_cost <= 0 or row.closed < row.opened or not row.symbol.endswith("USDT"):
                continue
            record = {name: getattr(row, name) for name in _Row.__struct_fields__}
            record["lead_id"] = page.lead_id
            record["market"] = f"{row.symbol[:-4]}/USDT:USDT"
            record["opened_at"] = datetime.fromtimestamp(row.opened / 1000, UTC)
            record["closed_at"] = datetime.fromtimestamp(row.closed / 1000, UTC)
            batch.append(record)
        if len(batch) >= BATCH_ROWS:
            pl.DataFrame(batch).write_parquet(folder / f"{number}.parquet")
            written += len(batch)
            batch.clear()
    return written


def only_pages(rows: int, folder: Path) -> int:
    """Making the pages and nothing else: the cost that every way carries."""
    assert folder.is_dir()
    return sum(PAGE_ROWS for _ in recorded_pages(rows))


WAYS = {"ours": ours, "polars_read_json": polars_read_json, "msgspec_loop": msgspec_loop, "only_pages": only_pages}


def measure(way: str, rows: int) -> dict[str, float]:
    """One way in a fresh process: seconds of wall clock, peak resident MB."""
    done = subprocess.run([sys.executable, __file__, way, str(rows)], check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def run(rows: int = ROWS) -> dict[str, Any]:
    """All ways once; `seconds` include making the pages, `seconds_net` do not."""
    results = {way: measure(way, rows) for way in WAYS}
    making = results["only_pages"]["seconds"]
    for result in results.values():
        result["seconds_net"] = round(result["seconds"] - making, 3)
    within = results["ours"]["seconds_net"] < LIMIT_S and results["ours"]["peak_mb"] < LIMIT_MB
    return {"rows": rows, "limit_s": LIMIT_S, "limit_mb": LIMIT_MB, "within_limits": within, "ways": results}


def main() -> None:
    if len(sys.argv) < 2:
        print(json.dumps(run(), indent=1))
        return
    way, rows = sys.argv[1], int(sys.argv[2])
    with tempfile.TemporaryDirectory() as folder:
        begun = time.perf_counter()
        written = WAYS[way](rows, Path(folder))
        seconds = time.perf_counter() - begun
    assert written == rows, f"{written} of {rows} rows written"
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform == "linux" else 1024**2)
    print(json.dumps({"seconds": round(seconds, 3), "peak_mb": round(peak, 1)}))


if __name__ == "__main__":
    main()
