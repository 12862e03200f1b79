"""The command that looks after first runs by schedule."""

from typing import Annotated

import typer

from ecluse.cli import options


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command()(watch)


def watch(
    environment: Annotated[str, typer.Argument(help="The environment, such as prod.")],
    act: Annotated[
        bool,
        typer.Option(
            "--act", help="Note what has ended, and roll back what failed and is set to go back."
        ),
    ] = False,
    wait: options.Wait = None,
    repository: options.Repository = options.HERE,
    local: options.Local = False,
    markdown: options.MarkdownFile = None,
    json: options.Json = False,
) -> None:
    """Show how the first run by schedule of each live pipeline went, where `watch:` asks for it.

    Without --act it only reads. Exit code 1 when one failed, did not start, or never will.
    """
    from ecluse.cli import output
    from ecluse.promotion.fallback import only_look, settle
    from ecluse.report.terminal import Board
    from ecluse.report.watch import watch_report, watch_table

    options.append_markdown(markdown, "")
    patience = options.waiting_time(wait)
    workplace = output.workplace(repository, local=local)
    cloud = workplace.cloud(environment)
    console = output.console(quiet=json)
    if act:
        seen = settle(
            cloud,
            Board(console),
            by=workplace.actor,
            wait=patience,
            waiting=lambda holding: console.print(f"  waiting: {holding.words}", markup=False),
        )
    else:
        seen = only_look(cloud)
    options.append_markdown(markdown, watch_report(seen, environment))
    if json:
        output.show_json(
            {"environment": environment, "pipelines": [each.as_json(environment) for each in seen]}
        )
    elif seen:
        console.print(watch_table(seen, environment))
    else:
        console.print(f"nothing live in {environment} asks for a `watch:`", markup=False)
    if any(each.sight.is_bad or each.error is not None for each in seen):
        raise typer.Exit(1)
