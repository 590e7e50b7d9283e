"""Where each setting came from, and how a fault in one is said: file and line, variable or option.

Which values are allowed belongs to `settings`.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from enum import StrEnum

from pydantic import SecretStr, ValidationError

from copytrade_core.edges.settings_file import FILE_VARIABLE, ConfigFile
from copytrade_core.model.errors import BadConfig, Where

PREFIX = "COPYTRADE_"
NOT_SETTINGS = frozenset(
    {
        *(FILE_VARIABLE, "COPYTRADE_REAL_DATA", "COPYTRADE_COMPLETE"),
        *("COPYTRADE_ALERT_URL", "COPYTRADE_ALERT_URL_FILE"),
        *("COPYTRADE_HEARTBEAT_URL", "COPYTRADE_HEARTBEAT_URL_FILE"),
        *("COPYTRADE_SHADOW_KEY", "COPYTRADE_SHADOW_KEY_FILE"),
        *("COPYTRADE_SHADOW_SECRET", "COPYTRADE_SHADOW_SECRET_FILE"),
    }
)
"""Variables with our prefix that are not settings: the file's name, the tests' data, shell completion, and secrets."""
ALIASES = {"DAGSTER_HOME": "dagster_home"}
"""Variables that other programs own and we obey."""
MASK = "********"


class Layer(StrEnum):
    """Who said it; later overrides earlier."""

    FILE = "file"
    ENVIRONMENT = "environment"
    OPTION = "option"


Leaf = tuple[object, Layer, str]
"""A value, the layer, and the name it has there (dotted key, variable, option)."""
Leaves = dict[str, Leaf]


def leaves_of(document: Mapping[str, object], layer: Layer, *, prefix: str) -> Iterator[tuple[str, Leaf]]:
    """The document's values by dotted key."""
    for name, value in document.items():
        key = f"{prefix}{name}"
        if isinstance(value, dict):
            yield from leaves_of(value, layer, prefix=f"{key}.")
        else:
            yield key, (value, layer, key)


def environment_leaves(environ: Mapping[str, str], *, known: Mapping[str, str]) -> Leaves:
    """Settings that the environment gives: `COPYTRADE_DATA_DIR`, `COPYTRADE_SOURCE__BASE_URL`, `DAGSTER_HOME`.

    An empty variable counts as not set, as shells do.

    Raises:
        BadConfig: a variable with our prefix that names no setting.
    """
    leaves: Leaves = {}
    for variable, value in sorted(environ.items()):
        if not value or variable in NOT_SETTINGS:
            continue
        if variable in ALIASES:
            leaves[ALIASES[variable]] = (value, Layer.ENVIRONMENT, variable)
        elif variable.startswith(PREFIX):
            key = variable.removeprefix(PREFIX).lower().replace("__", ".")
            if key not in known and not key.startswith("policies."):
                names = [variable_of(name) for name in known]
                raise BadConfig(
                    f"the environment variable {variable} names no setting",
                    where=Where(field=variable),
                    next_step=_suggestion(variable, names) or "Unset it; `copytrade config show` lists all settings",
                )
            leaves[key] = (value, Layer.ENVIRONMENT, variable)
    return leaves


def variable_of(key: str) -> str:
    """The environment variable of a dotted key."""
    return PREFIX + key.upper().replace(".", "__")


def nested(leaves: Leaves) -> dict[str, object]:
    """Dotted keys as nested tables.

    Raises:
        BadConfig: a key is used both as a value and as a table.
    """
    document: dict[str, object] = {}
    for key, (value, layer, name) in leaves.items():
        table = document
        *parents, last = key.split(".")
        for parent in parents:
            inner = table.setdefault(parent, {})
            if not isinstance(inner, dict):
                raise BadConfig(f"{parent} is a value and a table at once", where=Where(field=f"{layer} {name}"))
            table = inner
        table[last] = value
    return document


def config_error(error: ValidationError, leaves: Leaves, config: ConfigFile, *, known: Mapping[str, str]) -> BadConfig:
    """One fault of a validation as one sentence with its place and a next step.

    An unknown key comes first: a misspelt name is also a missing one, and the misspelling is what to mend.
    """
    fault = min(error.errors(), key=lambda item: item["type"] != "extra_forbidden")
    key = ".".join(str(part) for part in fault["loc"])
    where, place = _place(key, leaves, config)
    kind = fault["type"]
    if kind == "extra_forbidden":
        step = (
            _suggestion(key, [*known, *{name.partition(".")[0] for name in known}])
            or "Remove it; `copytrade config show` lists all settings"
        )
        return BadConfig(f"unknown setting {key}{place}", where=where, next_step=step)
    if kind == "missing":
        meaning = known.get(key, "")
        return BadConfig(
            f"the setting {key} is missing", where=where, next_step=f"Add it: {meaning}" if meaning else None
        )
    message = fault["msg"].removeprefix("Value error, ")
    value = leaves[key][0] if key in leaves else None
    said = f" is {value!s}: {message}" if value is not None else f": {message}"
    step = f"{key} means: {known[key]}" if known.get(key) else None
    return BadConfig(f"the setting {key}{said}{place}", where=where, next_step=step)


def _place(key: str, leaves: Leaves, config: ConfigFile) -> tuple[Where, str]:
    leaf = leaves.get(key)
    if leaf is not None and leaf[1] is not Layer.FILE:
        return Where(field=leaf[2]), f" (from the {leaf[1]})"
    # A contradiction is told of its table: whoever overrode something in it should look there first.
    inside = [name for other, (_, layer, name) in leaves.items() if _overrides(other, layer, key)]
    said = f" (with {', '.join(inside)})" if inside else ""
    return Where(file=str(config.path), row=config.line_of(key), field=key), said


def _overrides(key: str, layer: Layer, table: str) -> bool:
    return layer is not Layer.FILE and key.startswith(f"{table}.")


def _suggestion(name: str, names: list[str]) -> str | None:
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    return f"Did you mean {near[0]}?" if near else None


def shown(value: object) -> str:
    """A value for people to read; secrets are masked."""
    if isinstance(value, SecretStr):
        return MASK if value.get_secret_value() else ""
    return str(value)
