"""One shadow session of a lead: the paper session, each of its orders held against the venue's form, none ever sent.

What looks at the venue is `venues.shadow_venue`, what a session does with it `session.shadow`. Whoever imports this
loads the venue's client: do it where it runs.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path

import msgspec
from pydantic import SecretStr

from copytrade_core.edges.market.intervals import epoch_ms
from copytrade_core.edges.runtime.runtime_stamp import RuntimeStamp
from copytrade_core.edges.runtime.session_addresses import THE_VENUE
from copytrade_core.edges.runtime.session_evidence import read_session
from copytrade_core.edges.runtime.shadow_orders import ShadowFindings, rights, shadow_findings
from copytrade_core.edges.runtime.status_file import STATUS_FILE
from copytrade_core.edges.secret_text import FILE, secret_text
from copytrade_core.edges.stages.canary import free_folder
from copytrade_core.edges.stages.canary_place import archived_folder, live_folder
from copytrade_core.edges.stages.canary_plan import plan_of
from copytrade_core.edges.stages.canary_request import CanaryRequest, deadline_of, is_live, span_of
from copytrade_core.edges.stages.canary_store import FACTS, SHADOW, session_key, store_document, store_session
from copytrade_core.edges.stages.instruments import trading_rules
from copytrade_core.edges.stages.paper import run_paper_session
from copytrade_core.edges.stages.paper_live import run_live_paper_session
from copytrade_core.edges.stages.preflight_facts import CERTIFICATE
from copytrade_core.edges.stages.workplace import StageOutcome, Workplace, parents
from copytrade_core.edges.venues.catalogue import profile_of
from copytrade_core.edges.venues.certificate import VenueCertificate
from copytrade_core.edges.venues.credentials import Credentials
from copytrade_core.edges.venues.shadow_venue import ShadowVenue, shadow_venue
from copytrade_core.edges.venues.transport import Loopback, RealVenue
from copytrade_core.evidence.session_checks import check_session
from copytrade_core.model.errors import BadConfig, BadInput, NotStored, Where
from copytrade_core.model.instrument import Market
from copytrade_core.model.outcome import Unavailable
from copytrade_core.model.session_record import SessionRecord
from copytrade_core.model.side import Side
from copytrade_core.model.venue import Venue, VenueBalance, VenueProbe
from copytrade_core.promotion.facts_canary import ShadowFacts
from copytrade_core.session.shadow import ShadowAt

PATH = "shadow"
KEY, SECRET = "COPYTRADE_SHADOW_KEY", "COPYTRADE_SHADOW_SECRET"
"""Environment variables of the venue's read-only key; with `_FILE` they name files of mode 600."""


def run_shadow(place: Workplace, request: CanaryRequest, listen: Callable[[str], None] | None) -> StageOutcome:
    """Runs one shadow session and stores `shadow_orders`; killed and started again, it goes on where it was.

    Of the venue only reads are asked, whether the lead is followed live or told from the archive: nothing here can
    submit, and the connection lets nothing but GET leave.

    Raises:
        BadInput: a day that cannot be read, live on another day than today, or a venue that does not answer.
        NotStored: the venue is not certified, or the archive has nothing of that day.
        BadConfig: no key, a key that may do harm, or settings and account that contradict each other.
        StoreFault: another process runs this session; a file cannot be read or written.
    """
    tell = listen or (lambda _: None)
    live = is_live(place, request)
    venue = place.settings.preflight.venue
    with closing(_opened(place, venue)) as look:
        probe = _probed(look, venue)
        tell(f"{venue} is read at {_address(place)}; nothing is sent")
        folder = _folder(place, request, live=live)
        tell(f"{'following live' if live else f'{request.day} from the archive'}, in {folder}")
        try:
            _run(place, request, folder, look, live=live)
        except BadConfig:
            # A key that turned unsafe while the session ran is evidence as well.
            if (folder / STATUS_FILE).exists():
                _ = _stored(place, request, folder, look, probe)
            raise
        return _stored(place, request, folder, look, probe)


def _opened(place: Workplace, venue: Venue) -> ShadowVenue:
    """A venue to look at; nothing is asked yet."""
    settings = place.settings.shadow
    if place.lake.head(CERTIFICATE, venue) is None:
        raise NotStored(
            f"{venue} is not certified",
            where=Where(field=CERTIFICATE),
            next_step=f"Run: copytrade certify --venue {venue}",
        )
    return shadow_venue(
        profile_of(venue),
        credentials=Credentials(api_key=_secret(KEY, venue), secret=_secret(SECRET, venue)),
        address=Loopback(base_url=settings.base_url) if settings.base_url else RealVenue(),
        certificate=place.lake.document_as(CERTIFICATE, venue, VenueCertificate),
        now_ms=lambda: epoch_ms(place.now()),
        timeout_s=settings.timeout_s,
        position_mode=settings.position_mode,
    )


def _address(place: Workplace) -> str:
    """Where the venue is read: a stand-in shows the machinery, only the venue itself its real rules."""
    return place.settings.shadow.base_url or THE_VENUE


def _secret(variable: str, venue: Venue) -> SecretStr:
    found = secret_text(os.environ, variable, what="venue key")
    if found is None:
        raise BadConfig(
            f"no read-only key of {venue} is given",
            where=Where(field=variable),
            next_step=f"Put it in a file of mode 600 and export {variable}{FILE}=PATH, or export {variable}",
        )
    return found


def _probed(look: ShadowVenue, venue: Venue) -> VenueProbe:
    """What the key may do, before any session.

    Raises:
        BadConfig: it may withdraw, or is bound to no address where the venue tells.
        BadInput: the venue tells nothing.
    """
    probe, listed = look.probe(), look.markets()
    for answer in (probe, listed):
        if isinstance(answer, Unavailable):
            raise BadInput(
                f"{venue} could not be read: {answer.why}",
                where=Where(request=answer.call),
                next_step=f"Check the key in {KEY} and {SECRET}, and [shadow] base_url, then run it again",
            )
    assert isinstance(probe, VenueProbe), "what is unavailable was refused"
    return probe


def _folder(place: Workplace, request: CanaryRequest, *, live: bool) -> Path:
    if live:
        return live_folder(place.settings, request.lead_id, PATH)
    return free_folder(archived_folder(place.settings, request.lead_id, PATH, request.day))


def _run(place: Workplace, request: CanaryRequest, folder: Path, look: ShadowVenue, *, live: bool) -> None:
    plan, canary = plan_of(place, request.lead_id), place.settings.canary
    shadow = ShadowAt(venue=look.profile.venue, look=look, position_mode=place.settings.shadow.position_mode)
    if not live:
        span = span_of(request.day)
        _ = run_paper_session(place, plan, span, folder=folder, run_id=request.run_id, shadow=shadow)
        return
    _ = run_live_paper_session(
        place,
        plan,
        folder=folder,
        run_id=request.run_id,
        deadline_s=deadline_of(place, request),
        poll_every_s=canary.poll_every_s,
        price_every_s=canary.price_every_s,
        shadow=shadow,
    )


def _stored(
    place: Workplace, request: CanaryRequest, folder: Path, look: ShadowVenue, probe: VenueProbe
) -> StageOutcome:
    """The session's record as of every session, and `shadow_orders` with the facts for gates."""
    record = read_session(
        folder, lambda market: trading_rules(place, market)[0], day=request.day, run_id=request.run_id
    )
    session = store_session(place, record, folder=folder)
    stamp = RuntimeStamp(
        run_id=request.run_id,
        mode=record.mode,
        lead=record.lead,
        strategy=record.strategy,
        policy_digest=record.policy_digest,
        venue=record.venue,
        account=record.account,
    )
    found = shadow_findings(folder, stamp, runs=record.run_ids)
    certificate = place.lake.require(CERTIFICATE, look.profile.venue)
    document = _document(place, record, found, look, probe)
    metadata = {
        **{name: session.metadata[name] for name in ("folder", "ended", "observed", "equity_usdt", "checks")},
        "venue": record.venue,
        "read_at": _address(place),
        "orders": found.orders_count,
        "invalid": list(found.invalid),
        "probe_faults": list(found.faults),
        "looks_unanswered": found.unanswered_count,
        "rules_stricter_at_the_venue": list(found.rules),
        "key_rights": rights(probe),
        "broken": [f"{one.name}: {one.says}" for one in check_session(record) if not one.holds],
        "foreign_rows": [one.what for one in found.foreign],
    }
    key = session_key(request.day, request.lead_id)
    read = parents(*session.heads, certificate)
    stored = store_document(place, SHADOW, key, document, read=read, metadata=metadata)
    return StageOutcome(heads=(*stored.heads, *session.heads), metadata=metadata)


def _document(
    place: Workplace, record: SessionRecord, found: ShadowFindings, look: ShadowVenue, probe: VenueProbe
) -> Mapping[str, object]:
    facts = ShadowFacts(
        key=session_key(record.day, record.lead),
        venue=record.venue,
        policy_digest=record.policy_digest,
        code_version=record.code_version,
        is_observed=record.is_observed,
        made_at=place.now(),
        orders_count=found.orders_count,
        invalid=found.invalid,
        probe_faults=found.faults,
        read_at=record.read_at,
    )
    return {
        FACTS: msgspec.to_builtins(facts),
        "venue": record.venue,
        "key_rights": rights(probe),
        "balance_readable": isinstance(look.balance(), VenueBalance),
        "leverage": _leverage(look, found),
        "rules": list(found.rules),
        "looks_unanswered_count": found.unanswered_count,
        "looks": list(found.looks),
        "orders": list(found.orders),
    }


def _leverage(look: ShadowVenue, found: ShadowFindings) -> dict[str, int | None]:
    """What is set for each market and side that was traded; None where the venue does not tell."""
    wanted = sorted({(str(row["market"]), str(row["side"])) for row in found.orders})
    told = {f"{market} {side}": look.leverage(Market(market), Side(side)) for market, side in wanted}
    return {name: leverage if isinstance(leverage, int) else None for name, leverage in told.items()}
