"""The pages of one poll cycle -> a `SourcePoll`.

A request that got no answer at all has no page: its caller makes the `PositionsFailed` itself.
"""

from __future__ import annotations

from copytrade_core.model.source import ClosedPosition, SourcePage
from copytrade_core.sources.envelope import HiddenPositions, SourceError
from copytrade_core.sources.lead_detail import read_lead_detail
from copytrade_core.sources.normalise_open import normalise_open
from copytrade_core.sources.position_values import open_snapshots, unusable_row_values
from copytrade_core.sources.source_poll import PositionsFailed, PositionsSeen, SourcePoll


def read_poll(opened: SourcePage, *, detail: SourcePage | None, history: tuple[ClosedPosition, ...]) -> SourcePoll:
    """What one cycle says. Errors are values here: a page without payload is a poll without information.

    Args:
        opened: the open-positions answer, whatever it was.
        detail: the lead detail answer of the same cycle; None when it was not asked.
        history: rows known by now that closed recently.
    """
    return SourcePoll(
        lead_id=opened.lead_id,
        observed_at=opened.received_at,
        positions=_positions(opened, detail),
        history=history,
    )


def _positions(opened: SourcePage, detail: SourcePage | None) -> PositionsSeen | PositionsFailed:
    try:
        rows = normalise_open([opened])
    except SourceError as fault:
        return PositionsFailed(error=type(fault).__name__, is_hidden=isinstance(fault, HiddenPositions))
    return PositionsSeen(
        snapshots=open_snapshots(rows.positions),
        unusable=unusable_row_values(rows.unusable),
        positions_visible=_visible(detail),
    )


def _visible(detail: SourcePage | None) -> bool | None:
    if detail is None:
        return None
    try:
        return read_lead_detail(detail).positions_visible
    except SourceError:
        return None
