"""The lead's detail page -> the few facts that decisions need.

Its money and rates are text, its times epoch milliseconds; its performance figures are not ours and are not read.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec

from copytrade_core.model.source import Endpoint, LeadDetail, SourcePage
from copytrade_core.sources.envelope import MalformedPage, read_payload
from copytrade_core.sources.exact_text import E8, Fault, instant_of_ms, parse_e8, text_of, whole_number

ACTIVE_STATUS = "ACTIVE"


class _Detail(msgspec.Struct, frozen=True, rename="camel"):
    lead_portfolio_id: Any = None
    nickname: Any = None
    status: Any = None
    position_show: Any = None
    start_time: Any = None
    closed_time: Any = None
    end_time: Any = None
    margin_balance: Any = None
    profit_sharing_rate: Any = None


_DETAIL = msgspec.json.Decoder(_Detail, float_hook=str)


def read_lead_detail(page: SourcePage) -> LeadDetail:
    """The detail of one lead. Positions count as visible only when the page says so in so many words.

    Raises:
        SourceError: no payload; `LeadNotFound` for a retired lead.
        MalformedPage: a field of another kind than documented, or the page of another lead.
    """
    assert page.endpoint is Endpoint.LEAD_DETAIL
    detail = _DETAIL.decode(read_payload(page).rows[0])
    if detail.lead_portfolio_id is not None and str(detail.lead_portfolio_id) != page.lead_id:
        raise MalformedPage("the page is of another lead", answer=page, field="leadPortfolioId")
    if not isinstance(detail.position_show, bool | None):
        raise MalformedPage("positionShow is not true or false", answer=page, field="positionShow")
    rate = _decimal(page, detail.profit_sharing_rate, "profitSharingRate")
    return LeadDetail(
        lead_id=page.lead_id,
        nickname=detail.nickname if isinstance(detail.nickname, str) else None,
        is_active=detail.status == ACTIVE_STATUS,
        positions_visible=detail.position_show is True,
        started_at=_instant(page, detail.start_time, "startTime"),
        closed_at=_instant(page, detail.closed_time, "closedTime") or _instant(page, detail.end_time, "endTime"),
        margin_balance=_decimal(page, detail.margin_balance, "marginBalance"),
        profit_share_ratio=None if rate is None else rate / 100,
        observed_at=page.received_at,
        page_sha256=page.sha256,
    )


def _decimal(page: SourcePage, value: object, field: str) -> Decimal | None:
    number = parse_e8(text_of(value))
    if number is Fault.MISSING:
        return None
    if isinstance(number, Fault):
        raise MalformedPage(f"{field} is not a number", answer=page, field=field)
    return Decimal(number) / E8


def _instant(page: SourcePage, value: object, field: str) -> datetime | None:
    moment = whole_number(value)
    if moment is Fault.MISSING:
        return None
    instant = None if isinstance(moment, Fault) else instant_of_ms(moment)
    if instant is None:
        raise MalformedPage(f"{field} is not an epoch millisecond", answer=page, field=field)
    return instant
