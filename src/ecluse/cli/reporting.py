"""Commands that tell: status, report; and the demo, which tells the whole story."""

from pathlib import Path
from typing import Annotated

import typer

from ecluse.cli import options


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command()(status)
    app.command()(report)
    app.command()(demo)


def status(
    environment: Annotated[
        str | None, typer.Argument(help="One environment; all if none is given.")
    ] = None,
    repository: options.Repository = options.HERE,
    local: options.Local = False,
    markdown: options.MarkdownFile = None,
    json: options.Json = False,
) -> None:
    """Show what is live where, since when and from which commit."""
    from ecluse.cli import output
    from ecluse.upkeep.status import read_status

    workplace = output.workplace(repository, local=local)
    clouds = [workplace.cloud(environment)] if environment is not None else workplace.clouds()
    rows = read_status(clouds)
    if markdown is not None:
        from ecluse.report.markdown import status_report

        options.append_markdown(markdown, status_report(rows))
    if json:
        output.show_json([row.as_json() for row in rows])
        return
    console = output.console()
    if not rows:
        console.print("nothing is live yet → promote a release with `ecluse promote nonprod`")
        return
    from ecluse.report.terminal import status_table

    console.print(status_table(rows))


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
