"""Faults that a person could make on an order's way to the venue, planted one at a time, and the hunt for each.

python -m tests.session.order_mutants SEEDS      the first drill of this process's code that goes wrong, as JSON
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

PLANTABLE = ("desk.py", "flow.py", "ledger", "orders", "risk", "session", "strategies", "virtual_exchange")
"""What a fault may be planted in; everything else is the project's own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """Texts that occur once in a file, each with what a tired author might have written instead."""

    name: str
    why: str
    file: str
    swaps: tuple[tuple[str, str], ...]


RUNNER, ENQUIRY = "session/runner.py", "session/enquiry.py"
MUTANTS = (
    Mutant(
        name="skip_the_journal",
        why="the order leaves before its row is committed",
        file=RUNNER,
        swaps=(("            self._memory.keep(leaving)\n        if (control", "        if (control"),),
    ),
    Mutant(
        name="retry_blindly",
        why="an answer that proves nothing is taken for a no, and the order is sent again at once",
        file=RUNNER,
        swaps=(
            (
                '                self._memory.keep(moved(leaving, OrderState.UNKNOWN, f"{why} {code}".strip()))',
                (
                    "                _ = self._broker.submit(order)\n"
                    '                self._memory.keep(moved(leaving, OrderState.UNKNOWN, f"{why} {code}".strip()))'
                ),
            ),
        ),
    ),
    Mutant(
        name="unknown_is_a_no",
        why="a time-out is told to the strategy as a proved reject",
        file=RUNNER,
        swaps=(
            (
                '                self._memory.keep(moved(leaving, OrderState.UNKNOWN, f"{why} {code}".strip()))',
                (
                    "                self._rejected(\n"
                    "                    leaving,\n"
                    "                    DefiniteReject(reason=RejectReason.BAD_REQUEST, code=code, message=why),\n"
                    "                )"
                ),
            ),
        ),
    ),
    Mutant(
        name="new_id_per_attempt",
        why="the id depends on when the order was built, so a restart makes a second one",
        file="orders/build.py",
        swaps=(("leg=intent.leg, attempt=attempt", "leg=intent.leg, attempt=now_ms"),),
    ),
    Mutant(
        name="failed_read_is_flat",
        why="positions that could not be read are taken for none",
        file="session/ledger_check.py",
        swaps=(
            (
                "            if isinstance(answer, Unavailable):\n                return None\n",
                "            if isinstance(answer, Unavailable):\n                answer = ()\n",
            ),
            (
                '            return unreadable(f"positions ({positions.why})", now_ms)',
                "            positions = ()",
            ),
        ),
    ),
    Mutant(
        name="empty_look_up_is_not_placed",
        why="one look-up that finds nothing is proof enough",
        file="orders/resolve.py",
        swaps=(
            (
                "    if now_ms < begins_ms:\n",
                "    if isinstance(by_id, Absent):\n        return ProvedAbsent()\n    if now_ms < begins_ms:\n",
            ),
        ),
    ),
    Mutant(
        name="count_only_filled_notional",
        why="entries that rest use nothing of the caps",
        file="desk.py",
        swaps=(("        if not order.reduce_only and (lead is None", "        if False and (lead is None"),),
    ),
    Mutant(
        name="forget_reserved_capacity",
        why="an order that was taken back and may still fill reserves nothing",
        file="desk.py",
        swaps=(
            (
                "    for order in (*state.resting.values(), *state.taken_back.values()):\n        if not",
                "    for order in state.resting.values():\n        if not",
            ),
        ),
    ),
    Mutant(
        name="close_blocked_by_backoff",
        why="a close waits for the brake on entries",
        file="strategies/machine.py",
        swaps=(
            (
                "        leaving = replace(trade, phase=Phase.LEAVING",
                (
                    "        if state.backoff.blocks(view.now_ms):\n"
                    "            return Decision(state=state, wishes=())\n"
                    "        leaving = replace(trade, phase=Phase.LEAVING"
                ),
            ),
        ),
    ),
    Mutant(
        name="close_blocked_by_stop",
        why="STOP_NEW_ORDERS holds back exits too",
        file="session/departure.py",
        swaps=(("    if not order.kind.is_entry:\n        return None\n", ""),),
    ),
    Mutant(
        name="reduce_only_dropped",
        why="an exit is sent as an entry of the other side",
        file="virtual_exchange/virtual_broker.py",
        swaps=(
            ("position_side=order.side if hedged", "position_side=(Side.LONG if order.buys else Side.SHORT) if hedged"),
        ),
    ),
    Mutant(
        name="stale_mark_accepted",
        why="entries do not ask how old the price is",
        file="desk.py",
        swaps=(("mark_age_ms=None if None in ages else max(age for age in ages if age is not None)", "mark_age_ms=0"),),
    ),
    Mutant(
        name="controls_checked_once_per_loop",
        why="the controls are read when the pass begins, not before every submit",
        file=RUNNER,
        swaps=(
            (
                "        self._enquiry.learn()\n",
                "        self._pass_controls = self._panel.read()\n        self._enquiry.learn()\n",
            ),
            ("        controls = self._panel.read()\n", "        controls = self._pass_controls\n"),
        ),
    ),
    Mutant(
        name="fill_read_from_the_create_answer",
        why="an accepted order counts as filled",
        file=RUNNER,
        swaps=(
            (
                '                accepted = moved(leaving, OrderState.SUBMITTED, "accepted")',
                (
                    "                from copytrade_core.model.event import OrderFilled\n"
                    "                from copytrade_core.model.intent import MarketStyle\n"
                    "                from copytrade_core.model.units import Money\n"
                    "                from copytrade_core.model.venue import VenueFill\n"
                    "                from copytrade_core.orders.booking import fill_of\n"
                    "\n"
                    "                if isinstance(order.style, MarketStyle):\n"
                    "                    mark = self._desk.prices.mark(order.market, now_ms)\n"
                    "                    trade = VenueFill(\n"
                    '                        trade_id=f"create.{venue_order_id}",\n'
                    "                        venue_order_id=venue_order_id,\n"
                    "                        market=order.market,\n"
                    "                        buys=order.buys,\n"
                    "                        price=mark,\n"
                    "                        quantity=order.quantity,\n"
                    "                        fee=Money(0),\n"
                    "                        is_maker=False,\n"
                    "                        time_ms=now_ms,\n"
                    "                    )\n"
                    "                    filled = replace(\n"
                    '                        moved(moved(leaving, OrderState.SUBMITTED, ""), OrderState.FILLED, ""),\n'
                    "                        venue_order_id=venue_order_id,\n"
                    "                    )\n"
                    "                    self._memory.fill(\n"
                    "                        OrderFilled(fill=fill_of(trade, order)),\n"
                    "                        self._desk,\n"
                    "                        row=filled,\n"
                    "                        fill_id=trade.fill_id,\n"
                    "                    )\n"
                    "                    return\n"
                    '                accepted = moved(leaving, OrderState.SUBMITTED, "accepted")'
                ),
            ),
        ),
    ),
    Mutant(
        name="duplicate_id_read_as_reject",
        why="an id that the venue knows is told to the strategy as refused",
        file=RUNNER,
        swaps=(
            (
                '                self._memory.keep(moved(leaving, OrderState.UNKNOWN, f"exists {code}"))',
                (
                    "                self._rejected(\n"
                    "                    leaving,\n"
                    '                    DefiniteReject(reason=RejectReason.BAD_REQUEST, code=code, message=""),\n'
                    "                )"
                ),
            ),
        ),
    ),
    Mutant(
        name="restart_forgets_what_was_leaving",
        why="after a restart an order that may have left is sent again as if it had not",
        file=RUNNER,
        swaps=(
            (
                "moved(row, OrderState.UNKNOWN, RESTART), lookup",
                "moved(moved(row, OrderState.UNKNOWN, RESTART), OrderState.PLANNED, RESTART), lookup",
            ),
        ),
    ),
    Mutant(
        name="sends_beside_an_unknown_order",
        why="another order of the position leaves while one of it is unknown",
        file="session/departure.py",
        swaps=(("        if same and (other.state.is_unresolved or", "        if same and (False or"),),
    ),
    Mutant(
        name="foreign_orders_are_tidied_up",
        why="open orders that nobody here knows are cancelled",
        file="session/ledger_check.py",
        swaps=(
            (
                "        for order in result.foreign_orders:\n",
                (
                    "        for order in result.foreign_orders:\n"
                    "            _ = self._broker.cancel(order.market, order.client_order_id or order.venue_order_id)\n"
                ),
            ),
        ),
    ),
    Mutant(
        name="fills_posted_twice",
        why="a trade that is in the book is posted again",
        file=ENQUIRY,
        swaps=(
            (
                "if client_order_id is not None and not self._memory.has_posted(trade.fill_id):",
                "if client_order_id is not None:",
            ),
        ),
    ),
)


def path_of(root: Path, mutant: Mutant) -> Path:
    """The file that a mutant changes."""
    return root / "copytrade_core" / mutant.file


def planted(root: Path, folder: Path, mutant: Mutant | None) -> Path:
    """The package in `folder` with one fault (or none); what no fault is planted in is the project's own."""
    package = folder / "copytrade_core"
    package.mkdir(parents=True)
    for part in (root / "copytrade_core").iterdir():
        if part.name == "__pycache__":
            continue
        if part.name in PLANTABLE and part.is_dir():
            shutil.copytree(part, package / part.name, ignore=shutil.ignore_patterns("__pycache__"))
        elif part.name in PLANTABLE:
            shutil.copy(part, package / part.name)
        else:
            (package / part.name).symlink_to(part)
    if mutant is not None:
        path = path_of(folder, mutant)
        text = path.read_text("utf-8")
        for old, new in mutant.swaps:
            assert text.count(old) == 1, f"{mutant.name}: {old!r} occurs {text.count(old)} times"
            text = text.replace(old, new)
        path.write_text(text, "utf-8")
    (folder / "tests").symlink_to(root / "tests")
    return folder


def hunt(folder: Path, seeds: int) -> dict[str, str] | None:
    """The first drill in which the planted code goes wrong, and how; None when every drill went well."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.session.order_mutants", str(seeds)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert Path(found["runner"]).parent == folder / "copytrade_core" / "session", "another runner was loaded"
    return None if found["drill"] is None else found


def main(seeds: int) -> None:
    """Print the first drill that goes wrong: scenarios first, then seeds."""
    from copytrade_core.edges.preflight.drill_policies import DRILL_POLICIES
    from copytrade_core.edges.preflight.scenario import unmet
    from copytrade_core.edges.preflight.scenarios import SCENARIOS
    from copytrade_core.edges.preflight.simulation import in_process, judged, run_seed
    from copytrade_core.session import runner
    from copytrade_core.virtual_exchange.venue_rule_sets import BINGX

    arena = in_process(BINGX, DRILL_POLICIES)

    def scenario_goes_wrong(scenario) -> str | None:
        done = judged(scenario.schedule(BINGX.venue), arena)
        missed = () if done.record is None else unmet(scenario, done.record)
        return next(iter((*(f"{each.invariant}: {each.what}" for each in done.violations), *missed)), None)

    def seed_goes_wrong(seed: int) -> str | None:
        return next(
            (f"{each.invariant}: {each.what}" for done in run_seed(seed, arena) for each in done.violations), None
        )

    found: dict[str, str | None] = {"runner": runner.__file__, "drill": None, "what": None}
    drills = [(scenario.name, lambda s=scenario: scenario_goes_wrong(s)) for scenario in SCENARIOS]
    drills += [(f"seed {seed}", lambda s=seed: seed_goes_wrong(s)) for seed in range(seeds)]
    for name, drill in drills:
        try:
            what = drill()
        except Exception as error:  # noqa: BLE001 - a fault that stops the session shows too
            what = f"{type(error).__name__}: {error}"
        if what is not None:
            found |= {"drill": name, "what": what}
            break
    print(json.dumps(found))


if __name__ == "__main__":
    main(int(sys.argv[1]))
