"""Reading a policy from a mapping (a TOML file's content): every key known, every number exact, every error named.

Numbers that shape a digest arrive as `Decimal` or text, never as floats. Opening the file is not done here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from fractions import Fraction
from typing import TypeVar, cast

from copytrade_core.model.errors import BadConfig, Where
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
from copytrade_core.model.units import RATE_SCALE, Ppm, money_from_decimal

Choice = TypeVar("Choice", bound=StrEnum)

KEYS = {
    "": {"signal", "entry", "ladder", "exit", "sizing", "backoff"},
    "entry": {"side", "signal_age_s_max", "entry_drift_bps_max"},
    "ladder": {"name", "base_share_ratio", "step_ratios", "weights", "add_mode", "anchor"},
    "exit": {"family", "take_profit_ratio", "stop_loss_ratio", "trailing_callback_ratio", "ttl_s"},
    "sizing": {"rule", "target_notional_usdt", "headroom_bps"},
    "backoff": {"failures_max", "cooldown_s"},
}


class _Table:
    """One table of the file, with errors that name file and key."""

    def __init__(self, content: Mapping[str, object], section: str, file: str) -> None:
        self._section = section
        self._file = file
        self._content = content
        unknown = sorted(set(content) - KEYS[section])
        if unknown:
            raise self.wrong(unknown[0], f"unknown key {unknown[0]!r}; known: {', '.join(sorted(KEYS[section]))}")

    def wrong(self, key: str, what: str) -> BadConfig:
        name = f"{self._section}.{key}" if self._section else key
        return BadConfig(f"{name}: {what}", where=Where(file=self._file, field=name))

    def table(self, key: str) -> _Table:
        content = self._need(key)
        if not isinstance(content, Mapping):
            raise self.wrong(key, "must be a table")
        return _Table(cast("Mapping[str, object]", content), key, self._file)

    def text(self, key: str) -> str:
        value = self._need(key)
        if not isinstance(value, str) or not value:
            raise self.wrong(key, "must be a text")
        return value

    def choice(self, key: str, kind: type[Choice]) -> Choice:
        value = self.text(key)
        try:
            return kind(value)
        except ValueError:
            raise self.wrong(key, f"{value!r} is none of {', '.join(kind)}") from None

    def whole(self, key: str) -> int:
        value = self._need(key)
        if isinstance(value, bool) or not isinstance(value, int):
            raise self.wrong(key, "must be a whole number")
        return value

    def whole_or_none(self, key: str) -> int | None:
        return self.whole(key) if key in self._content else None

    def number(self, key: str) -> Decimal:
        return self._decimal(key, self._need(key))

    def ppm(self, key: str, per_unit: int) -> Ppm:
        scaled = self.number(key) * per_unit
        if scaled != scaled.to_integral_value():
            raise self.wrong(key, "is finer than one part per million")
        return Ppm(int(scaled))

    def ppm_or_none(self, key: str) -> Ppm | None:
        return self.ppm(key, RATE_SCALE) if key in self._content else None

    def fractions(self, key: str) -> tuple[Fraction, ...]:
        values = self._need(key)
        if isinstance(values, str) or not isinstance(values, Sequence):
            raise self.wrong(key, "must be a list of numbers")
        return tuple(self._fraction(key, value) for value in cast("Sequence[object]", values))

    def fraction(self, key: str) -> Fraction:
        return self._fraction(key, self._need(key))

    def _fraction(self, key: str, value: object) -> Fraction:
        if isinstance(value, str) and "/" in value:
            try:
                return Fraction(value)
            except (ValueError, ZeroDivisionError):
                raise self.wrong(key, f"{value!r} is not a fraction") from None
        return Fraction(self._decimal(key, value))

    def _need(self, key: str) -> object:
        if key not in self._content:
            raise self.wrong(key, "is missing")
        return self._content[key]

    def _decimal(self, key: str, value: object) -> Decimal:
        if isinstance(value, bool) or not isinstance(value, (int, str, Decimal)):
            raise self.wrong(key, f"{value!r} is not an exact number")
        try:
            number = Decimal(value)
        except InvalidOperation:
            raise self.wrong(key, f"{value!r} is not a number") from None
        if not number.is_finite():
            raise self.wrong(key, f"{value!r} is not finite")
        return number


def policy_from_mapping(content: Mapping[str, object], *, file: str) -> PolicySpec:
    """The policy that a file's content describes.

    Args:
        content: parsed TOML with floats as `Decimal` (`tomllib.load(..., parse_float=Decimal)`).
        file: the file's name, for errors.

    Raises:
        BadConfig: unknown or missing keys, wrong types or ranges, parameters that the exit family does not use; names
            the file and the key.
    """
    root = _Table(content, "", file)
    entry, ladder, leave = root.table("entry"), root.table("ladder"), root.table("exit")
    sizing, backoff = root.table("sizing"), root.table("backoff")
    try:
        return PolicySpec(
            signal=root.choice("signal", SignalMode),
            entry=EntryRules(
                side=entry.choice("side", SideFilter),
                signal_age_s_max=entry.whole("signal_age_s_max"),
                entry_drift_ppm_max=entry.ppm("entry_drift_bps_max", 100),
            ),
            ladder=LadderSpec(
                name=ladder.text("name"),
                base_share=ladder.fraction("base_share_ratio"),
                steps=ladder.fractions("step_ratios"),
                weights=ladder.fractions("weights"),
                add_mode=ladder.choice("add_mode", AddMode),
                anchor=ladder.choice("anchor", Anchor),
            ),
            exit=ExitSpec(
                family=leave.choice("family", ExitFamily),
                take_profit_ppm=leave.ppm_or_none("take_profit_ratio"),
                stop_loss_ppm=leave.ppm_or_none("stop_loss_ratio"),
                trailing_callback_ppm=leave.ppm_or_none("trailing_callback_ratio"),
                ttl_s=leave.whole_or_none("ttl_s"),
            ),
            sizing=SizingSpec(
                rule=sizing.choice("rule", SizingRule),
                target_notional=money_from_decimal(sizing.number("target_notional_usdt")),
                headroom_ppm=sizing.ppm("headroom_bps", 100),
            ),
            backoff=BackoffSpec(failures_max=backoff.whole("failures_max"), cooldown_s=backoff.whole("cooldown_s")),
        )
    except BadConfig as error:
        if error.where.file is not None:
            raise
        raise BadConfig(error.what, where=Where(file=file, field=error.where.field)) from error
