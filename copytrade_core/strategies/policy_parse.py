"""Reading a policy from a mapping (a TOML file's content): every key known, every number exact, every error named.

Numbers that shape a digest arrive as `Decimal` or text, never as floats. Opening the file is not done here.
"""

from __future__ import annotations

from collections.abc import Mapping

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
from copytrade_core.model.toml_table import TomlTable
from copytrade_core.model.units import RATE_SCALE, Ppm, money_from_decimal

KEYS = {
    "": {"signal", "entry", "ladder", "exit", "sizing", "backoff"},
    "entry": {"side", "signal_age_s_max", "entry_drift_bps_max"},
    "ladder": {"name", "base_share_ratio", "step_ratios", "weights", "add_mode", "anchor"},
    "exit": {"family", "take_profit_ratio", "stop_loss_ratio", "trailing_callback_ratio", "ttl_s"},
    "sizing": {"rule", "target_notional_usdt", "headroom_bps"},
    "backoff": {"failures_max", "cooldown_s"},
}


def policy_from_mapping(content: Mapping[str, object], *, file: str) -> PolicySpec:
    """The policy that a file's content describes.

    Args:
        content: parsed TOML with floats as `Decimal` (`tomllib.load(..., parse_float=Decimal)`).
        file: the file's name, for errors.

    Raises:
        BadConfig: unknown or missing keys, wrong types or ranges, parameters that the exit family does not use; names
            the file and the key.
    """
    root = TomlTable(content, "", file)
    root.only(*KEYS[""])
    entry, ladder, leave, sizing, backoff = (
        _section(root, name) for name in ("entry", "ladder", "exit", "sizing", "backoff")
    )
    try:
        return PolicySpec(
            signal=root.choice("signal", SignalMode),
            entry=EntryRules(
                side=entry.choice("side", SideFilter),
                signal_age_s_max=entry.integer("signal_age_s_max"),
                entry_drift_ppm_max=entry.ppm("entry_drift_bps_max", per_unit=100),
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
                take_profit_ppm=_ratio(leave, "take_profit_ratio"),
                stop_loss_ppm=_ratio(leave, "stop_loss_ratio"),
                trailing_callback_ppm=_ratio(leave, "trailing_callback_ratio"),
                ttl_s=leave.integer("ttl_s") if leave.has("ttl_s") else None,
            ),
            sizing=SizingSpec(
                rule=sizing.choice("rule", SizingRule),
                target_notional=money_from_decimal(sizing.number("target_notional_usdt")),
                headroom_ppm=sizing.ppm("headroom_bps", per_unit=100),
            ),
            backoff=BackoffSpec(failures_max=backoff.integer("failures_max"), cooldown_s=backoff.integer("cooldown_s")),
        )
    except BadConfig as error:
        if error.where.file is not None:
            raise
        raise BadConfig(error.what, where=Where(file=file, field=error.where.field)) from error


def _section(root: TomlTable, name: str) -> TomlTable:
    table = root.table(name)
    table.only(*KEYS[name])
    return table


def _ratio(table: TomlTable, key: str) -> Ppm | None:
    return table.ppm(key, per_unit=RATE_SCALE) if table.has(key) else None
