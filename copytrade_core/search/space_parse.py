"""Reading a space from a mapping (the content of `settings/spaces/<name>.toml`).

Whether a strategy can take the space is asked in `space_policy.py`, when the strategy is known.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction

from copytrade_core.model.policy import ExitFamily
from copytrade_core.model.toml_table import TomlTable
from copytrade_core.model.units import money_from_decimal
from copytrade_core.search.axis import Absent, Axis, Rule, number_axis, side_axis
from copytrade_core.search.space import Constraints, Space

_PPM = Decimal("0.000001")
_ONE = Decimal(1)
_RATIO = Rule(grain=_PPM, low=_PPM, high=_ONE, absent=Absent.NEVER)
_OPEN_RATIO = Rule(grain=_PPM, low=_PPM, high=_ONE - _PPM, absent=Absent.NEVER)
_FACTOR = Rule(grain=_PPM, low=Decimal("0.01"), high=Decimal(10), absent=Absent.NEVER)
_DISTANCE = Rule(grain=_PPM, low=_PPM, high=_ONE - _PPM, absent=Absent.LAST)
DCA_COUNT_MAX = 8
"""Rungs of one ladder; as many as the fast engine lays out."""

FAMILIES: dict[str, dict[str, Rule | None]] = {
    "ladder": {
        "target_frac": _RATIO,
        "base_frac": _RATIO,
        "dca_count": Rule(grain=_ONE, low=Decimal(0), high=Decimal(DCA_COUNT_MAX), absent=Absent.NEVER),
        "step_1": _OPEN_RATIO,
        "step_growth": _FACTOR,
        "weight_1": _FACTOR,
        "weight_growth": _FACTOR,
    },
    "exit": {
        "tp": _DISTANCE,
        "sl": _DISTANCE,
        "trailing_callback": Rule(grain=_PPM, low=_PPM, high=_ONE - _PPM, absent=Absent.FIRST),
        # 0.01 hours are 36 whole seconds; a year is longer than any trade of ours.
        "ttl_hours": Rule(grain=Decimal("0.01"), low=Decimal("0.01"), high=Decimal(8760), absent=Absent.LAST),
    },
    "signal": {
        "signal_age_s_max": Rule(grain=_ONE, low=_ONE, high=Decimal(604_800), absent=Absent.NEVER),
        "entry_drift_bps_max": Rule(
            grain=Decimal("0.01"), low=Decimal("0.01"), high=Decimal(10_000), absent=Absent.NEVER
        ),
        "side": None,
    },
}
"""Every parameter a space can vary, by family; the side is the only one that is not a number."""

UNSUPPORTED = {
    "signal": {
        "volatility_filter": "no strategy has a volatility filter yet",
        "regime_filter": "no strategy has a regime filter yet",
    },
    "": {"sizing": "no strategy has the sizing family (equity share, open positions, cooldown, daily cap) yet"},
}
"""Planned parameters that nothing would read: searching them would be searching noise."""

INVARIANTS = {
    *("fills", "market_fill", "rung_fill", "costs", "fee_bps", "taker_fee_bps", "maker_fee_bps", "slippage_bps"),
    *("delay_s", "min_notional_usdt", "min_quantity", "step_size", "headroom_bps", "rule", "target_notional_usdt"),
    *("initial_equity_usdt", "backoff", "interval_ms"),
}
"""What execution is like. A search that could change it would improve the market instead of the strategy."""

_CONSTRAINTS = (
    "deepest_level_ratio_max",
    "weights_sum_max",
    "leg_notional_usdt_min",
    "take_profit_ratio_above",
    "stop_beyond_ladder",
    "callback_below_take_profit",
)


def space_from_mapping(content: Mapping[str, object], *, file: str) -> Space:
    """The space that a file's content describes.

    Args:
        content: parsed TOML with floats as `Decimal` (`tomllib.load(..., parse_float=Decimal)`).
        file: the file's name, for errors.

    Raises:
        BadConfig: empty or inverted ranges, steps that do not fit, unknown or unsupported parameters, parameters that
            the exit family does not use, invariants of execution; names the file and the key.
    """
    root = TomlTable(content, "", file)
    _refuse_foreign(root, content, "")
    root.only("name", *FAMILIES, "constraints")
    axes: list[Axis] = []
    for family in FAMILIES:
        if root.has(family):
            axes += _family(root.table(family), content, family)
    if not axes:
        raise root.wrong("ladder", "a space varies at least one family: ladder, exit or signal")
    exit_family = root.table("exit").choice("family", ExitFamily) if root.has("exit") else None
    return Space(
        name=root.text("name"),
        exit_family=exit_family,
        axes=tuple(axes),
        constraints=_constraints(root.table("constraints")),
    )


def _family(table: TomlTable, content: Mapping[str, object], family: str) -> list[Axis]:
    own = content[family]
    assert isinstance(own, Mapping), "`TomlTable.table` has refused everything else"
    _refuse_foreign(table, own, family)  # pyright: ignore[reportUnknownArgumentType]
    rules = FAMILIES[family]
    table.only(*rules, *(("family",) if family == "exit" else ()))
    if family == "exit":
        _refuse_unused_exits(table)
    return [
        side_axis(table.table(key), f"{family}.{key}")
        if rule is None
        else number_axis(table.table(key), f"{family}.{key}", rule)
        for key, rule in rules.items()
    ]


def _refuse_foreign(table: TomlTable, keys: Mapping[str, object], family: str) -> None:
    for key in keys:
        if key in UNSUPPORTED.get(family, {}):
            raise table.wrong(key, f"{UNSUPPORTED[family][key]}: leave it out of the space")
        if key in INVARIANTS:
            raise table.wrong(key, "is an invariant of execution and is never searched")


def _refuse_unused_exits(table: TomlTable) -> None:
    family = table.choice("family", ExitFamily)
    if family is ExitFamily.SOURCE_CLOSE_FOLLOWS:
        used = [key for key in FAMILIES["exit"] if table.has(key)]
        raise table.wrong(
            used[0] if used else "family", f"{family} uses no exit parameter: leave the exit family out of the space"
        )
    if family is ExitFamily.AUTONOMOUS and table.has("ttl_hours") and table.table("ttl_hours").has("none"):
        raise table.wrong("ttl_hours.none", f"{family} needs a time-to-live")


def _constraints(table: TomlTable) -> Constraints:
    table.only(*_CONSTRAINTS)

    def ratio(key: str, high: Decimal) -> Fraction | None:
        return table.ratio(key, low=_PPM, high=high) if table.has(key) else None

    leg = ratio("leg_notional_usdt_min", Decimal(1_000_000))
    return Constraints(
        deepest_level_ratio_max=ratio("deepest_level_ratio_max", _ONE),
        weights_sum_max=ratio("weights_sum_max", Decimal(100)),
        leg_notional_min=None if leg is None else money_from_decimal(table.number("leg_notional_usdt_min")),
        take_profit_ratio_above=ratio("take_profit_ratio_above", _ONE),
        stop_beyond_ladder=table.true("stop_beyond_ladder"),
        callback_below_take_profit=table.true("callback_below_take_profit"),
    )
