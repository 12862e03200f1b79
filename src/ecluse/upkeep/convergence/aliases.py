"""Keeps a model alias, where a pipeline asks for one, on the versions of what is live.

The entry names the model versions that its qualifying run registered. Vertex AI has an alias at
most once in a model, so that giving it to one version takes it from another.
"""

from collections.abc import Collection, Mapping

from ecluse.cloud import Cloud
from ecluse.cloud.models import newest_of_each
from ecluse.ledger.records import Head
from ecluse.upkeep.convergence.difference import Change, Difference

KIND = "model alias"


def wanted_aliases(head: Head, pipelines: Collection[str] | None) -> dict[str, tuple[str, str]]:
    """Return, for each live model version that is to have an alias, whose it is and the alias.

    An alias is once in a model. Where several versions of one would have it, it is the newest one
    of the pipeline that went live last.
    """
    chosen: dict[tuple[str, str, str], tuple[str, str]] = {}
    for name, live in sorted(head.all_live.items(), key=lambda item: (item[1].token, item[0])):
        alias = live.parsed_settings().model_alias
        if alias is None:
            continue
        for version in newest_of_each(live.models):
            chosen[version.location, version.model, alias] = (version.name, name)
    return {
        version: (name, alias)
        for (_, _, alias), (version, name) in chosen.items()
        if pipelines is None or name in pipelines
    }


def compare(
    wanted: Mapping[str, tuple[str, str]],
    found: Mapping[str, frozenset[str] | None],
    environment: str,
) -> list[Difference]:
    """Compare the aliases of model versions with what they ought to have. Pure.

    Args:
        wanted: version → whose it is, and the alias.
        found: version → its aliases; none where there is no such version.
        environment: where, for what to type.

    """
    differences = []
    for version, (pipeline, alias) in wanted.items():
        aliases = found[version]
        if aliases is not None and alias in aliases:
            continue
        # A version that is gone has to be made again, by a run.
        fix = f"ecluse promote {environment} --rerun --pipeline {pipeline} --commit COMMIT"
        gone = aliases is None
        changes = (Change(alias, None, version.rsplit("/", 1)[-1]),)
        differences.append(
            Difference(KIND, pipeline, "missing", version, changes, fix=fix if gone else "")
        )
    return differences


class AliasKeeper:
    """The model aliases of one environment. See `Keeper`."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    def differences(self, head: Head, pipelines: Collection[str] | None) -> list[Difference]:
        """Look at each live model version that is to have an alias, side by side."""
        wanted = wanted_aliases(head, pipelines)
        if not wanted:
            return []
        models = self._cloud.models
        found = self._cloud.calls.side_by_side(models.aliases, wanted)
        return compare(wanted, dict(zip(wanted, found, strict=True)), self._cloud.environment.name)

    def mend(self, head: Head, difference: Difference) -> str:
        """Give a version its alias."""
        _, alias = wanted_aliases(head, [difference.pipeline])[difference.resource]
        self._cloud.models.give_alias(difference.resource, alias)
        return f"`{alias}` is {difference.resource.rsplit('/', 1)[-1]}"
