"""Controls are files: setting one is creating it, and what cannot be read stops new orders."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from copytrade_core.edges.runtime.control_files import (
    Control,
    ControlFiles,
    clear_control,
    note_of,
    set_control,
)
from copytrade_core.model.controls import Controls
from copytrade_core.model.errors import StoreFault

NOW_MS = 1_767_600_000_000


def panel(folder: Path, *, deadline_ms: int | None = None, approval_valid: bool | None = None) -> ControlFiles:
    return ControlFiles(folder, now_ms=lambda: NOW_MS, deadline_ms=deadline_ms, approval_valid=approval_valid)


def controls(*, kill=False, stop=False, hot_stop=False) -> Controls:
    return Controls(kill=kill, stop_new_orders=stop, hot_stop=hot_stop, deadline_ms=None, approval_valid=None)


def test_an_empty_directory_is_clear_and_the_deadline_and_approval_are_passed_on(tmp_path: Path) -> None:
    assert panel(tmp_path).read() == controls()
    read = panel(tmp_path, deadline_ms=NOW_MS + 5, approval_valid=False).read()
    assert (read.deadline_ms, read.approval_valid) == (NOW_MS + 5, False)


@pytest.mark.parametrize(
    ("control", "expected"),
    [
        (Control.KILL, controls(kill=True)),
        (Control.STOP_NEW_ORDERS, controls(stop=True)),
        (Control.HOT_STOP, controls(hot_stop=True)),
    ],
)
def test_a_control_is_seen_at_the_next_look_and_until_it_is_cleared(
    tmp_path: Path, control: Control, expected: Controls
) -> None:
    looking = panel(tmp_path)
    assert looking.read() == controls()
    assert set_control(tmp_path, control, who="ada", why="the lead went quiet", at_ms=NOW_MS)
    assert looking.read() == expected
    note = note_of(tmp_path, control)
    assert note is not None
    assert (note.control, note.who, note.why, note.at_ms) == (control, "ada", "the lead went quiet", NOW_MS)
    assert clear_control(tmp_path, control)
    assert looking.read() == controls()
    assert not clear_control(tmp_path, control)
    assert note_of(tmp_path, control) is None
    assert list(tmp_path.iterdir()) == [], "no temporary file is left"


def test_the_first_note_stays(tmp_path: Path) -> None:
    assert set_control(tmp_path, Control.KILL, who="ada", why="first", at_ms=1)
    assert not set_control(tmp_path, Control.KILL, who="bob", why="second", at_ms=2)
    note = note_of(tmp_path, Control.KILL)
    assert note is not None
    assert note.why == "first"


def test_touch_is_enough(tmp_path: Path) -> None:
    (tmp_path / "STOP_NEW_ORDERS").touch()
    (tmp_path / "KILL").symlink_to(tmp_path / "nowhere")
    (tmp_path / "HOT_STOP").mkdir()
    assert panel(tmp_path).read() == controls(stop=True, kill=True, hot_stop=True)
    assert note_of(tmp_path, Control.STOP_NEW_ORDERS) is None


def test_another_process_sets_a_control_with_a_plain_file(tmp_path: Path) -> None:
    looking = panel(tmp_path)
    subprocess.run([sys.executable, "-c", f"open({str(tmp_path / 'KILL')!r}, 'w').close()"], check=True)
    assert looking.read().kill


def test_names_beside_the_controls_mean_nothing(tmp_path: Path) -> None:
    for name in ("KILL.part", "kill", "STOP", "STOP_NEW_ORDERS.bak"):
        (tmp_path / name).touch()
    assert panel(tmp_path).read() == controls()


def test_a_directory_that_is_gone_or_is_a_file_stops_new_orders(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    looking = panel(folder)
    assert looking.read() == controls(stop=True)
    folder.mkdir()
    assert looking.read() == controls()
    folder.rmdir()
    folder.write_text("not a directory")
    assert looking.read() == controls(stop=True)


def test_a_directory_that_may_not_be_searched_stops_new_orders(tmp_path: Path) -> None:
    # In a process of its own without root's rights: root may search everything.
    folder = tmp_path / "run"
    folder.mkdir()
    folder.chmod(0o600)
    for above in (tmp_path, *tmp_path.parents[:3]):
        if above != Path("/tmp") and os.access(above, os.W_OK):
            above.chmod(0o755)
    script = (
        "import os, sys\nfrom pathlib import Path\n"
        "from copytrade_core.edges.runtime.control_files import ControlFiles\n"
        "if os.geteuid() == 0:\n    os.setuid(65534)\n"
        "panel = ControlFiles(Path(sys.argv[1]), now_ms=lambda: 1, deadline_ms=None, approval_valid=None)\n"
        "print(panel.read().stop_new_orders)"
    )
    told = subprocess.run([sys.executable, "-c", script, str(folder)], check=True, capture_output=True, text=True)
    assert told.stdout == "True\n"


def test_the_session_stops_itself_once_and_a_person_clears_it(tmp_path: Path) -> None:
    looking = panel(tmp_path)
    looking.stop_new_orders("order c1 is unresolved")
    looking.stop_new_orders("order c2 is unresolved")
    assert looking.read() == controls(stop=True)
    note = note_of(tmp_path, Control.STOP_NEW_ORDERS)
    assert note is not None
    assert (note.who, note.why, note.at_ms) == ("session", "order c1 is unresolved", NOW_MS)
    clear_control(tmp_path, Control.STOP_NEW_ORDERS)
    assert looking.read() == controls()


def test_a_stop_that_cannot_be_written_counts_and_is_written_when_it_can(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    looking = panel(folder)
    folder.rename(tmp_path / "away")
    looking.stop_new_orders("unresolved")
    assert looking.read().stop_new_orders
    (tmp_path / "away").rename(folder)
    assert looking.read().stop_new_orders
    assert (folder / "STOP_NEW_ORDERS").is_file()


@pytest.mark.parametrize("act", [set_control, clear_control])
def test_a_control_of_no_directory_is_refused_by_name(tmp_path: Path, act) -> None:
    arguments = {"who": "ada", "why": "x", "at_ms": 1} if act is set_control else {}
    with pytest.raises(StoreFault, match="no such runtime directory") as caught:
        act(tmp_path / "absent", Control.KILL, **arguments)
    assert str(tmp_path / "absent" / "KILL") in str(caught.value)
    assert not (tmp_path / "absent").exists()
