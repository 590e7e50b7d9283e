"""The leads of a group's session as a table, below the caps that hold over all of them. Nothing is read here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from copytrade_core.cli.output import say, table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import Console


def draw_leads(to: Console, row: Mapping[str, object]) -> None:
    """A line per lead; nothing for a session of one lead."""
    leads, caps = row.get("leads"), row.get("caps_over_all")
    if not isinstance(leads, list) or not leads:
        return
    assert isinstance(caps, dict), "a group's session has caps over all"
    columns = ("lead", "entries", "exits", "result", "capital", "used", "used at most", "trades refused")
    drawn = [
        (
            *(each[name] for name in ("lead", "entries", "exits")),
            f"{each['result_usdt']:+.4f}",
            *(f"{each[name]:.2f}" for name in ("capital_usdt", "used_usdt", "used_usdt_max")),
            ", ".join(f"{why} {count}" for why, count in each["refused_trades_by_reason"].items()) or "none",
        )
        for each in leads
    ]
    table(to, columns, drawn, title=f"leads, {row['day']} (USDT)", right=columns[1:-1])
    over_all = ", ".join(f"{name.replace('_', ' ').replace(' usdt', '')} {cap:g}" for name, cap in caps.items())
    say(f"caps over all leads together: {over_all}", to=to)
