"""The job of a run of what is live: what schedules and triggers start, by digest."""

from typing import Any

from ecluse.canonical import short
from ecluse.cloud.job import JobRequest
from ecluse.labels import run_labels
from ecluse.ledger.records import Entry
from ecluse.repository.settings import Environment, PipelineSettings


def live_job(environment: Environment, pipeline: str, live: Entry) -> JobRequest:
    """Return the job of a run of a pipeline as the ledger says it is live, but for its run key.

    Args:
        environment: where; service account, network and the like are those of its settings now.
        pipeline: the pipeline's name.
        live: its entry, which says the digest, the parameters and the commit.

    """
    settings = live.parsed_settings()
    return JobRequest(
        display_name=f"{pipeline} {environment.name} {short(live.digest)}",
        template=environment.template_uri(live.package, live.digest),
        parameters=_parameters(environment, settings, live),
        labels=run_labels(
            environment,
            settings,
            pipeline=pipeline,
            digest=live.digest,
            commit=live.commit,
            activation=live.sequence,
        ),
    )


def _parameters(
    environment: Environment, settings: PipelineSettings, live: Entry
) -> dict[str, Any]:
    """Return the parameters that qualified.

    The entry keeps them with the release's own values left empty, and these are filled in here. A
    value of the environment's that was changed since in its settings has qualified nowhere: until
    the next promotion has tried it, the one that the entry keeps stays.
    """
    now = settings.parameters_in(environment, live.declared, runtime_image="", commit="")
    filled = settings.parameters_in(
        environment, live.declared, runtime_image=live.runtime_image or "", commit=live.commit
    )
    return {
        name: filled[name] if name in filled and now[name] == value else value
        for name, value in live.parameters.items()
    }
