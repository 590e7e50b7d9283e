"""A policy written as a file is read back as exactly that policy."""

import tomllib
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copytrade_core.model.digest import digest_of
from copytrade_core.model.policy import (
    AddMode,
    Anchor,
    BackoffSpec,
    EntryRules,
    ExitFamily,
    ExitSpec,
    LadderSpec,
    PolicySpec,
    SignalMode,
    SizingRule,
    SizingSpec,
)
from copytrade_core.model.side import SideFilter
from copytrade_core.model.units import Money, Ppm
from copytrade_core.strategies.policy_parse import policy_from_mapping
from copytrade_core.strategies.policy_text import policy_text

SHIPPED = sorted((Path(__file__).resolve().parents[2] / "settings/policies").glob("*.toml"))
ratios = st.fractions(min_value=Fraction(1, 10**6), max_value=Fraction(999, 1000), max_denominator=10**9)
weights = st.fractions(min_value=Fraction(1, 10**6), max_value=50, max_denominator=10**7)
ppm = st.integers(1, 999_999).map(Ppm)
names = st.text(alphabet=st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)


def read(text: str) -> PolicySpec:
    return policy_from_mapping(tomllib.loads(text, parse_float=Decimal), file="made.toml")


@st.composite
def ladders(draw):
    mode = draw(st.sampled_from(AddMode))
    steps = draw(st.lists(ratios, max_size=8))
    count = 0 if mode is AddMode.MIN_ORDER else len(steps)
    return LadderSpec(
        name=draw(names),
        base_share=draw(ratios),
        steps=tuple(steps),
        weights=tuple(draw(st.lists(weights, min_size=count, max_size=count))),
        add_mode=mode,
        anchor=draw(st.sampled_from(Anchor)),
    )


@st.composite
def exits(draw, families):
    family = draw(st.sampled_from(families))
    if family is ExitFamily.SOURCE_CLOSE_FOLLOWS:
        profit = stop = callback = ttl_s = None
    else:
        profit = draw(st.none() | ppm)
        callback = None if profit is None else draw(st.none() | ppm)
        stop, ttl_s = draw(st.none() | ppm), draw(st.integers(1, 10**7))
    return ExitSpec(
        family=family, take_profit_ppm=profit, stop_loss_ppm=stop, trailing_callback_ppm=callback, ttl_s=ttl_s
    )


@st.composite
def policies(draw):
    signal = draw(st.sampled_from(SignalMode))
    contrarian = signal is SignalMode.CONTRARIAN_ON_CLOSE
    return PolicySpec(
        signal=signal,
        entry=EntryRules(
            side=draw(st.sampled_from(SideFilter)),
            signal_age_s_max=draw(st.integers(1, 10**6)),
            entry_drift_ppm_max=draw(ppm),
        ),
        ladder=draw(ladders()),
        exit=draw(exits([ExitFamily.AUTONOMOUS] if contrarian else list(ExitFamily))),
        sizing=SizingSpec(
            rule=draw(st.sampled_from(SizingRule)),
            target_notional=Money(draw(st.integers(1, 10**13))),
            headroom_ppm=Ppm(draw(st.integers(0, 10**6))),
        ),
        backoff=BackoffSpec(failures_max=draw(st.integers(1, 100)), cooldown_s=draw(st.integers(1, 10**6))),
    )


@given(policies(), st.text(max_size=30))
def test_a_policy_survives_being_written_and_read(policy, comment):
    again = read(policy_text(policy, comment=comment))
    assert again == policy
    assert digest_of(again) == digest_of(policy)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_shipped_policy_survives_it_too(path):
    policy = read(path.read_text(encoding="utf-8"))
    assert read(policy_text(policy, comment="again")) == policy


def test_numbers_are_written_the_way_a_person_writes_them():
    policy = read(next(path for path in SHIPPED if path.stem == "candidate_189").read_text(encoding="utf-8"))
    text = policy_text(policy, comment="a line\nand another")
    assert text.startswith("# a line and another\n")
    assert 'step_ratios = ["0.0025", "0.0035", "0.0055", "0.03"]' in text
    assert "target_notional_usdt = 30\n" in text
    assert "entry_drift_bps_max = 100\n" in text
    assert "ttl_s" not in text
