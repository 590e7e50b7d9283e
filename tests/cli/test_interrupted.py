"""Ctrl-C at any moment: exit code 130, whole files only, and the same command finishes the work."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

LEAD = "4751838302089254401"
SAMPLE = Path(__file__).resolve().parents[2] / "data/sample/leads" / LEAD
PAGES = 40


@pytest.fixture
def many_pages(tmp_path: Path) -> Path:
    """Forty history pages of other rows, so that an import lasts long enough to be stopped in the middle."""
    folder = tmp_path / LEAD
    folder.mkdir()
    template = json.loads((SAMPLE / "position_history_pages_raw.json").read_text())[0]
    recorded = []
    for number in range(1, PAGES + 1):
        rows = [
            {**row, "opened": row["opened"] + number, "id": row["id"] + number}
            for row in template["response"]["data"]["list"]
        ]
        data = {**template["response"]["data"], "list": rows, "total": PAGES * len(rows)}
        response = {**template["response"], "data": data}
        request = {**template["request"], "pageNumber": number}
        recorded.append({"pageNumber": number, "request": request, "response": response})
    (folder / "position_history_pages_raw.json").write_text(json.dumps(recorded))
    return folder


def stopped_after(seconds: float, process: subprocess.Popen) -> tuple[int, str, str]:
    time.sleep(seconds)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


def wait_for(ready: Callable[[], bool], process: subprocess.Popen) -> None:
    """Until something is so, or the process is over."""
    while process.poll() is None and not ready():
        time.sleep(0.005)


def loads(process: subprocess.Popen) -> bool:
    """Whether it is importing what the verb needs, so that the command's first function has long begun."""
    try:
        return "polars" in Path(f"/proc/{process.pid}/maps").read_text()
    except OSError:  # a system without such a file, or a process that is over
        return False


def archived(folder: Path) -> int:
    """Bytes of the archive's own lists, which only grow."""
    return sum(path.stat().st_size for path in folder.rglob("*.jsonl"))


def test_an_import_that_is_stopped_leaves_whole_pages_and_can_be_finished(copytrade, start, environment, many_pages):
    codes: list[int] = []
    data = Path(environment["COPYTRADE_DATA_DIR"])
    # While it starts; then later and later after it has kept one page more, until one run is not stopped.
    for number in range(20):
        before = archived(data)
        process = start("import", "--from-dir", str(many_pages), "--json")
        wait_for(lambda now=process, kept=before, at=number: archived(data) > kept or (at == 0 and loads(now)), process)
        code, out, err = stopped_after(0.1 * max(0, number - 1), process)
        codes.append(code)
        assert code in (0, 130), err
        assert "Traceback" not in err
        assert code == 0 or json.loads(out)["error"]["what"].startswith("stopped")
        findings = {finding["subject"]: finding for finding in copytrade("doctor", "--json").json["findings"]}
        assert findings["archive"]["is_fine"], findings["archive"]
        assert findings["store"]["is_fine"], findings["store"]
        if code == 0:
            break
    assert 130 in codes, "at least one run must have been stopped"
    found = copytrade("import", "--from-dir", str(many_pages), "--json").json
    assert found["normalised"] == PAGES * 47
    assert found["rows"] == found["normalised"]


def test_a_poll_loop_ends_with_ctrl_c(start, environment, standin_url):
    environment["COPYTRADE_SOURCE__BASE_URL"] = standin_url
    environment["COPYTRADE_SOURCE__REQUEST_INTERVAL_S"] = "0"
    process = start("poll", "--lead", LEAD, "--every", "3600")
    assert any("47 of 47" in line for line in process.stdout), "the first round is told before the wait"
    code, _, err = stopped_after(0, process)
    assert code == 130
    assert "nothing is half-written" in err
    assert "Traceback" not in err


DESTROYED = """
import sys, time
from copytrade_core.cli import main
sys.unraisablehook = main._keep_interrupt
class Closing:
    def __del__(self):
        raise KeyboardInterrupt
_ = Closing()
del _
time.sleep(3600)
"""


def test_a_ctrl_c_that_hits_a_destructor_wakes_even_a_sleep_that_begins_right_after():
    with subprocess.Popen([sys.executable, "-c", DESTROYED], stderr=subprocess.PIPE, text=True) as process:
        try:
            _, err = process.communicate(timeout=60)
        finally:
            process.kill()
    assert "KeyboardInterrupt" in err


@pytest.mark.soak
def test_a_demo_that_is_stopped_leaves_no_process_behind(start, tmp_path):
    folder = tmp_path / "demo"
    code, _, err = stopped_after(6, start("demo", "--folder", str(folder)))
    assert code == 130
    assert "nothing is half-written" in err
    mine = [
        process.pid
        for process in psutil.process_iter(["cmdline", "environ"])
        if str(folder) in " ".join(process.info["cmdline"] or [])
        or (process.info["environ"] or {}).get("COPYTRADE_DATA_DIR", "").startswith(str(folder))
    ]
    assert mine == []
