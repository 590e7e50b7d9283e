"""What has been certified of a venue and one version of the client: a record that the order path asks for.

How it is made is `certify`'s; here it is only read, written and checked.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version

import msgspec

from copytrade_core.edges.venues.profiles import VenueFact, VenueProfile
from copytrade_core.model.errors import BadConfig, BadInput, Where
from copytrade_core.model.outcome import RejectReason
from copytrade_core.model.venue import PositionMode, Venue


@dataclass(frozen=True, slots=True, kw_only=True)
class SentRequest:
    """One request as the client sent it, without key, signature and time.

    `call` names what was asked for, `path` is from the venue's root, `params` are those of query and body as text.
    """

    call: str
    method: str
    path: str
    params: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CertifiedCode:
    """One line of the error table; `reason` None says that the order exists. `message` is what it must contain."""

    code: str
    reason: RejectReason | None
    message: str
    basis: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueCertificate:
    """Everything that the order path relies on, for one venue and one version of the client.

    Attributes:
        venue: which.
        ccxt_version: the client that was watched.
        made_at_ms: when, in epoch milliseconds.
        position_modes: modes that can be traded in.
        id_length_max: characters of a client order id.
        id_alphabet: which.
        id_uniqueness: how long an id is refused again.
        submit_deadline_ms: how long a request may take effect.
        has_dead_man: whether the venue can cancel all when we fall silent.
        has_stops: whether a stop can be found again by our id.
        requests: what the client sent for each call.
        codes: the error table.
        facts: what is documented, known from the client, or assumed.
    """

    venue: Venue
    ccxt_version: str
    made_at_ms: int
    position_modes: tuple[PositionMode, ...]
    id_length_max: int
    id_alphabet: str
    id_uniqueness: str
    submit_deadline_ms: int
    has_dead_man: bool
    has_stops: bool
    requests: tuple[SentRequest, ...]
    codes: tuple[CertifiedCode, ...]
    facts: tuple[VenueFact, ...]


def installed_version() -> str:
    """The version of the client in this environment, without loading it."""
    return version("ccxt")


def certificate_json(certificate: VenueCertificate) -> bytes:
    """The certificate as indented JSON with a final newline."""
    return msgspec.json.format(msgspec.json.encode(certificate), indent=2) + b"\n"


def certificate_from_json(body: bytes) -> VenueCertificate:
    """A certificate from JSON.

    Raises:
        BadInput: not a certificate.
    """
    try:
        return msgspec.json.decode(body, type=VenueCertificate)
    except msgspec.MsgspecError as error:
        raise BadInput(
            f"this is no venue certificate: {error}",
            where=Where(field="certificate"),
            next_step="Make it anew with `copytrade certify`",
        ) from error


def require_certified(certificate: VenueCertificate, profile: VenueProfile, client_version: str) -> None:
    """Stop unless the certificate is for this venue, this profile and this client.

    Raises:
        BadConfig: it is for another one, or the venue has no error table.
    """
    if not profile.errors.rules:
        raise BadConfig(f"the profile of {profile.venue} has no error table", where=Where(field="errors"))
    for field, certified, present in (
        ("venue", certificate.venue, profile.venue),
        ("ccxt_version", certificate.ccxt_version, client_version),
        ("ccxt_version", profile.errors.ccxt_version, client_version),
        ("submit_deadline_ms", certificate.submit_deadline_ms, profile.submit_deadline_ms),
        ("codes", certificate.codes, certified_codes(profile)),
    ):
        if certified != present:
            shown = "" if field == "codes" else f": {certified} is certified, {present} is here"
            raise BadConfig(
                f"no order may be sent to {profile.venue} with this client{shown}",
                where=Where(field=field),
                next_step=f"Run `copytrade certify --venue {profile.venue}` and read what changed",
            )


def certified_codes(profile: VenueProfile) -> tuple[CertifiedCode, ...]:
    """The profile's error table as a certificate keeps it."""
    return tuple(
        CertifiedCode(
            code=rule.code,
            reason=rule.reason,
            message=" & ".join((*rule.all_of, *(("|".join(rule.any_of),) if rule.any_of else ()))),
            basis=rule.basis,
        )
        for rule in profile.errors.rules
    )
