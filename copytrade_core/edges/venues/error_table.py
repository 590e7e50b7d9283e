"""What a venue's codes prove about an order: an explicit table per venue and client version, `Unknown` by default.

The exception classes of the client are not asked: they say how it failed, not whether the order exists.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from copytrade_core.edges.venues.envelope import VenueAnswer
from copytrade_core.model.outcome import DefiniteReject, Exists, RejectReason, SubmitOutcome, Unknown


class FactBasis(StrEnum):
    """Where a fact about a venue comes from."""

    DOCUMENTED = "documented"
    """The venue's own documentation."""
    CLIENT = "client"
    """The stock client's source or fixtures, which quote real answers."""
    ASSUMED = "assumed"


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorRule:
    """One code. `reason` None: the id is known already (`Exists`).

    `all_of` and `any_of` are what the message must contain, in lower case; catch-all codes have several rules, the
    first that fits counts.
    """

    code: str
    reason: RejectReason | None
    all_of: tuple[str, ...] = ()
    any_of: tuple[str, ...] = ()
    basis: FactBasis = FactBasis.CLIENT

    def fits(self, answer: VenueAnswer) -> bool:
        """Whether this rule speaks of the answer."""
        text = answer.message.lower()
        return (
            self.code == answer.code
            and all(word in text for word in self.all_of)
            and (not self.any_of or any(word in text for word in self.any_of))
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorTable:
    """All that a venue's codes prove, for one version of the client.

    `absent` are codes that mean "no such order" on a look-up; `not_open` those that mean it on a cancel.
    """

    ccxt_version: str
    rules: tuple[ErrorRule, ...]
    absent: frozenset[str]
    not_open: frozenset[str]

    def outcome(self, answer: VenueAnswer) -> SubmitOutcome:
        """What an answer that is no success proves about a submit.

        A status of 5xx, 408, 418 or 429 proves nothing, whatever its body says: something on the way may have spoken.
        """
        if proves_nothing(answer.status):
            return Unknown(why=f"http_{answer.status}", code=answer.code)
        rule = next((rule for rule in self.rules if rule.fits(answer)), None)
        if rule is None:
            return Unknown(why="unlisted_code", code=answer.code)
        if rule.reason is None:
            return Exists(code=answer.code)
        return DefiniteReject(reason=rule.reason, code=answer.code, message=answer.message)


def proves_nothing(status: int) -> bool:
    """Whether an answer of this HTTP status may come from anything between us and the venue's order book."""
    return status >= 500 or status in (408, 418, 429)


def rejects(reason: RejectReason, *codes: str, basis: FactBasis = FactBasis.CLIENT) -> tuple[ErrorRule, ...]:
    """Codes that prove "not placed" for one reason, whatever the message says."""
    return tuple(ErrorRule(code=code, reason=reason, basis=basis) for code in codes)


def exists(*codes: str, basis: FactBasis = FactBasis.CLIENT) -> tuple[ErrorRule, ...]:
    """Codes that prove that the client order id is known."""
    return tuple(ErrorRule(code=code, reason=None, basis=basis) for code in codes)


def by_message(
    reason: RejectReason | None,
    code: str,
    *,
    all_of: tuple[str, ...] = (),
    any_of: tuple[str, ...] = (),
    basis: FactBasis = FactBasis.CLIENT,
) -> ErrorRule:
    """One rule of a catch-all code."""
    return ErrorRule(code=code, reason=reason, all_of=all_of, any_of=any_of, basis=basis)
