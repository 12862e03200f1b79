"""The command that tells a pipeline's history in an environment."""

from typing import Annotated

import typer

from ecluse.cli import options


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command()(history)


def history(
    environment: Annotated[str, typer.Argument(help="The environment, such as prod.")],
    pipeline: Annotated[str, typer.Argument(help="The pipeline.")],
    limit: Annotated[int, typer.Option(min=1, help="The newest so many entries.")] = 20,
    repository: options.Repository = options.HERE,
    local: options.Local = False,
    markdown: options.MarkdownFile = None,
    json: options.Json = False,
) -> None:
    """Show what was live of a pipeline, when, by whom, from which commit and by which run."""
    from ecluse.cli import output
    from ecluse.report.markdown import history_report
    from ecluse.report.terminal import history_table
    from ecluse.upkeep.history import read_history

    options.append_markdown(markdown, "")
    workplace = output.workplace(repository, local=local)
    rows = read_history(workplace.cloud(environment), pipeline, limit=limit)
    options.append_markdown(markdown, history_report(environment, pipeline, rows))
    if json:
        output.show_json([row.as_json() for row in rows])
    else:
        output.console().print(history_table(rows))
