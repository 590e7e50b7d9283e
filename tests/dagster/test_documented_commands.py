"""What the pages tell people to type names things that exist. The commands themselves run in `test_processes`."""

from __future__ import annotations

import re
import shlex

import pytest

from copytrade_dagster.definitions import defs

PAGES = ("README.md", "docs/how-to/dagster.md", "docs/how-to/paper-canary.md")


def commands(project_root) -> list[list[str]]:
    texts = [(project_root / page).read_text(encoding="utf-8") for page in PAGES]
    lines = [line for text in texts for line in re.findall(r"^(?:\.venv/bin/)?(dagster .+)$", text, re.MULTILINE)]
    return [shlex.split(line) for line in lines]


def after(words: list[str], *flags: str) -> str | None:
    return next((words[index + 1] for index, word in enumerate(words) if word in flags), None)


def problems(words: list[str]) -> list[str]:
    """What a command names that does not exist."""
    repository = defs.get_repository_def()
    assets = {key.to_user_string() for key in repository.asset_graph.get_all_asset_keys()}
    known = {
        "job": {job.name for job in repository.get_all_jobs()},
        "schedule": {schedule.name for schedule in repository.schedule_defs},
        "sensor": {sensor.name for sensor in repository.sensor_defs},
    }
    named = {
        "job": after(words, "-j", "--job"),
        "schedule": words[-1] if words[1] == "schedule" else None,
        "sensor": words[-1] if words[1] == "sensor" else None,
    }
    wrong = [f"{kind} {name}" for kind, name in named.items() if name is not None and name not in known[kind]]
    selection = after(words, "--select") or ""
    return wrong + [f"asset {name}" for name in re.findall(r"\w+", selection) if name not in assets]


def test_the_pages_show_how_to_materialise_and_backfill(project_root):
    shown = {" ".join(words[:3]) for words in commands(project_root)}
    assert shown >= {
        "dagster asset materialize",
        "dagster job backfill",
        "dagster schedule start",
        "dagster sensor start",
    }


def test_documented_commands_name_what_exists(project_root):
    assert [found for words in commands(project_root) for found in problems(words)] == []


@pytest.mark.parametrize(
    "line",
    [
        "dagster job backfill -j no_such_job",
        "dagster asset materialize --select no_such_asset --partition 1",
        "dagster sensor start no_such_sensor",
    ],
)
def test_a_name_that_does_not_exist_is_noticed(line):
    assert problems(shlex.split(line)) != []
