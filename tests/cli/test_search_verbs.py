"""`copytrade search` and `champion`: the JSON, the tables, a killed and an interrupted search, the policy file."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from copytrade_core.cli.app import main
from copytrade_core.cli.exit_codes import ExitCode
from tests.small_lead import LEAD, loosen, small_project

ANSWER = {
    *("lead", "search_id", "search_digest", "search", "conclusion", "counts", "best", "finalists", "overfitting"),
    *("engine", "holdout", "champion", "reasons", "digests", "new_trials_count", "html", "next"),
}
SEARCH = ("search", "--lead", LEAD)


@pytest.fixture(scope="module")
def config(tmp_path_factory, project_root) -> Path:
    """A project with one search by the command line."""
    root = tmp_path_factory.mktemp("search_verbs") / "project"
    file = small_project(root, project_root)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COPYTRADE_CONFIG", str(file))
        assert main([*SEARCH, "--json"]) == 0
    return file


@pytest.fixture
def run(config, monkeypatch, capsys):
    """A command line on that project: exit code, standard output, standard error."""

    def command(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setenv("COPYTRADE_CONFIG", str(config))
        _ = capsys.readouterr()
        code = main(list(arguments))
        return (int(code), *capsys.readouterr())

    return command


def test_one_json_object_says_everything_and_progress_is_silent(run):
    code, out, err = run(*SEARCH, "--json")
    found = json.loads(out)
    assert (code, err) == (0, "")
    assert set(found) == ANSWER
    assert found["new_trials_count"] == 0
    assert found["champion"]["trial"] == found["finalists"][0]["trial"]["number"]
    assert Path(found["html"]).is_file()
    assert found["next"] == f"copytrade holdout open --lead {LEAD}"


def test_people_see_tables_the_champion_and_what_to_do_next(run):
    code, out, _ = run(*SEARCH)
    assert code == 0
    for words in (
        "best on train",
        "finalists",
        "luck: the champion",
        "both engines: EQUAL",
        "champion: trial",
        "next,",
    ):
        assert words in out


@pytest.mark.parametrize("sampler", ["grid", "random", "qmc"])
def test_other_samplers_are_the_same_command(config, tmp_path, monkeypatch, capsys, sampler):
    monkeypatch.setenv("COPYTRADE_CONFIG", str(config))
    monkeypatch.setenv("COPYTRADE_REPORTS_DIR", str(tmp_path))
    assert main([*SEARCH, "--sampler", sampler, "--trials", "15", "--seed", "5", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["counts"]["by_origin"][sampler] == 15
    assert main([*SEARCH, "--json"]) == 0


def test_a_policy_by_hand_is_tried_once(run, config):
    code, out, _ = run(*SEARCH, "--policy", str(config.parent / "against.toml"), "--json")
    trial = json.loads(out)["trial"]
    assert code == 0
    assert (trial["origin"], trial["status"]) == ("manual", "complete")
    code, out, _ = run(*SEARCH, "--policy", str(config.parent / "against.toml"))
    assert "counted in the registry" in out


def test_the_champion_is_written_as_a_policy_that_can_be_replayed(run, tmp_path):
    file = tmp_path / "champion.toml"
    code, out, _ = run("champion", "--lead", LEAD, "--out", str(file), "--json")
    found = json.loads(out)
    assert code == 0
    assert file.read_text() == found["toml"]
    code, out, _ = run("replay", "--lead", LEAD, "--policy", str(file), "--json")
    assert json.loads(out)["digests"]["policy"] == found["policy_digest"]
    assert run("champion", "--lead", LEAD, "--out", str(file))[0] == ExitCode.BAD_INPUT
    assert run("champion", "--lead", LEAD)[1] == found["toml"]


def test_without_a_champion_the_reasons_are_the_answer(run, config, project_root):
    contract = config.parent / "promotion.toml"
    contract.write_text((project_root / "settings/promotion.toml").read_text())
    try:
        code, out, _ = run(*SEARCH, "--json")
        found = json.loads(out)
        assert (code, found["champion"]) == (0, None)
        assert any("deflated Sharpe ratio" in reason for reason in found["reasons"])
        code, out, _ = run("champion", "--lead", LEAD, "--json")
        assert code == ExitCode.REFUSED
        assert json.loads(out)["reasons"] == found["reasons"]
        assert "no champion:" in run("champion", "--lead", LEAD)[1]
        number = str(found["finalists"][0]["trial"]["number"])
        assert run("champion", "--lead", LEAD, "--trial", number)[0] == 0
    finally:
        loosen(contract)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ((*SEARCH, "--space", "nowhere"), ExitCode.BAD_INPUT, "tiny"),
        ((*SEARCH, "--sampler", "magic"), ExitCode.BAD_INPUT, "cma_es"),
        ((*SEARCH, "--trials", "0"), ExitCode.BAD_INPUT, "--trials"),
        ((*SEARCH, "--seed", "-1"), ExitCode.BAD_INPUT, "--seed"),
        (("search", "--lead", "1"), ExitCode.NOT_STORED, "copytrade poll --lead 1"),
        (("champion", "--lead", "1"), ExitCode.NOT_STORED, "copytrade search --lead 1"),
    ],
)
def test_a_wrong_question_is_told_in_one_object(run, arguments, code, words):
    found, out, _ = run(*arguments, "--json")
    assert found == code
    assert words in json.dumps(json.loads(out)["error"])


GRID = (*SEARCH, "--trials", "300", "--sampler", "grid", "--json")


def begin(config: Path) -> subprocess.Popen[str]:
    environment = {**os.environ, "COPYTRADE_CONFIG": str(config)}
    command = [sys.executable, "-m", "copytrade_core.cli", *GRID]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def segments(config: Path) -> dict[str, bytes]:
    folder = config.parent.parent / "data/registry/trials"
    return {path.name: path.read_bytes() for path in folder.glob("*.*")} if folder.exists() else {}


def stopped(project: Path, how: signal.Signals) -> tuple[Path, int, str, str]:
    """A search in a process of its own that gets a signal when it has stored a few batches.

    One that has finished before the signal reached it says nothing, so another copy of the project is searched.
    """
    for attempt in range(5):
        config = shutil.copytree(project, project.with_name(f"{how.name}{attempt}")) / "settings/copytrade.toml"
        process = begin(config)
        while len(segments(config)) < 6 and process.poll() is None:
            time.sleep(0.002)
        process.send_signal(how)
        out, err = process.communicate(timeout=60)
        if process.returncode != 0:
            return config, process.returncode, out, err
    return pytest.fail("every search had finished before its signal came")


def test_killed_or_interrupted_it_goes_on_to_the_same_registry_byte_for_byte(
    tmp_path, project_root, monkeypatch, capsys
):
    def finished(config: Path) -> dict:
        monkeypatch.setenv("COPYTRADE_CONFIG", str(config))
        _ = capsys.readouterr()
        assert main([*GRID]) == 0
        return json.loads(capsys.readouterr().out)

    whole = small_project(tmp_path / "whole", project_root, positions=30)
    killed, code, _, _ = stopped(tmp_path / "whole", signal.SIGKILL)
    assert code == -signal.SIGKILL
    interrupted, code, out, err = stopped(tmp_path / "whole", signal.SIGINT)
    assert code == ExitCode.INTERRUPTED
    assert "stopped" in json.loads(out)["error"]["what"]
    assert "the same command goes on from there" in err
    first = finished(whole)
    for config in (killed, interrupted):
        assert 0 < len(segments(config)) < len(segments(whole))
        again = finished(config)
        assert again["search_digest"] == first["search_digest"]
        assert 0 < again["new_trials_count"] < first["new_trials_count"]
        assert segments(config) == segments(whole)
