"""Binance USD-M futures as a stand-in speaks them: every route, no envelope, a code for every refusal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from copytrade_core.edges.standins import binance_usdm_account, binance_usdm_market, binance_usdm_trade
from copytrade_core.edges.standins.binance_usdm_access import binance_denied
from copytrade_core.edges.standins.binance_usdm_errors import BINANCE_ERRORS
from copytrade_core.edges.standins.plain_numbers import money_plain
from copytrade_core.edges.standins.venue_dialect import Handler, Route, Spoken, Success, VenueError, VenueRequest
from copytrade_core.model.errors import BadInput, Where
from copytrade_core.model.instrument import Market, symbol_of_market
from copytrade_core.model.venue import Venue
from copytrade_core.virtual_exchange.venue_ask import VenueCall, VenueRefusal
from copytrade_core.virtual_exchange.venue_rule_sets import BINANCE
from copytrade_core.virtual_exchange.venue_rules import Basis, VenueRule, VenueRules

V1, V3 = "/fapi/v1", "/fapi/v3"


class BinanceUsdmDialect:
    """Binance USD-M's REST language.

    Args:
        options: settings of a run; this stand-in has none.
        rules: what its engine keeps to.

    Raises:
        BadInput: an option.
    """

    def __init__(self, options: Mapping[str, str] | None = None, rules: VenueRules = BINANCE) -> None:
        if options:
            raise BadInput(f"Binance's stand-in has no option {min(options)}", where=Where(field="options"))
        self._rules = rules

    @property
    def venue(self) -> Venue:
        """Binance."""
        return Venue.BINANCE

    @property
    def rules(self) -> VenueRules:
        """What its engine keeps to."""
        return self._rules

    @property
    def routes(self) -> tuple[Route, ...]:
        """Everything it answers."""
        return _ROUTES

    @property
    def errors(self) -> Mapping[VenueRule, VenueError]:
        """Codes and sentences by rule."""
        return BINANCE_ERRORS

    def symbol_of(self, market: Market) -> str:
        """`BTC/USDT:USDT` is `BTCUSDT`."""
        return symbol_of_market(market)

    def denied(self, request: VenueRequest) -> VenueError | None:
        """Key, receive window, signature."""
        return binance_denied(request)

    def words_for(self, refusal: VenueRefusal) -> VenueError:
        """The code and the sentence, its numbers filled in."""
        error, facts = BINANCE_ERRORS[refusal.rule], dict(refusal.facts)
        match refusal.rule:
            case VenueRule.BELOW_MIN_NOTIONAL:
                shown = error.message.format(minimum=money_plain(int(facts.get("minimum", "0"))))
            case VenueRule.BAD_LEVERAGE:
                shown = error.message.format(leverage=facts.get("leverage", ""))
            case _:
                return error
        return replace(error, message=shown)

    def success(self, answer: Success, now_ms: int) -> Spoken:
        """The payload itself: Binance has no envelope."""
        del now_ms
        return Spoken(status=answer.status, payload=answer.payload)

    def failure(self, error: VenueError, now_ms: int) -> Spoken:
        """`{"code": -2019, "msg": ...}`; a code that is no number (a fault's) is told as text."""
        del now_ms
        is_number = error.code.removeprefix("-").isdigit()
        return Spoken(
            status=error.status, payload={"code": int(error.code) if is_number else error.code, "msg": error.message}
        )


def _public(path: str, call: VenueCall | None, basis: Basis, handler: Handler) -> Route:
    return Route(method="GET", path=path, call=call, is_signed=False, basis=basis, handler=handler)


def _signed(method: str, path: str, call: VenueCall | None, basis: Basis, handler: Handler) -> Route:
    return Route(method=method, path=path, call=call, is_signed=True, basis=basis, handler=handler)


_DOCUMENTED, _FIXTURE = Basis.DOCUMENTED, Basis.FIXTURE
_ROUTES: tuple[Route, ...] = (
    _public(f"{V1}/time", VenueCall.PROBE, _DOCUMENTED, binance_usdm_market.server_time),
    _public(f"{V1}/exchangeInfo", VenueCall.MARKETS, _DOCUMENTED, binance_usdm_market.exchange_info),
    _public(f"{V1}/ticker/price", None, _DOCUMENTED, binance_usdm_market.price),
    _public(f"{V1}/ticker/24hr", None, _DOCUMENTED, binance_usdm_market.day_ticker),
    _public(f"{V1}/ticker/bookTicker", None, _DOCUMENTED, binance_usdm_market.book_ticker),
    _public(f"{V1}/premiumIndex", None, _DOCUMENTED, binance_usdm_market.premium_index),
    _public(f"{V1}/klines", None, _FIXTURE, binance_usdm_market.klines),
    _signed("GET", f"{V3}/account", VenueCall.BALANCE, _FIXTURE, binance_usdm_account.account),
    _signed("GET", f"{V3}/positionRisk", VenueCall.POSITIONS, _FIXTURE, binance_usdm_account.position_risk),
    _signed("GET", f"{V1}/positionSide/dual", None, _DOCUMENTED, binance_usdm_account.position_mode),
    _signed("POST", f"{V1}/positionSide/dual", None, _DOCUMENTED, binance_usdm_account.set_position_mode),
    _signed("POST", f"{V1}/leverage", VenueCall.SET_LEVERAGE, _DOCUMENTED, binance_usdm_account.set_leverage),
    _signed("GET", f"{V1}/symbolConfig", None, _FIXTURE, binance_usdm_account.symbol_config),
    _signed("GET", f"{V1}/leverageBracket", None, _DOCUMENTED, binance_usdm_account.leverage_bracket),
    _signed("POST", f"{V1}/order", VenueCall.SUBMIT, _FIXTURE, binance_usdm_trade.create_order),
    _signed("POST", f"{V1}/order/test", None, _DOCUMENTED, binance_usdm_trade.try_order),
    _signed("GET", f"{V1}/order", VenueCall.ORDER, _DOCUMENTED, binance_usdm_trade.query_order),
    _signed("DELETE", f"{V1}/order", VenueCall.CANCEL, _DOCUMENTED, binance_usdm_trade.cancel_order),
    _signed("GET", f"{V1}/openOrder", VenueCall.ORDER, _DOCUMENTED, binance_usdm_trade.query_open_order),
    _signed("GET", f"{V1}/openOrders", VenueCall.OPEN_ORDERS, _DOCUMENTED, binance_usdm_trade.open_orders),
    _signed("GET", f"{V1}/allOrders", VenueCall.ORDERS, _DOCUMENTED, binance_usdm_trade.all_orders),
    _signed("GET", f"{V1}/userTrades", VenueCall.FILLS, _FIXTURE, binance_usdm_trade.user_trades),
    _signed("GET", "/sapi/v1/account/apiRestrictions", VenueCall.PROBE, _DOCUMENTED, binance_usdm_account.rights),
)
