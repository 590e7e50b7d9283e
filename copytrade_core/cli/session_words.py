"""What to conclude from a paper session, in two sentences: shown before its numbers."""

from __future__ import annotations

from collections.abc import Mapping

BY_A_CONTROL = {"kill": "KILL", "hot_stop": "HOT_STOP"}
AGREES_BPS = 1.0
"""What no cause explains may be this much: the bound of the parity gate's residual."""


def session_words(row: Mapping[str, object]) -> list[str]:
    """The result of a session, whether paper did what replay does, and what that is worth."""
    done = f"{counted(row['entries'], 'entry', 'entries')}, {counted(row['exits'], 'exit', 'exits')}"
    words = [f"{row['day']} on paper: {done}, {row['result_usdt']:+.2f} USDT after costs. {_worth(row)}"]
    if isinstance(row.get("parity"), dict):
        words.append(_agreement(row["parity"]))  # pyright: ignore[reportArgumentType]
    refused = row.get("refused_by_reason")
    if isinstance(refused, dict) and refused:
        reasons = ", ".join(f"{reason} {count}" for reason, count in refused.items())
        words.append(f"Entries refused by a cap or the end of the day, each try counted: {reasons}.")
    if (control := BY_A_CONTROL.get(str(row["ended"]))) is not None:
        words.append(f"{control} ended it, and ends every session of this folder until it is taken back:")
        words.append(f'copytrade resume {row["folder"]} --why "…"')
    return words


def is_quiet(row: Mapping[str, object]) -> bool:
    """Whether nothing happened in a session that a table does not say as well."""
    return not any(row[name] for name in ("entries", "exits", "refused", "broken", "observed"))


def counted(count: object, one: str, several: str) -> str:
    """A number with its noun."""
    return f"{count} {one if count == 1 else several}"


def _worth(row: Mapping[str, object]) -> str:
    if row["broken"]:
        return "A check is broken, so believe none of it."
    if row.get("leads"):
        return "It follows a group, so it counts for no lead's gates."
    if row["observed"]:
        return "It watched live, so it counts for the gates."
    return "It was fed from the archive: that shows that the machinery works and counts for no gate."


def _agreement(parity: Mapping[str, object]) -> str:
    count, missed, unexplained = parity["compared_count"], parity["missed"], parity["residual_bps_max"]
    assert isinstance(missed, list), "a comparison lists what was missed"
    if missed:
        intents = counted(len(missed), "intent", "intents")
        return f"Paper missed {intents} that replay filled: find out why before anything else."
    if not isinstance(unexplained, float):
        return "No intent could be compared with replay."
    if unexplained > AGREES_BPS:
        return f"Paper differs from replay by {unexplained:.2f} bps that no cause explains: trust neither yet."
    return f"Paper did what replay does: {count} of {count} intents agree, every difference has a cause."
