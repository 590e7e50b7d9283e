"""BingX USDT-M perpetual futures as a stand-in speaks it: every route, its envelope, and words for every refusal."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace

from copytrade_core.edges.standins import bingx_access, bingx_account, bingx_market, bingx_trade
from copytrade_core.edges.standins.bingx_errors import (
    DUPLICATE,
    NO_POSITION,
    REFUSED,
    DuplicateIdAnswer,
    NoPositionAnswer,
)
from copytrade_core.edges.standins.bingx_trade import CreateAnswer
from copytrade_core.edges.standins.venue_dialect import (
    Handler,
    Route,
    Spoken,
    Success,
    VenueError,
    VenueRequest,
)
from copytrade_core.model.errors import BadInput, Where
from copytrade_core.model.instrument import Market
from copytrade_core.model.venue import Venue
from copytrade_core.virtual_exchange.venue_ask import VenueCall, VenueRefusal
from copytrade_core.virtual_exchange.venue_rule_sets import BINGX
from copytrade_core.virtual_exchange.venue_rules import Basis, VenueRule, VenueRules

SWAP, ACCOUNT = "/openApi/swap", "/openApi/v1/account"
ONCE_WITHIN_MS = 1_000
_MODE_SENTENCES = {
    "hedge": "In the Hedge mode, the 'PositionSide' field can only be set to LONG or SHORT.",
    "one_way": "In the One-way mode, the 'PositionSide' field can only be set to BOTH.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class BingxSettings:
    """Which of the venue's known ways to answer this stand-in takes."""

    create_answer: CreateAnswer
    duplicate_id: DuplicateIdAnswer
    no_position: NoPositionAnswer


USUAL = BingxSettings(
    create_answer=CreateAnswer.LEAN,
    duplicate_id=DuplicateIdAnswer.BY_AGE,
    no_position=NoPositionAnswer.NO_POSITION_TO_CLOSE,
)
_SETTINGS = {"create_answer": CreateAnswer, "duplicate_id": DuplicateIdAnswer, "no_position": NoPositionAnswer}


def bingx_settings(options: Mapping[str, str]) -> BingxSettings:
    """Settings from the options of a run's setup.

    Raises:
        BadInput: an option or a value that BingX's stand-in does not have.
    """
    settings = USUAL
    for name, value in options.items():
        kind = _SETTINGS.get(name)
        if kind is None:
            known = ", ".join(_SETTINGS)
            raise BadInput(f"BingX's stand-in has no option {name}", where=Where(field="options"), next_step=f"{known}")
        try:
            settings = replace(settings, **{name: kind(value)})
        except ValueError as error:
            known = ", ".join(each.value for each in kind)
            raise BadInput(f"{name} cannot be {value}", where=Where(field=name), next_step=f"One of {known}") from error
    return settings


class BingxDialect:
    """BingX's REST language.

    Args:
        settings: which of its known answers it gives.
        rules: what its engine keeps to.
    """

    def __init__(self, settings: BingxSettings = USUAL, rules: VenueRules = BINGX) -> None:
        self._settings = settings
        self._rules = rules
        self._routes = _routes(settings.create_answer)

    @property
    def venue(self) -> Venue:
        """BingX."""
        return Venue.BINGX

    @property
    def rules(self) -> VenueRules:
        """What its engine keeps to."""
        return self._rules

    @property
    def routes(self) -> tuple[Route, ...]:
        """Everything it answers."""
        return self._routes

    @property
    def errors(self) -> Mapping[VenueRule, VenueError]:
        """Codes and sentences by rule."""
        return REFUSED

    def symbol_of(self, market: Market) -> str:
        """`BTC/USDT:USDT` is `BTC-USDT`."""
        base, _, quote = market.partition(":")[0].partition("/")
        return f"{base}-{quote}"

    def denied(self, request: VenueRequest) -> VenueError | None:
        """Key, signature and receive window."""
        return bingx_access.denied(request)

    def words_for(self, refusal: VenueRefusal) -> VenueError:
        """The code and the sentence, its numbers filled in."""
        facts = defaultdict(str, refusal.facts)
        error = self._chosen(refusal.rule, facts)
        if refusal.rule is VenueRule.POSITION_SIDE_MISMATCH:
            facts["sentence"] = _MODE_SENTENCES[facts["mode"]]
        return replace(error, message=error.message.format_map(facts))

    def success(self, answer: Success, now_ms: int) -> Spoken:
        """`{"code": 0, "msg": "", "data": ...}`."""
        del now_ms
        return Spoken(status=answer.status, payload={"code": 0, "msg": "", "data": answer.payload})

    def failure(self, error: VenueError, now_ms: int) -> Spoken:
        """The code with empty data; HTTP 200 unless a fault says otherwise."""
        del now_ms
        code = int(error.code) if error.code.isdigit() else error.code
        return Spoken(status=error.status, payload={"code": code, "msg": error.message, "data": {}})

    def _chosen(self, rule: VenueRule, facts: Mapping[str, str]) -> VenueError:
        if rule is VenueRule.NO_POSITION:
            return NO_POSITION[self._settings.no_position]
        if rule is not VenueRule.DUPLICATE_CLIENT_ID:
            return REFUSED[rule]
        wanted = self._settings.duplicate_id
        if wanted is DuplicateIdAnswer.BY_AGE:
            age = facts["shown"]
            is_young = age.isdigit() and int(age) <= ONCE_WITHIN_MS
            wanted = DuplicateIdAnswer.ONCE_PER_SECOND if is_young else DuplicateIdAnswer.CANNOT_BE_REPEATED
        return DUPLICATE[wanted]


def _routes(create_answer: CreateAnswer) -> tuple[Route, ...]:
    fixture, documented = Basis.FIXTURE, Basis.DOCUMENTED
    return (
        _public("/v2/server/time", VenueCall.PROBE, documented, bingx_market.server_time),
        _public("/v2/quote/contracts", VenueCall.MARKETS, documented, bingx_market.contracts),
        _public("/v2/quote/ticker", None, fixture, bingx_market.ticker),
        _public("/v3/quote/klines", None, documented, bingx_market.klines),
        _signed("GET", "/v3/user/balance", VenueCall.BALANCE, fixture, bingx_account.balance),
        _signed("GET", "/v2/user/positions", VenueCall.POSITIONS, fixture, bingx_account.positions),
        _signed("GET", "/v1/positionSide/dual", None, documented, bingx_account.position_mode),
        _signed("POST", "/v1/positionSide/dual", None, documented, bingx_account.set_position_mode),
        _signed("GET", "/v2/trade/leverage", None, documented, bingx_account.leverage),
        _signed("POST", "/v2/trade/leverage", VenueCall.SET_LEVERAGE, documented, bingx_account.set_leverage),
        _signed("POST", "/v2/trade/order", VenueCall.SUBMIT, fixture, bingx_trade.create_order(create_answer)),
        _signed("POST", "/v2/trade/order/test", None, documented, bingx_trade.try_order),
        _signed("GET", "/v2/trade/order", VenueCall.ORDER, fixture, bingx_trade.query_order),
        _signed("DELETE", "/v2/trade/order", VenueCall.CANCEL, documented, bingx_trade.cancel_order),
        _signed("GET", "/v2/trade/openOrder", VenueCall.ORDER, documented, bingx_trade.query_open_order),
        _signed("GET", "/v2/trade/openOrders", VenueCall.OPEN_ORDERS, documented, bingx_trade.open_orders),
        _signed("GET", "/v2/trade/allOrders", VenueCall.ORDERS, documented, bingx_trade.order_history),
        _signed("GET", "/v1/trade/fullOrder", VenueCall.ORDERS, documented, bingx_trade.order_history),
        _signed("GET", "/v2/trade/allFillOrders", VenueCall.FILLS, fixture, bingx_trade.all_fill_orders),
        _signed("GET", "/v2/trade/fillHistory", VenueCall.FILLS, documented, bingx_trade.fill_history),
        Route(
            method="GET",
            path=f"{ACCOUNT}/apiPermissions",
            call=None,
            is_signed=True,
            basis=documented,
            handler=bingx_account.permissions,
        ),
    )


def _public(path: str, call: VenueCall | None, basis: Basis, handler: Handler) -> Route:
    return Route(method="GET", path=SWAP + path, call=call, is_signed=False, basis=basis, handler=handler)


def _signed(method: str, path: str, call: VenueCall | None, basis: Basis, handler: Handler) -> Route:
    return Route(method=method, path=SWAP + path, call=call, is_signed=True, basis=basis, handler=handler)
