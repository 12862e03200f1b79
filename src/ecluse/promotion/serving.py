"""What serves: the traffic of endpoints follows a rollback that was asked to take the model along.

An endpoint that serves a version of a model gives that model's whole share to the version that is
live again, if it is deployed there. What other models get stays theirs.
"""

import shlex
from collections.abc import Callable, Mapping

from ecluse.cloud import Cloud
from ecluse.cloud.models import Endpoint, ModelVersion, newest_of_each
from ecluse.ledger.records import Entry

CHAMPION = "champion"
"""The alias of the version that is live, where the pipeline's settings name no other."""


def alias_of(live: Entry) -> str:
    """Return the alias that the versions of what is live are known by."""
    return live.parsed_settings().model_alias or CHAMPION


def take_models_along(cloud: Cloud, live: Entry, tell: Callable[[str], None]) -> None:
    """Give the model versions of what is live the alias and the traffic of their models.

    Args:
        cloud: the environment.
        live: the entry; it names the versions that its qualifying run registered.
        tell: told of what was done, and of what somebody has to do.

    """
    versions = newest_of_each(live.models)
    if not versions:
        tell("takes no model along: the run that qualified it registered none")
        return
    endpoints = cloud.models.endpoints()
    for version in versions:
        _give_alias(cloud, version, alias_of(live), tell)
        for endpoint in endpoints:
            if serves(endpoint, version):
                _give_traffic(cloud, endpoint, version, tell)


def serves(endpoint: Endpoint, version: ModelVersion) -> bool:
    """Whether an endpoint gives traffic to any version of a version's model."""
    shares = [endpoint.traffic.get(d.id, 0) for d in endpoint.deployed if d.model == version.model]
    return sum(shares) > 0


def is_deployed(endpoint: Endpoint, version: ModelVersion) -> bool:
    """Whether a version itself is deployed to an endpoint."""
    wanted = (version.model, version.version)
    return any((each.model, each.version) == wanted for each in endpoint.deployed)


def shared_anew(endpoint: Endpoint, version: ModelVersion) -> Mapping[str, int] | None:
    """Return how to share an endpoint's traffic so that a version gets all that its model has.

    Returns:
        Percent by the id of a deployment; none where it is so, or the version is not deployed.

    """
    ours = [each for each in endpoint.deployed if each.model == version.model]
    wanted = [each.id for each in ours if each.version == version.version]
    if not wanted:
        return None
    # Of two deployments of one version the one that serves already goes on.
    chosen = max(sorted(wanted), key=lambda each: endpoint.traffic.get(each, 0))
    share = sum(endpoint.traffic.get(each.id, 0) for each in ours)
    others = {
        each: percent
        for each, percent in endpoint.traffic.items()
        if each not in {deployed.id for deployed in ours}
    }
    split = {**others, chosen: share} if share else dict(endpoint.traffic)
    return split if split != dict(endpoint.traffic) else None


def _give_alias(
    cloud: Cloud, version: ModelVersion, alias: str, tell: Callable[[str], None]
) -> None:
    called = f"{version.model}@{version.version}"
    aliases = cloud.models.aliases(version.name)
    if aliases is None:
        tell(f"{called} is gone from the model registry: deploy another version by hand")
    elif alias not in aliases:
        cloud.models.give_alias(version.name, alias)
        tell(f"{called} is `{alias}` again")


def _give_traffic(
    cloud: Cloud, endpoint: Endpoint, version: ModelVersion, tell: Callable[[str], None]
) -> None:
    called = f"{version.model}@{version.version}"
    shown = endpoint.display_name or endpoint.name
    if not is_deployed(endpoint, version):
        todo = _deploy_command(cloud, endpoint, version)
        tell(
            f"{called} is not deployed to the endpoint {shown}, which goes on as it was: deploy it "
            f"with `{todo}`, then run this again"
        )
    elif cloud.models.share(endpoint, lambda seen: shared_anew(seen, version)):
        tell(f"the endpoint {shown} sends its traffic to {called}")


def _deploy_command(cloud: Cloud, endpoint: Endpoint, version: ModelVersion) -> str:
    return shlex.join(
        ["gcloud", "ai", "endpoints", "deploy-model", endpoint.name.rsplit("/", 1)[-1],
         f"--project={cloud.environment.project}", f"--region={version.location}",
         f"--model={version.model}@{version.version}",
         f"--display-name={version.model}-{version.version}", "--machine-type=n1-standard-2"]
    )  # fmt: skip
