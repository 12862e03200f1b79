"""The command that compares an environment's cloud with its ledger."""

from typing import Annotated

import typer

from ecluse.cli import options


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command()(drift)


def drift(
    environment: Annotated[str, typer.Argument(help="The environment, such as prod.")],
    repair: Annotated[
        bool, typer.Option("--repair", help="Make the cloud again as the ledger says.")
    ] = False,
    wait: options.Wait = None,
    repository: options.Repository = options.HERE,
    local: options.Local = False,
    markdown: options.MarkdownFile = None,
    json: options.Json = False,
) -> None:
    """Show what the cloud has otherwise than the ledger says: schedules, tags, templates.

    Exit code 1 when there is any, or with --repair when any is left.
    """
    from ecluse.cli import output
    from ecluse.report.markdown import drift_report
    from ecluse.report.terminal import drift_table
    from ecluse.upkeep.drift import check_drift, repair_drift

    options.append_markdown(markdown, "")
    patience = options.waiting_time(wait)
    workplace = output.workplace(repository, local=local)
    cloud = workplace.cloud(environment)
    console = output.console(quiet=json)
    if repair:
        found = repair_drift(
            cloud,
            by=workplace.actor,
            wait=patience,
            waiting=lambda holding: console.print(f"  waiting: {holding.words}", markup=False),
        )
    else:
        found = check_drift(cloud)
    options.append_markdown(markdown, drift_report(found))
    if json:
        output.show_json(found.as_json())
    elif found.found:
        console.print(drift_table(found))
    else:
        console.print(f"[green]✓[/] {environment} is as its ledger says")
    if found.left:
        raise typer.Exit(1)
