"""Who a session is: the words that every row, file and snapshot of it carries. A run is one start of a session."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import cast

from copytrade_core.model.errors import BadInput, Where


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionIdentity:
    """What may never change while a session goes on; `account` is the alias of the venue account."""

    lead: str
    strategy: str
    policy_digest: str
    venue: str
    account: str


def same_session(saved: SessionIdentity, asked: SessionIdentity, *, what: str) -> None:
    """What was saved may be used only by the session that saved it.

    Raises:
        BadInput: another lead, strategy, policy digest, venue or account; names the first field that differs.
    """
    for field in fields(SessionIdentity):
        theirs, ours = cast("str", getattr(saved, field.name)), cast("str", getattr(asked, field.name))
        if theirs != ours:
            raise BadInput(
                f"{what} belongs to {field.name} {theirs}, not to {ours}",
                where=Where(field=field.name),
                next_step="Go on with what it belongs to, or start a session of its own in an empty runtime directory",
            )
