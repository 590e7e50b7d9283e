"""Gate's USDT perpetual futures as a stand-in speaks them: every route, no envelope, a label for every refusal."""

from __future__ import annotations

from collections.abc import Mapping

from copytrade_core.edges.standins import gate_account, gate_market, gate_trade
from copytrade_core.edges.standins.gate_access import gate_denied
from copytrade_core.edges.standins.gate_errors import GATE_ERRORS
from copytrade_core.edges.standins.venue_dialect import Handler, Route, Spoken, Success, VenueError, VenueRequest
from copytrade_core.model.errors import BadInput, Where
from copytrade_core.model.instrument import Market
from copytrade_core.model.venue import Venue
from copytrade_core.virtual_exchange.venue_ask import VenueCall, VenueRefusal
from copytrade_core.virtual_exchange.venue_rule_sets import GATE
from copytrade_core.virtual_exchange.venue_rules import Basis, VenueRule, VenueRules

ROOT = "/api/v4"
FUTURES = f"{ROOT}/futures/usdt"


class GateDialect:
    """Gate's REST language.

    Args:
        options: settings of a run; Gate's stand-in has none.
        rules: what its engine keeps to.

    Raises:
        BadInput: an option.
    """

    def __init__(self, options: Mapping[str, str] | None = None, rules: VenueRules = GATE) -> None:
        if options:
            raise BadInput(f"Gate's stand-in has no option {min(options)}", where=Where(field="options"))
        self._rules = rules

    @property
    def venue(self) -> Venue:
        """Gate."""
        return Venue.GATE

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
        """Labels and sentences by rule."""
        return GATE_ERRORS

    def symbol_of(self, market: Market) -> str:
        """`BTC/USDT:USDT` is `BTC_USDT`."""
        return market.partition(":")[0].replace("/", "_")

    def denied(self, request: VenueRequest) -> VenueError | None:
        """Key, age of the request, signature."""
        return gate_denied(request)

    def words_for(self, refusal: VenueRefusal) -> VenueError:
        """The label; its sentence has no numbers."""
        return GATE_ERRORS[refusal.rule]

    def success(self, answer: Success, now_ms: int) -> Spoken:
        """The payload itself: Gate has no envelope."""
        del now_ms
        return Spoken(status=answer.status, payload=answer.payload)

    def failure(self, error: VenueError, now_ms: int) -> Spoken:
        """A label, and a sentence where there is one."""
        del now_ms
        said = {"message": error.message} if error.message else {}
        return Spoken(status=error.status, payload={"label": error.code, **said})


def _public(path: str, call: VenueCall | None, basis: Basis, handler: Handler) -> Route:
    return Route(method="GET", path=path, call=call, is_signed=False, basis=basis, handler=handler)


def _signed(method: str, path: str, call: VenueCall | None, basis: Basis, handler: Handler) -> Route:
    return Route(method=method, path=path, call=call, is_signed=True, basis=basis, handler=handler)


_DOCUMENTED, _FIXTURE, _OBSERVED, _ASSUMED = Basis.DOCUMENTED, Basis.FIXTURE, Basis.OBSERVED, Basis.ASSUMED
_ROUTES: tuple[Route, ...] = (
    _public(f"{ROOT}/spot/time", VenueCall.PROBE, _FIXTURE, gate_market.server_time),
    _public(f"{FUTURES}/contracts", VenueCall.MARKETS, _FIXTURE, gate_market.contracts),
    _public(f"{FUTURES}/contracts/{{contract}}", VenueCall.MARKETS, _FIXTURE, gate_market.one_contract),
    _public(f"{FUTURES}/tickers", None, _DOCUMENTED, gate_market.tickers),
    _public(f"{FUTURES}/candlesticks", None, _DOCUMENTED, gate_market.candlesticks),
    _signed("GET", f"{ROOT}/account/detail", VenueCall.PROBE, _FIXTURE, gate_account.account_detail),
    _signed("GET", f"{ROOT}/account/main_keys", VenueCall.PROBE, _DOCUMENTED, gate_account.main_keys),
    _signed("GET", f"{FUTURES}/accounts", VenueCall.BALANCE, _FIXTURE, gate_account.account),
    _signed("GET", f"{FUTURES}/positions", VenueCall.POSITIONS, _FIXTURE, gate_account.positions),
    _signed("GET", f"{FUTURES}/positions/{{contract}}", VenueCall.POSITION, _ASSUMED, gate_account.position),
    _signed("POST", f"{FUTURES}/dual_mode", None, _FIXTURE, gate_account.set_dual_mode),
    _signed(
        "POST",
        f"{FUTURES}/positions/{{contract}}/leverage",
        VenueCall.SET_LEVERAGE,
        _OBSERVED,
        gate_account.set_leverage,
    ),
    _signed(
        "POST",
        f"{FUTURES}/dual_comp/positions/{{contract}}/leverage",
        VenueCall.SET_LEVERAGE,
        _DOCUMENTED,
        gate_account.set_dual_leverage,
    ),
    _signed("POST", f"{FUTURES}/orders", VenueCall.SUBMIT, _FIXTURE, gate_trade.create_order),
    _signed("GET", f"{FUTURES}/orders", VenueCall.OPEN_ORDERS, _FIXTURE, gate_trade.orders),
    _signed("GET", f"{FUTURES}/orders_timerange", VenueCall.ORDERS, _ASSUMED, gate_trade.orders_timerange),
    _signed("GET", f"{FUTURES}/orders/{{order_id}}", VenueCall.ORDER, _FIXTURE, gate_trade.query_order),
    _signed("DELETE", f"{FUTURES}/orders/{{order_id}}", VenueCall.CANCEL, _FIXTURE, gate_trade.cancel_order),
    _signed("GET", f"{FUTURES}/my_trades_timerange", VenueCall.FILLS, _FIXTURE, gate_trade.my_trades_timerange),
)
