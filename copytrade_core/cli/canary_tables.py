"""Paper and shadow sessions as tables: what they did, their parity with replay, the orders that would have been sent.

What to conclude from them in words belongs to `session_words`. Nothing is run or read here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from copytrade_core.cli.lead_table import draw_leads
from copytrade_core.cli.output import say, say_exactly, table
from copytrade_core.cli.session_words import counted, is_quiet, session_words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

Row = dict[str, object]


def draw_sessions(to: Console, rows: Sequence[Row]) -> None:
    """Sessions for people: one table of all, and for each its parity."""
    done = [row for row in rows if "skipped" not in row]
    # Of many days only those on which something happened: the table has every one.
    told = [row for row in done if len(done) == 1 or not is_quiet(row)]
    for row in told:
        for sentence in session_words(row):
            (say_exactly if sentence.startswith("copytrade ") else say)(sentence, to=to)
    say("", to=to)
    columns = ("day", "ended", "observed", "entries", "exits", "refused", "result", "broken")
    drawn = [
        [f"{row['result_usdt']:+.2f}" if name == "result" else _cell(row[name]) for name in columns] for row in done
    ]
    table(to, columns, drawn, title="sessions (result in USDT after costs)", right=columns[3:7])
    for row in told:
        draw_leads(to, row)
        draw_parity(to, row)
        say_exactly(f"files   {row['folder']}", to=to)
    for row in rows:
        if "skipped" in row:
            say(f"{row['day']}: {row['skipped']}", to=to)


def draw_shadows(to: Console, rows: Sequence[Row]) -> None:
    """Shadow sessions for people: one table of all, and for each its desired orders."""
    columns = ("day", "venue", "ended", "observed", "orders", "invalid", "probe_faults", "broken")
    done = [row for row in rows if "skipped" not in row]
    drawn = [[_count(row[name]) if name == "invalid" else _cell(row[name]) for name in columns] for row in done]
    table(to, columns, drawn, title="shadow sessions", right=("orders", "invalid"))
    for row in done:
        _draw_desired(to, row)
        say_exactly(f"read at {row['read_at']}", to=to)
        say_exactly(f"files   {row['folder']}", to=to)
    for row in rows:
        if "skipped" in row:
            say(f"{row['day']}: {row['skipped']}", to=to)


def _draw_desired(to: Console, row: Row) -> None:
    lines, rules = row["desired"], row["rules_stricter_at_the_venue"]
    assert isinstance(lines, list), "a shadow row has its orders"
    assert isinstance(rules, list), "a shadow row has the rules that differ"
    columns = ("at", "market", "intent", "does", "fault", "would be sent")
    drawn = [
        (
            *(line[name] for name in ("at", "market", "intent", "does")),
            line["fault"] or "none",
            " ".join(f"{name}={value}" for name, value in line["request"].items()) or "nothing",
        )
        for line in lines
    ]
    table(to, columns, drawn, title=f"desired orders at {row['venue']}, {row['day']}: none was sent", right=())
    for rule in rules:
        say(f"stricter at the venue: {rule}", to=to)
    if row["looks_unanswered"]:
        say(f"the venue did not answer at {row['looks_unanswered']} looks: nothing is known of its account then", to=to)


def draw_parity(to: Console, row: Row) -> None:
    """The waterfall of a session against replay, or why there is none."""
    parity = row.get("parity")
    if not isinstance(parity, dict):
        return
    lines = parity["rows"]
    if not lines:
        return
    paths = {"paper": "", "shadow": "shadow_"} if parity["has_shadow"] else {"paper": ""}
    for path, before in paths.items():
        columns = ("episode", "intent", "replay", path, "bps", "because of")
        drawn = [
            (
                f"{line['market'].partition('/')[0]} {line['episode']}",
                line["intent"],
                line["replay_price"],
                line[f"{path}_price"],
                _number(line[f"{before}total_bps"]),
                ", ".join(f"{name} {bps:.2f}" for name, bps in line[f"{before}causes_bps"].items()) or "nothing",
            )
            for line in lines
        ]
        title = f"{path} against replay, {row['day']} (USDT; positive: {path} did worse)"
        table(to, columns, drawn, title=title, right=("replay", path, "bps"))
    compared = counted(parity["compared_count"], "intent", "intents")
    say(
        f"{compared} compared, mean difference {_bps(parity['difference_bps_mean'])}, "
        f"largest unexplained part {_bps(parity['residual_bps_max'])}, {len(parity['missed'])} missed",
        to=to,
    )
    for episode, why in parity["episodes_not_comparable"].items():
        say(f"not compared: position {episode.rpartition('|')[2]}: {why}", to=to)


def _number(value: object) -> str:
    return f"{value:.2f}" if isinstance(value, float) else "–"


def _bps(value: object) -> str:
    return f"{_number(value)} bps"


def _count(value: object) -> object:
    return len(value) if isinstance(value, list) else value


def _cell(value: object) -> object:
    return ("; ".join(str(one) for one in value) or "none") if isinstance(value, list) else value
