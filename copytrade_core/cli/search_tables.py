"""How a search is shown in a terminal: the best trials, the finalists, luck, engines, and what to do next."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from copytrade_core.cli.output import say, say_exactly, table

if TYPE_CHECKING:
    from rich.console import Console

Payload = Mapping[str, object]
FIGURES = (
    ("trials on this data, of all searches", "trials_count"),
    ("round trips on train", "observations_count"),
    ("Sharpe ratio per round trip", "sharpe"),
    ("what luck gives the best of all trials", "sharpe_expected_maximum"),
    ("deflated Sharpe ratio", "deflated_sharpe_ratio"),
    ("probability of backtest overfitting", "backtest_overfitting_ratio"),
    ("round trips needed for a track record", "min_track_record_count"),
)
METRICS = ("objective", "net_pnl_usdt", "trades_count", "drawdown_marked_ratio")


def draw_search(to: Console, payload: Payload) -> None:
    """The whole answer of a search."""
    _draw_counts(to, payload)
    rows = [(one["number"], one["origin"], *_metrics(one["metrics"])) for one in _records(payload["best"])]
    table(to, ("trial", "from", *METRICS), rows, title="best on train", right=("trial", *METRICS))
    _draw_finalists(to, payload)
    _draw_luck(to, payload)
    engine = payload["engine"]
    if isinstance(engine, dict):
        say(f"both engines: {engine['verdict']} on {engine['compared_count']} policies", to=to)
        for difference in engine["differences"][:1]:
            say_exactly(str(difference), to=to)
    _draw_end(to, payload)


def draw_trial(to: Console, payload: Payload) -> None:
    """One policy that was tried by hand."""
    trial = _record(payload["trial"])
    metrics = _record(trial["metrics"]) if trial["metrics"] is not None else {}
    table(to, ("measure on train", "value"), metrics.items(), title=str(trial["status"]), right=("value",))
    reasons = trial["reasons"]
    assert isinstance(reasons, (list, tuple)), "reasons are a list"
    for reason in reasons:
        say(f"  {reason}", to=to)
    say(f"policy {str(trial['policy_digest'])[:12]}, counted in the registry", to=to)


def _draw_counts(to: Console, payload: Payload) -> None:
    search, counts = _record(payload["search"]), _record(payload["counts"])
    status = ", ".join(f"{count} {name}" for name, count in _record(counts["by_status"]).items())
    say(f"{search['strategy']} over {search['space']}, seed {search['seed']}: {status}", to=to)
    everything = _record(counts["everything"])
    tried = f"{everything['trials_count']} different trials in {everything['searches_count']} searches"
    say(f"{payload['new_trials_count']} of them new; on this data: {tried}", to=to)
    if search["shortfall"] is not None:
        say(str(search["shortfall"]), to=to)


def _draw_finalists(to: Console, payload: Payload) -> None:
    rows: list[tuple[object, ...]] = []
    for one in _records(payload["finalists"]):
        trial, validation, reasons = _record(one["trial"]), one["validation"], one["reasons"]
        assert isinstance(reasons, list)
        net = None if validation is None else _record(validation)["net_pnl_usdt"]
        plateau = (one["profitable_ratio"], one["median_ratio"])
        rows.append((trial["number"], _metrics(trial["metrics"])[0], net, *plateau, "; ".join(reasons) or "nothing"))
    columns = ("trial", "objective", "net on validation", "neighbours that gain", "their median", "against it")
    table(to, columns, rows, title="finalists", right=columns[:-1])


def _draw_luck(to: Console, payload: Payload) -> None:
    if payload["overfitting"] is None:
        return
    figures = _record(payload["overfitting"])
    rows = [(words, figures[name]) for words, name in FIGURES]
    title = "luck: the champion" if payload["champion"] is not None else "luck: the finalist that came closest"
    table(to, ("figure", "value"), rows, title=title, right=("value",))


def _draw_end(to: Console, payload: Payload) -> None:
    champion, reasons = payload["champion"], payload["reasons"]
    assert isinstance(reasons, list)
    if isinstance(champion, dict):
        say(f"champion: trial {champion['trial']}, policy {champion['policy_digest']}", to=to)
    else:
        say("no champion:", to=to)
        for reason in _record(payload["conclusion"])["reasons"]:  # pyright: ignore[reportGeneralTypeIssues]
            say(f"  {reason}", to=to)
    say(f"search digest: {payload['search_digest']}", to=to)
    say_exactly(f"report: {payload['html']}", to=to)
    what = "next, once and for all: " if champion is not None else "next, more signals of this lead: "
    say_exactly(f"{what}{payload['next']}", to=to)


def _metrics(metrics: object) -> tuple[object, ...]:
    found = {} if metrics is None else _record(metrics)
    return tuple(found.get(name) for name in METRICS)


def _record(value: object) -> dict[str, object]:
    assert isinstance(value, dict), "a record"
    return value


def _records(value: object) -> list[dict[str, object]]:
    assert isinstance(value, list), "a list of records"
    return value
