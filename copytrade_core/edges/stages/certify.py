"""The stage that certifies a venue: what the installed client really sends, and what the profile claims, stored.

How a certificate is made belongs to `edges/venues`. Whoever imports this loads the client: do it where it runs.
"""

from __future__ import annotations

import json

from pydantic import SecretStr

from copytrade_core.edges.stages.preflight_facts import CERTIFICATE, certified_digest
from copytrade_core.edges.stages.workplace import SCHEMA_VERSION, StageOutcome, Workplace
from copytrade_core.edges.standins.venue_process import venue_process
from copytrade_core.edges.standins.venue_setup import KeySetup, MarketSetup, VenueSetup, fake_key
from copytrade_core.edges.venues.certificate import certificate_json
from copytrade_core.edges.venues.certify import certify
from copytrade_core.edges.venues.credentials import Credentials
from copytrade_core.edges.venues.request_capture import Specimen
from copytrade_core.model.errors import NotStored
from copytrade_core.model.instrument import Market
from copytrade_core.model.units import Steps, Ticks
from copytrade_core.model.venue import PositionMode, Venue

MARKET = Market("BTC/USDT:USDT")
PRICE_TICKS, RESTING_TICKS, QUANTITY_STEPS = 600_000, 500_000, 100
"""A price in ticks of 0.1, one at which a buy rests, and 0.01 BTC in steps of 0.0001."""
NOW_MS = 1_780_300_800_000
"""2026-06-01 08:00 UTC: a certificate does not depend on when its orders were tried."""
CASH = "100000"
TIMEOUT_S = 10.0


def certify_venue(place: Workplace, venue: Venue) -> StageOutcome:
    """Stores `venue_certificate` of one venue: every call made once, in every position mode, against a stand-in.

    Raises:
        BadInput: the stand-in did not start, or did not answer a call as that venue would.
        BadConfig: the profile is for another version of the client.
        StoreFault: the store cannot be written.
    """
    certificate = _made(venue, int(place.now().timestamp() * 1000))
    digest = certified_digest(certificate)
    metadata: dict[str, object] = {
        "venue": venue.value,
        "venue_digest": digest,
        "ccxt_version": certificate["ccxt_version"],
        "requests_count": _count(certificate, "requests"),
        "codes_count": _count(certificate, "codes"),
        "facts_count": _count(certificate, "facts"),
    }
    stored = place.lake.put_document(
        CERTIFICATE,
        venue.value,
        certificate,
        schema_version=SCHEMA_VERSION,
        code_version=place.code_version,
        parents={},
        metadata=metadata,
    )
    return StageOutcome(heads=(stored,), metadata=metadata)


def stored_certificate(place: Workplace, venue: Venue) -> dict[str, object]:
    """The certificate of a venue as plain JSON.

    Raises:
        NotStored: nobody has certified it.
        StoreFault: the stored bytes were changed.
    """
    if place.lake.head(CERTIFICATE, venue) is None:
        raise NotStored(f"{venue} is not certified", next_step=f"Run: copytrade certify --venue {venue}")
    return place.lake.document_as(CERTIFICATE, venue.value, dict[str, object])


def _made(venue: Venue, made_at_ms: int) -> dict[str, object]:
    market = MarketSetup(market=MARKET, tick_size="0.1", step_size="0.0001", min_quantity="0.0001", min_notional="2")
    price = f"{PRICE_TICKS // 10}.0"
    key = fake_key(venue, KeySetup())
    with venue_process(venue) as standin:

        def empty_account(mode: PositionMode) -> str:
            standin.control.reset(
                VenueSetup(
                    now_ms=NOW_MS,
                    cash=CASH,
                    markets=[market],
                    prices={MARKET: [(NOW_MS, price)]},
                    position_mode=mode,
                )
            )
            return standin.base_url

        made = certify(
            venue,
            stand_in=empty_account,
            credentials=Credentials(api_key=SecretStr(key.api_key), secret=SecretStr(key.secret)),
            specimen=Specimen(
                market=MARKET,
                quantity=Steps(QUANTITY_STEPS),
                resting_price=Ticks(RESTING_TICKS),
                now_ms=NOW_MS,
            ),
            timeout_s=TIMEOUT_S,
            made_at_ms=made_at_ms,
        )
    return dict(json.loads(certificate_json(made)))


def _count(certificate: dict[str, object], name: str) -> int:
    items = certificate[name]
    assert isinstance(items, list), "a certificate lists them"
    return len(items)
