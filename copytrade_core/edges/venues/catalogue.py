"""Which venues there are: their profiles and adapters by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from copytrade_core.edges.venues import binance_usdm_profile, bingx_profile, gate_profile
from copytrade_core.edges.venues.adapter import AdapterSetting, VenueAdapter
from copytrade_core.edges.venues.binance_usdm import BinanceUsdmAdapter
from copytrade_core.edges.venues.bingx import BingxAdapter
from copytrade_core.edges.venues.gate import GateAdapter
from copytrade_core.edges.venues.profiles import VenueProfile
from copytrade_core.model.venue import Venue

_PROFILES: Mapping[Venue, VenueProfile] = MappingProxyType(
    {
        Venue.BINGX: bingx_profile.PROFILE,
        Venue.GATE: gate_profile.PROFILE,
        Venue.BINANCE: binance_usdm_profile.PROFILE,
    }
)
_ADAPTERS: Mapping[Venue, Callable[[AdapterSetting], VenueAdapter]] = MappingProxyType(
    {Venue.BINGX: BingxAdapter, Venue.GATE: GateAdapter, Venue.BINANCE: BinanceUsdmAdapter}
)


def profile_of(venue: Venue) -> VenueProfile:
    """What is known of a venue."""
    return _PROFILES[venue]


def adapter_of(venue: Venue, setting: AdapterSetting) -> VenueAdapter:
    """The calls of a venue."""
    return _ADAPTERS[venue](setting)
