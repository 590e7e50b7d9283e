"""Digests: one canonical JSON text per value, one sha256 over it.

The same inputs give the same digest on any machine and system.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from typing import cast


def canonical(value: object) -> object:
    """The value as plain JSON types, with one spelling for each number, instant and record.

    Raises:
        TypeError: for numbers that are not finite, instants without a zone and types that have no canonical spelling.
    """
    match value:
        case Enum():
            return canonical(value.value)
        case None | bool() | int() | str():
            return value
        case float() | Decimal() | Fraction() | datetime():
            return _number_or_instant(value)
        case Mapping():
            return {str(key): canonical(item) for key, item in cast("Mapping[object, object]", value).items()}
        case AbstractSet():
            items = cast("AbstractSet[object]", value)
            return sorted(json.dumps(canonical(item), sort_keys=True) for item in items)
        case Sequence():
            return [canonical(item) for item in cast("Sequence[object]", value)]
        case _ if is_dataclass(value):
            return {field.name: canonical(getattr(value, field.name)) for field in fields(value)}
        case _:
            raise TypeError(f"a digest cannot be taken of {type(value).__name__}")


def _number_or_instant(value: float | Decimal | Fraction | datetime) -> str:
    match value:
        case Decimal():
            return _plain_decimal(value)
        case Fraction():
            return f"{value.numerator}/{value.denominator}"
        case datetime():
            if value.tzinfo is None:
                raise TypeError("a digest cannot be taken of an instant without a zone")
            return value.astimezone(UTC).isoformat(timespec="microseconds")
        case _:
            if not math.isfinite(value):
                raise TypeError(f"a digest cannot be taken of {value}")
            return repr(value)


def _plain_decimal(value: Decimal) -> str:
    # Not `normalize`: it rounds to the precision of the caller's context.
    if not value.is_finite():
        raise TypeError(f"a digest cannot be taken of {value}")
    text = format(value.copy_abs(), "f")
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return f"-{text}" if value < 0 else text


def canonical_json(value: object) -> str:
    """Canonical JSON text: sorted keys, no spaces, ASCII."""
    return json.dumps(canonical(value), sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def digest_of(value: object) -> str:
    """sha256 of the canonical JSON, in hex."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()
