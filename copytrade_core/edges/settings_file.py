"""The configuration file: which one is read, what it says, and on which line it says it.

What the values mean belongs to `settings`.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from copytrade_core.model.errors import BadConfig, Where

PROJECT = Path(__file__).resolve().parents[2]
FILE_VARIABLE = "COPYTRADE_CONFIG"
TABLE = re.compile(r"^\s*\[([A-Za-z0-9_.\-\"' ]+)\]\s*(#.*)?$")
KEY = re.compile(r"^\s*([A-Za-z0-9_.\-\"']+)\s*=")


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigFile:
    """One parsed file. `project` is the folder its relative paths start at; `lines` maps dotted keys to lines."""

    path: Path
    project: Path
    document: dict[str, object]
    lines: Mapping[str, int]

    def line_of(self, key: str) -> int | None:
        """The line of a key, or of the table it is missing from, or None."""
        while key:
            if key in self.lines:
                return self.lines[key]
            key = key.rpartition(".")[0]
        return None


def find_config_file(environ: Mapping[str, str]) -> Path:
    """The first file there is: COPYTRADE_CONFIG, then here, then the project folder.

    Raises:
        BadConfig: none exists.
    """
    named = environ.get(FILE_VARIABLE)
    if named:
        return Path(named)
    here = Path.cwd()
    places = [here / "copytrade.toml", here / "settings/copytrade.toml", PROJECT / "settings/copytrade.toml"]
    for place in places:
        if place.is_file():
            return place
    raise BadConfig(
        "no configuration file was found",
        where=Where(file=str(places[0])),
        next_step=f"Copy settings/copytrade.toml from the project here, or name one with --config or {FILE_VARIABLE}",
    )


def read_config_file(path: Path) -> ConfigFile:
    """Reads and parses one file.

    Raises:
        BadConfig: it cannot be read or is not TOML; names the line.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise BadConfig(f"the configuration cannot be read: {reason}", where=Where(file=str(path))) from error
    try:
        document = tomllib.loads(text, parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"line (\d+)", str(error))
        where = Where(file=str(path), row=int(line[1]) if line else None)
        raise BadConfig(f"the configuration is not TOML: {error}", where=where) from error
    folder = path.resolve().parent
    project = folder.parent if folder.name == "settings" else folder
    return ConfigFile(path=path, project=project, document=document, lines=key_lines(text))


def key_lines(text: str) -> dict[str, int]:
    """Line numbers (from 1) of tables and keys by dotted name; good for one key per line, which is how people write."""
    lines: dict[str, int] = {}
    table = ""
    for number, line in enumerate(text.splitlines(), start=1):
        if head := TABLE.match(line):
            table = _plain(head[1])
            lines.setdefault(table, number)
        elif key := KEY.match(line):
            name = _plain(key[1])
            lines.setdefault(f"{table}.{name}" if table else name, number)
    return lines


def _plain(name: str) -> str:
    return ".".join(part.strip().strip("\"'") for part in name.split("."))
