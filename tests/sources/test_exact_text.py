from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copytrade_core.sources.exact_text import E8, WRONG_KIND, Fault, decimal_e8, e8_columns, parse_e8, time_columns

PUBLISHED = st.decimals(min_value=-(10**9), max_value=10**9, allow_nan=False, allow_infinity=False, places=8)


@given(PUBLISHED)
def test_published_decimals_are_kept_exactly(number: Decimal) -> None:
    scaled = parse_e8(str(number))
    assert not isinstance(scaled, Fault)
    assert Decimal(scaled) / E8 == number
    assert decimal_e8(scaled) == number


@given(
    st.lists(st.one_of(PUBLISHED.map(str), st.text(max_size=12), st.integers(), st.none(), st.just([1])), max_size=20)
)
def test_the_fast_column_and_the_slow_rule_agree(values: list[object]) -> None:
    numbers, faults = e8_columns("x", values)
    for value, number, fault in zip(values, numbers, faults, strict=True):
        text = WRONG_KIND if isinstance(value, list) else None if value is None else str(value)
        expected = parse_e8(text)
        if isinstance(expected, Fault):
            assert (number, fault) == (None, expected.value)
        else:
            assert (number, fault) == (expected, 0)


@given(st.from_regex(r"[0-9]{1,10}\.[0-9]{9,20}", fullmatch=True))
def test_more_than_eight_decimals_round_half_to_even(text: str) -> None:
    expected = int((Decimal(text) * E8).to_integral_value(rounding=ROUND_HALF_EVEN))
    assert parse_e8(text) == expected
    assert e8_columns("x", [text])[0].to_list() == [expected]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1,234,567.5", 123456750000000),
        ("-1,234.5", -123450000000),
        (" +7 ", 700000000),
        ("1e-7", 10),
        ("2.5E3", 250000000000),
        (".5", 50000000),
        ("0.0", 0),
        ("1e-400", 0),
        ("", Fault.MISSING),
        ("  ", Fault.MISSING),
        (None, Fault.MISSING),
        ("1,5", Fault.WRONG_TYPE),
        ("12,34,567", Fault.WRONG_TYPE),
        ("--", Fault.WRONG_TYPE),
        ("0x10", Fault.WRONG_TYPE),
        ("1_000", Fault.WRONG_TYPE),
        ("１", Fault.WRONG_TYPE),
        ("NaN", Fault.NOT_FINITE),
        ("-Infinity", Fault.NOT_FINITE),
        ("1e400", Fault.NOT_FINITE),
        ("92233720368.54775808", Fault.NOT_FINITE),
        ("92233720368.54775807", 2**63 - 1),
    ],
)
def test_every_published_form_is_read_or_refused_with_its_reason(text: str | None, expected: int | Fault) -> None:
    parsed = parse_e8(text)
    assert parsed == expected
    assert isinstance(parsed, Fault) == isinstance(expected, Fault)


def test_times_are_whole_milliseconds_in_any_published_form() -> None:
    values = [1779098899731, "1779098899731", "1779098899731.0", "1,779,098,899,731", 1.5, None, True, "soon", 2**70]
    times, faults = time_columns("t", [str(v) if isinstance(v, float) else v for v in values])
    assert times.to_list()[:4] == [1779098899731] * 4
    assert times.to_list()[4:] == [None] * 5
    assert faults.to_list() == [0, 0, 0, 0, 2, 1, 2, 2, 3]
