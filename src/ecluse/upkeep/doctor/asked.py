"""What the pipelines of a repository ask of an environment, by their settings."""

from ecluse.repository.catalog import Catalog
from ecluse.upkeep.doctor.needs import WATCHING_TRIGGER


def topics_of(catalog: Catalog, environment: str) -> frozenset[str]:
    """Return the topics whose messages start pipelines in an environment.

    Raises:
        SettingsError: a pipeline.yaml is wrong.

    """
    return frozenset(
        trigger.topic
        for name in catalog.pipeline_names
        for trigger in catalog.pipeline(name).settings.triggers_in(environment)
    )


def models_follow(catalog: Catalog) -> bool:
    """Whether a pipeline's settings say that its model goes with it."""
    return any(
        catalog.pipeline(name).settings.model_alias is not None for name in catalog.pipeline_names
    )


def watching_trigger_of(catalog: Catalog, environment: str) -> tuple[str, ...]:
    """Return the build that rolls back by itself, if a pipeline's settings ask for it here.

    Raises:
        SettingsError: a pipeline.yaml is wrong.

    """
    watches = (
        catalog.pipeline(name).settings.watch_in(environment) for name in catalog.pipeline_names
    )
    asked = any(watch is not None and watch.rollback for watch in watches)
    return (WATCHING_TRIGGER,) if asked else ()
