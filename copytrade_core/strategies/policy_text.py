"""A policy as the text of a policy file: `policy_parse` reads back exactly the policy that was written.

Writing the file is not done here.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction

from copytrade_core.model.policy import PolicySpec
from copytrade_core.model.units import RATE_SCALE, money_to_decimal

PPM_PER_BPS = 100


def policy_text(policy: PolicySpec, *, comment: str) -> str:
    """The TOML text of a policy.

    Args:
        policy: any policy.
        comment: one line on top that says where it comes from.
    """
    entry, ladder, leave, sizing, backoff = policy.entry, policy.ladder, policy.exit, policy.sizing, policy.backoff
    optional = {
        "take_profit_ratio": _ratio(leave.take_profit_ppm),
        "stop_loss_ratio": _ratio(leave.stop_loss_ppm),
        "trailing_callback_ratio": _ratio(leave.trailing_callback_ppm),
        "ttl_s": None if leave.ttl_s is None else str(leave.ttl_s),
    }
    lines = [
        f"# {_one_line(comment)}",
        f"signal = {_quoted(policy.signal)}",
        "",
        "[entry]",
        f"side = {_quoted(entry.side)}",
        f"signal_age_s_max = {entry.signal_age_s_max}",
        f"entry_drift_bps_max = {_plain(Decimal(entry.entry_drift_ppm_max) / PPM_PER_BPS)}",
        "",
        "[ladder]",
        f"name = {_quoted(ladder.name)}",
        f"base_share_ratio = {_exact(ladder.base_share)}",
        f"step_ratios = {_list(ladder.steps)}",
        f"weights = {_list(ladder.weights)}",
        f"add_mode = {_quoted(ladder.add_mode)}",
        f"anchor = {_quoted(ladder.anchor)}",
        "",
        "[exit]",
        f"family = {_quoted(leave.family)}",
        *(f"{name} = {text}" for name, text in optional.items() if text is not None),
        "",
        "[sizing]",
        f"rule = {_quoted(sizing.rule)}",
        f"target_notional_usdt = {_plain(money_to_decimal(sizing.target_notional))}",
        f"headroom_bps = {_plain(Decimal(sizing.headroom_ppm) / PPM_PER_BPS)}",
        "",
        "[backoff]",
        f"failures_max = {backoff.failures_max}",
        f"cooldown_s = {backoff.cooldown_s}",
    ]
    return "\n".join(lines) + "\n"


def _ratio(ppm: int | None) -> str | None:
    return None if ppm is None else _exact(Fraction(ppm, RATE_SCALE))


def _list(values: Sequence[Fraction]) -> str:
    return f"[{', '.join(_exact(value) for value in values)}]"


def _exact(value: Fraction) -> str:
    """In quotes, as a decimal where it has one of at most six digits, else as a fraction."""
    scaled = value * RATE_SCALE
    if scaled.denominator != 1:
        return _quoted(f"{value.numerator}/{value.denominator}")
    return _quoted(_plain(Decimal(scaled.numerator) / RATE_SCALE))


def _plain(value: Decimal) -> str:
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(sign if sign.isprintable() else f"\\U{ord(sign):08x}" for sign in escaped) + '"'


def _one_line(comment: str) -> str:
    return " ".join("".join(sign if sign.isprintable() else " " for sign in comment).split())
