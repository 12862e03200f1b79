"""The command by which triggers, and people, start a run of what is live."""

from typing import Annotated

import typer

from ecluse.cli import options


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command()(start)


def start(
    environment: Annotated[str, typer.Argument(help="The environment, such as nonprod.")],
    pipeline: Annotated[str, typer.Argument(help="A pipeline that is live there.")],
    message: Annotated[
        str,
        typer.Option(help="The id of the Pub/Sub message that asks for it: one message, one run."),
    ] = "",
    topic: Annotated[str, typer.Option(help="The message's topic.")] = "",
    settings: Annotated[
        str | None,
        typer.Option(
            envvar="ECLUSE_ENVIRONMENT",
            help="The environment's settings in JSON, where there is no repository to read them "
            "from: a trigger's build has none.",
        ),
    ] = None,
    repository: options.Repository = options.HERE,
    local: options.Local = False,
    json: options.Json = False,
) -> None:
    """Start a run of what is live, by digest, and leave it to run.

    What runs is what the ledger says, never what the working tree holds. Exit code 1 where nothing
    of the pipeline is live.
    """
    from ecluse.canonical import short
    from ecluse.cli import output
    from ecluse.promotion.start import start as start_run
    from ecluse.workplace import cloud_of_settings

    if settings is not None:
        cloud = cloud_of_settings(environment, settings, local=local)
    else:
        cloud = output.workplace(repository, local=local).cloud(environment)
    started = start_run(cloud, pipeline, message=message, topic=topic)
    if json:
        output.show_json(
            {
                "environment": environment,
                "pipeline": pipeline,
                "run": started.run.name,
                "digest": started.digest,
                "joined": started.joined,
            }
        )
        return
    said = "runs already, by the same message" if started.joined else "started"
    output.console().print(
        f"[green]✓[/] {pipeline}  {short(started.digest)}  run {started.run.id} {said}"
    )
