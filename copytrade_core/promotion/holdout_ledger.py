"""The holdout ledger: who opened which holdout for which candidate, and what came out, each record chained to the last.

One opening per holdout. Keeping the lines on disk belongs to `edges/holdout_file.py`, replaying to the stage.

A holdout is fresh when nobody has seen any of it: none of its signals was in an opened one of the same lead, and all of
them came after the last signal of every opened one. Boundaries that move with new signals therefore give no second
look: a spent holdout is fresh again only when it has been replaced by new signals altogether.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import cast

import msgspec

from copytrade_core.model.digest import digest_of
from copytrade_core.model.errors import BadInput, PromotionRefused, StoreFault, Where
from copytrade_core.model.measure import Measures
from copytrade_core.promotion.gate_result import GateVerdict

BEFORE_FIRST = "0" * 64
"""What the first record names as the one before it."""
RESTORE = "Bring registry/holdout_ledger.jsonl back from a backup; a ledger is never edited"


@dataclass(frozen=True, slots=True, kw_only=True)
class Holdout:
    """The signals nobody has looked at, in time order: ids of their episodes, the first and last signal (epoch ms).

    `split_digest` and `data_digest` say what they were cut from.
    """

    lead_id: str
    split_digest: str
    data_digest: str
    episode_ids: tuple[str, ...]
    first_signal_at_ms: int
    last_signal_at_ms: int

    @property
    def digest(self) -> str:
        """Identity of this holdout."""
        return digest_of(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """The act of opening, recorded before anything is replayed.

    `candidate` is the digest of the policy and `policy` its name; `assumptions_digest` is of fills, costs and caps;
    `evidence` holds digests of what the candidate had shown by then, by name.
    """

    at: datetime
    by: str
    holdout: Holdout
    candidate: str
    policy: str
    assumptions_digest: str
    contract_digest: str
    code_version: str
    evidence: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """What the opened holdout showed; `opening` is the digest of its entry.

    `verdict` compares with the contract's limits of profitability; `origin` says whether these prices were ever traded;
    `reasons` say why it is no pass.
    """

    at: datetime
    opening: str
    candidate: str
    data_digest: str
    code_version: str
    origin: str
    verdict: GateVerdict
    reasons: tuple[str, ...]
    skipped: tuple[tuple[str, int], ...]
    fill_hash: str
    measures: Measures


class RecordKind(StrEnum):
    """What a line of the ledger is."""

    OPENED = "opened"
    FINISHED = "finished"


KINDS: Mapping[RecordKind, type[Opened | Finished]] = {
    RecordKind.OPENED: Opened,
    RecordKind.FINISHED: Finished,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line: a record, its place (from 1), and the digest of the entry before it. `digest` is over all of that."""

    sequence: int
    previous: str
    record: Opened | Finished
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One opening, with its result once there is one."""

    opening: Entry
    opened: Opened
    finished: Finished | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fresh:
    """Nobody has seen any of this holdout."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unfinished:
    """It was opened and has no result: spent for everybody but the candidate it was opened for, who may finish."""

    claim: Claim


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """It was opened and looked at."""

    claim: Claim


HoldoutState = Fresh | Unfinished | Spent


def next_entry(chain: Sequence[Entry], record: Opened | Finished) -> Entry:
    """The entry that a record becomes at the end of the chain, spelled as it will be read back."""
    record = msgspec.convert(msgspec.to_builtins(record), type=type(record))
    sequence, previous = len(chain) + 1, chain[-1].digest if chain else BEFORE_FIRST
    digest = _digest(sequence, previous, record)
    return Entry(sequence=sequence, previous=previous, record=record, digest=digest)


def verify_chain(chain: Sequence[Entry]) -> None:
    """Every entry follows the one before it, is what its digest says, and tells a possible story.

    Raises:
        StoreFault: names the row (counted from 1) and the field.
    """
    previous, open_entries = BEFORE_FIRST, dict[str, Opened]()
    for row, entry in enumerate(chain, start=1):
        if entry.sequence != row:
            raise _broken("an entry is missing, doubled or out of order", row, "sequence")
        if entry.previous != previous:
            raise _broken("an entry does not follow the one before it", row, "previous")
        if entry.digest != _digest(entry.sequence, entry.previous, entry.record):
            raise _broken("an entry was changed", row, "digest")
        match entry.record:
            case Opened() as opened:
                open_entries[entry.digest] = opened
            case Finished() as finished:
                opened = open_entries.pop(finished.opening, None)
                if opened is None or opened.candidate != finished.candidate:
                    raise _broken("a result belongs to no opening that waits for one", row, "opening")
        previous = entry.digest


def claims_on(chain: Sequence[Entry], holdout: Holdout) -> tuple[Claim, ...]:
    """Every opening that has shown any of this holdout, oldest first."""
    return tuple(claim for claim in claims_of_lead(chain, holdout.lead_id) if _was_seen(claim.opened.holdout, holdout))


def claims_of_lead(chain: Sequence[Entry], lead_id: str) -> tuple[Claim, ...]:
    """Every opening of a lead, oldest first."""
    results = {entry.record.opening: entry.record for entry in chain if isinstance(entry.record, Finished)}
    return tuple(
        Claim(opening=entry, opened=entry.record, finished=results.get(entry.digest))
        for entry in chain
        if isinstance(entry.record, Opened) and entry.record.holdout.lead_id == lead_id
    )


def state_of(chain: Sequence[Entry], holdout: Holdout) -> HoldoutState:
    """Fresh, or taken by the first opening that has shown any of it; one without a result goes before."""
    claims = claims_on(chain, holdout)
    if not claims:
        return Fresh()
    waiting = [claim for claim in claims if claim.finished is None]
    return Unfinished(claim=waiting[0]) if waiting else Spent(claim=claims[0])


def may_open(chain: Sequence[Entry], wanted: Opened) -> Claim | None:
    """None when the holdout is fresh; the claim to finish when this candidate opened it and has no result yet.

    Raises:
        PromotionRefused: it has been opened; the words are those of the first record.
    """
    match state_of(chain, wanted.holdout):
        case Fresh():
            return None
        case Unfinished(claim=claim) if claim.opened.candidate == wanted.candidate:
            return claim
        case Unfinished(claim=claim) | Spent(claim=claim):
            raise PromotionRefused(
                f"the holdout of lead {wanted.holdout.lead_id} is spent: {told(claim)}",
                where=Where(request=f"entry {claim.opening.sequence} of the holdout ledger"),
                next_step=_wait(claim, wanted.holdout),
            )


def told(claim: Claim) -> str:
    """One opening in a sentence."""
    opened, finished = claim.opened, claim.finished
    what = (
        f"opened on {opened.at.astimezone(UTC):%Y-%m-%d %H:%M} UTC by {opened.by} for {opened.policy} "
        f"(candidate {opened.candidate[:12]}, {len(opened.holdout.episode_ids)} signals)"
    )
    if finished is None:
        return f"{what}, without a result yet"
    count, net = finished.measures.trades_count, finished.measures.net_pnl_usdt
    return (
        f"{what}; result {finished.verdict.value}: {count} round trips, net {net:+.2f} USDT on {finished.origin} bars"
    )


def line_of(entry: Entry) -> bytes:
    """The entry as one line of canonical JSON, without a newline."""
    kind = RecordKind.OPENED if isinstance(entry.record, Opened) else RecordKind.FINISHED
    return msgspec.json.encode(
        {
            "sequence": entry.sequence,
            "previous": entry.previous,
            "kind": kind,
            "record": entry.record,
            "digest": entry.digest,
        },
        order="sorted",
    )


def entry_of(line: bytes, *, row: int) -> Entry:
    """The entry of a line, spelled exactly as it was written.

    Raises:
        StoreFault: not a line that was written by `line_of`; names the row (counted from 1).
    """
    try:
        plain = msgspec.json.decode(line, type=dict[str, object])
        kind = KINDS[RecordKind(str(plain["kind"]))]
        entry = Entry(
            sequence=cast("int", plain["sequence"]),
            previous=str(plain["previous"]),
            record=msgspec.convert(plain["record"], type=kind),
            digest=str(plain["digest"]),
        )
        same = line_of(entry) == line
    except (msgspec.MsgspecError, UnicodeDecodeError, ValueError, KeyError, BadInput) as error:
        raise _broken(f"not an entry: {error}", row, None) from error
    if not same:
        raise _broken("an entry was changed", row, None)
    return entry


def _digest(sequence: int, previous: str, record: Opened | Finished) -> str:
    kind = RecordKind.OPENED if isinstance(record, Opened) else RecordKind.FINISHED
    return digest_of({"sequence": sequence, "previous": previous, "kind": kind, "record": record})


def _was_seen(opened: Holdout, holdout: Holdout) -> bool:
    overlaps = not frozenset(opened.episode_ids).isdisjoint(holdout.episode_ids)
    return overlaps or holdout.first_signal_at_ms <= opened.last_signal_at_ms


def _wait(claim: Claim, holdout: Holdout) -> str:
    new = len(set(holdout.episode_ids) - set(claim.opened.holdout.episode_ids))
    return (
        f"A fresh holdout has new signals only, and {new} of these {len(holdout.episode_ids)} are new: "
        f"poll until all are (copytrade poll --lead {holdout.lead_id})"
    )


def _broken(what: str, row: int, field: str | None) -> StoreFault:
    return StoreFault(f"the holdout ledger is broken: {what}", where=Where(row=row, field=field), next_step=RESTORE)
