"""A small lead that a search can be run on in a second: made positions, made bars, a tiny space, its own settings.

Most positions close where the price turns, so trading against them gains and a champion can be found; every fifth
closes too early, so something is lost, too. Everything goes through the archive, the store and the stages.
"""

import shutil
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from copytrade_core.edges.lead_line import derive_lead
from copytrade_core.edges.settings import load_settings
from copytrade_core.edges.stages.sources import import_pages
from copytrade_core.edges.stages.workplace import Workplace, open_workplace
from tests.made_lead import (
    HOUR_MS,
    INTERVAL_MS,
    POLICY,
    closed_row,
    loosened,
    offline_settings,
    store_closes,
    write_pages,
)

LEAD = "4751838302089254888"
TURN_MS = 12 * HOUR_MS
START_MS = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp() * 1000)
POSITIONS = 60
SPACE = """
name = "tiny"
[exit]
family = "autonomous"
tp = { scale = "linear", low = 0.004, high = 0.012, step = 0.001, none = true }
sl = { scale = "linear", low = 0.006, high = 0.015, step = 0.001, none = true }
trailing_callback = { none = true }
ttl_hours = { scale = "linear", low = 1, high = 8, step = 1 }
[constraints]
take_profit_ratio_above = 0.0025
"""
EASY = {
    "trials_count_min": "1",
    "trips_count_min": "1",
    "deflated_sharpe_ratio_min": "0",
    "backtest_overfitting_ratio_max": "1",
    "validation_net_interval_low_usdt_above": "-1000",
}


def small_project(root: Path, project_root: Path, *, easy: bool = True, positions: int = POSITIONS) -> Path:
    """Writes settings, pages and bars below `root` and returns the configuration file.

    `easy` loosens the limits of luck so far that the best finalist is the champion.
    """
    settings = root / "settings"
    (settings / "spaces").mkdir(parents=True)
    for name in ("copytrade.toml", "promotion.toml", "instruments.toml", "search.toml"):
        shutil.copy(project_root / "settings" / name, settings / name)
    (settings / "spaces" / "tiny.toml").write_text(SPACE)
    (settings / "against.toml").write_text(POLICY)
    config = settings / "copytrade.toml"
    text = config.read_text().replace('space = "dca_shape_v1"', 'space = "tiny"')
    text = text.replace("trials_count = 20_000", "trials_count = 120")
    config.write_text(offline_settings(text, "against"))
    search = settings / "search.toml"
    search.write_text(quick(search.read_text()))
    if easy:
        loosen(settings / "promotion.toml")
    fill_store(place_of(config), root / "pages", positions)
    return config


def quick(search: str) -> str:
    """The settings of a search with small batches and few comparisons of the engines."""
    for old, new in (
        ("batch_count = 1024", "batch_count = 10"),
        ("top_count = 10 ", "top_count = 2 "),
        ("random_count = 30 ", "random_count = 4 "),
        ("\ncount = 10 ", "\ncount = 3 "),
    ):
        assert old in search, old
        search = search.replace(old, new)
    return search


def loosen(contract: Path) -> None:
    """Sets the limits of luck so that nothing is over them."""
    contract.write_text(loosened(contract.read_text(), EASY))


def place_of(config: Path) -> Workplace:
    return open_workplace(load_settings(file=config))


def fill_store(place: Workplace, pages: Path, positions: int) -> None:
    write_pages(pages / LEAD, [history_row(number) for number in range(positions)])
    _ = import_pages(place, pages, lead_id=None)
    times = np.arange((positions + 8) * (TURN_MS // INTERVAL_MS), dtype=np.int64) * INTERVAL_MS + START_MS
    draws = np.random.default_rng(7).integers(-400, 401, size=len(times))
    closes = (np.array([wave_ticks(int(time)) for time in times]) + draws).astype(np.int32)
    opens = np.concatenate((closes[:1], closes[:-1]))
    store_closes(place, times, closes, opens, reach=150)
    _ = derive_lead(place, LEAD)


def wave_ticks(time_ms: int) -> int:
    """A saw around 90,000 USDT that turns every 12 hours, 1.4 % high, in ticks of 0.1."""
    turns, rest = divmod(time_ms - START_MS, TURN_MS)
    up = rest / TURN_MS if turns % 2 == 0 else 1 - rest / TURN_MS
    return 900_000 + round(12_600 * (up - 0.5))


def history_row(number: int) -> dict[str, object]:
    """A position from one turn to the next, or hours before it: long while the price climbs, short while it falls."""
    opened = START_MS + number * TURN_MS + 600_000 + 17_000 + number % 7 * 1000
    early = 7 * HOUR_MS if number % 5 == 3 else 0
    closed = START_MS + (number + 1) * TURN_MS - 600_000 - early + 13_000 + number % 7 * 60_000
    cost, leave = wave_ticks(opened) / 10, wave_ticks(closed) / 10
    is_long = number % 2 == 0
    pnl = round((leave - cost) * 0.01 * (1 if is_long else -1), 8)
    return closed_row(opened=opened, closed=closed, cost=cost, leave=leave, is_long=is_long, pnl=pnl)
