"""How a session's status is drawn: one screen that fits 80 and 120 columns. What it says is read elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rich.console import Group
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from rich.console import RenderableType

    from copytrade_core.edges.runtime_look import LimitLine, PositionLine, RuntimeLook, StatusLines

WIDE = 110
BAR = 20
NEAR, FULL = 0.8, 1.0
STYLES = {
    "running": "bold green",
    "ended": "bold",
    "stale": "bold yellow",
    "gone": "bold red",
    "missing": "bold red",
    "corrupted": "bold red",
}
WORDS = {
    "running": "its process lives and writes",
    "ended": "over, as it should be",
    "stale": "it should have written again by now",
    "gone": "its process is not there any more, and it did not end",
    "missing": "no status to be found",
    "corrupted": "the status cannot be believed",
}
SHOWN = 5
UNITS = {"usdt": " USDT", "seconds": " s"}


def screen(look: RuntimeLook, *, width: int) -> RenderableType:
    """The whole screen."""
    parts: list[RenderableType] = [_head(look)]
    parts.extend(_controls(look))
    status = look.status
    if status is not None:
        parts.append(_money(status))
        parts.append(_limits(status.limits))
        parts.append(_positions(status.positions, is_wide=width >= WIDE))
        parts.extend(_doubts(look, status))
    return Group(*parts)


def _head(look: RuntimeLook) -> Text:
    word, status = look.standing.value, look.status
    text = Text()
    text.append(f"● {word}", style=STYLES[word])
    text.append(f"  {look.fault or WORDS[word]}\n", style="dim")
    text.append(f"{look.folder}\n", style="dim")
    if status is None:
        return text
    mode = f"{status.mode} on a virtual clock" if look.is_virtual else status.mode
    leads = ", ".join(status.leads) or status.lead
    text.append(f"{mode} · {status.strategy} · lead {leads}\n")
    text.append(f"policy {status.policy_digest[:12]} · {status.venue} / {status.account} · run {status.run_id[:12]}\n")
    age = "" if look.age_s is None else f", {lasting(look.age_s)} ago"
    text.append(f"started {shown_at(status.started_at)} · written {shown_at(status.written_at)}{age}\n")
    text.append_text(_deadline(look, status))
    return text


def _deadline(look: RuntimeLook, status: StatusLines) -> Text:
    left_s = look.deadline_in_s
    if status.ended is not None:
        return Text(f"ended by {status.ended}", style="bold")
    if left_s is None:
        return Text("no deadline", style="dim")
    if left_s <= 0:
        return Text(f"the deadline passed {lasting(-left_s)} ago", style="bold yellow")
    return Text(f"deadline in {lasting(left_s)}", style="yellow" if left_s < 900 else "")


def _controls(look: RuntimeLook) -> Iterator[Text]:
    if not look.controls:
        yield Text("controls  none set", style="dim")
    for each in look.controls:
        note = each.note
        text = Text(each.control.value, style="bold red")
        if note is None:
            text.append("  set by hand, nobody said why", style="not bold")
        else:
            since = shown_at(datetime.fromtimestamp(note.at_ms / 1000, UTC))
            text.append(f"  {note.who}, {since}: {note.why}", style="not bold")
        yield text


def _money(status: StatusLines) -> Text:
    text = Text("\nequity ")
    text.append(f"{_amount(status.equity_usdt)} USDT", style="bold")
    text.append(f"   cash {_amount(status.cash_usdt)}   today ")
    text.append_text(_signed(status.day_result_usdt))
    return text


def _limits(limits: list[LimitLine]) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
    for justify in ("left", "left", "right", "left"):
        table.add_column(justify="right" if justify == "right" else "left", no_wrap=True)
    for each in limits:
        share = None if each.value is None or not each.limit else max(0.0, each.value / each.limit)
        value = "unknown" if each.value is None else f"{each.value:,.6g}"
        table.add_row(each.name.replace("_", " "), bar(share), value, f"of {each.limit:,.6g}{UNITS.get(each.unit, '')}")
    return table


def bar(share: float | None) -> Text:
    """A share as a bar: full and red at its limit, yellow near it; a row of dots where it is not known."""
    if share is None:
        return Text("·" * BAR, style="yellow")
    filled = min(BAR, round(share * BAR))
    style = "red" if share >= FULL else "yellow" if share >= NEAR else "green"
    text = Text("█" * filled, style=style)
    return text.append("░" * (BAR - filled), style="dim")


def _positions(positions: list[PositionLine], *, is_wide: bool) -> RenderableType:
    if not positions:
        return Text("\nno open position", style="dim")
    table = Table(title="\nopen positions", title_justify="left", title_style="bold", box=None, pad_edge=False)
    narrow = ("market", "side", "quantity", "entry", "mark", "unrealised", "source")
    columns = (*narrow[:5], "notional", *narrow[5:], "since") if is_wide else narrow
    for name in columns:
        is_number = name in ("quantity", "entry", "mark", "notional", "unrealised")
        table.add_column(name, justify="right" if is_number else "left", overflow="fold")
    for each in positions:
        cells: dict[str, Text | str] = {
            "market": each.market.partition(":")[0],
            "side": each.side,
            "quantity": _amount(each.quantity),
            "entry": _amount(each.entry_price),
            "mark": "–" if each.mark_price is None else _amount(each.mark_price),
            "notional": _amount(each.notional_usdt),
            "unrealised": Text("unknown", style="yellow")
            if each.unrealised_usdt is None
            else _signed(each.unrealised_usdt),
            "source": Text(each.source_state, style="" if each.source_state == "open" else "yellow"),
            "since": shown_at(each.opened_at),
        }
        table.add_row(*(cells[name] for name in columns))
    return table


def _doubts(look: RuntimeLook, status: StatusLines) -> Iterator[Text]:
    counters = ", ".join(f"{name} {count}" for name, count in status.counters.items())
    yield Text(f"\norders  {status.working_orders} working, {len(status.unknown_orders)} unknown · {counters}")
    for each in status.unknown_orders[:SHOWN]:
        yield Text(
            f"  unknown {each.client_order_id} {each.market} since {shown_at(each.since)}: {each.why}", style="red"
        )
    backoff = status.backoff
    if backoff.until is not None or backoff.failures:
        until = "" if backoff.until is None else f", no entry until {shown_at(backoff.until)}"
        yield Text(f"backoff  {backoff.failures} failures{until}", style="yellow")
    ages = " · ".join(
        f"{name} {'never seen' if age is None else lasting(age) + ' old'}" for name, age in status.input_ages_s.items()
    )
    poll = status.last_poll
    polled = "never" if poll.at is None else shown_at(poll.at)
    yield Text(f"inputs  {ages}")
    yield Text(f"last poll  {polled}: {poll.reading}", style="" if poll.ok else "yellow")
    for alert in status.alerts[-SHOWN:]:
        yield Text(f"alert  {alert.kind} {alert.subject}: {alert.what}", style="yellow")
    if status.last_error is not None:
        yield Text(f"last error  {status.last_error}", style="bold red")
    code = status.versions.get("code", "unknown")
    yield Text(f"code {code} · pid {status.pid}{'' if look.is_alive is not False else ' (gone)'}", style="dim")


def _signed(amount: str) -> Text:
    value = float(amount)
    return Text(f"{value:+,.4f}", style="red" if value < 0 else "green" if value > 0 else "")


def _amount(text: str) -> str:
    """A decimal with separators; no zeros at its end."""
    sign, digits = ("-", text[1:]) if text.startswith("-") else ("", text)
    whole, _, rest = digits.partition(".")
    rest = rest.rstrip("0")
    return f"{sign}{int(whole):,}" + (f".{rest}" if rest else "")


def shown_at(instant: datetime) -> str:
    """A moment in UTC, to the second."""
    return f"{instant.astimezone(UTC):%Y-%m-%d %H:%M:%S}Z"


def lasting(seconds: float) -> str:
    """A length of time in its two largest units."""
    left = round(seconds)
    if left < 60:
        return f"{left} s"
    if left < 3_600:
        return f"{left // 60} min {left % 60} s"
    if left < 86_400:
        return f"{left // 3_600} h {left % 3_600 // 60} min"
    return f"{left // 86_400} d {left % 86_400 // 3_600} h"
