"""Frozen values as plain JSON types and back, derived from their annotations: a new field needs no new code.

Which values are saved, and when, belongs to `snapshot`. A dataclass is an object with exactly its fields, a member of a
union of dataclasses carries its class name, a mapping with tuple keys is a list of pairs, a set is sorted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, fields, is_dataclass
from operator import attrgetter
from types import NoneType, UnionType
from typing import NewType, Union, cast, get_args, get_origin, get_type_hints

import msgspec

from copytrade_core.model.errors import BadInput, Where

TAG = "is"
"""Names the class of a member of a union."""

Encode = Callable[[object], object]
Decode = Callable[[object, str], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """How one type is written and read.

    `encode` gives something that msgspec writes; None: it writes the value as it is. `decode` takes what JSON gave and
    the path it stood at, and raises `BadInput` with that path.
    """

    encode: Encode | None
    decode: Decode


def form_of(kind: object) -> Form:
    """The form of a type: scalars, enumerations, dataclasses, their unions, mappings, tuples, lists and sets of them.

    Raises:
        TypeError: a type that has no plain form (a union of a record with a number, a mapping keyed by records).
    """
    if isinstance(kind, NewType):
        return form_of(cast("object", kind.__supertype__))
    origin = cast("type | None", get_origin(kind))
    if origin is Union or origin is UnionType:
        return _union_form(kind)
    if origin is not None:
        return _container_form(kind, origin)
    if isinstance(kind, type) and is_dataclass(kind):
        return _record_form(kind)
    return _leaf_form(cast("object", kind))


def _container_form(kind: object, origin: type) -> Form:
    arguments = get_args(kind)
    if issubclass(origin, Mapping):
        return _mapping_form(*arguments)
    if issubclass(origin, tuple):
        return _tuple_form(arguments)
    if issubclass(origin, AbstractSet):
        return _set_form(kind)
    if issubclass(origin, Sequence):
        return _list_form(arguments[0])
    return _leaf_form(kind)


def fault(path: str, what: str) -> BadInput:
    """The refusal of a saved value, naming the field that it is in."""
    return BadInput(f"a saved value cannot be read: {what}", where=Where(field=path))


def _leaf_form(kind: object) -> Form:
    if kind is object:
        raise TypeError("a field of unknown type has no plain form")

    wanted = cast("type[object]", kind)

    def decode(plain: object, path: str) -> object:
        try:
            return plain if type(plain) is wanted else msgspec.convert(plain, type=wanted)
        except msgspec.ValidationError as error:
            raise fault(path, str(error)) from error

    return Form(encode=None, decode=decode)


def _record_form(kind: type) -> Form:
    names, forms = _field_forms(kind)
    encode = None if all(form.encode is None for form in forms.values()) else _record_encoder(names, forms)
    return Form(encode=encode, decode=_record_decoder(kind, forms, tag=None))


def _field_forms(kind: type) -> tuple[tuple[str, ...], dict[str, Form]]:
    hints = get_type_hints(kind)
    names = tuple(field.name for field in fields(kind))
    return names, {name: form_of(hints[name]) for name in names}


def _record_encoder(names: tuple[str, ...], forms: Mapping[str, Form]) -> Callable[[object], dict[str, object]]:
    special = [(name, form.encode) for name, form in forms.items() if form.encode is not None]
    several = attrgetter(*names) if len(names) > 1 else None

    def encode(value: object) -> dict[str, object]:
        values = several(value) if several else [getattr(value, name) for name in names]
        plain: dict[str, object] = dict(zip(names, values, strict=True))
        for name, encoder in special:
            plain[name] = encoder(plain[name])
        return plain

    return encode


def _record_decoder(kind: type, forms: Mapping[str, Form], *, tag: str | None) -> Decode:
    decoders = [(name, form.decode) for name, form in forms.items()]
    expected = {*forms, TAG} if tag else {*forms}

    def decode(plain: object, path: str) -> object:
        record = members_of(plain, path)
        if record.keys() != expected:
            name = min(record.keys() ^ expected)
            raise fault(f"{path}.{name}", "missing" if name in expected else f"{kind.__name__} has no such field")
        return kind(**{name: decoder(record[name], f"{path}.{name}") for name, decoder in decoders})

    return decode


def _union_form(kind: object) -> Form:
    members = [member for member in get_args(kind) if member is not NoneType]
    is_optional = NoneType in get_args(kind)
    records = [member for member in members if isinstance(member, type) and is_dataclass(member)]
    if len(members) == 1:
        form = form_of(members[0])
    elif len(records) == len(members):
        form = _tagged_form(records)
    elif records:
        raise TypeError(f"{kind} mixes records with other values")
    else:
        return _leaf_form(kind)
    return _optional(form) if is_optional else form


def _optional(form: Form) -> Form:
    inner, decode = form.encode, form.decode

    def encode(value: object) -> object:
        return None if value is None or inner is None else inner(value)

    return Form(
        encode=None if inner is None else encode,
        decode=lambda plain, path: None if plain is None else decode(plain, path),
    )


def _tagged_form(records: Sequence[type]) -> Form:
    encoders: dict[type, Callable[[object], dict[str, object]]] = {}
    decoders: dict[str, Decode] = {}
    for record in records:
        names, forms = _field_forms(record)
        if TAG in names or record.__name__ in decoders:
            raise TypeError(f"{record.__name__} cannot be told apart in a union")
        encoders[record] = _record_encoder(names, forms)
        decoders[record.__name__] = _record_decoder(record, forms, tag=record.__name__)

    def encode(value: object) -> object:
        return {TAG: type(value).__name__, **encoders[type(value)](value)}

    def decode(plain: object, path: str) -> object:
        tag = members_of(plain, path).get(TAG)
        if not isinstance(tag, str) or tag not in decoders:
            raise fault(f"{path}.{TAG}", f"one of {', '.join(sorted(decoders))} was expected")
        return decoders[tag](plain, path)

    return Form(encode=encode, decode=decode)


def _mapping_form(key_kind: object, value_kind: object) -> Form:
    value_form = form_of(value_kind)
    if get_origin(key_kind) is tuple:
        return _pairs_form(form_of(key_kind), value_form)
    key_form, inner = form_of(key_kind), value_form.encode
    if key_form.encode is not None or (isinstance(key_kind, type) and is_dataclass(key_kind)):
        raise TypeError(f"a mapping keyed by {key_kind} has no plain form")

    def encode(value: object) -> object:
        items = cast("Mapping[object, object]", value)
        return dict(items) if inner is None else {key: inner(item) for key, item in items.items()}

    def decode(plain: object, path: str) -> object:
        found = members_of(plain, path)
        try:
            keys = [msgspec.convert(key, type=cast("type[object]", key_kind), strict=False) for key in found]
        except msgspec.ValidationError as error:
            raise fault(path, str(error)) from error
        return {
            key: value_form.decode(item, f"{path}.{name}")
            for key, (name, item) in zip(keys, found.items(), strict=True)
        }

    return Form(encode=encode, decode=decode)


def _pairs_form(key_form: Form, value_form: Form) -> Form:
    encode_key, encode_value = key_form.encode or _same, value_form.encode or _same
    is_plain = key_form.encode is None and value_form.encode is None

    def encode(value: object) -> object:
        items = cast("Mapping[object, object]", value).items()
        if is_plain:
            return list(items)
        return [(encode_key(key), encode_value(item)) for key, item in items]

    def decode(plain: object, path: str) -> object:
        pairs = [_items(pair, path, count=2) for pair in _items(plain, path, count=None)]
        found = {key_form.decode(key, path): value_form.decode(item, f"{path}.{key}") for key, item in pairs}
        if len(found) != len(pairs):
            raise fault(path, "a key stands twice")
        return found

    return Form(encode=encode, decode=decode)


def _tuple_form(kinds: tuple[object, ...]) -> Form:
    if len(kinds) == 2 and kinds[1] is Ellipsis:
        listed = _list_form(kinds[0])
        return Form(encode=listed.encode, decode=lambda plain, path: tuple(_list(listed.decode(plain, path))))
    forms = [form_of(kind) for kind in kinds]
    encoders = [form.encode or _same for form in forms]

    def encode(value: object) -> object:
        items = cast("tuple[object, ...]", value)
        return [encoder(item) for encoder, item in zip(encoders, items, strict=True)]

    def decode(plain: object, path: str) -> object:
        items = _items(plain, path, count=len(forms))
        return tuple(form.decode(item, f"{path}[{n}]") for n, (form, item) in enumerate(zip(forms, items, strict=True)))

    return Form(encode=None if all(form.encode is None for form in forms) else encode, decode=decode)


def _list_form(kind: object) -> Form:
    form = form_of(kind)
    inner = form.encode

    def encode(value: object) -> object:
        items = cast("Sequence[object]", value)
        return list(items) if inner is None else [inner(item) for item in items]

    def decode(plain: object, path: str) -> object:
        return [form.decode(item, f"{path}[{n}]") for n, item in enumerate(_items(plain, path, count=None))]

    return Form(encode=None if inner is None else encode, decode=decode)


def _set_form(kind: object) -> Form:
    (item_kind,) = cast("tuple[object]", get_args(kind))
    item_form = form_of(item_kind)
    if item_form.encode is not None:
        raise TypeError(f"{kind} is a set of what cannot be sorted")
    whole = cast("Callable[[Iterable[object]], object]", set if get_origin(kind) is set else frozenset)
    return Form(
        encode=lambda value: sorted(cast("AbstractSet[str]", value)),
        decode=lambda plain, path: whole(item_form.decode(item, path) for item in _items(plain, path, count=None)),
    )


def members_of(plain: object, path: str) -> dict[str, object]:
    """A JSON object's members.

    Raises:
        BadInput: it is something else.
    """
    if not isinstance(plain, dict):
        raise fault(path, "an object was expected")
    return cast("dict[str, object]", plain)


def _items(plain: object, path: str, *, count: int | None) -> list[object]:
    if not isinstance(plain, list):
        raise fault(path, "a list was expected")
    items = cast("list[object]", plain)
    if count is not None and len(items) != count:
        raise fault(path, f"{count} items were expected, {len(items)} are there")
    return items


def _list(value: object) -> list[object]:
    return cast("list[object]", value)


def _same(value: object) -> object:
    return value
