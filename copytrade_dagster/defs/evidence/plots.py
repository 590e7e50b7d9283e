"""Tables and pictures of a stored study for the UI. Figures are of train and validation: the holdout is sealed."""

import dagster as dg

from copytrade_core.edges.stages.study_store import load_study
from copytrade_core.edges.stages.workplace import Workplace
from copytrade_core.model.units import money_to_float
from copytrade_dagster.tables import line_plot, table


def scenario_table(place: Workplace, lead_id: str) -> dg.MarkdownMetadataValue:
    """Trades and net result of every scenario."""
    study = load_study(place.lake, lead_id)
    rows = [
        (
            scenario.policy,
            scenario.label,
            len(result.round_trips),
            f"{money_to_float(sum(trip.pnl for trip in result.round_trips)):.2f}",
            result.origin.value,
        )
        for scenario, result in study.results.items()
    ]
    return table(("strategy", "scenario", "trades", "net USDT (holdout closed)", "prices"), rows)


def equity_plot(place: Workplace, lead_id: str) -> dg.MarkdownMetadataValue:
    """Marked equity of the strategy that gates judge."""
    curve = load_study(place.lake, lead_id).main_result.equity
    return line_plot(
        "Equity at bar closes, train and validation", "USDT", [money_to_float(int(v)) for v in curve.equity]
    )
