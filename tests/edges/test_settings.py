"""The one configuration: strict, traceable, and the same for everyone who reads it."""

from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from copytrade_core.edges.settings import Loaded, known_keys, load_settings, load_with_origins
from copytrade_core.edges.settings_canary import canary_caps, canary_costs
from copytrade_core.edges.settings_file import key_lines
from copytrade_core.edges.settings_origin import Layer, shown, variable_of
from copytrade_core.edges.settings_url import checked_base_url
from copytrade_core.edges.settings_values import cost_model, http_limits, replay_spec
from copytrade_core.model.errors import BadConfig

STANDARD = (Path(__file__).resolve().parents[2] / "settings/copytrade.toml").read_text(encoding="utf-8")


@pytest.fixture
def config(tmp_path: Path):
    """Writes a configuration, the standard one with one text replaced, and loads it."""

    def write(old: str = "", new: str = "", *, environ: dict[str, str] | None = None, overrides=None) -> Loaded:
        assert old in STANDARD, "the text to replace must be in the standard file"
        folder = tmp_path / "settings"
        folder.mkdir(exist_ok=True)
        file = folder / "copytrade.toml"
        file.write_text(STANDARD.replace(old, new, 1) if old else STANDARD, encoding="utf-8")
        return load_with_origins(file=file, environ=environ or {}, overrides=overrides)

    return write


def test_the_file_that_is_shipped_is_valid_and_complete():
    settings = load_settings(environ={})
    assert settings.main_policy == "contrarian_on_close"
    assert settings.data_dir.is_absolute()


def test_an_option_overrides_the_environment_which_overrides_the_file(config):
    environ = {"COPYTRADE_REPLAY__DELAY_S": "30", "COPYTRADE_COSTS__SLIPPAGE_BPS": "7.5"}
    loaded = config(environ=environ, overrides={"replay.delay_s": 5})
    assert loaded.settings.replay.delay_s == 5
    assert loaded.settings.costs.slippage_bps == Decimal("7.5")
    origins = {key: leaf[1] for key, leaf in loaded.leaves.items()}
    assert origins["replay.delay_s"] is Layer.OPTION
    assert origins["costs.slippage_bps"] is Layer.ENVIRONMENT
    assert origins["costs.taker_fee_bps"] is Layer.FILE


def test_an_option_that_was_not_given_overrides_nothing(config):
    assert config(overrides={"replay.delay_s": None}).settings.replay.delay_s == 60


def test_copytrade_data_dir_moves_the_store_and_dagster_home_the_instance(config, tmp_path):
    environ = {"COPYTRADE_DATA_DIR": str(tmp_path / "elsewhere"), "DAGSTER_HOME": str(tmp_path / "instance")}
    settings = config(environ=environ).settings
    assert settings.data_dir == tmp_path / "elsewhere"
    assert settings.dagster_home == tmp_path / "instance"


def test_relative_paths_of_the_file_start_at_the_project_folder(config, tmp_path):
    assert config().settings.data_dir == tmp_path / "data"


def test_relative_paths_of_the_environment_start_where_we_are(config):
    assert config(environ={"COPYTRADE_DATA_DIR": "moved"}).settings.data_dir == Path.cwd() / "moved"


@pytest.mark.parametrize(
    ("old", "new", "field", "said"),
    [
        ("slippage_bps = 5", "slippage_pct = 5", "costs.slippage_pct", "unknown setting"),
        ("deadline_s = 120", "deadline_ms = 120", "source.deadline_ms", "unknown setting"),
        ("[replay]", "[reply]", "reply", "unknown setting"),
        ("deadline_s = 120", "deadline_s = 120000", "source.deadline_s", "600"),
        ("taker_fee_bps = 5", "taker_fee_bps = -5", "costs.taker_fee_bps", "-5"),
        ('data_dir = "data"', "data_dir = 7", "data_dir", "7"),
        ('bar_interval = "5m"', 'bar_interval = "5min"', "market.bar_interval", "5min"),
        ("initial_equity_usdt = 1000", "initial_equity_usdt = 0", "replay.initial_equity_usdt", "0"),
    ],
)
def test_a_wrong_key_or_value_is_an_error_that_names_its_line(config, old, new, field, said):
    with pytest.raises(BadConfig) as caught:
        config(old, new)
    fault = caught.value
    assert fault.where.field == field
    assert said in fault.what
    line = next(n for n, text in enumerate(STANDARD.replace(old, new, 1).splitlines(), 1) if text.startswith(new))
    assert fault.where.row == line


def test_a_misspelt_key_is_answered_with_the_right_one(config):
    with pytest.raises(BadConfig, match=r"Did you mean costs\.slippage_bps\?"):
        config("slippage_bps = 5", "slipage_bps = 5")


def test_a_missing_cost_has_no_default(config):
    with pytest.raises(BadConfig, match=r"costs\.taker_fee_bps is missing"):
        config("taker_fee_bps = 5", "")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("maker_fee_bps = 2", "maker_fee_bps = 9", "swapped"),
        ("read_timeout_s = 20", "read_timeout_s = 200", "longer than deadline_s"),
        ("backoff_initial_s = 1", "backoff_initial_s = 60", "backoff_initial_s is longer"),
        ('market_fill = "next_bar_open_v1"', 'market_fill = "touch_v1"', "not market orders"),
        ('rung_fill = "close_beyond_v1"', 'rung_fill = "quote_snapshot_v1"', "not resting orders"),
        ('base_url = "https://www.binance.com"', 'base_url = "http://www.binance.com"', "loopback"),
    ],
)
def test_values_that_contradict_each_other_are_refused(config, old, new, said):
    with pytest.raises(BadConfig, match=said) as caught:
        config(old, new)
    assert caught.value.where.row is not None


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("notional_one_side_usdt_max = 30", "notional_one_side_usdt_max = 31", "notional_gross_usdt_max (30)"),
        ("notional_correlated_usdt_max = 30", "notional_correlated_usdt_max = 90", "notional_gross_usdt_max (30)"),
        ("daily_loss_usdt_max = 5", "daily_loss_usdt_max = 30.01", "equity_usdt (30)"),
        ("target_usdt = 25", "target_usdt = 31", "equity_usdt (30)"),
        ("target_usdt = 25", "target_usdt = 0", "greater than 0"),
        ("orders_per_hour_max = 20", "orders_per_hour_max = 0", "greater than or equal to 1"),
        ("poll_every_s = 60", "poll_every_s = 601", "source_age_s_max (600)"),
        ("price_every_s = 2", "price_every_s = 700", "mark_age_s_max (600)"),
    ],
)
def test_a_cap_of_the_canary_that_another_makes_void_is_named_with_its_line(config, old, new, said):
    with pytest.raises(BadConfig) as caught:
        config(old, new)
    fault = caught.value
    assert said in fault.what
    assert fault.where.field == f"canary.{new.partition(' ')[0]}"
    begins = STANDARD[: STANDARD.index(old)].count("\n") + 1
    assert fault.where.row == begins


@pytest.mark.parametrize(
    ("changes", "blamed"),
    [
        ({"notional_gross_usdt_max": "24", "notional_one_side_usdt_max": "20"}, "notional_correlated_usdt_max"),
        ({"notional_one_side_usdt_max": "20"}, "target_usdt"),
        ({"notional_correlated_usdt_max": "24"}, "target_usdt"),
        ({"equity_usdt": "4"}, "daily_loss_usdt_max"),
    ],
)
def test_caps_that_other_layers_made_contradict_each_other_are_refused_too(config, changes, blamed):
    with pytest.raises(BadConfig, match="it is more than") as caught:
        config(overrides={f"canary.{name}": value for name, value in changes.items()})
    assert caught.value.where.field == f"canary.{blamed}"


def test_the_specifications_own_target_of_the_canary_may_be_chosen(config):
    assert config("target_usdt = 25", "target_usdt = 30").settings.canary.target_usdt == 30


def test_no_cap_of_the_canary_has_a_default(config):
    for line in STANDARD[STANDARD.index("[canary]") : STANDARD.index("[monitor]")].splitlines()[1:]:
        name = line.partition(" ")[0]
        if name:
            with pytest.raises(BadConfig, match=rf"canary\.{name} is missing"):
                config(line, "")


def test_the_canarys_money_keeps_its_units_on_the_way_into_the_rooms():
    money = load_settings(environ={}).canary
    caps, costs = canary_caps(money), canary_costs(money)
    caps.require_all()
    assert (caps.notional_gross_max, caps.notional_one_side_max, caps.daily_loss_max) == (
        30 * 10**8,
        30 * 10**8,
        5 * 10**8,
    )
    assert (caps.orders_per_hour_max, caps.source_age_s_max, caps.entry_drift_ppm_max) == (20, 600, 10_000)
    assert (costs.taker_fee, costs.maker_fee, costs.slippage) == (500, 500, 425)


def test_a_variable_with_our_prefix_that_names_nothing_is_refused(config):
    with pytest.raises(BadConfig, match="COPYTRADE_DATADIR names no setting") as caught:
        config(environ={"COPYTRADE_DATADIR": "/x"})
    assert caught.value.next_step == "Did you mean COPYTRADE_DATA_DIR?"


def test_a_wrong_variable_is_named_not_the_file(config):
    with pytest.raises(BadConfig) as caught:
        config(environ={"COPYTRADE_REPLAY__DELAY_S": "soon"})
    assert caught.value.where.field == "COPYTRADE_REPLAY__DELAY_S"
    assert caught.value.where.file is None


def test_a_contradiction_names_the_variable_that_made_it(config):
    with pytest.raises(BadConfig, match="longer than deadline_s") as caught:
        config(environ={"COPYTRADE_SOURCE__DEADLINE_S": "5"})
    assert caught.value.where.field == "source"
    assert "with COPYTRADE_SOURCE__DEADLINE_S" in caught.value.what


def test_a_file_that_is_not_toml_names_the_line(config):
    with pytest.raises(BadConfig, match="not TOML") as caught:
        config("[market]", "[market")
    assert caught.value.where.row == STANDARD[: STANDARD.index("[market]")].count("\n") + 1


def test_no_file_says_what_to_do(tmp_path):
    with pytest.raises(BadConfig, match="cannot be read"):
        load_settings(file=tmp_path / "absent.toml", environ={})


@pytest.mark.parametrize(
    "url",
    ["", "binance.com", "ftp://x", "https://", "https://u:p@x.org", "https://x.org/api", "https://x?y", "http://x.org"],
)
def test_a_base_url_is_only_scheme_and_host(url):
    with pytest.raises(ValueError, match=r"base URL|loopback"):
        checked_base_url(url)


@pytest.mark.parametrize("url", ["http://127.0.0.1:80/", "http://[::1]:1", "http://localhost", "https://x.org"])
def test_loopback_may_be_plain_http(url):
    assert checked_base_url(url) == url.rstrip("/")


def test_secrets_are_masked_and_other_values_are_not():
    assert "hunter2" not in shown(SecretStr("hunter2"))
    assert shown(SecretStr("")) == ""
    assert shown(Decimal("2.5")) == "2.5"


@given(st.lists(st.from_regex(r"[a-z]{1,6}", fullmatch=True), min_size=1, max_size=6, unique=True), st.integers(0, 5))
def test_each_key_is_found_on_its_own_line(names, blank_lines):
    text = "\n" * blank_lines + "[table]\n" + "\n".join(f"{name} = 1 # key = 2" for name in names)
    lines = key_lines(text)
    assert lines["table"] == blank_lines + 1
    assert [lines[f"table.{name}"] for name in names] == list(range(blank_lines + 2, blank_lines + 2 + len(names)))


def test_every_setting_has_a_meaning_and_a_variable():
    for key, meaning in known_keys().items():
        assert meaning, key
        assert variable_of(key).isascii()


def test_values_keep_their_units_on_the_way_into_the_rooms():
    settings = load_settings(environ={})
    costs = cost_model(settings)
    assert (costs.taker_fee, costs.maker_fee, costs.slippage) == (500, 200, 500)
    assert "assumed" in costs.source
    spec = replay_spec(settings, lead_margin_balance=None)
    assert spec.interval_ms == 300_000
    assert spec.initial_equity == 1000 * 10**8
    assert http_limits(settings.source).deadline_s == 120
