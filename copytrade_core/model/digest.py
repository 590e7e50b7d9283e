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
        TypeError: for floats that are not finite and for types that have no canonical spelling.
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
            return format(value.normalize(), "f")
        case Fraction():
            return f"{value.numerator}/{value.denominator}"
        case datetime():
            return value.astimezone(UTC).isoformat(timespec="microseconds")
        case _:
            if not math.isfinite(value):
                raise TypeError(f"a digest cannot be taken of {value}")
            return repr(value)


def canonical_json(value: object) -> str:
    """Canonical JSON text: sorted keys, no spaces, ASCII."""
    return json.dumps(canonical(value), sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def digest_of(value: object) -> str:
    """sha256 of the canonical JSON, in hex."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()
