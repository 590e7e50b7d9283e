"""Writes docs/reference/cli.md and docs/reference/config.md from the command line and the settings themselves.

`make docs` runs this; a test fails when a page and the code differ.
"""

from __future__ import annotations

import tomllib
from pathlib import Path

import click
import typer.main

from copytrade_core.cli.app import app
from copytrade_core.cli.exit_codes import MEANINGS
from copytrade_core.edges.settings import known_keys
from copytrade_core.edges.settings_origin import NOT_SETTINGS, Layer, leaves_of, variable_of

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "docs" / "reference"
GENERATED = "<!-- written by docs/_generate/reference.py; do not edit -->"


def verbs(node: click.Command, path: tuple[str, ...]) -> list[tuple[tuple[str, ...], click.Command]]:
    """Every verb with its path, in the order of `--help`."""
    if not isinstance(node, click.Group):
        return [(path, node)]
    return [found for name in sorted(node.commands) for found in verbs(node.commands[name], (*path, name))]


def cli_page() -> str:
    """The page of the command line."""
    lines = ["# The command line", "", GENERATED, ""]
    lines += [
        "`copytrade --help` lists the verbs, `copytrade VERB --help` shows one with an example.",
        "With `--json`, standard output is exactly one JSON object: the answer, or",
        '`{"error": {"what", "where", "next_step"}}` with an exit code other than 0. Progress goes to standard error.',
        "`--config FILE` before the verb names another configuration; `--debug` anywhere adds the traceback of an",
        "error.",
        "",
        "## Exit codes",
        "",
        "| code | meaning |",
        "|---:|---|",
        *(f"| {int(code)} | {meaning} |" for code, meaning in MEANINGS.items()),
        "",
        "## Verbs",
    ]
    for path, command in verbs(typer.main.get_command(app), ()):
        lines += verb_section(path, command)
    return "\n".join(lines) + "\n"


def verb_section(path: tuple[str, ...], command: click.Command) -> list[str]:
    """One verb: what it does, an example, its options."""
    paragraphs = [" ".join(part.split()) for part in (command.help or "").split("\n\n")]
    lines = ["", f"### copytrade {' '.join(path)}", ""]
    for paragraph in paragraphs:
        if paragraph.startswith("Example: "):
            lines += ["```sh", paragraph.removeprefix("Example: "), "```", ""]
        elif paragraph:
            lines += [paragraph, ""]
    lines += ["| option | value | meaning |", "|---|---|---|"]
    for parameter in command.params:
        if parameter.name != "help":
            lines.append(parameter_row(parameter))
    return lines


def parameter_row(parameter: click.Parameter) -> str:
    """One row of a verb's table."""
    meaning = (getattr(parameter, "help", None) or "").replace("|", "\\|")
    if isinstance(parameter, click.Argument):
        return f"| {(parameter.name or '').upper()} | needed | {meaning} |"
    given = (
        "needed" if parameter.required else "flag" if getattr(parameter, "is_flag", False) else default_of(parameter)
    )
    return f"| `{', '.join(parameter.opts)}` | {given} | {meaning} |"


def default_of(parameter: click.Parameter) -> str:
    """An option's default, in words."""
    value = parameter.default
    return "optional" if value is None or callable(value) else f"default `{value}`"


def config_page() -> str:
    """The page of the settings."""
    document = tomllib.loads((ROOT / "settings/copytrade.toml").read_text(encoding="utf-8"))
    shipped = {key: leaf[0] for key, leaf in leaves_of(document, Layer.FILE, prefix="")}
    ignored = ", ".join(f"`{name}`" for name in sorted(NOT_SETTINGS))
    lines = ["# Settings", "", GENERATED, ""]
    lines += [
        "One file, `settings/copytrade.toml`. The environment overrides the file, options of a command override both;",
        "`copytrade config show` prints what is in force and where each value came from. Every key is needed: no cap,",
        "cost or time-out has a hidden default. Unknown keys, wrong units and contradictions are errors that name file",
        "and line, or the variable. Relative paths start at the project folder when they stand in the file, and where",
        "you are when they come from the environment.",
        "",
        "The file is the first of: `--config FILE`, `COPYTRADE_CONFIG`, `copytrade.toml` here,",
        "`settings/copytrade.toml` here, the project's own. `COPYTRADE_DATA_DIR` moves the store, `DAGSTER_HOME` the",
        "Dagster instance.",
        f"Variables with the prefix that are no settings: {ignored}.",
        "",
        "| setting | shipped value | environment variable | meaning |",
        "|---|---|---|---|",
    ]
    for key, meaning in known_keys().items():
        value = "one per strategy" if key.endswith("<name>") else f"`{shipped.get(key)}`"
        variable = variable_of(key).replace("<NAME>", "NAME")
        lines.append(f"| `{key}` | {value} | `{variable}` | {meaning} |")
    return "\n".join(lines) + "\n"


PAGES = {"cli.md": cli_page, "config.md": config_page}


def main() -> None:
    """Writes both pages."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, page in PAGES.items():
        _ = (FOLDER / name).write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
