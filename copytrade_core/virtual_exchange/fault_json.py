"""Faults as JSON: of scenario files, the environment and a stand-in's control endpoint. Nothing is armed here."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import fields
from typing import Annotated, Any, cast

import msgspec
from msgspec import Meta, Struct

from copytrade_core.model.errors import BadInput, Where
from copytrade_core.model.units import RATE_SCALE, Ppm
from copytrade_core.virtual_exchange.faults import FOR_EVER, VenueFault, VenueFaultKind

_FIELDS = frozenset(item.name for item in fields(VenueFault))


class _Short(Struct, forbid_unknown_fields=True):
    reject_next_n_orders: Annotated[int, Meta(ge=0)] | None = None
    reject_probability: Annotated[float, Meta(ge=0, le=1)] | None = None
    simulate_bingx_reduceonly_reject: bool | None = None
    max_slippage_bps: Annotated[int, Meta(ge=0)] | None = None


def faults_to_json(faults: Sequence[VenueFault]) -> bytes:
    """Faults as JSON: a list of objects without the fields that are absent."""
    rows = [
        {item.name: value for item in fields(fault) if (value := getattr(fault, item.name)) is not None}
        for fault in faults
    ]
    return msgspec.json.encode(rows)


def faults_from_json(body: bytes) -> tuple[VenueFault, ...]:
    """Faults from JSON: a list of objects, or one object of the short form `{"reject_next_n_orders": 2}`.

    The short form takes `reject_next_n_orders` (a number), `reject_probability` (0 to 1),
    `simulate_bingx_reduceonly_reject` (true or false) and `max_slippage_bps` (a whole number); all but the first hold
    for the whole run. Zero and false arm nothing.

    Raises:
        BadInput: not JSON, an unknown fault, a field that a fault lacks or has no use for; names row and field.
    """
    try:
        document: object = msgspec.json.decode(body)
    except msgspec.DecodeError as error:
        raise BadInput(f"The faults cannot be read: {error}", where=Where(field="faults")) from error
    match document:
        case dict():
            return _short(cast("dict[str, object]", document))
        case list():
            return tuple(_fault(row, item) for row, item in enumerate(cast("list[object]", document)))
        case _:
            raise BadInput("Faults are a list of objects or one object", where=Where(field="faults"))


def _fault(row: int, item: object) -> VenueFault:
    if not isinstance(item, dict) or "kind" not in item:
        raise BadInput("A fault is an object with a kind", where=Where(row=row, field="kind"))
    named = cast("dict[str, object]", item)
    for name in named:
        if name not in _FIELDS:
            raise BadInput(f"A fault has no field {name!r}", where=Where(row=row, field=name))
    if named["kind"] not in set(VenueFaultKind):
        raise _unknown(str(named["kind"]), Where(row=row, field="kind"), list(VenueFaultKind))
    try:
        return msgspec.convert(named, VenueFault)
    except msgspec.ValidationError as error:
        name = _path(error)
        raise BadInput(f"A fault's {name} cannot be used: {error}", where=Where(row=row, field=name)) from error
    except BadInput as error:
        raise BadInput(error.what, where=Where(row=row, field=error.where.field)) from error


def _short(document: dict[str, object]) -> tuple[VenueFault, ...]:
    known = set(_Short.__struct_fields__)
    for name in document:
        if name not in known:
            raise _unknown(name, Where(field=name), known)
    try:
        short = msgspec.convert(document, _Short)
    except msgspec.ValidationError as error:
        name = _path(error)
        raise BadInput(f"The fault {name} cannot be used: {error}", where=Where(field=name)) from error
    found: list[VenueFault] = []
    for name in document:
        value: Any = getattr(short, name)
        if value:
            found.append(_long(VenueFaultKind(name), value))
    return tuple(found)


def _long(kind: VenueFaultKind, value: float) -> VenueFault:
    match kind:
        case VenueFaultKind.REJECT_NEXT_N_ORDERS:
            return VenueFault(kind=kind, count=int(value))
        case VenueFaultKind.REJECT_PROBABILITY:
            return VenueFault(kind=kind, count=FOR_EVER, ratio=Ppm(max(1, round(value * RATE_SCALE))))
        case VenueFaultKind.MAX_SLIPPAGE_BPS:
            return VenueFault(kind=kind, count=FOR_EVER, bps=int(value))
        case _:
            return VenueFault(kind=kind, count=FOR_EVER)


def _path(error: msgspec.ValidationError) -> str:
    """The field that msgspec names at the end of its sentence."""
    return str(error).rpartition("$.")[2].rstrip("`")


def _unknown(kind: str, where: Where, known: Collection[str]) -> BadInput:
    return BadInput(f"There is no fault {kind!r}", where=where, next_step=f"Use one of: {', '.join(sorted(known))}")
