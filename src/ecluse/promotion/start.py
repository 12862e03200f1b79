"""A start: one run of what the ledger says is live, because something happened.

A message is delivered at least once. The run's id is made from it, so that the second delivery
finds the first one's run, whatever is live by then.
"""

import uuid
from dataclasses import dataclass

from ecluse import naming
from ecluse.cloud import Cloud
from ecluse.cloud.run import Run, RunRequest
from ecluse.errors import NotLive, Refused
from ecluse.ledger.live_job import live_job


@dataclass(frozen=True)
class Started:
    """A run that was started, or found.

    Attributes:
        run: the run.
        digest: the compiled bytes that the ledger says are live.
        joined: whether it was there already.

    """

    run: Run
    digest: str
    joined: bool


def start(cloud: Cloud, pipeline: str, *, message: str = "", topic: str = "") -> Started:
    """Start a run of what is live, by digest, with the parameters that qualified.

    Args:
        cloud: the environment.
        pipeline: its name.
        message: the Pub/Sub message that asks for it: the same one starts one run; empty where a
            person asks, and each time means another run.
        topic: the message's topic, since ids are unique in a topic only.

    Raises:
        NotLive: nothing of the pipeline is live here.

    """
    environment = cloud.environment
    head = cloud.ledger.head()
    live = head.live(pipeline)
    if live is None:
        known = ", ".join(sorted(head.all_live)) or "nothing yet"
        raise NotLive(
            f"`{pipeline}` is not live in {environment.name}, so nothing starts; live is: {known}",
            where=f"{environment.ledger}/head.json",
            fix=f"look with `ecluse status {environment.name}`",
        )
    cause = f"{topic} {message}" if message else uuid.uuid4().hex
    run_id = naming.started_run_id(
        package=live.package, environment=environment.name, cause=f"{pipeline} {cause}"
    )
    there = cloud.pipelines.get(run_id) if message else None
    if there is not None:
        return Started(there, live.digest, joined=True)
    job = live_job(environment, pipeline, live)
    key = {"run_key": run_id} if "run_key" in live.declared else {}
    try:
        run = cloud.pipelines.create(
            RunRequest(
                run_id=run_id,
                display_name=job.display_name,
                template=job.template,
                parameters={**job.parameters, **key},
                labels=job.labels,
            )
        )
    except Refused:
        # Another delivery was quicker, and something else went live between the two.
        found = cloud.pipelines.get(run_id)
        if found is None:
            raise
        return Started(found, live.digest, joined=True)
    return Started(run, live.digest, joined=False)
