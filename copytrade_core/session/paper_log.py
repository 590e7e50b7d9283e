"""What happened at a paper account, as records in order: the account is whatever they make of it when read again.

Where they are kept is not known here; what they mean is in `paper_broker`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import cast

import msgspec
from typing_extensions import override

from copytrade_core.model.bar import Bar
from copytrade_core.model.errors import BadInput, Where
from copytrade_core.model.instrument import Market
from copytrade_core.model.order import Order
from copytrade_core.model.units import Money, Ticks
from copytrade_core.session.plain_form import form_of

PAPER_SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """The account begins: the first record. `terms` names fill models, costs and delay; another account has others."""

    schema_version: int
    account: str
    cash: Money
    terms: str
    at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """An order was taken. `matched_ms` is the opening of the last bar that was matched before (0: none)."""

    order: Order
    at_ms: int
    matched_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenBack:
    """A working order was cancelled."""

    client_order_id: str
    at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BarsBegun:
    """Bars of one interval are matched from here on; `closing` are episodes whose source closes before their end."""

    bars: tuple[Bar, ...]
    closing: tuple[str, ...]

    @property
    def moment_ms(self) -> int:
        """When their fills are all taken: before the session's time goes on."""
        return self.bars[0].open_time_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class QuoteBegun:
    """A best quote is matched from here on."""

    market: Market
    bid: Ticks
    ask: Ticks
    time_ms: int

    @property
    def moment_ms(self) -> int:
        """When its fills are all taken."""
        return self.time_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class Stepped:
    """The next fill of what was begun last happened."""

    client_order_id: str
    at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Charged:
    """Funding was paid (negative: received), once for each id."""

    charge_id: str
    cost: Money


PaperRecord = Opened | Placed | TakenBack | BarsBegun | QuoteBegun | Stepped | Charged


class PaperLog(ABC):
    """The records of one account, in order. Once `append` has returned, a record survives `kill -9` and power loss.

    Raises:
        StoreFault: it cannot be read or written.
    """

    @abstractmethod
    def load(self) -> tuple[bytes, ...]:
        """Every record so far; a torn last one was never acknowledged and is left out."""

    @abstractmethod
    def append(self, records: tuple[bytes, ...]) -> None:
        """Write some records durably, all or none."""


class MemoryLog(PaperLog):
    """Records that outlive a broker but not the process: for sessions that nobody resumes."""

    def __init__(self) -> None:
        self._records: list[bytes] = []

    @override
    def load(self) -> tuple[bytes, ...]:
        """Every record so far."""
        return tuple(self._records)

    @override
    def append(self, records: tuple[bytes, ...]) -> None:
        """Keep some records."""
        self._records.extend(records)


_FORM = form_of(PaperRecord)
_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder()


def encode_record(record: PaperRecord) -> bytes:
    """A record as one line of JSON."""
    return _ENCODER.encode(record if _FORM.encode is None else _FORM.encode(record))


def decode_record(text: bytes, number: int) -> PaperRecord:
    """The record back from `encode_record`.

    Raises:
        BadInput: not such a record; names the row.
    """
    try:
        plain = cast("object", _DECODER.decode(text))
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadInput(f"a record of the paper account: {error}", where=Where(row=number, field="record")) from error
    return cast("PaperRecord", _FORM.decode(plain, f"record {number}"))
