"""One spelling per value: equal values digest equally on every machine, and what has no spelling is refused."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal, localcontext
from enum import StrEnum
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copytrade_core.model.digest import canonical_json, digest_of


class Colour(StrEnum):
    RED = "red"


@dataclass(frozen=True)
class Pair:
    left: object
    right: object


@pytest.mark.parametrize(
    ("one", "same"),
    [
        (Decimal("1.0"), Decimal("1.00")),
        (Decimal(100), Decimal("1E+2")),
        (Decimal("0.0"), Decimal("-0.00")),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        ({3, 1, 2}, {2, 3, 1}),
        ((1, 2), [1, 2]),
        (Colour.RED, "red"),
        (Fraction(2, 4), Fraction(1, 2)),
        (
            datetime(2026, 1, 1, 12, tzinfo=UTC),
            datetime(2026, 1, 1, 17, 30, tzinfo=timezone(timedelta(hours=5, minutes=30))),
        ),
        (Pair(1, 2), {"left": 1, "right": 2}),
    ],
)
def test_equal_values_have_one_digest(one, same):
    assert digest_of(one) == digest_of(same)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Decimal("1.0"), Decimal("1.1")),
        (Decimal("1.2345678901234567890123456789012"), Decimal("1.2345678901234567890123456789013")),
        ((1, 2), (2, 1)),
        (None, 0),
        (True, 1),
        (Pair(1, 2), Pair(2, 1)),
        (0.1, 0.1 + 1e-17 + 2e-17),
    ],
)
def test_different_values_have_different_digests(one, other):
    assert digest_of(one) != digest_of(other)


@pytest.mark.parametrize(
    "value",
    [math.nan, math.inf, -math.inf, Decimal("NaN"), Decimal("Infinity"), object(), {"a": [math.nan]}, 1j],
    ids=["nan", "inf", "-inf", "Decimal NaN", "Decimal Infinity", "object", "nested nan", "complex"],
)
def test_what_has_no_spelling_is_refused(value):
    with pytest.raises(TypeError, match="a digest cannot be taken"):
        digest_of(value)


def test_an_instant_without_a_zone_is_refused_because_each_machine_reads_it_differently():
    with pytest.raises(TypeError, match="zone"):
        digest_of(datetime(2026, 1, 1))  # noqa: DTZ001


def test_the_precision_of_the_caller_does_not_matter():
    value = Decimal("1.23456789")
    with localcontext() as context:
        context.prec = 3
        narrow = digest_of(value)
    assert narrow == digest_of(value)


def test_text_is_ascii_sorted_and_without_spaces():
    assert canonical_json({"b": "é", "a": [1, None]}) == '{"a":[1,null],"b":"\\u00e9"}'


JSONABLE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=10,
)


@given(one=JSONABLE, other=JSONABLE)
def test_plain_values_digest_equally_only_when_their_text_is_equal(one, other):
    assert (digest_of(one) == digest_of(other)) == (canonical_json(one) == canonical_json(other))
