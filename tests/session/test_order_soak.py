"""The long run of the order path: ten thousand seeds, hundreds over HTTP, every planted fault. `make soak`."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from copytrade_core.model.venue import Venue
from tests.session.order_mutants import MUTANTS
from tests.session.reliability import (
    Tally,
    as_markdown,
    figures,
    many_seeds,
    over_http,
    stops,
    survivors,
    tallied,
    timed,
    write,
)

SILENCE = {"stop_to_silence_p50_ms": 1.5, "stop_to_silence_p99_ms": 3.0}
SEEDS, HTTP_DRILLS, ELSEWHERE, HUNTED, STOPS = 10_000, 300, 300, 400, 60


def everywhere() -> Tally:
    """Seeds in process: most at BingX, some at each other venue."""
    tally = many_seeds(Venue.BINGX, 0, SEEDS)
    for venue in (Venue.GATE, Venue.BINANCE):
        tally.join(many_seeds(venue, 50_000, ELSEWHERE))
    return tally


@pytest.mark.soak
def test_ten_thousand_seeds_break_nothing_and_every_planted_fault_is_found(project_root):
    # A folder of its own: pytest clears its old ones, and other runs may begin while this one lasts.
    with TemporaryDirectory(prefix="copytrade-soak-") as folder:
        lost = survivors(project_root, Path(folder) / "mutants", HUNTED)
        silence = stops(Path(folder), STOPS)
    in_process, took_s = timed(everywhere)
    http = over_http(Venue.BINGX, 100_000, HTTP_DRILLS)
    for venue in (Venue.GATE, Venue.BINANCE):
        http.join(over_http(venue, 100_000, HTTP_DRILLS // 10))
    found = figures(in_process, http, lost, silence, took_s=took_s)
    write(project_root, found)
    print(as_markdown(found))
    print(*in_process.failures, *http.failures, sep="\n")
    assert (in_process.failures, http.failures) == ([], [])
    assert lost == [], "planted faults that no drill shows"
    assert found["cells_required_empty"] == 0
    assert found["stop_to_silence_p99_ms"] <= 1_000
    print(f"mutants killed: {found['mutants_killed']} of {found['mutants']}")


def test_silence_follows_a_stop_within_a_second(tmp_path):
    assert stops(tmp_path, 3)["stop_to_silence_p99_ms"] <= 1_000


def test_the_page_says_what_the_figures_say():
    tally = tallied(Venue.BINGX, range(3))
    found = figures(tally, tally, ["retry_blindly"], SILENCE, took_s=1)
    page = as_markdown(found)
    assert found["mutants_killed"] == len(MUTANTS) - 1
    assert f"| {len(MUTANTS) - 1} |" in page
    assert "| 1.5 |" in page
    assert found["seeds"] == 3
    assert found["violations"] == 0
