"""What a venue's answer must look like before anything in it is believed: its envelope, and the shape of each call.

A client that reads a missing list as an empty one would call an account flat; here such a body is refused. What an
answer's values mean is `parse`'s.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import cast
from urllib.parse import urlsplit


class EnvelopeKind(StrEnum):
    """How a venue wraps what it says."""

    CODED = "coded"
    """`{"code": 0, "msg": "", "data": ...}`; any other code is an error (BingX)."""
    LABELLED = "labelled"
    """The payload itself; an error has a `label` (Gate)."""
    BARE = "bare"
    """The payload itself; an error has a `code` and a `msg` (Binance)."""


class Payload(StrEnum):
    """What the payload of a call is."""

    ROWS = "rows"
    ROW = "row"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """A good answer to one call.

    Attributes:
        method: upper case.
        path: regular expression that the whole path of the URL matches.
        places: keys to the payload, the first that exists; the empty tuple is the answer itself.
        payload: one row or a list of rows.
        needs: keys that every row has with a value that is not None.
    """

    method: str
    path: str
    places: tuple[tuple[str, ...], ...]
    payload: Payload
    needs: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """A venue's envelope and the shapes of its calls."""

    kind: EnvelopeKind
    shapes: tuple[Shape, ...]

    def shape_of(self, method: str, url: str) -> Shape | None:
        """The shape of a call, None for one that has none."""
        path = urlsplit(url).path
        return next((s for s in self.shapes if s.method == method and re.fullmatch(s.path, path)), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueAnswer:
    """What arrived: HTTP status, the venue's code (empty: none) and message."""

    status: int
    code: str
    message: str


def answer_of(envelope: Envelope, status: int, body: object) -> VenueAnswer | None:
    """Code and message of an answer; None when the body is not the venue's envelope. A success has no code."""
    row = mapping_of(body)
    if envelope.kind is EnvelopeKind.CODED:
        code = None if row is None else row.get("code")
        if isinstance(code, bool) or not isinstance(code, int | str) or not str(code).lstrip("-").isdigit():
            return None
        text = "" if str(code) == "0" else str(code)
        return VenueAnswer(status=status, code=text, message="" if row is None else str(row.get("msg", "")))
    if row is None:
        return VenueAnswer(status=status, code="", message="") if isinstance(body, list) else None
    if envelope.kind is EnvelopeKind.LABELLED:
        label = row.get("label")
        message = row.get("message", row.get("detail", ""))
        return VenueAnswer(status=status, code="" if label is None else str(label), message=str(message))
    code = row.get("code") if "msg" in row else None
    text = "" if code is None or str(code) in ("0", "200") else str(code)
    return VenueAnswer(status=status, code=text, message=str(row.get("msg", "")))


def body_fault(envelope: Envelope, method: str, url: str, body: object) -> str | None:
    """Why a successful answer's body cannot be believed; None when it can."""
    shape = envelope.shape_of(method, url)
    if shape is None:
        row = mapping_of(body)
        missing = envelope.kind is EnvelopeKind.CODED and (row is None or "data" not in row)
        return "no data" if missing else None
    found = payload_at(body, shape.places)
    if shape.payload is Payload.ROW:
        row = mapping_of(found)
        return "no row" if row is None else _missing(row, shape.needs)
    if not isinstance(found, list):
        return "no list"
    for item in cast("list[object]", found):
        row = mapping_of(item)
        fault = "a row that is no object" if row is None else _missing(row, shape.needs)
        if fault is not None:
            return fault
    return None


def payload_at(body: object, places: Sequence[Sequence[str]]) -> object:
    """The payload at the first of the places that exists, None when none does."""
    for place in places:
        found: object = body
        for key in place:
            row = mapping_of(found)
            found = None if row is None else row.get(key)
        if found is not None:
            return found
    return None


def mapping_of(value: object) -> Mapping[str, object] | None:
    """The value as a JSON object, None when it is none."""
    return cast("Mapping[str, object]", value) if isinstance(value, dict) else None


def _missing(row: Mapping[str, object], needs: tuple[str, ...]) -> str | None:
    absent = [key for key in needs if row.get(key) is None]
    return f"no {', '.join(absent)}" if absent else None
