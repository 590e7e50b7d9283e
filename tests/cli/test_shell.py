"""The command line itself: fast, one JSON object, errors that say what to do, exit codes that mean something."""

import json
import subprocess
import sys

import click
import pytest
import typer.main

from copytrade_core.cli.app import app
from copytrade_core.cli.exit_codes import MEANINGS, ExitCode, exit_code_of
from copytrade_core.edges.http_retry import TransportFault
from copytrade_core.model.errors import BadConfig, BadInput, NotStored, OutOfBounds, PromotionRefused, StoreFault

HEAVY = ("dagster", "polars", "plotly", "duckdb", "httpx", "pyarrow", "starlette", "numpy", "pydantic")


def verbs() -> list[tuple[str, ...]]:
    """Every command path of the application."""
    found: list[tuple[str, ...]] = []

    def walk(node: click.Command, path: tuple[str, ...]) -> None:
        if isinstance(node, click.Group):
            for name, child in node.commands.items():
                walk(child, (*path, name))
        else:
            found.append(path)

    walk(typer.main.get_command(app), ())
    return found


def test_help_loads_nothing_heavy():
    code = (
        "import sys, contextlib, io\n"
        "from copytrade_core.cli.app import main\n"
        "with contextlib.redirect_stdout(io.StringIO()): main(['--help'])\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("path", verbs(), ids=" ".join)
def test_every_verb_has_help_with_an_example_and_speaks_json(copytrade, path):
    said = copytrade(*path, "--help")
    assert said.code == 0
    text = " ".join(said.out.split())
    assert f"Example: copytrade {' '.join(path)}" in text
    assert "--json" in text


def test_no_verb_at_all_shows_the_help_and_is_wrong_usage(copytrade):
    said = copytrade()
    assert said.code == ExitCode.BAD_INPUT
    assert "Usage: copytrade" in said.out + said.err


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["nonsense"], "nonsense"),
        (["status", "--nonsense"], "--nonsense"),
        (["bars", "import"], "PATH"),
        (["sql"], "QUERY"),
    ],
)
def test_wrong_usage_is_told_in_words_and_in_json(copytrade, arguments, named):
    said = copytrade(*arguments)
    assert said.code == ExitCode.BAD_INPUT
    assert named in said.err
    assert "Traceback" not in said.err
    fault = copytrade(*arguments, "--json")
    assert fault.code == ExitCode.BAD_INPUT
    assert named in fault.json["error"]["what"]
    assert "--help" in fault.json["error"]["next_step"]


def test_an_error_names_what_where_and_the_next_step(copytrade, tmp_path):
    file = tmp_path / "copytrade.toml"
    file.write_text("[costs]\nslipage = 1\n")
    said = copytrade("--config", str(file), "status", "--json")
    assert said.code == ExitCode.BAD_INPUT
    fault = said.json["error"]
    assert "costs.slipage" in fault["what"]
    assert fault["where"] == f"file {file}, row 2, field costs.slipage"
    assert fault["next_step"]


def test_a_traceback_appears_only_with_debug(copytrade, tmp_path):
    arguments = ("--config", str(tmp_path / "absent.toml"), "status")
    assert "Traceback" not in copytrade(*arguments).err
    assert "Traceback" in copytrade(*arguments, "--debug").err


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (PromotionRefused("x"), 1),
        (BadInput("x"), 2),
        (BadConfig("x"), 2),
        (OutOfBounds("x"), 2),
        (NotStored("x"), 3),
        (TransportFault("x"), 4),
        (StoreFault("x"), 5),
    ],
)
def test_exit_codes_say_what_kind_of_error_it_was(error, code):
    assert exit_code_of(error) == code


def test_every_exit_code_has_a_meaning():
    assert set(MEANINGS) == set(ExitCode)


def test_an_unwritable_data_folder_is_a_store_error(copytrade, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("COPYTRADE_DATA_DIR", str(tmp_path / "file"))
    said = copytrade("import", "--from-dir", str(tmp_path), "--json")
    assert said.code in (ExitCode.STORE, ExitCode.BAD_INPUT)
    assert set(said.json["error"]) == {"what", "where", "next_step"}


def test_config_show_says_where_each_value_comes_from(copytrade, environment):
    shown = copytrade("config", "show", "--json").json["settings"]
    assert shown["data_dir"] == {
        "value": environment["COPYTRADE_DATA_DIR"],
        "from": "environment",
        "name": "COPYTRADE_DATA_DIR",
    }
    assert shown["dagster_home"]["name"] == "DAGSTER_HOME"
    assert shown["replay.delay_s"]["from"] == "file"
    assert "COPYTRADE_DATA_DIR" in copytrade("config", "show").out


def test_status_of_an_empty_store_says_how_to_start(copytrade):
    assert "copytrade import" in copytrade("status").out
    assert copytrade("status", "--json").json["stored"] == []


def test_doctor_is_not_satisfied_without_a_lead_and_says_what_to_do(copytrade):
    said = copytrade("doctor", "--json")
    assert said.code == ExitCode.REFUSED
    by_subject = {finding["subject"]: finding for finding in said.json["findings"]}
    assert by_subject["leads"]["is_fine"] is False
    assert "copytrade import" in by_subject["leads"]["next_step"]
    assert by_subject["python"]["is_fine"] is True


def test_doctor_finds_a_tampered_object(copytrade, tmp_path):
    from datetime import UTC, datetime

    from copytrade_core.edges.lake import Lake

    lake = Lake(tmp_path / "data", now=lambda: datetime.now(UTC))
    head = lake.put_document("things", "one", {"a": 1}, schema_version=1, code_version="1", parents={})
    lake.object_path(head.digest, head.kind).write_bytes(b"{}")
    findings = {finding["subject"]: finding for finding in copytrade("doctor", "--json").json["findings"]}
    assert findings["store"]["is_fine"] is False


def test_doctor_gc_removes_what_a_killed_writer_left(copytrade, tmp_path):
    import os

    parts = [tmp_path / "data" / folder / "x.part" for folder in ("raw/.tmp", "tmp")]
    for part in parts:
        part.parent.mkdir(parents=True)
        part.write_bytes(b"half")
        os.utime(part, (1, 1))
    assert copytrade("doctor", "--gc", "--json").json["removed"] == ["raw/.tmp/x.part", "tmp/x.part"]
    assert not any(part.exists() for part in parts)


def test_sql_reads_and_cannot_write(copytrade, tmp_path):
    assert copytrade("sql", "SELECT 1 AS one", "--json").json == {"columns": ["one"], "rows": [[1]]}
    target = tmp_path / "out.csv"
    said = copytrade("sql", f"COPY (SELECT 1) TO '{target}'", "--json")
    assert said.code == ExitCode.BAD_INPUT
    assert not target.exists()


def test_json_stays_json_in_a_process_of_its_own(copytrade_process):
    said = copytrade_process("status", "--json")
    assert said.code == 0
    assert said.err == ""
    assert json.loads(said.out)["leads"] == []


def test_a_pipe_obeys_columns_and_breaks_no_name(copytrade, monkeypatch):
    from copytrade_core.cli.output import PIPE_WIDTH

    for columns in ("60", "80", "100", "200", None):
        if columns is None:
            monkeypatch.delenv("COLUMNS", raising=False)
        else:
            monkeypatch.setenv("COLUMNS", columns)
        drawn = copytrade("config", "show").out
        keys = copytrade("config", "show", "--json").json["settings"]
        assert all(key in drawn for key in keys), columns
        below_title = drawn.splitlines()[1:]
        assert columns in {"60", "80"} or max(map(len, below_title)) <= int(columns or PIPE_WIDTH)


def test_a_market_stays_one_word_on_the_narrowest_screen(capsys, monkeypatch):
    from copytrade_core.cli.output import console, table

    row = ("BTC/USDT:USDT", "simulated", "2026-01-06 00:00", 38247, "no trade happened in this month at all")
    for columns in range(20, 140, 7):
        monkeypatch.setenv("COLUMNS", str(columns))
        table(console(), ("market", "origin", "first bar", "bars", "problem"), [row], title=None, right=("bars",))
        drawn = capsys.readouterr().out.split()
        assert {"BTC/USDT:USDT", "simulated", "2026-01-06", "38247", "happened"} <= set(drawn), columns


def test_retries_are_told_in_one_plain_line(copytrade, copytrade_process, environment):
    environment |= {
        "COPYTRADE_SOURCE__BASE_URL": "http://127.0.0.1:9",
        "COPYTRADE_SOURCE__ATTEMPTS_MAX": "2",
        "COPYTRADE_SOURCE__BACKOFF_INITIAL_S": "0.01",
        "COPYTRADE_SOURCE__BACKOFF_MAX_S": "0.01",
        "COPYTRADE_SOURCE__BACKOFF_JITTER_S": "0",
    }
    said = copytrade_process("poll", "--lead", "4751838302089254401", "--once", "--json")
    assert "stamina" not in said.err
    assert "asking again in" in said.err
    assert "stamina" in copytrade_process("--debug", "poll", "--lead", "4751838302089254401", "--once").err


def test_a_misspelt_verb_is_suggested_once(copytrade):
    said = copytrade("replya")
    assert said.code == ExitCode.BAD_INPUT
    assert said.err.count("Did you mean 'replay'?") == 1
