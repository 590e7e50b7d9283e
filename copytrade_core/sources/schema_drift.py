"""Which fields an endpoint sends, of which JSON kinds, and how that differs from what we rely on.

A new field is a warning; a missing or retyped one blocks, for a rule may then read nothing where a number was. Whether
single rows are usable is decided in `reject_rules`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import msgspec

from copytrade_core.model.source import Endpoint, SourcePage
from copytrade_core.sources.envelope import read_payload


class JsonKind(StrEnum):
    """Kinds of JSON values."""

    INTEGER = "integer"
    DECIMAL = "decimal"
    TEXT = "text"
    BOOLEAN = "boolean"
    NULL = "null"
    OBJECT = "object"
    LIST = "list"


Inventory = Mapping[str, frozenset[JsonKind]]
"""Field name -> kinds seen."""

_NUMBER = frozenset({JsonKind.INTEGER, JsonKind.DECIMAL, JsonKind.TEXT})
_WHOLE = frozenset({JsonKind.INTEGER})
_TEXT = frozenset({JsonKind.TEXT})
_MAYBE_TEXT = frozenset({JsonKind.TEXT, JsonKind.NULL})
_MAYBE_NUMBER = _NUMBER | {JsonKind.NULL}


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedFields:
    """What we rely on: `required` must be there with one of its kinds, `optional` may be absent, `ignored` is known."""

    required: Inventory
    optional: Inventory
    ignored: frozenset[str]


EXPECTED: Mapping[Endpoint, ExpectedFields] = {
    Endpoint.POSITION_HISTORY: ExpectedFields(
        required={
            "id": _WHOLE,
            "symbol": _TEXT,
            "type": _TEXT,
            "opened": _WHOLE,
            "closed": _WHOLE,
            "avgCost": _NUMBER,
            "avgClosePrice": _NUMBER,
            "closingPnl": _NUMBER,
            "maxOpenInterest": _NUMBER,
            "closedVolume": _NUMBER,
            "isolated": _TEXT,
            "side": _TEXT,
            "status": _TEXT,
            "updateTime": _WHOLE,
        },
        optional={"leverage": _MAYBE_NUMBER, "roi": _MAYBE_NUMBER},
        ignored=frozenset(),
    ),
    Endpoint.OPEN_POSITIONS: ExpectedFields(
        required={
            "id": _TEXT,
            "symbol": _TEXT,
            "positionAmount": _NUMBER,
            "entryPrice": _NUMBER,
            "unrealizedProfit": _NUMBER,
            "notionalValue": _NUMBER,
            "markPrice": _NUMBER,
            "leverage": _NUMBER,
            "isolated": frozenset({JsonKind.BOOLEAN}),
            "positionSide": _TEXT,
        },
        optional={"breakEvenPrice": _MAYBE_NUMBER},
        ignored=frozenset({"collateral", "cumRealized", "askNotional", "bidNotional", "isolatedWallet", "adl"}),
    ),
    Endpoint.LEAD_DETAIL: ExpectedFields(
        required={"leadPortfolioId": _TEXT, "positionShow": frozenset({JsonKind.BOOLEAN}), "status": _TEXT},
        optional={
            "nickname": _MAYBE_TEXT,
            "startTime": _WHOLE | {JsonKind.NULL},
            "closedTime": _WHOLE | {JsonKind.NULL},
            "endTime": _WHOLE | {JsonKind.NULL},
            "marginBalance": _MAYBE_NUMBER,
            "profitSharingRate": _MAYBE_NUMBER,
        },
        ignored=frozenset(
            [
                "aumAmount",
                "avatarUrl",
                "badgeName",
                "badgeModifyTime",
                "badgeCopierCount",
                "closeLeadCount",
                "copierPnl",
                "copierPnlAsset",
                "currentCopyCount",
                "maxCopyCount",
                "totalCopyCount",
                "mockCopyCount",
                "favoriteCount",
                "description",
                "nicknameTranslate",
                "descTranslate",
                "lastTradeTime",
                "feedShareSwitch",
                "feedAgreement",
                "finalEffectiveMaxCopyCount",
                "fixedAmountMinCopyUsd",
                "fixedRadioMinCopyUsd",
                "futuresType",
                "hasCopy",
                "hasMock",
                "hasFavorite",
                "initInvestAsset",
                "leadOwner",
                "lockPeriod",
                "portfolioType",
                "privateLeadPortfolioId",
                "publicLeadPortfolioId",
                "rebateFee",
                "riskControlMaxCopyCount",
                "sharpRatio",
                "syncSetting",
                "tag",
                "tagItemVos",
                "unrealizedProfitShareAmount",
                "userId",
            ]
        ),
    ),
}
"""From the recorded answers; `leverage` and `roi` appeared in history rows during 2026, so they stay optional."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retyped:
    """A field whose kinds are not (only) the ones we read."""

    field: str
    expected: frozenset[JsonKind]
    found: frozenset[JsonKind]


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemaDrift:
    """The difference between sent and expected fields; `rows_count` 0 means that nothing can be said."""

    endpoint: Endpoint
    rows_count: int
    new: tuple[str, ...]
    missing: tuple[str, ...]
    retyped: tuple[Retyped, ...]

    @property
    def blocks(self) -> bool:
        """Whether rows may be misread: a field we rely on is gone or of another kind."""
        return bool(self.missing or self.retyped)


def field_inventory(pages: Iterable[SourcePage]) -> tuple[Inventory, frozenset[str], int]:
    """Kinds by field over all rows, the fields that every row has, and the number of object rows.

    Raises:
        SourceError: a page that holds no payload.
    """
    kinds: dict[str, set[JsonKind]] = {}
    counts: dict[str, int] = {}
    rows = 0
    for page in pages:
        for raw in read_payload(page).rows:
            try:
                row = msgspec.json.decode(raw, type=dict[str, Any])
            except msgspec.ValidationError:
                continue
            rows += 1
            for name, value in row.items():
                kinds.setdefault(name, set()).add(_kind(value))
                counts[name] = counts.get(name, 0) + 1
    always = frozenset(name for name, count in counts.items() if count == rows)
    return {name: frozenset(found) for name, found in kinds.items()}, always, rows


def drift(endpoint: Endpoint, pages: Iterable[SourcePage]) -> SchemaDrift:
    """How the rows of some pages differ from `EXPECTED`; a required field must be in every row.

    Raises:
        KeyError: an endpoint without expected fields.
        SourceError: a page that holds no payload.
    """
    expected = EXPECTED[endpoint]
    inventory, always, rows = field_inventory(pages)
    wanted = {**expected.required, **expected.optional}
    retyped = [
        Retyped(field=name, expected=kinds, found=inventory[name])
        for name, kinds in wanted.items()
        if name in inventory and not inventory[name] <= kinds
    ]
    return SchemaDrift(
        endpoint=endpoint,
        rows_count=rows,
        new=tuple(sorted(set(inventory) - set(wanted) - expected.ignored)),
        missing=tuple(sorted(set(expected.required) - always)) if rows else (),
        retyped=tuple(sorted(retyped, key=lambda change: change.field)),
    )


def _kind(value: object) -> JsonKind:
    match value:
        case None:
            return JsonKind.NULL
        case bool():
            return JsonKind.BOOLEAN
        case int():
            return JsonKind.INTEGER
        case float():
            return JsonKind.DECIMAL
        case str():
            return JsonKind.TEXT
        case list():
            return JsonKind.LIST
        case _:
            return JsonKind.OBJECT
