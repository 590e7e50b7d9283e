"""The tables after the main ones: trials counted, samplers, engines, rules, assumptions, parts, digests.

No number is computed here; units and words only.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from copytrade_core.edges.reports.report_text import Document, Table, count, number
from copytrade_core.edges.reports.search_report_tables import MAIN_LUCK_ROWS
from copytrade_core.edges.reports.search_report_text import (
    ORIGINS,
    PARTS,
    STATUSES,
    day,
    luck_meaning,
    luck_value,
    objective_name,
    said,
)

DIFFERENCES_SHOWN = 3


def search_detail_tables(document: Document) -> tuple[Table, ...]:
    """Everything after the main tables, in reading order."""
    tables = (
        _more_luck(document),
        _trials(document),
        _reasons(document),
        _phases(document),
        _engine(document),
        _parts(document),
        _limits(document),
        _assumptions(document),
        _identity(document),
    )
    return tuple(table for table in tables if table.rows)


def _more_luck(document: Document) -> Table:
    return Table(
        title="More figures about luck",
        note="",
        columns=("", "Value", "What it means"),
        rows=tuple(
            (row["name"], luck_value(row["kind"], row["value"]), luck_meaning(row))
            for row in document["luck"][MAIN_LUCK_ROWS:]
        ),
    )


def _trials(document: Document) -> Table:
    counts = document["counts"]
    everything = counts["everything"]
    rows = [("All", counts["this_search_count"], everything["trials_count"])]
    for field, names in (("by_status", STATUSES), ("by_origin", ORIGINS)):
        here, all_of_them = counts[field], everything[field]
        known = {**here, **all_of_them}
        order = [*(name for name in names if name in known), *(name for name in known if name not in names)]
        rows += [(said(names, name), here.get(name, 0), all_of_them.get(name, 0)) for name in order]
    return Table(
        title="Trials counted",
        note="Every distinct policy once. The right column holds all that were ever tried on this data, by searches "
        f"({everything['searches_count']:,}) and by hand; the figures about luck use that count.",
        columns=("", "This search", "All on this data"),
        rows=tuple((label, count(here), count(all_of_them)) for label, here, all_of_them in rows),
    )


def _reasons(document: Document) -> Table:
    return Table(
        title="Why trials ended early",
        note="A trial can break more than one limit.",
        columns=("", "Trials"),
        rows=tuple((row["reason"], count(row["trials_count"])) for row in document["counts"]["reasons"]),
    )


def _phases(document: Document) -> Table:
    return Table(
        title="Samplers",
        note="In the order in which they ran. Proposals that repeat a policy or break a constraint of the space are "
        "no trials.",
        columns=(
            "",
            "Proposals",
            "Repeats",
            "Broke a constraint",
            "Trials",
            "Came through",
            f"Best {objective_name(document)}",
            "by trial",
        ),
        rows=tuple(
            (
                said(ORIGINS, row["origin"]),
                count(row["asked_count"]),
                count(row["repeated_count"]),
                count(row["refused_count"]),
                count(row["trials_count"]),
                count(row["complete_count"]),
                number(row["best_objective"]),
                count(row["best_number"]),
            )
            for row in document["phases"]
        ),
    )


def _engine(document: Document) -> Table:
    engine: Mapping[str, Any] | None = document["engine"]
    rows: list[tuple[str, str]] = []
    if engine is not None:
        verdict = "equal in every fill" if engine["verdict"] == "EQUAL" else "rejected: not one figure may be used"
        rows = [
            ("Verdict", verdict),
            ("Fast engine", engine["engine"]),
            ("Candidates replayed by both", count(engine["compared_count"])),
            ("Signals each", count(engine["episodes_count"])),
            ("Fills compared", count(engine["fills_count"])),
            ("Digest of the fill hashes", engine["hash_of_hashes"]),
            *(("Difference", text) for text in engine["differences"][:DIFFERENCES_SHOWN]),
        ]
    return Table(
        title="The fast engine against the exact one",
        note="The search used the fast engine. The best and a random sample were replayed by the exact one too: fills, "
        "results and equity must be the same to the last unit.",
        columns=("", ""),
        rows=tuple(rows),
    )


def _parts(document: Document) -> Table:
    uses = {
        "train": "every trial was judged on it",
        "validation": f"seen by {len(document['finalists'])} finalists; struck off, never ranked"
        + (", and drawn for one plot" if document["validation"]["drawn_count"] else ""),
        "holdout": _holdout(document),
    }
    return Table(
        title="What was looked at, and what never was",
        note="By signals in time order (UTC). No trade reaches from one part into the next.",
        columns=("", "Signals", "First", "Last", "Use"),
        rows=tuple(
            (
                said(PARTS, part["name"]),
                count(part["signals_count"]),
                day(part["first_signal_at_ms"]),
                day(part["last_signal_at_ms"]),
                said(uses, part["name"]),
            )
            for part in document["parts"]
        ),
    )


def _holdout(document: Document) -> str:
    holdout = document["holdout"]
    words = {
        "closed": "closed: no figure of this report or search has seen it",
        "opened": "opened, without a result yet",
        "spent": "spent",
        "empty": "empty",
    }
    return "; ".join((said(words, holdout["state"]), *holdout["told"]))


def _limits(document: Document) -> Table:
    return Table(
        title="Rules of this search",
        note="Written down before it began; they are part of its identity.",
        columns=("", "Value"),
        rows=tuple((row["name"], row["value"]) for row in document["limits"]),
    )


def _assumptions(document: Document) -> Table:
    return Table(
        title="Assumptions",
        note="The same for every trial: how orders fill and what they cost is never searched.",
        columns=("", "Value", "Where it comes from"),
        rows=tuple((row["name"], row["value"], row["source"]) for row in document["assumptions"]),
    )


def _identity(document: Document) -> Table:
    search, everything = document["search"], document["counts"]["everything"]
    said = (
        ("Search", search["search_id"]),
        ("Space", f"{search['space']}, {search['space_size']:,} points"),
        ("Asked", f"{search['wanted_count']:,} trials, sampler {search['sampler']}, seed {search['seed']}"),
        ("Registry head", f"segment {everything['head_sequence']:,}, {everything['head_digest']}"),
        ("Code", document["code_version"]),
        *((f"Digest of {name}", digest) for name, digest in sorted(document["digests"].items())),
    )
    return Table(
        title="To make it again",
        note="The same seed, data, space and settings give the same trials in the same order.",
        columns=("", "Value"),
        rows=said,
    )
