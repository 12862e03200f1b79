"""The command doctor: tells whether everything is there that a promotion will need."""

from typing import Annotated

import typer

from ecluse.cli import options


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command()(doctor)


def doctor(
    environment: Annotated[str, typer.Argument(help="The environment, such as prod.")],
    repository: options.Repository = options.HERE,
    local: options.Local = False,
    json: options.Json = False,
) -> None:
    """Check all that a promotion will need: APIs, permissions, buckets, registries, keys, builds.

    Changes nothing. Each failure comes with the command that mends it. Permissions are looked at
    for whoever runs it; to look for a build's account, borrow it first:
    gcloud auth application-default login --impersonate-service-account=ACCOUNT
    """
    from ecluse.cli import output
    from ecluse.upkeep.doctor.asked import models_follow, topics_of, watching_trigger_of
    from ecluse.upkeep.doctor.needs import triggers_of
    from ecluse.upkeep.doctor.probes import diagnose

    workplace = output.workplace(repository, local=local)
    catalog = workplace.catalog
    place = catalog.environment(environment)
    below = catalog.environment(place.requires) if place.requires is not None else None
    triggers = (
        None
        if workplace.local
        else triggers_of(place, catalog.environments()) + watching_trigger_of(catalog, environment)
    )
    # On the embedded cloud a promotion makes the topics itself.
    topics = () if workplace.local else topics_of(catalog, environment)
    if below is not None and workplace.local:
        workplace.cloud(below.name)  # lays it out
    models = models_follow(catalog)
    diagnosis = diagnose(workplace.cloud(environment), below, triggers, topics, models=models)
    if json:
        output.show_json(diagnosis.as_json())
    else:
        from ecluse.report.diagnosis import diagnosis_lines

        console = output.console()
        for line in diagnosis_lines(diagnosis):
            console.print(line, soft_wrap=True)
    if not diagnosis.ready:
        raise typer.Exit(1)
