"""The one configuration: what each value is, which values contradict each other, and who overrides whom.

Options of a command override the environment, the environment overrides the file. What a value does belongs to the
room that uses it; where a value came from is kept in `settings_origin`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict
from typing_extensions import override

from copytrade_core.edges.settings_canary import CanarySection
from copytrade_core.edges.settings_file import ConfigFile, find_config_file, read_config_file
from copytrade_core.edges.settings_monitor import AlertsSection, LevelsSection, MonitorSection
from copytrade_core.edges.settings_origin import Layer, Leaves, config_error, environment_leaves, leaves_of, nested
from copytrade_core.edges.settings_url import checked_base_url, checked_standin_url
from copytrade_core.model.errors import BadConfig, Where
from copytrade_core.model.fill import MARKET_FILL_MODELS, RUNG_FILL_MODELS, FillModel
from copytrade_core.model.venue import PositionMode, Venue

Seconds = Annotated[float, Field(ge=0, le=600)]
"""A time-out or wait in seconds; above ten minutes it is surely milliseconds."""
PositiveSeconds = Annotated[float, Field(gt=0, le=600)]
Bps = Annotated[Decimal, Field(ge=0, le=900)]
"""Basis points of a notional; 900 (9 %) is the largest rate the ledger can hold exactly."""
Text = Annotated[str, Field(min_length=1)]
BaseUrl = Annotated[str, AfterValidator(checked_base_url)]
StandinUrl = Annotated[str, AfterValidator(checked_standin_url)]


class BarInterval(StrEnum):
    """Bar intervals that the market publishes and a replay can use."""

    M1 = "1m"
    M3 = "3m"
    M5 = "5m"
    M15 = "15m"
    M30 = "30m"
    H1 = "1h"


class Section(BaseModel):
    """A table of the file: frozen, and every key it does not know is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


class HttpSection(Section):
    """One host and every limit of the client that asks it."""

    base_url: BaseUrl = Field(description="Scheme and host of the service; plain http only on loopback.")
    connect_timeout_s: PositiveSeconds = Field(description="Longest wait for a connection.")
    read_timeout_s: PositiveSeconds = Field(description="Longest silence while an answer arrives.")
    deadline_s: PositiveSeconds = Field(description="One call with all its retries and waits.")
    body_bytes_max: int = Field(ge=1000, le=1_000_000_000, description="Largest answer that is read, in bytes.")
    attempts_max: int = Field(ge=1, le=20, description="Tries of one request, the first included.")
    backoff_initial_s: Seconds = Field(description="First wait between tries.")
    backoff_max_s: Seconds = Field(description="Longest wait between tries.")
    backoff_jitter_s: Seconds = Field(description="Largest random part of a wait.")
    request_interval_s: Seconds = Field(description="Least time between two requests to the host.")

    @model_validator(mode="after")
    def _agrees(self) -> HttpSection:
        for name in ("connect_timeout_s", "read_timeout_s", "backoff_max_s"):
            if getattr(self, name) > self.deadline_s:
                raise ValueError(f"{name} is longer than deadline_s, so it could never run out")
        if self.backoff_initial_s > self.backoff_max_s:
            raise ValueError("backoff_initial_s is longer than backoff_max_s")
        return self


class MarketSection(HttpSection):
    """The market-data host and the bars we keep."""

    bar_interval: BarInterval = Field(description="Interval of the bars that are fetched and replayed.")


class CostsSection(Section):
    """Costs of our own trading, each with where the number comes from."""

    taker_fee_bps: Bps = Field(description="Fee of an order that takes liquidity.")
    maker_fee_bps: Bps = Field(description="Fee of a resting order.")
    fee_source: Text = Field(description="Where the fees come from.")
    slippage_bps: Bps = Field(description="How much worse than the bar's price a market order fills.")
    slippage_source: Text = Field(description="Where the slippage comes from.")

    @model_validator(mode="after")
    def _agrees(self) -> CostsSection:
        if self.maker_fee_bps > self.taker_fee_bps:
            raise ValueError("maker_fee_bps is above taker_fee_bps; they are probably swapped")
        return self


class ReplaySection(Section):
    """What a replay assumes."""

    market_fill: FillModel = Field(description="Fill model of market orders.")
    rung_fill: FillModel = Field(description="Fill model of resting ladder orders.")
    delay_s: int = Field(ge=0, le=86_400, description="Time from the lead's event to our order.")
    initial_equity_usdt: Decimal = Field(gt=0, le=1_000_000, description="Our capital at the start.")
    venue_rules: Text = Field(description="Whose minimums our orders obey: a [venue.<name>] of paths.instruments.")

    @model_validator(mode="after")
    def _agrees(self) -> ReplaySection:
        if self.market_fill not in MARKET_FILL_MODELS:
            raise ValueError(f"market_fill {self.market_fill} fills resting orders, not market orders")
        if self.rung_fill not in RUNG_FILL_MODELS:
            raise ValueError(f"rung_fill {self.rung_fill} fills market orders, not resting orders")
        return self


class PathsSection(Section):
    """Files of facts and rules beside this one."""

    instruments: Path = Field(description="Trading rules of markets, with their as-of dates.")
    promotion_contract: Path = Field(description="Thresholds of the gates.")
    search: Path = Field(description="How a search is run and what its best must survive.")
    canaries: Path = Field(description="Folder of groups of leads, one <name>.toml each.")
    spaces: Path = Field(description="Folder of search spaces, one <name>.toml each.")


class SearchSection(Section):
    """What is searched when nobody says it."""

    space: Text = Field(description="Name of a space in paths.spaces.")
    trials_count: int = Field(ge=1, le=10_000_000, description="Policies that the samplers try.")
    seed: int = Field(ge=0, le=2**32 - 1, description="The same seed gives the same trials.")


class PreflightSection(Section):
    """Where orders would go, and how hard that is rehearsed when nobody says it."""

    venue: Venue = Field(description="The venue that gates ask about.")
    seeds_count: int = Field(ge=1, le=1_000_000, description="Simulated fault schedules of one preflight.")


class ShadowSection(Section):
    """How a shadow session looks at the venue of [preflight]; key and secret are in the environment, never here."""

    base_url: StandinUrl = Field(description="A stand-in on this machine; empty: the venue itself, which is only read.")
    position_mode: PositionMode = Field(description="How the account keeps positions: hedge or one_way.")
    timeout_s: PositiveSeconds = Field(description="Longest silence of the venue within one answer.")


class Settings(BaseSettings):
    """Every value in force. `load_settings` is the way to make one.

    Paths are absolute. `policies` maps a strategy's name to its file; the first is the one that gates judge.
    """

    model_config = SettingsConfigDict(
        extra="forbid", frozen=True, env_prefix="COPYTRADE_", env_nested_delimiter="__", validate_default=True
    )

    data_dir: Path = Field(description="The store: raw pages, objects, heads.")
    reports_dir: Path = Field(description="Evidence reports, one folder per lead.")
    dagster_home: Path = Field(description="The Dagster instance; DAGSTER_HOME overrides.")
    source: HttpSection
    market: MarketSection
    costs: CostsSection
    replay: ReplaySection
    search: SearchSection
    preflight: PreflightSection
    shadow: ShadowSection
    canary: CanarySection
    monitor: MonitorSection
    monitor_levels: LevelsSection
    alerts: AlertsSection
    paths: PathsSection
    policies: dict[str, Path] = Field(min_length=1, description="Strategies by name; gates judge the first.")

    @override
    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what `load_settings` merged: a second look at the environment could disagree with what it reports."""
        del settings_cls, env_settings, dotenv_settings, file_secret_settings
        return (init_settings,)

    @property
    def main_policy(self) -> str:
        """Name of the strategy that gates judge."""
        return next(iter(self.policies))


class Loaded(BaseModel):
    """Settings with the origin of each value (`settings`, leaves by dotted key, the file that was read)."""

    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True)

    settings: Settings
    leaves: Leaves
    file: Path


def load_settings(
    *,
    file: Path | None = None,
    overrides: Mapping[str, object] | None = None,
    environ: Mapping[str, str] | None = None,
) -> Settings:
    """The settings in force; see `load_with_origins`."""
    return load_with_origins(file=file, overrides=overrides, environ=environ).settings


def load_with_origins(
    *,
    file: Path | None = None,
    overrides: Mapping[str, object] | None = None,
    environ: Mapping[str, str] | None = None,
) -> Loaded:
    """Reads the file, lays the environment and then the overrides over it, and checks all.

    Args:
        file: the configuration file; None looks at COPYTRADE_CONFIG, `copytrade.toml` and `settings/copytrade.toml`
            here, then in the project folder.
        overrides: dotted keys with values, from options of a command (`{"replay.delay_s": 0}`).
        environ: the environment; None is the process's.

    Raises:
        BadConfig: no file, an unknown key, a value of the wrong type or unit, a contradiction; names file and line or
            the variable.
    """
    environ = os.environ if environ is None else environ
    config = read_config_file(file or find_config_file(environ))
    leaves: Leaves = dict(leaves_of(config.document, Layer.FILE, prefix=""))
    leaves.update(environment_leaves(environ, known=known_keys()))
    leaves.update({key: (value, Layer.OPTION, key) for key, value in (overrides or {}).items() if value is not None})
    try:
        settings = Settings.model_validate(_absolute(nested(leaves), leaves, config))
    except ValidationError as error:
        raise config_error(error, leaves, config, known=known_keys()) from error
    _refuse_odd_policies(settings, config)
    return Loaded(settings=settings, leaves=leaves, file=config.path)


def known_keys() -> dict[str, str]:
    """Every dotted key and what it means; `policies.<name>` is open."""
    keys: dict[str, str] = {}
    for name, field in Settings.model_fields.items():
        section = field.annotation
        if isinstance(section, type) and issubclass(section, BaseModel):
            keys |= {f"{name}.{inner}": item.description or "" for inner, item in section.model_fields.items()}
        else:
            keys[f"{name}.<name>" if name == "policies" else name] = field.description or ""
    return keys


PATH_KEYS = (
    *("data_dir", "reports_dir", "dagster_home"),
    *("paths.instruments", "paths.promotion_contract", "paths.search", "paths.spaces", "paths.canaries"),
)


def _absolute(document: dict[str, object], leaves: Leaves, config: ConfigFile) -> dict[str, object]:
    """Relative paths: of the file from the project folder, of the environment and options from where we are."""
    for key, (value, layer, _) in leaves.items():
        if (key in PATH_KEYS or key.startswith("policies.")) and isinstance(value, str | Path) and str(value):
            start = config.project if layer is Layer.FILE else Path.cwd()
            table, _, name = key.rpartition(".")
            target = document[table] if table else document
            assert isinstance(target, dict), "a dotted key has a table"
            target[name] = (start / Path(value).expanduser()).resolve()
    return document


def _refuse_odd_policies(settings: Settings, config: ConfigFile) -> None:
    for name, path in settings.policies.items():
        if path.suffix != ".toml":
            raise BadConfig(
                f"the policy {name} is not a .toml file: {path.name}",
                where=Where(file=str(config.path), row=config.line_of(f"policies.{name}"), field=f"policies.{name}"),
            )
