"""A whole preflight: every named scenario over HTTP and in process, seeds in process and some over HTTP, one report.

Storing the report, and asking what the settings say, is a stage's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import msgspec

from copytrade_core.edges.preflight.drill_policies import DRILL_POLICIES
from copytrade_core.edges.preflight.driver import BrokerWrap
from copytrade_core.edges.preflight.findings import Findings
from copytrade_core.edges.preflight.http_world import HttpWorld, VenueStage, venue_stage
from copytrade_core.edges.preflight.report import PreflightReport
from copytrade_core.edges.preflight.scenario import unmet
from copytrade_core.edges.preflight.scenarios import BY_NAME, SCENARIOS
from copytrade_core.edges.preflight.simulation import Arena, Judged, in_process, judged, run_seed, smallest
from copytrade_core.edges.venues.certificate import VenueCertificate
from copytrade_core.model.errors import BadInput, Where
from copytrade_core.model.policy import PolicySpec
from copytrade_core.model.venue import Venue
from copytrade_core.virtual_exchange.fault_json import faults_from_json
from copytrade_core.virtual_exchange.faults import VenueFault
from copytrade_core.virtual_exchange.venue_rule_sets import BINANCE, BINGX, GATE
from copytrade_core.virtual_exchange.venue_rules import VenueRules

RULES: dict[Venue, VenueRules] = {Venue.BINGX: BINGX, Venue.GATE: GATE, Venue.BINANCE: BINANCE}
"""What each venue's engine keeps to."""
IN_PROCESS, HTTP = "in_process", "http"
SHRUNK_MAX = 1
"""How many failing drills are made small: the first one says enough, and shrinking takes a hundred drills."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PreflightPlan:
    """What is drilled.

    Attributes:
        lead: whose policy it is; only named.
        venue: whose rules and dialect.
        policy: the policy that orders would be sent for; drilled beside the drill policies.
        code_version: which code is drilled; only named.
        first_seed: and `seeds_count` more from it.
        http_every: every so many-th seed also runs over HTTP; 0: none does.
        scenarios: names; None: all of them.
        injected: faults that are added to every drill, as KIND=VALUE.
    """

    lead: str
    venue: Venue
    policy: PolicySpec
    code_version: str
    first_seed: int
    seeds_count: int
    http_every: int
    scenarios: tuple[str, ...] | None
    injected: tuple[str, ...]

    @property
    def is_whole(self) -> bool:
        """Whether the grid must be full: not for one scenario or seed that is run again, nor with faults by hand."""
        return self.scenarios is None and not self.injected

    def replay(self, what: str) -> str:
        """The command that shows one drill again."""
        faults = "".join(f" --inject {fault}" for fault in self.injected)
        return f"copytrade preflight --lead {self.lead} --venue {self.venue} {what}{faults}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PreflightProgress:
    """How far a preflight is: drills over, drills in all, and how many went wrong."""

    doing: str
    done: int
    total: int
    broken: int


Listener = Callable[[PreflightProgress], None]


def run_preflight(
    plan: PreflightPlan, *, certificate: VenueCertificate, listen: Listener, wrap: BrokerWrap | None = None
) -> PreflightReport:
    """Drill and judge.

    Args:
        plan: what is drilled.
        certificate: of the installed client at the venue.
        listen: hears of every drill that is over.
        wrap: what a test puts between session and broker.

    Raises:
        BadInput: an unknown scenario or fault, or the stand-in did not start; nothing was drilled.
        BadConfig: the client is not certified.
    """
    names = plan.scenarios if plan.scenarios is not None else tuple(scenario.name for scenario in SCENARIOS)
    for name in names:
        if name not in BY_NAME:
            raise BadInput(
                f"there is no scenario {name!r}",
                where=Where(field="scenario"),
                next_step=f"Use one of {', '.join(BY_NAME)}",
            )
    arena = in_process(
        RULES[plan.venue], (plan.policy, *DRILL_POLICIES), wrap=wrap, injected=injected_faults(plan.injected)
    )
    with venue_stage(plan.venue, mode=arena.rules.position_mode, certificate=certificate) as stage:
        run = _Run(plan, arena, stage, names, listen)
        run.all_scenarios()
        run.all_seeds()
    return run.found.report()


def injected_faults(texts: tuple[str, ...]) -> tuple[VenueFault, ...]:
    """Faults from KIND=VALUE, as the short form of a fault file has them.

    Raises:
        BadInput: not of that form, or no such fault or value.
    """
    faults: list[VenueFault] = []
    for text in texts:
        name, equals, value = text.partition("=")
        try:
            plain: object = msgspec.json.decode(value) if equals else True
        except msgspec.DecodeError as error:
            raise BadInput(
                f"--inject {text}: {value!r} is no number", where=Where(field=name), next_step="Write KIND=NUMBER"
            ) from error
        faults += faults_from_json(msgspec.json.encode({name: plain}))
    return tuple(faults)


class _Run:
    """One preflight while it goes on."""

    def __init__(
        self, plan: PreflightPlan, arena: Arena, stage: VenueStage, names: tuple[str, ...], listen: Listener
    ) -> None:
        self._plan = plan
        self._arena = arena
        self._http = replace(arena, make_world=lambda schedule: HttpWorld(schedule, stage))
        self._names = names
        self._listen = listen
        self._done = 0
        self._shrunk = 0
        self.found = Findings(plan)

    @property
    def _total(self) -> int:
        every = self._plan.http_every
        over_http = -(-self._plan.seeds_count // every) if every else 0
        return 2 * len(self._names) + self._plan.seeds_count + over_http

    def all_scenarios(self) -> None:
        """Each in process and over HTTP."""
        for name in self._names:
            scenario = BY_NAME[name]
            for face, arena in ((IN_PROCESS, self._arena), (HTTP, self._http)):
                done = judged(scenario.schedule(self._plan.venue), arena)
                missed = () if done.record is None else unmet(scenario, done.record)
                self.found.scenario(name, face, done, missed)
                self._tell("scenarios")

    def all_seeds(self) -> None:
        """Each in process, every so many-th over HTTP as well."""
        plan = self._plan
        for number in range(plan.seeds_count):
            seed = plan.first_seed + number
            drills = run_seed(seed, self._arena)
            for done in drills:
                self._seed(seed, IN_PROCESS, done)
            self._tell("seeds")
            if plan.http_every and number % plan.http_every == 0:
                for done in drills[1:]:
                    self._seed(seed, HTTP, judged(done.schedule, self._http))
                self._tell("seeds over HTTP")

    def _seed(self, seed: int, face: str, done: Judged) -> None:
        shrunk = None
        if done.violations and face == IN_PROCESS and self._shrunk < SHRUNK_MAX:
            self._shrunk += 1
            shrunk = smallest(done, self._arena)
        self.found.seed(seed, face, done, shrunk)

    def _tell(self, doing: str) -> None:
        self._done += 1
        self._listen(PreflightProgress(doing=doing, done=self._done, total=self._total, broken=self.found.broken_count))
