"""The commands. Nothing is decided here: a command reads its arguments, calls, and shows.

Heavy modules are imported inside the commands, so that `ecluse --help` answers at once.
"""

from typing import Any

import typer
from rich.console import Console
from rich.text import Text
from typer.core import TyperGroup

from ecluse.errors import EcluseError

_INTERRUPTED = 130


class _Commands(TyperGroup):
    """Shows an error as one line and leaves with its exit code; a traceback is a bug."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except EcluseError as error:
            _show(error)
            raise typer.Exit(error.exit_code) from None
        except KeyboardInterrupt:
            Console(stderr=True).print(
                "interrupted: what runs in the cloud goes on; the same command joins it"
            )
            raise typer.Exit(_INTERRUPTED) from None


def _show(error: EcluseError) -> None:
    line = Text.assemble(("error ", "bold red"), str(error))
    Console(stderr=True, soft_wrap=True).print(line)


def command_line() -> typer.Typer:
    """Return the command line with all its commands."""
    from ecluse.cli import authoring, delivery, reporting

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
    for module in (authoring, delivery, reporting):
        module.register(app)
    return app


def main() -> None:
    """Run the command line."""
    command_line()()
