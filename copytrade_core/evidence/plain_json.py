"""Frozen records as plain JSON types, for reports. Digests have their own canonical form in `model/digest.py`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from fractions import Fraction


def plain(value: object) -> object:
    """Any frozen record of evidence as plain JSON types: enumerations by value, exact fractions as floats."""
    match value:
        case Enum():
            return value.value
        case Fraction():
            return float(value)
        case Mapping():
            return {str(key): plain(item) for key, item in value.items()}
        case tuple() | list():
            return [plain(item) for item in value]
        case _ if is_dataclass(value):
            return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
        case _:
            return value
