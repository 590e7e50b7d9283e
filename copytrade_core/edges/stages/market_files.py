"""Market files into the store: bars, funding and trading rules that somebody saved; all of a file or nothing of it.

How files are read belongs to `bars_import` and `instrument_files`; what an exchange is asked to `market`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from hashlib import sha256
from pathlib import Path

from copytrade_core.edges.lake import Head
from copytrade_core.edges.market.bars_import import import_bars, import_funding
from copytrade_core.edges.market.bars_parse import DataKind
from copytrade_core.edges.market.instrument_files import read_exchange_info, read_lean_table
from copytrade_core.edges.market.intervals import interval_ms_of
from copytrade_core.edges.market.market_answers import PublishedRules
from copytrade_core.edges.market.market_store import Provenance, load_instrument, store_instrument, stored_instruments
from copytrade_core.edges.stages.instruments import described, market_rules
from copytrade_core.edges.stages.workplace import StageOutcome, Workplace
from copytrade_core.model.errors import BadInput, Where
from copytrade_core.model.instrument import Instrument, symbol_of_market


def import_bars_file(
    place: Workplace,
    *,
    path: Path,
    market: str,
    interval: str,
    kind: DataKind,
    obtained_at: datetime | None,
    correction: str | None,
) -> StageOutcome:
    """Imports bars of one market from a file; arguments as `bars_import.import_bars`.

    Raises:
        BadInput: the file cannot be used; names file, row and field.
        BadConfig: the market has no trading rules.
    """
    result = import_bars(
        place.lake,
        path,
        market=market,
        interval_ms=interval_ms_of(interval),
        instrument=market_rules(place, market),
        code_version=place.code_version,
        kind=kind,
        obtained_at=obtained_at,
        correction=_reason(correction),
    )
    return StageOutcome(
        heads=result.heads,
        metadata={
            "market": str(result.market),
            "interval": interval,
            "rows": result.rows,
            "first": result.first.isoformat(),
            "last": result.last.isoformat(),
            "months": list(result.months),
            "gaps": [{"open_time_ms": gap.open_time_ms, "missing_count": gap.missing_count} for gap in result.gaps],
            "off_grid_count": result.off_grid_count,
            "dropped_open_bar": result.dropped_open_bar,
            "last_bar_doubtful": result.last_bar_doubtful,
            "corrections": _corrections(result.heads),
            "file_sha256": result.file_sha256,
        },
    )


def import_funding_file(place: Workplace, *, path: Path, market: str, correction: str | None) -> StageOutcome:
    """Imports funding of one market from a file; arguments as `bars_import.import_funding`.

    Raises:
        BadInput: the file cannot be used; names file, row and field.
    """
    result = import_funding(
        place.lake, path, market=market, code_version=place.code_version, correction=_reason(correction)
    )
    return StageOutcome(
        heads=result.heads,
        metadata={
            "market": str(result.market),
            "rows": result.rows,
            "first": result.first.isoformat(),
            "last": result.last.isoformat(),
            "months": list(result.months),
            "corrections": _corrections(result.heads),
            "file_sha256": result.file_sha256,
        },
    )


def _reason(correction: str | None) -> str | None:
    if correction is not None and not correction.strip():
        raise BadInput("A correction needs a reason", where=Where(field="correction"))
    return correction


def _corrections(heads: Sequence[Head]) -> list[object]:
    """Every correction that the months of a file have had, this one's last."""
    found = [head.metadata.get("corrections") for head in heads]
    return [entry for entries in found if isinstance(entries, list) for entry in entries]


@dataclass(frozen=True, slots=True, kw_only=True)
class RulesFile:
    """A file of trading rules and what it does not say itself.

    `as_of` is the day of a table without one; `assumed_min_notional` (quote units) stands in where none is published.
    """

    path: Path
    source: str
    as_of: datetime | None
    assumed_min_notional: Decimal | None


def import_instruments_file(place: Workplace, file: RulesFile, *, market: str | None) -> StageOutcome:
    """Stores the trading rules of a saved exchangeInfo answer or of Lean's table (CSV), of one market or of all.

    Raises:
        BadInput: the file cannot be used or says nothing usable of the market; newer rules of a market are stored.
    """
    if market is not None:
        _ = symbol_of_market(market)
    rules = _published(file)
    chosen = _chosen(rules, market, file.path)
    _refuse_older(place, chosen, file.path)
    provenance = Provenance(
        file=str(file.path),
        code_version=place.code_version,
        parents={file.path.name: sha256(file.path.read_bytes()).hexdigest()},
        correction=None,
    )
    heads = tuple(store_instrument(place.lake, instrument, provenance=provenance) for instrument in chosen)
    unusable = [{"symbol": one.symbol, "reason": one.reason} for one in rules.unusable] if market is None else []
    return StageOutcome(
        heads=heads,
        metadata={"stored": len(heads), "instruments": [described(one) for one in chosen], "unusable": unusable},
    )


def stored_rules(place: Workplace, market: str | None) -> list[dict[str, object]]:
    """The stored trading rules of one market or of all, in words and numbers.

    Raises:
        NotStored: none are stored of this market.
    """
    if market is not None:
        return [described(load_instrument(place.lake, market))]
    return [described(instrument) for _, instrument in sorted(stored_instruments(place.lake).items())]


def _published(file: RulesFile) -> PublishedRules:
    if not file.path.name.removesuffix(".gz").endswith(".csv"):
        if file.as_of is not None:
            raise BadInput("An exchangeInfo answer says itself when it was given", where=Where(field="as_of"))
        return read_exchange_info(file.path, source=file.source, assumed_min_notional=file.assumed_min_notional)
    if file.as_of is None or file.assumed_min_notional is None:
        raise BadInput(
            "A table of grids says neither its day nor a minimum notional",
            where=Where(file=str(file.path), field="as_of" if file.as_of is None else "min_notional"),
            next_step="Give --as-of DAY and --min-notional USDT; the second is kept as an assumption",
        )
    return read_lean_table(
        file.path, as_of=file.as_of, source=file.source, assumed_min_notional=file.assumed_min_notional
    )


def _chosen(rules: PublishedRules, market: str | None, path: Path) -> tuple[Instrument, ...]:
    if market is None:
        if not rules.instruments:
            raise BadInput("The file has no usable trading rules", where=Where(file=str(path)))
        return tuple(rules.instruments[name] for name in sorted(rules.instruments))
    if market not in rules.instruments:
        reasons = [one.reason for one in rules.unusable if one.symbol == symbol_of_market(market)]
        raise BadInput(
            f"The file has no usable trading rules of {market}: {', '.join(reasons) or 'not listed'}",
            where=Where(file=str(path), field="market"),
        )
    return (rules.instruments[market],)


def _refuse_older(place: Workplace, chosen: Sequence[Instrument], path: Path) -> None:
    """All markets are looked at before one is written; `store_instrument` looks again under its lock."""
    stored = stored_instruments(place.lake)
    for new in chosen:
        old = stored.get(str(new.market))
        if old is not None and old.as_of > new.as_of:
            raise BadInput(
                f"{new.market}: rules as of {old.as_of:%Y-%m-%d} are stored, these are of {new.as_of:%Y-%m-%d};"
                " nothing of the file was stored",
                where=Where(file=str(path), field="as_of"),
                next_step="Take another market of the file with --market, or newer rules",
            )
