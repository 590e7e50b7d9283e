"""A policy as data: which signal to take, how to size and ladder it, and how to leave.

A policy holds values only; what they do is in `strategies`. Ratios are exact fractions so that a digest never depends
on how a float was printed.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

from copytrade_core.model.errors import BadConfig, Where
from copytrade_core.model.side import SideFilter
from copytrade_core.model.units import Money, Ppm


class SignalMode(StrEnum):
    """What of the lead's doing starts a trade of ours."""

    FOLLOW_OPEN = "follow_open"
    CONTRARIAN_ON_CLOSE = "contrarian_on_close"


class ExitFamily(StrEnum):
    """Who decides that a trade ends; exactly one per strategy."""

    SOURCE_CLOSE_FOLLOWS = "source_close_follows"
    AUTONOMOUS = "autonomous"
    SOURCE_CLOSE_THEN_AUTONOMOUS = "source_close_then_autonomous"
    """At a bar's open the source's close comes first; inside it stop, then take-profit; then time-to-live."""


class Anchor(StrEnum):
    """The price that a ladder's first step is measured from."""

    OWN_FILL = "own_fill"
    SOURCE_ENTRY = "source_entry"


class AddMode(StrEnum):
    """How a rung's notional follows from its weight."""

    MULTIPLIER = "multiplier"
    """weight x base notional, all rungs scaled down together when they exceed what the target leaves."""
    FIXED = "fixed"
    """weight x target, scaled in the same way."""
    MIN_ORDER = "min_order"
    """The venue's minimum order each; weights are not used."""


class SizingRule(StrEnum):
    """How the target notional of one trade is found."""

    FIXED = "fixed"
    COMPOUND = "compound"
    """target x equity / initial equity."""
    LEAD_MARGIN_FRACTION = "lead_margin_fraction"
    """equity x (the lead's margin in the trade / the lead's margin balance), at most the target."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryRules:
    """When a signal may still be taken. `missing_*` say what the strategy does about a vanished position."""

    side: SideFilter
    signal_age_s_max: int
    entry_drift_ppm_max: Ppm

    def __post_init__(self) -> None:
        if self.signal_age_s_max <= 0 or self.entry_drift_ppm_max <= 0:
            raise BadConfig("entry limits must be positive", where=Where(field="entry"))


@dataclass(frozen=True, slots=True, kw_only=True)
class LadderSpec:
    """A DCA ladder: the base leg's share of the target and the rungs below it (above it for a short).

    `steps` are adverse moves, each chained on the level before it; `weights` go with `add_mode`; both have one entry
    per rung.
    """

    name: str
    base_share: Fraction
    steps: tuple[Fraction, ...]
    weights: tuple[Fraction, ...]
    add_mode: AddMode
    anchor: Anchor

    def __post_init__(self) -> None:
        if not 0 < self.base_share <= 1:
            raise BadConfig("base_share must be in (0, 1]", where=Where(field="ladder.base_share"))
        if any(not 0 < step < 1 for step in self.steps):
            raise BadConfig("every ladder step must be in (0, 1)", where=Where(field="ladder.steps"))
        if any(weight <= 0 for weight in self.weights):
            raise BadConfig("every ladder weight must be positive", where=Where(field="ladder.weights"))
        unweighted = self.add_mode is AddMode.MIN_ORDER
        if len(self.weights) != (0 if unweighted else len(self.steps)):
            raise BadConfig(
                "min_order ladders take no weights" if unweighted else "a ladder needs one weight per step",
                where=Where(field="ladder.weights"),
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class ExitSpec:
    """How a trade ends. Rates are of the average entry price, in ppm.

    `trailing_callback_ppm` turns the take-profit into the level at which the trailing stop starts. A family refuses the
    parameters it does not use and demands those it needs.

    Raises:
        BadConfig: names the parameter.
    """

    family: ExitFamily
    take_profit_ppm: Ppm | None
    stop_loss_ppm: Ppm | None
    trailing_callback_ppm: Ppm | None
    ttl_s: int | None

    def __post_init__(self) -> None:
        given = {
            "take_profit_ppm": self.take_profit_ppm,
            "stop_loss_ppm": self.stop_loss_ppm,
            "trailing_callback_ppm": self.trailing_callback_ppm,
            "ttl_s": self.ttl_s,
        }
        for name, value in given.items():
            if value is None:
                continue
            if self.family is ExitFamily.SOURCE_CLOSE_FOLLOWS:
                raise BadConfig(f"{self.family} does not use {name}", where=Where(field=f"exit.{name}"))
            if value <= 0 or (name != "ttl_s" and value >= 1_000_000):
                raise BadConfig(f"{name} is out of range", where=Where(field=f"exit.{name}"))
        if self.family is ExitFamily.AUTONOMOUS and self.ttl_s is None:
            raise BadConfig("an autonomous exit needs a time-to-live", where=Where(field="exit.ttl_s"))
        if self.trailing_callback_ppm is not None and self.take_profit_ppm is None:
            raise BadConfig(
                "a trailing callback needs take_profit_ppm as the level it starts at",
                where=Where(field="exit.take_profit_ppm"),
            )

    @property
    def follows_source_close(self) -> bool:
        """Whether the lead's close ends the trade."""
        return self.family is not ExitFamily.AUTONOMOUS


@dataclass(frozen=True, slots=True, kw_only=True)
class SizingSpec:
    """Target notional of one trade (base and all rungs) and the headroom kept under every cap."""

    rule: SizingRule
    target_notional: Money
    headroom_ppm: Ppm

    def __post_init__(self) -> None:
        if self.target_notional <= 0:
            raise BadConfig("target_notional must be positive", where=Where(field="sizing.target_notional_usdt"))
        if self.headroom_ppm < 0:
            raise BadConfig("headroom may not be negative", where=Where(field="sizing.headroom_bps"))


@dataclass(frozen=True, slots=True, kw_only=True)
class BackoffSpec:
    """After `failures_max` rejected or blocked entries in a row, no entry for `cooldown_s`."""

    failures_max: int
    cooldown_s: int

    def __post_init__(self) -> None:
        if self.failures_max <= 0:
            raise BadConfig("failures_max must be positive", where=Where(field="backoff.failures_max"))
        if self.cooldown_s <= 0:
            raise BadConfig("cooldown_s must be positive", where=Where(field="backoff.cooldown_s"))


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicySpec:
    """Everything a strategy is made of.

    Raises:
        BadConfig: `contrarian_on_close` with an exit that waits for a close that has already happened.
    """

    signal: SignalMode
    entry: EntryRules
    ladder: LadderSpec
    exit: ExitSpec
    sizing: SizingSpec
    backoff: BackoffSpec

    def __post_init__(self) -> None:
        if self.signal is SignalMode.CONTRARIAN_ON_CLOSE and self.exit.family is not ExitFamily.AUTONOMOUS:
            raise BadConfig(
                "contrarian_on_close enters when the source has closed, so only an autonomous exit can end it",
                where=Where(field="exit.family"),
            )

    @property
    def name(self) -> str:
        """The strategy's full name: signal, side, ladder and exit family."""
        return f"{self.signal}/{self.entry.side}/{self.ladder.name}/{self.exit.family}"
