"""`copytrade demo`: the whole line, offline, in a folder of its own, ending with the refusal of live."""

import time
from pathlib import Path

from copytrade_core.cli.demo_verb import refusal_lines
from copytrade_core.cli.evidence_verbs import conclusion_lines
from copytrade_core.cli.exit_codes import ExitCode
from copytrade_core.cli.session_words import session_words

DEMO_S_MAX = 180
GATES = {
    "source_quality",
    "executable_fills_only",
    "sample_size",
    "profitability",
    "drawdown",
    "capital_grounding",
    "robustness",
    "overfitting",
    "holdout_unspent",
    "engine_equivalence",
    "preflight_clean",
    "restart_clean",
    "backtest_paper_parity",
    "paper_canary_clean",
    "shadow_clean",
    "monitor_clean",
}


def test_the_demo_reaches_a_report_and_a_refusal_within_three_minutes(
    copytrade_process, environment, tmp_path, project_root
):
    begun = time.monotonic()
    said = copytrade_process("demo", "--json")
    assert said.code == 0, said.err
    assert time.monotonic() - begun < DEMO_S_MAX
    found = said.json
    assert found["imported"] == {"rows": 47, "normalised": 47, "duplicates": 0}
    assert found["replay"]["origin"] == "simulated"
    assert {row["gate"] for row in found["gates"]} == GATES
    results = {row["gate"]: row["result"] for row in found["gates"]}
    resting_on_prices = GATES - {"source_quality", "sample_size", "holdout_unspent"}
    assert "pass" not in {results[gate] for gate in resting_on_prices}, "nothing passes on a simulated market"
    assert "human_approval" in found["live"]
    (paper,) = found["paper"]
    assert paper["entries"] > 0
    assert paper["broken"] == []
    assert paper["observed"] is False, "a session told from the archive is no evidence"
    assert paper["parity"]["compared_count"] > 0
    shown = {
        line for text in (*conclusion_lines(found["conclusion"]), *session_words(paper)) for line in [text.strip()]
    }
    quoted = (project_root / "README.md").read_text(encoding="utf-8").partition("```text\n")[2].partition("```")[0]
    left = " ".join(quoted.split())
    for line in sorted(shown, key=len, reverse=True):
        left = left.replace(line, "")
    assert not left.strip(), "what the README shows is what the demo says"
    assert abs(paper["parity"]["residual_bps_max"]) <= 1
    report = Path(found["report"])
    assert report.stat().st_size > 100_000
    assert "simulated" in report.read_text(encoding="utf-8").lower()
    demo = Path(environment["COPYTRADE_DATA_DIR"]) / "demo"
    assert demo in report.parents
    assert not Path(environment["DAGSTER_HOME"]).exists(), "the user's instance is not touched"
    assert not (Path(environment["COPYTRADE_DATA_DIR"]) / "heads").exists(), "the user's store is not touched"
    stored = {path.parent.name for path in (demo / "data/heads").rglob("*.json")}
    assert {"source_pages", "episodes", "bars", "evidence_report", "promotion_evidence", "paper_parity"} <= stored
    assert (demo / "dagster_home/dagster.yaml").is_file()
    environment |= {"COPYTRADE_DATA_DIR": str(demo / "data"), "COPYTRADE_REPORTS_DIR": str(tmp_path / "again")}
    rendered = Path(copytrade_process("report", "path", "--lead", found["lead"], "--json").json["html"])
    assert tmp_path / "again" in rendered.parents
    environment["BROWSER"] = "true"
    assert copytrade_process("report", "open", "--lead", found["lead"], "--json").json["opened"] is True
    assert rendered.read_bytes() == report.read_bytes(), "a stored report is rendered the same everywhere"


def test_the_demo_never_removes_a_folder_it_did_not_make(copytrade, tmp_path):
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.txt").write_text("keep")
    said = copytrade("demo", "--folder", str(mine), "--json")
    assert said.code == ExitCode.BAD_INPUT
    assert said.json["error"]["where"] == f"file {mine}"
    assert (mine / "thesis.txt").read_text() == "keep"


def test_a_refusal_counts_the_gates_and_names_what_cannot_exist_yet():
    reasons = [
        "Live is refused. x of lead 1 is refused:",
        "- drawdown: FAIL: a",
        "- shadow_clean: not evaluated: its step of the project does not exist yet. b",
        "- human_approval: approval missing. c",
    ]
    lines = refusal_lines("\n".join(reasons))
    assert lines[0] == "x of lead 1 is refused"
    assert lines[1].startswith("- 1 reasons")
    assert lines[2].endswith(": shadow_clean")
    assert lines[3] == "- human_approval: approval missing. c"


def test_the_steps_of_the_demo_count_in_words():
    from dagster import AssetCheckEvaluation, AssetKey

    from copytrade_dagster.demo_run import judged, spanned

    def check(name: str, *, passed: bool) -> AssetCheckEvaluation:
        return AssetCheckEvaluation(check_name=name, passed=passed, asset_key=AssetKey("a"), metadata={})

    checks = [
        check("drawdown", passed=False),
        check("robustness", passed=True),
        check("holdout_is_sealed", passed=True),
    ]
    assert judged(checks) == "1 of 2 gates and 1 of 1 data checks pass"
    assert judged(checks[2:]) == "1 of 1 data checks pass"
    months = [(market, month) for market in ("BTC", "ETH") for month in ("2026-01", "2026-02", "2026-03")]
    assert spanned(months) == "2 markets x 3 months"
    assert spanned(months[:-1]) == "5 market-months of 2 markets"
