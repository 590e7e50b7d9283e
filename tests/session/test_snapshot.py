"""What is saved of a session comes back equal, at any point of any story, or is refused by the name of a field."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from copytrade_core.flow import FlowState
from copytrade_core.model.errors import BadInput
from copytrade_core.model.order_row import OrderRow
from copytrade_core.model.side import Side
from copytrade_core.replay.reference import _Run
from copytrade_core.replay.timeline import timeline
from copytrade_core.session.identity import SessionIdentity
from copytrade_core.session.plain_form import form_of
from copytrade_core.session.snapshot import (
    HOT_RESTART_SCHEMA_VERSION,
    HotRestart,
    check_resume,
    decode_hot_restart,
    decode_row,
    decode_state,
    encode_hot_restart,
    encode_row,
    encode_state,
)
from copytrade_core.strategies.state import STATE_SCHEMA_VERSION
from tests.replay.random_cases import case

IDENTITY = SessionIdentity(
    lead="4751838302089254401", strategy="follow", policy_digest="d1", venue="bingx", account="a"
)


def current(state: FlowState) -> FlowState:
    return replace(state, strategy=replace(state.strategy, schema_version=STATE_SCHEMA_VERSION))


# From the annotations: a field that somebody adds is drawn, saved and restored here without a change.
STATES = st.from_type(FlowState).map(current)
ANY = settings(suppress_health_check=[HealthCheck.too_slow])


@ANY
@given(STATES)
def test_any_state_comes_back_equal_and_saves_to_the_same_bytes(state: FlowState) -> None:
    saved = encode_state(state)
    assert decode_state(saved) == state
    assert encode_state(decode_state(saved)) == saved


@ANY
@given(st.from_type(OrderRow))
def test_any_order_row_comes_back_equal(row: OrderRow) -> None:
    assert decode_row(encode_row(row)) == row


class Interrupted(_Run):
    """A replay whose state is saved and restored after every event."""

    saves = 0

    def _tell(self, event, now_ms) -> None:
        super()._tell(event, now_ms)
        restored = decode_state(encode_state(self._state))
        assert restored == self._state
        self._state = restored
        self.saves += 1


@settings(max_examples=25)
@given(st.integers(min_value=0, max_value=5_000))
def test_a_story_that_is_saved_and_restored_at_every_step_ends_as_the_one_that_was_not(seed: int) -> None:
    told = case(seed)
    events = timeline(told.episodes, told.spec.delay_s, told.data)
    ends = []
    for kind in (_Run, Interrupted):
        run = kind(told.policy, told.spec, told.data, None)
        try:
            run.drive(events)
        except BadInput as error:
            ends.append(str(error))
        ends.append((run._state, run.recorder.round_trips, run.recorder.blocked()))
    half = len(ends) // 2
    assert ends[:half] == ends[half:]


def restart(state: FlowState) -> HotRestart:
    return HotRestart(
        schema_version=HOT_RESTART_SCHEMA_VERSION,
        policy_digest=IDENTITY.policy_digest,
        strategy=IDENTITY.strategy,
        venue=IDENTITY.venue,
        account=IDENTITY.account,
        lead=IDENTITY.lead,
        taken_at_ms=1_767_600_000_000,
        state=state,
    )


@ANY
@given(STATES)
def test_a_hot_restart_comes_back_equal_and_its_session_may_resume(state: FlowState) -> None:
    snapshot = decode_hot_restart(encode_hot_restart(restart(state)))
    assert snapshot == restart(state)
    check_resume(snapshot, IDENTITY)


@pytest.fixture
def state() -> FlowState:
    """A state with orders, attempts and a ladder, from the middle of a story."""
    for seed in range(100):
        told = case(seed)
        run = Kept(told.policy, told.spec, told.data, None)
        try:
            run.drive(timeline(told.episodes, told.spec.delay_s, told.data))
        except BadInput:
            continue
        if run.rich is not None:
            return run.rich
    raise AssertionError("no story had resting orders")


class Kept(_Run):
    rich: FlowState | None = None

    def _tell(self, event, now_ms) -> None:
        super()._tell(event, now_ms)
        if self._state.resting and self._state.attempts and self._state.book.holdings:
            self.rich = self._state


@pytest.mark.parametrize("name", [field.name for field in fields(SessionIdentity)])
def test_another_session_may_not_resume_and_the_field_is_named(state: FlowState, name: str) -> None:
    with pytest.raises(BadInput) as caught:
        check_resume(restart(state), replace(IDENTITY, **{name: "another"}))
    assert caught.value.where.field == name


def test_a_snapshot_of_another_schema_is_refused_before_anything_else_is_read() -> None:
    for text in (b'{"schema_version": 2}', b'{"schema_version": true}', b"{}"):
        with pytest.raises(BadInput, match="schema") as caught:
            decode_hot_restart(text)
        assert caught.value.where.field == "schema_version"


def test_a_strategy_of_another_schema_is_refused(state: FlowState) -> None:
    other = replace(state, strategy=replace(state.strategy, schema_version=STATE_SCHEMA_VERSION + 1))
    with pytest.raises(BadInput, match="schema"):
        decode_state(encode_state(other))
    with pytest.raises(BadInput, match="schema"):
        decode_hot_restart(encode_hot_restart(restart(other)))


def altered(state: FlowState, change) -> bytes:
    plain = msgspec.json.decode(encode_state(state))
    change(plain)
    return msgspec.json.encode(plain)


def first(mapping: dict) -> dict:
    return next(iter(mapping.values()))


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (lambda plain: plain.pop("book"), "state.book"),
        (lambda plain: plain.update(budget=1), "state.budget"),
        (lambda plain: plain["book"].update(cash="12"), "state.book.cash"),
        (lambda plain: plain["book"].update(cash=1.5), "state.book.cash"),
        (lambda plain: plain["book"].update(cash=True), "state.book.cash"),
        (lambda plain: plain["day"].pop("cash"), "state.day.cash"),
        (lambda plain: first(plain["resting"])["style"].update({"is": "IcebergStyle"}), ".style.is"),
        (lambda plain: first(plain["resting"])["style"].pop("is"), ".style.is"),
        (lambda plain: first(plain["resting"]).update(side="up"), ".side"),
        (lambda plain: plain["attempts"].append(plain["attempts"][0]), "state.attempts"),
        (lambda plain: plain["attempts"][0].append(1), "state.attempts"),
        (lambda plain: plain.update(resting=[]), "state.resting"),
    ],
    ids=[
        "a field is missing",
        "a field too many",
        "money as text",
        "money as a float",
        "money as a truth value",
        "a deep field is missing",
        "an unknown style",
        "no style",
        "an unknown side",
        "a key twice",
        "a pair of three",
        "a list for an object",
    ],
)
def test_a_changed_state_is_refused_by_the_name_of_the_field(state: FlowState, change, field: str) -> None:
    with pytest.raises(BadInput) as caught:
        decode_state(altered(state, change))
    assert caught.value.where.field is not None
    assert caught.value.where.field.endswith(field)


@ANY
@given(STATES, st.data())
def test_a_state_that_was_cut_short_is_refused(state: FlowState, data: st.DataObject) -> None:
    saved = encode_state(state)
    end = data.draw(st.integers(min_value=0, max_value=len(saved) - 1))
    with pytest.raises(BadInput):
        decode_state(saved[:end])


@given(st.binary(max_size=60))
def test_noise_is_refused(noise: bytes) -> None:
    for decode in (decode_state, decode_row, decode_hot_restart):
        with pytest.raises(BadInput):
            decode(noise)


@dataclass(frozen=True, slots=True, kw_only=True)
class Circle:
    radius: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Square:
    width: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    shapes: tuple[Circle | Square | None, ...]
    by_place: Mapping[tuple[int, Side], Circle | Square]
    counts: Mapping[int, int]
    names: frozenset[str]
    pair: tuple[str, Circle | None]
    either: int | str


@ANY
@given(st.from_type(Drawing))
def test_every_shape_of_field_that_a_state_may_get_has_a_form(drawing: Drawing) -> None:
    form = form_of(Drawing)
    assert form.encode is not None
    plain = msgspec.json.decode(msgspec.json.encode(form.encode(drawing)))
    assert form.decode(plain, "drawing") == drawing


@pytest.mark.parametrize("kind", [int | Circle, Mapping[Circle, int], object, tuple[object, ...]], ids=str)
def test_a_type_without_a_form_is_refused_when_the_module_is_loaded(kind) -> None:
    with pytest.raises(TypeError):
        form_of(kind)
