"""Search reports as files: made from a search, read back, and opened in a browser."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import polars as pl
import pytest

from copytrade_core.edges.reports.search_report_counts import totals_of
from copytrade_core.edges.reports.search_report_files import write_search_report
from copytrade_core.edges.reports.search_report_html import render_search_html
from copytrade_core.edges.reports.search_report_markdown import render_search_markdown
from copytrade_core.edges.reports.search_report_plots import search_plots
from copytrade_core.edges.reports.search_report_text import parameter_tick, parameter_value, probability
from copytrade_core.edges.trial_registry import TrialRegistry
from copytrade_core.evidence.search_report import search_report, search_report_document
from copytrade_core.model.bar import PriceOrigin
from copytrade_core.model.errors import StoreFault
from copytrade_core.model.trial import TrialOrigin, TrialStatus
from tests.edges.test_report_files import HOSTILE_NAME, opened
from tests.evidence.search_case import TOP, search_inputs, trial_at

ALL_PLOTS = ["history", "coordinates", "map", "neighbours", "train validation", "sharpes", "logits"]


def document(**changes) -> dict[str, Any]:
    made: dict[str, Any] = search_report_document(search_report(search_inputs(**changes)))
    return json.loads(json.dumps(made))


def nothing_found() -> dict[str, Any]:
    return document(
        finalists=(), champion_trial_id=None, overfitting=None, policy_toml=None, reasons=("no trial came through",)
    )


def test_all_three_files_are_written_and_the_json_gives_the_same_page_again(tmp_path):
    paths = write_search_report(document(), tmp_path / "reports" / "1", tmp=tmp_path / "tmp")
    again = json.loads(paths.json.read_text(encoding="utf-8"))
    assert render_search_html(again) == paths.html.read_text(encoding="utf-8")
    assert render_search_markdown(again) == paths.markdown.read_text(encoding="utf-8")
    assert [path.name for path in (paths.html, paths.markdown, paths.json)] == [
        "search.html",
        "search.md",
        "search.json",
    ]
    assert list((tmp_path / "tmp").iterdir()) == []


def test_what_others_keep_beside_the_report_stays_in_its_json(tmp_path):
    paths = write_search_report({**document(), "gate_facts": {"a": 1}}, tmp_path, tmp=tmp_path / "tmp")
    assert json.loads(paths.json.read_text(encoding="utf-8"))["gate_facts"] == {"a": 1}


def test_a_folder_that_cannot_be_made_is_a_typed_fault(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreFault, match="file"):
        write_search_report(document(), tmp_path / "file" / "report", tmp=tmp_path / "tmp")


def test_the_answer_comes_before_anything_else():
    for text, first in ((render_search_markdown(document()), "|"), (render_search_html(document()), "<table>")):
        assert text.index("One survived") < text.index(first)
    assert "None survived" in render_search_markdown(nothing_found())


def test_a_simulated_market_is_named_on_top_of_both():
    simulated = document(origin=PriceOrigin.SIMULATED)
    assert "> The market in this report is **simulated**" in render_search_markdown(simulated)
    assert '<p class="simulated">' in render_search_html(simulated)


def test_hostile_names_stay_text():
    hostile = document(nickname=HOSTILE_NAME, policy_toml=HOSTILE_NAME, strategy=HOSTILE_NAME)
    assert HOSTILE_NAME not in render_search_html(hostile)


def test_table_cells_of_markdown_cannot_break_the_table():
    lines = [line for line in render_search_markdown(document()).splitlines() if "a \\| test" in line]
    assert lines
    assert all(len(re.findall(r"(?<!\\)\|", line)) == 4 for line in lines)


def test_the_page_carries_plotly_once_and_links_nowhere():
    page = render_search_html(document())
    assert "default-src 'none'" in page
    assert not re.search(r"<(?:script|img|iframe)[^>]+src=|<link ", page)
    assert 4_000_000 < len(page) < 6_000_000


def test_every_plot_is_there_and_says_how_to_read_it():
    shown = search_plots(document())
    assert [plot.name for plot in shown] == ALL_PLOTS
    assert all(len(plot.note) > 60 for plot in shown)


def test_a_plot_without_data_is_left_out_and_not_drawn_empty():
    names = [plot.name for plot in search_plots(nothing_found())]
    assert "neighbours" not in names
    assert names[0] == "history"
    only = trial_at(TOP, 0, origin=TrialOrigin.MANUAL, parameters=())
    manual = document(trials=[only], batches=[], finalists=(), champion_trial_id=None, overfitting=None, grids=())
    assert "coordinates" not in [plot.name for plot in search_plots(manual)]
    assert "Trials counted" in render_search_html(manual)


def test_a_search_without_one_readable_trial_has_tables():
    broken = trial_at(TOP, 0, status=TrialStatus.ABORTED, metrics=None, reasons=("too large",))
    page = render_search_html(
        document(trials=[broken], finalists=(), champion_trial_id=None, overfitting=None, validation_sample={})
    )
    assert "too large" in page


def test_every_text_of_the_page_is_drawn_in_colours_of_the_palette():
    text = json.dumps([plot.figure for plot in search_plots(document())])
    assert set(re.findall(r'"@(\w+)"', text)) <= {"blue", "orange", "green", "purple", "grey", "ink", "paper", "middle"}
    assert not re.search(r'"#[0-9a-fA-F]{3,6}"', text)


def test_distances_are_shown_as_exact_per_cent_and_three_digits_on_axes():
    assert parameter_value("exit.tp", "0.027") == "2.7%"
    assert parameter_value("exit.tp", "0.117266") == "11.7266%"
    assert parameter_tick("exit.tp", "0.117266") == "11.7%"
    assert parameter_value("exit.tp", "none") == "none"
    assert parameter_value("ladder.dca_count", "3") == "3"
    assert parameter_value("exit.tp", None) == "–"


def test_a_probability_is_never_rounded_to_certainty():
    assert [probability(p) for p in (0.0, 1e-9, 0.5, 1 - 1e-9, 1.0)] == [
        "0.0%", "under 0.1%", "50.0%", "over 99.9%", "100.0%",
    ]  # fmt: skip


def test_totals_count_distinct_trials_of_all_searches(tmp_path):
    registry = TrialRegistry(tmp_path)
    ids = [f"{number:064x}" for number in range(5)]
    base = replace(trial_at(TOP, 0), data_digest="d" * 64)
    one = [replace(base, trial_id=name, number=i, search_id="1" * 64) for i, name in enumerate(ids[:4])]
    short = replace(one[0], status=TrialStatus.HALVED, signals_count=5)
    again = [replace(one[0], search_id="2" * 64), replace(base, trial_id=ids[4], number=1, search_id="2" * 64)]
    registry.append([short, *one[1:]], "1" * 64, 0)
    registry.append(again, "2" * 64, 0)
    registry.append([replace(one[1], search_id="3" * 64, origin=TrialOrigin.MANUAL)], "3" * 64, 0)
    totals = totals_of(registry.frame("d" * 64), registry.head())
    assert (totals.trials_count, totals.searches_count, totals.head_sequence) == (5, 2, 3)
    assert totals.trials_count == registry.trials_count("d" * 64)
    assert totals.by_status == {"complete": 5}
    assert totals.by_origin == {"qmc": 5}


def test_totals_of_an_empty_registry_are_nothing(tmp_path):
    registry = TrialRegistry(tmp_path)
    totals = totals_of(registry.frame("d" * 64), registry.head())
    assert isinstance(registry.frame("d" * 64), pl.DataFrame)
    assert (totals.trials_count, totals.searches_count, totals.by_status) == (0, 0, {})


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["0", "1"], ids=["dark", "light"])
def test_a_browser_draws_every_plot_without_an_error_or_a_request(tmp_path, scheme):
    paths = write_search_report(document(), tmp_path / "report", tmp=tmp_path / "tmp")
    drawn, said, asked = opened(paths.html, tmp_path, scheme)
    assert said == ""
    assert asked == []
    assert f'data-plots-drawn="{len(ALL_PLOTS)}"' in drawn
    assert drawn.partition('id="figures"')[0].count('class="main-svg"') >= len(ALL_PLOTS)
