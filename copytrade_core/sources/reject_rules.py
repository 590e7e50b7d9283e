"""The one rule set for rows: what makes a row unusable, in the order the reasons are given.

Rules are polars expressions over the value and fault columns of `exact_text`; the first that holds names the row's
reason and field. Numbers and times are never repaired here.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import polars as pl

from copytrade_core.model.instrument import market_of_symbol
from copytrade_core.model.side import MarginMode, Side
from copytrade_core.model.source import RejectReason
from copytrade_core.sources.exact_text import WRONG_KIND, Fault

EARLIEST_MS = 1_567_296_000_000
"""2019-09-01T00:00Z: Binance's first USD-M month; anything before it is a wrong unit or a wrong field."""
CLOCK_SKEW_MS = 300_000
"""How far ahead of our receive time a row may lie before it counts as in the future."""

INVERSE_SYMBOL = r"USD(_PERP|_[0-9]{6})?$"
"""COIN-M symbols: BTCUSD_PERP, BTCUSD_260626, BTCUSD."""

LONG_WORDS = ("LONG", "BUY")
SHORT_WORDS = ("SHORT", "SELL")
EITHER_WORDS = ("BOTH",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """`when` holds -> the row is unusable for `reason`, because of the source's field `field`."""

    reason: RejectReason
    field: str
    when: pl.Expr


def first_broken(rules: Iterable[Rule]) -> pl.Expr:
    """Index of the first broken rule as `rule`, null for a usable row."""
    return pl.coalesce(
        *(pl.when(rule.when).then(pl.lit(index, dtype=pl.Int16)) for index, rule in enumerate(rules))
    ).alias("rule")


def row_rules() -> list[Rule]:
    """A row must be an object."""
    return [Rule(reason=RejectReason.BAD_TYPE, field="row", when=pl.col("not_object"))]


def text_rules(column: str, field: str) -> list[Rule]:
    """A text field must not hold an object, a list or NUL."""
    return [Rule(reason=RejectReason.BAD_TYPE, field=field, when=pl.col(column) == WRONG_KIND)]


def market_rules() -> list[Rule]:
    """`symbol` must name a linear perpetual that we could trade. Needs columns `symbol` and `market`."""
    symbol = pl.col("symbol")
    return [
        *text_rules("symbol", "symbol"),
        Rule(reason=RejectReason.MISSING_SYMBOL, field="symbol", when=is_blank("symbol")),
        Rule(reason=RejectReason.NOT_LINEAR, field="symbol", when=symbol.str.contains(INVERSE_SYMBOL)),
        Rule(reason=RejectReason.NO_MARKET, field="symbol", when=pl.col("market").is_null()),
    ]


def side_rules(column: str, field: str) -> list[Rule]:
    """The published side must be known and resolve. Needs `column` (as published) and `side` (resolved)."""
    return [
        *text_rules(column, field),
        Rule(reason=RejectReason.MISSING_SIDE, field=field, when=is_blank(column)),
        Rule(reason=RejectReason.UNKNOWN_SIDE, field=field, when=pl.col("side").is_null()),
    ]


def number_rules(column: str, field: str, *, required: RejectReason | None) -> list[Rule]:
    """A number must be a finite number; when `required`, it must also be there, else that is the reason."""
    fault = pl.col(f"{column}_fault")
    rules = [
        Rule(reason=RejectReason.NOT_FINITE, field=field, when=fault == Fault.NOT_FINITE.value),
        Rule(reason=RejectReason.BAD_TYPE, field=field, when=fault == Fault.WRONG_TYPE.value),
    ]
    if required is not None:
        rules.insert(0, Rule(reason=required, field=field, when=fault == Fault.MISSING.value))
    return rules


def price_rules(column: str, field: str, *, missing: RejectReason) -> list[Rule]:
    """A price must be there, finite and positive."""
    not_positive = Rule(reason=RejectReason.NON_POSITIVE_PRICE, field=field, when=pl.col(column) <= 0)
    return [*number_rules(column, field, required=missing), not_positive]


def time_rules(column: str, field: str) -> list[Rule]:
    """An epoch-millisecond time must be there and lie between 2019-09-01 and the moment the page arrived."""
    fault = pl.col(f"{column}_fault")
    value = pl.col(column)
    latest = pl.col("received_at").dt.epoch("ms") + CLOCK_SKEW_MS
    return [
        Rule(reason=RejectReason.MISSING_TIME, field=field, when=fault == Fault.MISSING.value),
        Rule(reason=RejectReason.BAD_TYPE, field=field, when=fault == Fault.WRONG_TYPE.value),
        Rule(reason=RejectReason.IMPOSSIBLE_TIME, field=field, when=fault == Fault.NOT_FINITE.value),
        Rule(reason=RejectReason.IMPOSSIBLE_TIME, field=field, when=(value < EARLIEST_MS) | (value > latest)),
    ]


def is_blank(column: str) -> pl.Expr:
    """Null or nothing but spaces."""
    return pl.col(column).is_null() | (pl.col(column).str.strip_chars() == "")


def published_side(column: str, *, either: pl.Expr) -> pl.Expr:
    """`long`, `short` or null from a published word; BOTH takes the sign of `either` (zero resolves to null)."""
    word = pl.col(column).str.strip_chars().str.to_uppercase()
    by_sign = (
        pl.when(either > 0)
        .then(pl.lit(Side.LONG.value))
        .when(either < 0)
        .then(pl.lit(Side.SHORT.value))
        .otherwise(None)
    )
    return (
        pl.when(word.is_in(LONG_WORDS))
        .then(pl.lit(Side.LONG.value))
        .when(word.is_in(SHORT_WORDS))
        .then(pl.lit(Side.SHORT.value))
        .when(word.is_in(EITHER_WORDS))
        .then(by_sign)
        .otherwise(None)
    )


def margin_mode(column: str) -> pl.Expr:
    """`cross`, `isolated` or `unknown` from Cross/Isolated (history) or a boolean (open positions)."""
    word = pl.col(column).str.strip_chars().str.to_lowercase()
    return (
        pl.when(word.is_in(["cross", "crossed", "false"]))
        .then(pl.lit(MarginMode.CROSS.value))
        .when(word.is_in(["isolated", "true"]))
        .then(pl.lit(MarginMode.ISOLATED.value))
        .otherwise(pl.lit(MarginMode.UNKNOWN.value))
    )


def market_column(symbols: pl.Series) -> pl.Series:
    """The unified market of each symbol, null where there is none; one lookup per distinct symbol."""
    distinct = [symbol for symbol in symbols.unique() if isinstance(symbol, str)]
    markets = {symbol: market_of_symbol(symbol) for symbol in distinct}
    known = {symbol: str(market) for symbol, market in markets.items() if market is not None}
    if not known:
        return pl.Series("market", [None] * len(symbols), dtype=pl.String)
    mapped = symbols.replace_strict(list(known), list(known.values()), default=None, return_dtype=pl.String)
    return mapped.alias("market")
