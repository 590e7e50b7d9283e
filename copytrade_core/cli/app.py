"""All verbs in one application, and the one place where errors become words and exit codes.

Only typer and small modules are imported here: `copytrade --help` answers at once, and a verb that needs no Dagster
never loads it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import click
import typer

from copytrade_core.cli import (
    bars_verbs,
    canary_verbs,
    config_verbs,
    demo_verb,
    doctor_verb,
    evidence_verbs,
    funding_verbs,
    gates_verb,
    holdout_verbs,
    import_verb,
    instruments_verbs,
    lead_verbs,
    live_verbs,
    monitor_verb,
    poll_verb,
    preflight_verbs,
    replay_verb,
    search_verb,
    session_verbs,
    simulate_verbs,
    store_verbs,
)
from copytrade_core.cli.exit_codes import ExitCode
from copytrade_core.cli.faults import tell, tell_fault, tell_stopped
from copytrade_core.cli.options import Shell

INTRO = """Would copying this Binance futures lead make money for me? Evidence, replay and gates.

First minutes: [bold]copytrade demo[/], then docs/tutorial.md. Every verb has --help with an example."""

app = typer.Typer(
    name="copytrade",
    help=INTRO,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["--help", "-h"]},
)


@app.callback()
def _root(
    config: Annotated[
        Path | None, typer.Option("--config", metavar="FILE", help="Another copytrade.toml.", show_default=False)
    ] = None,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error; works anywhere.")] = False,
) -> None:
    del config, debug  # read by `options.config_file` and by `main`


for verbs in (
    bars_verbs,
    canary_verbs,
    config_verbs,
    demo_verb,
    doctor_verb,
    evidence_verbs,
    funding_verbs,
    gates_verb,
    holdout_verbs,
    import_verb,
    instruments_verbs,
    lead_verbs,
    live_verbs,
    monitor_verb,
    poll_verb,
    replay_verb,
    preflight_verbs,
    search_verb,
    session_verbs,
    simulate_verbs,
    store_verbs,
):
    verbs.add_to(app)


def main(arguments: list[str]) -> int:
    """Runs one command line and returns its exit code; never raises."""
    debug = "--debug" in arguments
    as_json = "--json" in arguments
    rest = [argument for argument in arguments if argument != "--debug"]
    try:
        result = app(args=rest, prog_name="copytrade", standalone_mode=False, obj=Shell(debug=debug))
    except click.exceptions.NoArgsIsHelpError:
        return ExitCode.BAD_INPUT
    except click.ClickException as error:
        return _tell_usage(error, as_json=as_json)
    except (click.Abort, KeyboardInterrupt):
        return tell_stopped(as_json=as_json)
    except BrokenPipeError:
        return ExitCode.OK
    except Exception as error:  # noqa: BLE001 - the last place before the user: every fault is told, none is hidden
        return tell(error, as_json=as_json, debug=debug)
    code = result if isinstance(result, int) else ExitCode.OK
    return tell_stopped(as_json=as_json) if code == ExitCode.INTERRUPTED else code


def _tell_usage(error: click.ClickException, *, as_json: bool) -> ExitCode:
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "copytrade"
    step = f"Run `{command} --help`"
    return tell_fault(_once(error.format_message()), command, step, ExitCode.BAD_INPUT, as_json=as_json)


def _once(message: str) -> str:
    """Both click and typer add a suggestion to a misspelt verb."""
    said, mark, suggestion = message.rpartition(" Did you mean ")
    return said if mark and said.endswith(f"{mark}{suggestion}") else message


if (
    __name__ == "__main__"
):  # without it a stop that is asked of this module by its name would do nothing and say nothing
    from copytrade_core.cli.main import run

    run()
