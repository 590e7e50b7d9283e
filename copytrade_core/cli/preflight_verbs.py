"""`copytrade certify` and `copytrade preflight`: what a venue's client sends, and whether orders can go wrong there.

Both talk to a stand-in of the venue on loopback and to nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from copytrade_core.cli.exit_codes import ExitCode
from copytrade_core.cli.options import JsonFlag, LeadOption
from copytrade_core.cli.output import answer
from copytrade_core.cli.preflight_tables import draw_certificate, draw_preflight
from copytrade_core.cli.workplace import workplace
from copytrade_core.model.errors import BadInput, Where

if TYPE_CHECKING:
    from copytrade_core.edges.stages.workplace import Workplace
    from copytrade_core.model.venue import Venue

VenueOption = Annotated[
    str | None,
    typer.Option("--venue", metavar="NAME", help="bingx, gate or binance; default preflight.venue."),
]


def add_to(app: typer.Typer) -> None:
    """Adds the verbs of this module."""
    app.command("certify")(certify)
    app.command("preflight")(preflight)


def certify(venue: VenueOption = None, json_output: JsonFlag = False) -> None:
    """Write the certificate of a venue: what the installed client sends for each call, and which rules are assumed.

    Every call is made once, in every position mode, against a stand-in of the venue on loopback. Without a certificate
    for exactly the installed client no order is sent.

    Example: copytrade certify --venue bingx
    """
    from copytrade_core.edges.stages.certify import certify_venue, stored_certificate

    place = workplace()
    named = _venue(venue, place)
    outcome = certify_venue(place, named)
    payload = {**stored_certificate(place, named), "digest": outcome.head("venue_certificate").digest}
    answer(payload, as_json=json_output, render=lambda to: draw_certificate(to, payload))


def preflight(
    lead: LeadOption,
    venue: VenueOption = None,
    seeds: Annotated[
        int | None,
        typer.Option("--seeds", min=1, metavar="N", help="Simulated fault schedules; default preflight.seeds_count."),
    ] = None,
    scenario: Annotated[
        str | None, typer.Option("--scenario", metavar="NAME", help="Only this named scenario; nothing is stored.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option("--seed", min=0, metavar="S", help="Only this seed, again; nothing is stored.")
    ] = None,
    inject: Annotated[
        list[str] | None,
        typer.Option("--inject", metavar="NAME=VALUE", help="Add a fault to every drill; nothing is stored."),
    ] = None,
    json_output: JsonFlag = False,
) -> None:
    """Rehearse the orders of a lead's policy against a stand-in of a venue; exit code 1 if anything went wrong.

    The real session and broker code runs through every named scenario and through seeded random fault schedules with
    crashes, and is judged by what the venue has in its books. A failure comes with the one command that shows it again.
    A whole preflight is stored: the gates preflight_clean and restart_clean read it.

    Example: copytrade preflight --lead 4751838302089254401 --venue bingx --seeds 200
    """
    from copytrade_core.cli.preflight_progress import Watch
    from copytrade_core.edges.stages.preflight import PreflightRequest, run_preflight

    place = workplace()
    request = PreflightRequest(
        lead_id=lead,
        venue=_venue(venue, place),
        seeds_count=seeds,
        scenario=scenario,
        seed=seed,
        injected=tuple(inject or ()),
    )
    with Watch() as watch:
        found = run_preflight(place, request, watch)
    answer(found.payload, as_json=json_output, render=lambda to: draw_preflight(to, found.payload))
    if not found.passed:
        raise typer.Exit(ExitCode.REFUSED)


def _venue(name: str | None, place: Workplace) -> Venue:
    from copytrade_core.model.venue import Venue

    if name is None:
        return place.settings.preflight.venue
    known = [venue.value for venue in Venue]
    if name not in known:
        raise BadInput(
            f"there is no venue {name!r}", where=Where(field="--venue"), next_step=f"Use one of {', '.join(known)}"
        )
    return Venue(name)
