"""Whose a file or row of a runtime directory is: the words that each carries, and what refuses a foreign one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from copytrade_core.session.status import SessionFacts

SCHEMA_VERSION = 1
STAMP_FIELDS = ("schema_version", "run_id", "mode", "lead", "strategy", "policy_digest", "venue", "account")
"""First in every row, in this order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeStamp:
    """The words of one run of one session. `mode` is its path: paper, shadow or live."""

    run_id: str
    mode: str
    lead: str
    strategy: str
    policy_digest: str
    venue: str
    account: str

    def words(self) -> dict[str, object]:
        """The stamp as the first fields of a row."""
        return {
            "schema_version": SCHEMA_VERSION,
            **{name: str(getattr(self, name)) for name in STAMP_FIELDS[1:]},
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignRow:
    """A row that is not counted: where it is, and which field says so."""

    file: str
    row: int
    field: str
    found: str
    wanted: str

    @property
    def what(self) -> str:
        """In a sentence."""
        return f"{self.file} row {self.row} is of {self.field} {self.found}, not of {self.wanted}: not counted"


def stamp_of(facts: SessionFacts) -> RuntimeStamp:
    """The stamp of a running session."""
    identity = facts.identity
    return RuntimeStamp(
        run_id=facts.run_id,
        mode=facts.mode.value,
        lead=identity.lead,
        strategy=identity.strategy,
        policy_digest=identity.policy_digest,
        venue=identity.venue,
        account=identity.account,
    )


def foreign(row: Mapping[str, object], stamp: RuntimeStamp, *, file: str, number: int) -> ForeignRow | None:
    """Why a row is not of the session; None when it is. Another run of the same session is its own."""
    for name in STAMP_FIELDS:
        if name == "run_id":
            continue
        wanted = str(SCHEMA_VERSION if name == "schema_version" else getattr(stamp, name))
        found = str(row.get(name, "nothing"))
        if found != wanted:
            return ForeignRow(file=file, row=number, field=name, found=found, wanted=wanted)
    if not row.get("run_id"):
        return ForeignRow(file=file, row=number, field="run_id", found="nothing", wanted="a run")
    return None
