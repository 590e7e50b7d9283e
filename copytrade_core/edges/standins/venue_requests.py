"""From an HTTP request to what a venue's handler reads: the route it names and its parameters as text.

What the parameters mean belongs to the dialect.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote

import msgspec

from copytrade_core.edges.standins.venue_dialect import Route


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrived:
    """One request as it came: `query` without `?`, header names in lower case."""

    method: str
    path: str
    query: str
    body: bytes
    headers: Mapping[str, str]


class RouteTable:
    """Finds the route of a request. A route without variable segments wins over one with them."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._exact: dict[tuple[str, str], Route] = {}
        self._variable: list[tuple[tuple[str, ...], Route]] = []
        for route in routes:
            if "{" in route.path:
                self._variable.append((tuple(route.path.split("/")), route))
            else:
                self._exact[route.method, route.path] = route

    def find(self, method: str, path: str) -> tuple[Route, Mapping[str, str]] | None:
        """The route and the pieces of its path; None when the venue has no such endpoint."""
        exact = self._exact.get((method, path))
        if exact is not None:
            return exact, {}
        given = path.split("/")
        for segments, route in self._variable:
            if route.method == method and (pieces := _pieces(segments, given)) is not None:
                return route, pieces
        return None


def _pieces(segments: tuple[str, ...], given: list[str]) -> dict[str, str] | None:
    if len(segments) != len(given):
        return None
    found: dict[str, str] = {}
    for segment, text in zip(segments, given, strict=True):
        if segment.startswith("{"):
            found[segment.strip("{}")] = unquote(text)
        elif segment != text:
            return None
    return found


def parameters_of(arrived: Arrived, pieces: Mapping[str, str]) -> dict[str, str]:
    """Query, form or JSON members, and the pieces of the path, in rising order of precedence."""
    found = dict(parse_qsl(arrived.query, keep_blank_values=True))
    found.update(_body_parameters(arrived.body))
    found.update(pieces)
    return found


def _body_parameters(body: bytes) -> dict[str, str]:
    if not body:
        return {}
    if not body.lstrip().startswith(b"{"):
        return dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
    try:
        members = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    except msgspec.MsgspecError:
        return {}
    return {name: _text(raw) for name, raw in members.items()}


def _text(raw: msgspec.Raw) -> str:
    written = bytes(raw).strip()
    return msgspec.json.decode(written, type=str) if written.startswith(b'"') else written.decode()
