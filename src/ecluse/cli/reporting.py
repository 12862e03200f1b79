"""Commands that tell: status, report; and the demo, which tells the whole story."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ecluse.cli import options

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ecluse.upkeep.status import Status


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command()(status)
    app.command()(report)
    app.command()(demo)


def status(
    environment: Annotated[
        str | None, typer.Argument(help="One environment; all if none is given.")
    ] = None,
    ledger_only: Annotated[
        bool,
        typer.Option("--ledger-only", help="Only what the ledger says, in one read each."),
    ] = False,
    repository: options.Repository = options.HERE,
    local: options.Local = False,
    markdown: options.MarkdownFile = None,
    json: options.Json = False,
) -> None:
    """Show what is live where, since when, how its last run went, when the next one is due."""
    from ecluse.cli import output
    from ecluse.upkeep.status import read_status

    workplace = output.workplace(repository, local=local)
    clouds = [workplace.cloud(environment)] if environment is not None else workplace.clouds()
    statuses = read_status(clouds, ledger_only=ledger_only)
    if markdown is not None:
        from ecluse.report.markdown import status_report

        options.append_markdown(markdown, status_report(statuses))
    if json:
        output.show_json([status.as_json() for status in statuses])
    else:
        _show(statuses)
    errors = [status.error for status in statuses if status.error is not None]
    for error in errors:
        output.show_error(error)
    if errors:
        raise typer.Exit(1)


def _show(statuses: "Sequence[Status]") -> None:
    from ecluse.cli import output
    from ecluse.report.terminal import status_notes, status_table

    console = output.console()
    rows = [row for status in statuses for row in status.rows]
    if rows:
        console.print(status_table(rows))
    elif not any(status.error for status in statuses):
        first = statuses[0].environment if len(statuses) == 1 else "nonprod"
        console.print(f"nothing is live yet → promote a release with `ecluse promote {first}`")
    for note in status_notes(statuses):
        console.print(note)


def report(
    environment: Annotated[str, typer.Argument(help="The environment, such as nonprod.")],
    commit: Annotated[str, typer.Option(help="The commit that was promoted: a sha, a tag, HEAD.")],
    repository: options.Repository = options.HERE,
    local: options.Local = False,
    markdown: options.MarkdownFile = None,
) -> None:
    """Show what a commit's last promotion did: outcomes, gates, tasks, in Markdown."""
    from ecluse.cli import output
    from ecluse.ledger.reports import kept_report
    from ecluse.repository.commit import resolve_commit

    workplace = output.workplace(repository, local=local)
    sha = resolve_commit(workplace.catalog.root, commit)
    text = kept_report(workplace.cloud(environment), sha)
    if markdown is None:
        typer.echo(text)
    else:
        options.append_markdown(markdown, text)


def demo(
    data: Annotated[
        Path | None, typer.Option(help="Your own data file, instead of generated sample data.")
    ] = None,
    repository: options.Repository = options.HERE,
) -> None:
    """Tell the whole story on this machine: a merge, a tag, and a bad change that is stopped.

    Works on a copy of the repository in .ecluse/demo, against an embedded Google Cloud of its own.
    """
    from ecluse import demo as story
    from ecluse.cli import output
    from ecluse.repository.catalog import Catalog

    story.tell(Catalog.find(repository), data=data, console=output.console())
