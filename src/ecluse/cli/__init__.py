"""The commands. Nothing is decided here: a command reads its arguments, calls, and shows.

Heavy modules are imported inside the commands, so that `ecluse --help` answers at once.
"""

from typing import Any

import typer
from typer.core import TyperGroup

from ecluse.cli.output import show_error, show_json, speak_any_encoding, unwritable
from ecluse.errors import EcluseError, Interrupted

_INTERRUPTED = "interrupted: what runs in the cloud goes on"


class _Commands(TyperGroup):
    """Shows an error as one line and leaves with its exit code; a traceback is a bug."""

    def invoke(self, ctx: Any) -> Any:
        for_machines = "--json" in ctx.args
        try:
            try:
                return super().invoke(ctx)
            except OSError as error:
                refused = unwritable(error)
                if refused is None:
                    raise
                # Where nothing can be written, not even JSON can.
                for_machines = for_machines and error.filename is not None
                raise refused from None
        except EcluseError as error:
            if for_machines and not error.answered:
                show_json({"error": error.as_json()})
            show_error(error)
            raise typer.Exit(error.exit_code) from None
        except KeyboardInterrupt:
            show_error(Interrupted(_INTERRUPTED))
            raise typer.Exit(Interrupted.exit_code) from None


def register(app: typer.Typer) -> None:
    """Add every command to a command line, in the order in which `--help` lists them."""
    from ecluse.cli import (
        authoring,
        delivery,
        doctor,
        drift,
        history,
        prune,
        reporting,
        rollback,
        start,
        watch,
    )

    for module in (
        authoring,
        delivery,
        doctor,
        drift,
        history,
        prune,
        reporting,
        rollback,
        start,
        watch,
    ):
        module.register(app)


def command_line() -> typer.Typer:
    """Return the command line with all its commands."""
    app = typer.Typer(
        name="ecluse",
        cls=_Commands,
        help="Vertex AI pipelines from merge to prod: what nonprod qualified is what prod runs.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode="rich",
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    register(app)
    return app


def main() -> None:
    """Run the command line."""
    speak_any_encoding()
    command_line()()
