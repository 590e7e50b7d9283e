"""Faults of a virtual venue: which call they happen to, how often, how they are written, and which are no faults."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copytrade_core.model.errors import BadInput
from copytrade_core.model.side import Side
from copytrade_core.model.units import Ppm, Steps, Ticks
from copytrade_core.virtual_exchange.fault_json import faults_from_json, faults_to_json
from copytrade_core.virtual_exchange.faults import ALL, FOR_EVER, FORMS, VenueFault, VenueFaultBook, VenueFaultKind
from copytrade_core.virtual_exchange.venue_ask import VenueCall
from tests.trading_floor import BTC

SUBMIT, ORDER = VenueCall.SUBMIT, VenueCall.ORDER
VALUES: dict[str, Any] = {
    "code": "101204",
    "message": "no",
    "status": 503,
    "delay_ms": 2_000,
    "skew_ms": -3_000,
    "ratio": Ppm(500_000),
    "bps": 5,
    "market": BTC,
    "side": Side.SHORT,
    "buys": True,
    "quantity": Steps(3),
    "price": Ticks(9),
    "hides": (ORDER,),
    "reason": None,
}


def usable(kind: VenueFaultKind, **more) -> VenueFault:
    """The plainest fault of a kind."""
    form = FORMS[kind]
    call = None if form.calls == ALL else min(form.calls)
    given: dict[str, Any] = {"call": call} | {name: VALUES[name] for name in form.needs} | more
    return VenueFault(kind=kind, **given)


def kinds(due) -> list[VenueFaultKind]:
    return [fault.kind for fault in due]


def test_every_kind_has_a_form_and_can_be_made():
    assert set(FORMS) == set(VenueFaultKind)
    for kind in VenueFaultKind:
        assert usable(kind).kind is kind


@pytest.mark.parametrize("kind", VenueFaultKind)
def test_what_a_kind_needs_cannot_be_left_out_and_what_it_has_no_use_for_cannot_be_given(kind):
    form = FORMS[kind]
    for name in form.needs:
        with pytest.raises(BadInput) as caught:
            usable(kind, **{name: None})
        assert caught.value.where.field == name
    for name in sorted(set(VALUES) - set(form.needs) - set(form.may) - {"reason"}):
        with pytest.raises(BadInput) as caught:
            usable(kind, **{name: VALUES[name]})
        assert caught.value.where.field == name
    if form.calls != ALL:
        with pytest.raises(BadInput) as caught:
            usable(kind, call=VenueCall.PROBE)
        assert caught.value.where.field == "call"


@pytest.mark.parametrize(
    ("field", "value"),
    [("nth", 0), ("count", 0), ("delay_ms", -1), ("delay_ms", 86_400_001)],
)
def test_a_value_out_of_range_is_named(field, value):
    with pytest.raises(BadInput) as caught:
        usable(VenueFaultKind.DELAYED_APPLY, **{field: value})
    assert caught.value.where.field == field


def test_a_fault_happens_on_its_nth_call_and_so_often_as_it_says():
    book = VenueFaultBook([usable(VenueFaultKind.LOST, call=ORDER, nth=2, count=2)], seed=0)
    assert [len(book.due(call)) for call in (ORDER, SUBMIT, ORDER, ORDER, ORDER)] == [0, 0, 1, 1, 0]
    assert book.met() == ((VenueFaultKind.LOST, ORDER),) * 2
    assert book.waiting() == ()


def test_calls_are_counted_from_arming():
    book = VenueFaultBook([], seed=0)
    assert book.due(ORDER) == ()
    book.arm([usable(VenueFaultKind.LOST, call=ORDER)])
    assert kinds(book.due(ORDER)) == [VenueFaultKind.LOST]


def test_a_fault_of_any_call_counts_all_of_them():
    book = VenueFaultBook([usable(VenueFaultKind.RESET, nth=3)], seed=0)
    assert [len(book.due(call)) for call in (ORDER, SUBMIT, ORDER, ORDER)] == [0, 0, 1, 0]


def test_a_reduce_only_refusal_waits_for_an_order_that_closes():
    book = VenueFaultBook([usable(VenueFaultKind.SIMULATE_BINGX_REDUCEONLY_REJECT)], seed=0)
    assert book.due(SUBMIT) == ()
    assert len(book.due(SUBMIT, closes=True)) == 1
    assert book.due(SUBMIT, closes=True) == ()


def test_a_postponed_fault_was_not_met_and_comes_back():
    book = VenueFaultBook([usable(VenueFaultKind.RESET, call=ORDER, count=2)], seed=0)
    (fault,) = book.waiting()
    for _ in range(3):
        assert book.due(ORDER) == (fault,)
        book.postpone(fault)
        assert book.met() == ()
    assert [len(book.due(ORDER)) for _ in range(3)] == [1, 1, 0]
    book.postpone(fault)
    assert len(book.met()) == 1
    assert [len(book.due(ORDER)) for _ in range(2)] == [1, 0]


@given(st.integers(0, 2**63), st.integers(0, 1_000))
def test_draws_repeat_with_their_seed_and_stay_in_range(seed, most):
    books = [VenueFaultBook([], seed=seed) for _ in range(2)]
    draws = [[book.draw(most) for _ in range(20)] for book in books]
    assert draws[0] == draws[1]
    assert all(0 <= draw <= most for draw in draws[0])


def test_a_probability_is_met_about_as_often_as_it_says():
    book = VenueFaultBook(faults_from_json(b'{"reject_probability": 0.1}'), seed=7)
    hits = sum(len(book.due(SUBMIT)) for _ in range(5_000))
    assert 400 < hits < 600


def test_the_short_form_means_what_it_meant():
    body = {
        "reject_next_n_orders": 2,
        "reject_probability": 0.25,
        "simulate_bingx_reduceonly_reject": True,
        "max_slippage_bps": 5,
    }
    faults = faults_from_json(json.dumps(body).encode())
    assert [(f.kind.value, f.count, f.ratio, f.bps) for f in faults] == [
        ("reject_next_n_orders", 2, None, None),
        ("reject_probability", FOR_EVER, 250_000, None),
        ("simulate_bingx_reduceonly_reject", FOR_EVER, None, None),
        ("max_slippage_bps", FOR_EVER, None, 5),
    ]
    nothing = {"reject_next_n_orders": 0, "reject_probability": 0, "simulate_bingx_reduceonly_reject": False}
    assert faults_from_json(json.dumps(nothing).encode()) == ()


@pytest.mark.parametrize("kind", VenueFaultKind)
def test_faults_survive_json(kind):
    faults = (usable(kind, nth=2, count=3), usable(VenueFaultKind.LOST))
    assert faults_from_json(faults_to_json(faults)) == faults


@pytest.mark.parametrize(
    ("body", "row", "field"),
    [
        ("nonsense", None, "faults"),
        ("7", None, "faults"),
        ('{"losst": 1}', None, "losst"),
        ('{"reject_next_n_orders": "two"}', None, "reject_next_n_orders"),
        ('{"reject_next_n_orders": true}', None, "reject_next_n_orders"),
        ('{"reject_probability": 1.5}', None, "reject_probability"),
        ('{"max_slippage_bps": -1}', None, "max_slippage_bps"),
        ('{"max_slippage_bps": 901}', None, "bps"),
        ('[{"kind": "losst"}]', 0, "kind"),
        ('[{"kind": "lost"}, {"call": "order"}]', 1, "kind"),
        ('[{"kind": "lost"}, 3]', 1, "kind"),
        ('[{"kind": "lost", "when": 3}]', 0, "when"),
        ('[{"kind": "lost", "nth": "x"}]', 0, "nth"),
        ('[{"kind": "lost", "call": "ordre"}]', 0, "call"),
        ('[{"kind": "http_status"}]', 0, "status"),
        ('[{"kind": "lost", "delay_ms": 3}]', 0, "delay_ms"),
    ],
)
def test_what_is_no_fault_is_refused_by_row_and_field(body, row, field):
    with pytest.raises(BadInput) as caught:
        faults_from_json(body.encode())
    assert (caught.value.where.row, caught.value.where.field) == (row, field)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda x: st.lists(x) | st.dictionaries(st.sampled_from(["kind", "nth", "reject_probability", "x"]), x),
    )
)
def test_any_json_is_faults_or_a_refusal(document):
    try:
        found = faults_from_json(json.dumps(document).encode())
    except BadInput:
        return
    assert all(isinstance(fault, VenueFault) for fault in found)
