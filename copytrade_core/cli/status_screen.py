"""How a session's status is drawn: one screen that fits 80 and 120 columns. What it says is read elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rich.console import Group
from rich.table import Table
from rich.text import Text

from copytrade_core.model.episode import EpisodeState
from copytrade_core.model.session_end import Ended

if TYPE_CHECKING:
    from decimal import Decimal

    from rich.console import RenderableType

    from copytrade_core.edges.runtime.runtime_look import RuntimeLook
    from copytrade_core.edges.runtime.status_file import RunStatus, StatusLimit, StatusPosition

WIDE, BAR = 110, 20
NEAR, FULL = 0.8, 1.0
STYLES = {
    "running": "bold cyan",
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
STEPS = {
    "gone": "start it again with the same command: it goes on where it was",
    "stale": "see whether its process hangs, or the clock has jumped",
    "corrupted": "the next start puts it aside and writes it again from the journal",
    "missing": "`copytrade status` lists the sessions there are",
}
SHOWN = 5
UNITS = {"usdt": " USDT", "seconds": " s"}


def screen(look: RuntimeLook, *, width: int) -> RenderableType:
    """The whole screen."""
    status = look.status
    parts: list[RenderableType] = [_verdict(look)]
    parts.append(_conclusion(look, status))
    parts.append(_head(look))
    parts.extend(_controls(look))
    if status is not None:
        parts.append(_money(status))
        parts.append(_limits(status.limits))
        parts.extend(_positions_by_lead(look, status, is_wide=width >= WIDE))
        parts.extend(_doubts(look, status))
    return Group(*parts)


def _verdict(look: RuntimeLook) -> Text:
    """How far the rest can be believed."""
    word, status = look.standing.value, look.status
    failed = status is not None and status.ended is Ended.ERROR
    text = Text(f"● {word}", style=STYLES["gone" if failed else word])
    return text.append(f"  {look.fault or ('by an error' if failed else WORDS[word])}", style="not bold dim")


def _head(look: RuntimeLook) -> Text:
    status = look.status
    text = Text()
    text.append(f"{look.folder}\n", style="dim")
    if status is None:
        return text
    mode = f"{status.mode} on a virtual clock" if look.is_virtual else status.mode
    leads = ", ".join(status.leads) or status.lead
    text.append(f"{mode} · {status.strategy} · lead {leads}\n")
    where = f"venue {status.venue} · account {status.account}"
    text.append(f"policy {status.policy_digest[:12]} · {where} · run {status.run_id[:12]}\n")
    age = "" if look.age_s is None else f", {lasting(look.age_s)} ago"
    text.append(f"started {shown_at(status.started_at)} · written {shown_at(status.written_at)}{age}\n")
    text.append_text(_deadline(look, status))
    return text


def _deadline(look: RuntimeLook, status: RunStatus) -> Text:
    left_s = look.deadline_in_s
    if status.ended is not None:
        return Text(f"ended by {status.ended}", style="bold")
    if left_s is None:
        return Text("no deadline", style="dim")
    if left_s <= 0:
        return Text(f"the deadline passed {lasting(-left_s)} ago", style="bold yellow")
    return Text(f"deadline in {lasting(left_s)}", style="yellow" if left_s < 900 else "")


def _conclusion(look: RuntimeLook, status: RunStatus | None) -> Text:
    """What to conclude before any number is read."""
    found = [*_to_do(look), *([] if status is None else _to_look_at(status))]
    return Text(f"to check  {'; '.join(found) or 'nothing'}", style="bold yellow" if found else "dim")


def _to_do(look: RuntimeLook) -> Iterator[str]:
    """What to do about the session as a whole; nothing when it is in order."""
    if step := STEPS.get(look.standing.value):
        yield step
    ends = [each.control.value for each in look.controls if each.control.value != "STOP_NEW_ORDERS"]
    if ends and look.standing.value == "ended":
        yield f"nothing starts here until `copytrade resume` takes {' and '.join(ends)} back"
    elif look.controls and look.standing.value == "running":
        yield "nothing opens while a control is set"


def _to_look_at(status: RunStatus) -> Iterator[str]:
    shares = {_name(each): _share(each) for each in status.limits}
    yield from (f"{name} is at its limit" for name, share in shares.items() if share is not None and share >= FULL)
    yield from (f"{name} is unknown" for name, share in shares.items() if share is None)
    left = sum(each.source_state is EpisodeState.CLOSED for each in status.positions)
    counts = {
        "unknown order": len(status.unknown_orders),
        "position that the lead has closed": left,
        "alert": len(status.alerts),
    }
    yield from (f"{count} {name}{'s' if count > 1 else ''}" for name, count in counts.items() if count)
    if status.backoff.until is not None and status.ended is None:
        yield "entries wait after failures"
    if not status.last_poll.ok and (status.last_poll.at is not None or status.ended is None):
        yield "the last poll failed"
    if status.last_error is not None:
        yield "an error"


def _share(limit: StatusLimit) -> float | None:
    """How much of a limit is used; None while that is not known."""
    if limit.value is None:
        return None
    return max(0.0, limit.value / limit.limit) if limit.limit else FULL * (limit.value > 0)


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


def _money(status: RunStatus) -> Text:
    text = Text("\nequity ")
    text.append(f"{status.equity_usdt:,.4f} USDT", style="bold")
    text.append(f"   cash {status.cash_usdt:,.4f} USDT   today ")
    text.append_text(_signed(status.day_result_usdt))
    return text.append(" USDT")


def _limits(limits: tuple[StatusLimit, ...]) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
    for justify in ("left", "left", "right", "left"):
        table.add_column(justify="right" if justify == "right" else "left", no_wrap=True)
    for each in limits:
        share = _share(each)
        value = "unknown" if each.value is None else f"{each.value:,.6g}"
        word = "" if share is None or share < NEAR else "  full" if share >= FULL else "  near"
        limit = f"of {each.limit:,.6g}{UNITS.get(each.unit, '')}{word}"
        table.add_row(_name(each), bar(share), value, limit)
    return table


def bar(share: float | None) -> Text:
    """A share as a bar: full and red at its limit, yellow near it; a row of dots where it is not known.

    Cyan, yellow and red are told apart by colour-blind eyes too, and the words beside the bar say the same.
    """
    if share is None:
        return Text("·" * BAR, style="yellow")
    filled = min(BAR, round(share * BAR))
    style = "red" if share >= FULL else "yellow" if share >= NEAR else "cyan"
    text = Text("█" * filled, style=style)
    return text.append("░" * (BAR - filled), style="dim")


def _name(limit: StatusLimit) -> str:
    words = {"mark_age": "mark age (held)"}.get(limit.name, limit.name.replace("_", " "))
    return words.removeprefix("notional ") if words.startswith("notional lead ") else words


def _positions_by_lead(look: RuntimeLook, status: RunStatus, *, is_wide: bool) -> Iterator[RenderableType]:
    if len(status.leads) < 2:
        yield _positions(look, status.positions, "", is_wide=is_wide)
        return
    for lead in status.leads:
        held = [each for each in status.positions if each.episode_id.partition("|")[0] == lead]
        yield _positions(look, held, f" of lead {lead}", is_wide=is_wide)


def _positions(look: RuntimeLook, positions: Sequence[StatusPosition], whose: str, *, is_wide: bool) -> RenderableType:
    if not positions:
        return Text(f"\nno open position{whose}", style="dim")
    table = Table(title=f"\nopen positions{whose}", title_justify="left", title_style="bold", box=None, pad_edge=False)
    narrow = ("market", "side", "quantity", "entry", "mark", "unrealised", "lead", "held for")
    columns = (*narrow[:5], "notional", *narrow[5:]) if is_wide else narrow
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
            "lead": Text(each.source_state, style="" if each.source_state is EpisodeState.OPEN else "yellow"),
            "held for": lasting(_since_s(look, each.opened_at)),
        }
        table.add_row(*(cells[name] for name in columns))
    return table


def _doubts(look: RuntimeLook, status: RunStatus) -> Iterator[Text]:
    counters = status.counters
    done = {"sent": counters.orders, "filled": counters.fills, "not placed": counters.not_placed}
    so_far = ", ".join(f"{count} {word}" for word, count in (done | {"rejected": counters.rejected}).items())
    yield Text(f"\norders  {status.working_orders} working, {len(status.unknown_orders)} unknown · so far {so_far}")
    for each in status.unknown_orders[:SHOWN]:
        age = lasting(_since_s(look, each.since))
        market = each.market.partition(":")[0]
        yield Text(f"  unknown {each.client_order_id} {market} for {age}: {each.why}", style="red")
    backoff = status.backoff
    if backoff.until is not None or backoff.failures:
        until = "" if backoff.until is None else f", no entry until {shown_at(backoff.until)}"
        yield Text(f"backoff  failed entries in a row: {backoff.failures}{until}", style="yellow")
    seen = {"source": status.input_ages_s.source, "mark": status.input_ages_s.mark}
    ages = " · ".join(f"{name} {'never seen' if age is None else lasting(age) + ' old'}" for name, age in seen.items())
    poll = status.last_poll
    polled = "never" if poll.at is None else f"{shown_at(poll.at)}, {lasting(_since_s(look, poll.at))} ago"
    yield Text(f"inputs  {ages}")
    yield Text(f"last poll  {polled}: {poll.reading}", style="" if poll.ok else "yellow")
    for lead in poll.leads:
        if lead.failures:
            again = "" if lead.next_at is None else f", asked again {shown_at(lead.next_at)}"
            yield Text(f"  lead {lead.lead}  {lead.failures} failed polls in a row{again}", style="yellow")
    for alert in status.alerts[-SHOWN:]:
        ago = lasting(_since_s(look, alert.at))
        yield Text(f"alert  {alert.kind} {alert.subject}, {ago} ago: {alert.what}", style="yellow")
    if status.last_error is not None:
        yield Text(f"last error  {status.last_error}", style="bold red")
    yield Text(
        f"code {status.versions.code} · pid {status.pid}{'' if look.is_alive is not False else ' (gone)'}", style="dim"
    )


def _since_s(look: RuntimeLook, instant: datetime) -> float:
    """How long ago by the session's clock, which goes on after its last status unless it is virtual or has ended."""
    status = look.status
    assert status is not None, "only a status has instants"
    goes_on = not look.is_virtual and status.ended is None
    return max(0.0, (status.written_at - instant).total_seconds() + (look.age_s or 0 if goes_on else 0))


def _signed(value: Decimal) -> Text:
    return Text(f"{value:+,.4f}", style="red" if value < 0 else "cyan" if value > 0 else "")


def _amount(value: Decimal) -> str:
    """A decimal with separators; no zeros at its end."""
    whole, _, rest = f"{value:,f}".partition(".")
    return f"{whole}.{rest}".rstrip("0").rstrip(".") if rest else whole


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
