"""The error tree: what every caller stops for.

What a caller branches on (an unusable row, a refused intent, a rejected order) is a value, not an error.
"""

from __future__ import annotations

from dataclasses import dataclass

from typing_extensions import override


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """The place a fault was found: any of file, row, field and request that apply."""

    file: str | None = None
    row: int | None = None
    field: str | None = None
    request: str | None = None

    @override
    def __str__(self) -> str:
        parts = [
            f"{name} {value}"
            for name, value in (
                ("file", self.file),
                ("row", self.row),
                ("field", self.field),
                ("request", self.request),
            )
            if value is not None
        ]
        return ", ".join(parts)


class CopytradeError(Exception):
    """Base of every error this project raises on purpose.

    Args:
        what: what happened, in one sentence.
        where: file, row, field or request it happened at.
        next_step: what the reader can do about it.
    """

    def __init__(self, what: str, *, where: Where | None = None, next_step: str | None = None) -> None:
        self.what = what
        self.where = where or Where()
        self.next_step = next_step
        place = str(self.where)
        text = f"{what} ({place})" if place else what
        super().__init__(f"{text}. {next_step}" if next_step else text)


class OutOfBounds(CopytradeError):
    """An integer amount would leave the range in which every product is exact."""


class BadInput(CopytradeError):
    """A file, row, field or argument that cannot be used."""


class BadConfig(CopytradeError):
    """A setting that is unknown, contradictory or in the wrong unit."""


class NotStored(CopytradeError):
    """Something that was asked for has not been stored yet."""


class StoreFault(CopytradeError):
    """The store cannot be read or written (permissions, full disk, torn file)."""


class PromotionRefused(CopytradeError):
    """The promotion chain does not allow the step that was asked for."""
