"""What is saved of a running session, as bytes: the flow's state, trades that are over, order rows, the hot restart.

Where the bytes are kept, and when they are written, is not known here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import msgspec

from copytrade_core.flow import FlowState
from copytrade_core.model.errors import BadInput, Where
from copytrade_core.model.order_row import OrderRow
from copytrade_core.session.done_trades import DoneTrade
from copytrade_core.session.identity import SessionIdentity, same_session
from copytrade_core.session.plain_form import Form, fault, form_of, members_of
from copytrade_core.strategies.state import STATE_SCHEMA_VERSION

HOT_RESTART_SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class HotRestart:
    """What a session that was asked to stop leaves for `resume`: who it was, and where it stood.

    `account` is the alias of the venue account, `taken_at_ms` epoch ms of our clock.
    """

    schema_version: int
    policy_digest: str
    strategy: str
    venue: str
    account: str
    lead: str
    taken_at_ms: int
    state: FlowState


_STATE = form_of(FlowState)
_DONE = form_of(DoneTrade)
_ROW = form_of(OrderRow)
_HOT_RESTART = form_of(HotRestart)
_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder()


def encode_state(state: FlowState) -> bytes:
    """The flow's state as JSON."""
    return _bytes(_STATE, state)


def decode_state(text: bytes) -> FlowState:
    """The state back from `encode_state`, equal to what was saved.

    Raises:
        BadInput: not such a state, a field too many or missing, or of another schema; names the field.
    """
    state = cast("FlowState", _STATE.decode(_plain(text, "state"), "state"))
    _check_strategy_schema(state)
    return state


def encode_done(done: DoneTrade) -> bytes:
    """A trade that is over, as JSON."""
    return _bytes(_DONE, done)


def decode_done(text: bytes) -> DoneTrade:
    """The trade back from `encode_done`.

    Raises:
        BadInput: not such a trade; names the field.
    """
    return cast("DoneTrade", _DONE.decode(_plain(text, "done"), "done"))


def encode_row(row: OrderRow) -> bytes:
    """An order row as JSON."""
    return _bytes(_ROW, row)


def decode_row(text: bytes) -> OrderRow:
    """The row back from `encode_row`.

    Raises:
        BadInput: not such a row; names the field.
    """
    return cast("OrderRow", _ROW.decode(_plain(text, "order"), "order"))


def encode_hot_restart(snapshot: HotRestart) -> bytes:
    """The hot restart snapshot as JSON."""
    return _bytes(_HOT_RESTART, snapshot)


def decode_hot_restart(text: bytes) -> HotRestart:
    """The snapshot back from `encode_hot_restart`.

    Raises:
        BadInput: not a snapshot, or of another schema; names the field.
    """
    plain = _plain(text, "snapshot")
    version = members_of(plain, "snapshot").get("schema_version")
    if version != HOT_RESTART_SCHEMA_VERSION or isinstance(version, bool):
        raise BadInput(
            f"the snapshot has schema {version}, this version reads {HOT_RESTART_SCHEMA_VERSION}",
            where=Where(field="schema_version"),
            next_step="Start the session anew with the version that wrote the snapshot",
        )
    snapshot = cast("HotRestart", _HOT_RESTART.decode(plain, "snapshot"))
    _check_strategy_schema(snapshot.state)
    return snapshot


def check_resume(snapshot: HotRestart, identity: SessionIdentity) -> None:
    """A snapshot may go on only as what it was.

    Raises:
        BadInput: another lead, strategy, policy digest, venue or account; names the first field that differs.
    """
    saved = SessionIdentity(
        lead=snapshot.lead,
        strategy=snapshot.strategy,
        policy_digest=snapshot.policy_digest,
        venue=snapshot.venue,
        account=snapshot.account,
    )
    same_session(saved, identity, what="the snapshot")


def _bytes(form: Form, value: object) -> bytes:
    return _ENCODER.encode(value if form.encode is None else form.encode(value))


def _plain(text: bytes, what: str) -> object:
    try:
        return cast("object", _DECODER.decode(text))
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise fault(what, str(error)) from error


def _check_strategy_schema(state: FlowState) -> None:
    version = state.strategy.schema_version
    if version != STATE_SCHEMA_VERSION:
        raise BadInput(
            f"the strategy state has schema {version}, this version reads {STATE_SCHEMA_VERSION}",
            where=Where(field="state.strategy.schema_version"),
        )
