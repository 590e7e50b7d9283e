"""`copytrade replay`: what a strategy would have done with a lead's signals."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from copytrade_core.cli.options import JsonFlag, LeadOption
from copytrade_core.cli.output import answer, say, table
from copytrade_core.cli.workplace import workplace
from copytrade_core.model.errors import BadInput, Where

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.console import Console

    from copytrade_core.model.fill import FillModel

LEGACY = "legacy_contrarian_v1"
TRIP_COLUMNS = ("source_id", "market", "side", "pnl_usdt", "dca_fills")


def add_to(app: typer.Typer) -> None:
    """Adds the verb of this module."""
    app.command("replay")(replay)


def replay(
    lead: LeadOption,
    strategy: Annotated[
        str | None, typer.Option("--strategy", metavar="NAME", help="A strategy of copytrade.toml; default its first.")
    ] = None,
    policy: Annotated[
        Path | None, typer.Option("--policy", metavar="FILE", help="A policy file instead of a strategy.")
    ] = None,
    fill_model: Annotated[
        str | None,
        typer.Option("--fill-model", metavar="NAME", help=f"next_bar_open_v1, first_bar_close_v1 or {LEGACY}."),
    ] = None,
    rung_fill: Annotated[
        str | None, typer.Option("--rung-fill", metavar="NAME", help="close_beyond_v1 or touch_v1.")
    ] = None,
    rungs: Annotated[
        int | None, typer.Option("--rungs", min=0, max=3, help=f"Ladder rungs of {LEGACY}; default 0.")
    ] = None,
    delay: Annotated[
        int | None, typer.Option("--delay", metavar="SECONDS", help="From the lead's event to our order.")
    ] = None,
    slippage_bps: Annotated[
        float | None, typer.Option("--slippage-bps", help="How much worse than the bar our market orders fill.")
    ] = None,
    json_output: JsonFlag = False,
) -> None:
    """Replay one strategy on a lead's episodes and the stored bars; no result is stored.

    The try itself is counted in the trial registry, as every look at the data is. What is not given comes from
    copytrade.toml. The holdout stays closed. The legacy study trades at the lead's own prices and is labelled so.

    Example: copytrade replay --lead 4751838302089254401 --strategy follow_lead --delay 300
    """
    legacy = fill_model == LEGACY
    if legacy and (rung_fill, delay, slippage_bps) != (None, None, None):
        raise BadInput(
            f"{LEGACY} has its own fills, delay and costs",
            where=Where(field="fill-model"),
            next_step="Leave out --rung-fill, --delay and --slippage-bps",
        )
    from copytrade_core.model.fill import MARKET_FILL_MODELS, RUNG_FILL_MODELS, FillModel

    _check_model("--fill-model", fill_model, [*MARKET_FILL_MODELS, FillModel.LEGACY_CONTRARIAN])
    _check_model("--rung-fill", rung_fill, RUNG_FILL_MODELS)
    place = workplace(
        {
            "replay.market_fill": None if legacy else fill_model,
            "replay.rung_fill": rung_fill,
            "replay.delay_s": delay,
            "costs.slippage_bps": slippage_bps,
        }
    )
    from copytrade_core.edges.lead_line import derive_lead
    from copytrade_core.edges.replay_request import ReplayRequest, replay_executable, replay_legacy

    _ = derive_lead(place, lead)
    request = ReplayRequest(
        lead_id=lead, strategy=strategy or place.settings.main_policy, policy_file=policy, rungs_count=rungs
    )
    payload = (replay_legacy if legacy else replay_executable)(place, request)
    answer(payload, as_json=json_output, render=lambda to: _draw(to, payload))


def _check_model(option: str, name: str | None, known: Sequence[FillModel]) -> None:
    if name is None or name in known:
        return
    near = get_close_matches(name, known, n=1)
    raise BadInput(
        f"there is no fill model {name!r} for {option}",
        where=Where(field=option),
        next_step=f"Did you mean {near[0]}?" if near else f"Use one of {', '.join(known)}",
    )


def _draw(to: Console, payload: Mapping[str, object]) -> None:
    summary, trips, skipped = payload["summary"], payload["round_trips"], payload["skipped"]
    assert isinstance(summary, dict)
    assert isinstance(trips, list)
    assert isinstance(skipped, list)
    shown = [(name, value) for name, value in summary.items() if name != "note"]
    table(to, ("measure", "value"), shown, title="summary", right=("value",))
    rows = [[trip[name] for name in TRIP_COLUMNS] for trip in trips]
    table(to, TRIP_COLUMNS, rows, title="round trips", right=("pnl_usdt", "dca_fills"))
    reasons: dict[str, int] = {}
    for skip in skipped:
        reasons[str(skip["reason"])] = reasons.get(str(skip["reason"]), 0) + 1
    table(to, ("not traded because", "signals"), reasons.items(), title=None, right=("signals",))
    say(f"prices: {summary['origin']}; {summary['note']}", to=to)
