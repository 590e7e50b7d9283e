"""What each lead of a session that follows several has come to: entries, exits, refusals, result, and its capital.

What must hold of them is judged with the session, in `evidence.session_checks`.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from copytrade_core.edges.runtime.paper_account_file import PAPER_ACCOUNT_FILE, PaperAccountFile
from copytrade_core.edges.runtime.runtime_files import SESSION_FILE
from copytrade_core.edges.runtime.session_reader import reading
from copytrade_core.evidence.session_checks import course_of
from copytrade_core.model.session_record import SessionRecord
from copytrade_core.model.units import Money, money_to_float
from copytrade_core.session.paper_log import Charged, decode_record
from copytrade_core.session.status import OF_LEAD
from copytrade_core.strategies.leads import lead_of

Row = dict[str, object]
KEPT_OUT = """SELECT episode_id, reason FROM intents WHERE outcome = 'refused'
    UNION SELECT episode_id, reason FROM decisions WHERE decision = 'hold'"""
"""By trade and reason once: a wish is repeated for as long as its signal lives. Caps refuse, a strategy holds back."""


def lead_rows(record: SessionRecord, folder: Path) -> list[Row]:
    """One row for each lead that has capital of its own, from the session's first day to its end.

    `result_usdt` is realised, after fees and funding; `used_usdt_max` the most that was held of it at cost.

    Raises:
        StoreFault: the journal or the account in the runtime directory cannot be read.
    """
    capital = {
        name.removeprefix(OF_LEAD).removesuffix("_max"): cap
        for name, cap in record.caps.items()
        if name.startswith(OF_LEAD)
    }
    if not capital:
        return []
    with reading(folder / SESSION_FILE) as connection:
        kept_out = [(lead_of(episode), str(reason)) for episode, reason in connection.execute(KEPT_OUT)]
    paid = _funding(folder)
    return [
        _row(record, lead, Money(cap), Counter(why for who, why in kept_out if who == lead), paid[lead])
        for lead, cap in sorted(capital.items())
    ]


def _row(record: SessionRecord, lead: str, capital: Money, refused: Counter[str], funding: int) -> Row:
    course = course_of(record, lead)
    return {
        "lead": lead,
        "entries": course.entries_count,
        "exits": course.exits_count,
        "refused_trades_by_reason": dict(sorted(refused.items())),
        "result_usdt": money_to_float(Money(course.realised - funding)),
        "capital_usdt": money_to_float(capital),
        "used_usdt": money_to_float(course.held),
        "used_usdt_max": money_to_float(course.held_max),
    }


def _funding(folder: Path) -> Counter[str]:
    paid: Counter[str] = Counter()
    for number, content in enumerate(PaperAccountFile(folder / PAPER_ACCOUNT_FILE).load()):
        match decode_record(content, number):
            case Charged(charge_id=charge_id, cost=cost):
                paid[lead_of(charge_id)] += cost
            case _:
                pass
    return paid
