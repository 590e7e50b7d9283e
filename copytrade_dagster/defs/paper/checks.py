"""Checks of paper sessions: what must hold of each, asked of its stored rows, and the two gates over all of a lead.

What the gates demand is in `copytrade_core.promotion` and `settings/promotion.toml`.
"""

import dagster as dg

from copytrade_core.edges.stages.canary_gates import canary_gate
from copytrade_core.edges.stages.canary_store import session_check
from copytrade_core.promotion.gate_result import Gate
from copytrade_dagster.check_results import data_check_result
from copytrade_dagster.defs.paper.assets import paper_record, paper_session
from copytrade_dagster.defs.promotion.checks import gate_check_result
from copytrade_dagster.faults import explained
from copytrade_dagster.partitioned_checks import blocking_check, telling_check
from copytrade_dagster.partitions import LEADS, SESSIONS
from copytrade_dagster.resources import place_of

DESCRIPTIONS = {
    "caps_held": "No entry exceeded a cap, told again from the fills. If one did: stop, compare decisions.",
    "cash_balances": "Fills, ledger and the account's log agree to the last unit. If not: do not trust the session.",
    "ids_unique": "No order, intent or trade twice. If one is: stop every session of this account, report it.",
    "no_open_while_halted": "Nothing opened a second after a stop. If something did: KILL, and report it.",
}


def _session_check(name: str, description: str) -> dg.AssetChecksDefinition:
    @blocking_check(paper_session, SESSIONS, description, name=name)
    def check(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
        with explained():
            return data_check_result(session_check(place_of(context), str(context.partition_key), name))

    return check


def gate_answer(context: dg.AssetCheckExecutionContext, gate: Gate, lead_id: str) -> dg.AssetCheckResult:
    """A gate about canaries, with the digest of what it read."""
    with explained():
        result, digest = canary_gate(place_of(context), lead_id, gate)
        return gate_check_result(result, digest=digest)


@telling_check(
    paper_record,
    LEADS,
    "What paper did is what replay does, every difference with a cause. If not: find what the waterfall leaves over.",
)
def backtest_paper_parity(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
    """Only observed sessions of this policy and code count."""
    return gate_answer(context, Gate.BACKTEST_PAPER_PARITY, context.partition_key)


@telling_check(
    paper_record,
    LEADS,
    "Enough observed days, entries and exits, and nothing broke. If not: mend what it names, and let sessions run on.",
)
def paper_canary_clean(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
    """Archived and reconstructed sessions never count."""
    return gate_answer(context, Gate.PAPER_CANARY_CLEAN, context.partition_key)


PAPER_CHECKS = [
    *(_session_check(name, description) for name, description in DESCRIPTIONS.items()),
    backtest_paper_parity,
    paper_canary_clean,
]
