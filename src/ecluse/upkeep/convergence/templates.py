"""Keeps the live compiled pipelines in the registry, byte for byte.

A promotion verifies what it uploads; this is for the drift check, which downloads what is live.
"""

import shlex
from collections.abc import Collection

from ecluse.canonical import digest_of
from ecluse.cloud import Cloud
from ecluse.errors import InvalidInput, Refused
from ecluse.ledger.records import Entry, Head
from ecluse.release.store import fetch_release
from ecluse.repository.settings import Environment
from ecluse.upkeep.convergence.difference import Change, Difference

KIND = "template"


def compare(
    environment: Environment, pipeline: str, live: Entry, content: bytes | None
) -> Difference | None:
    """Compare what the registry gives with what is live. Pure."""
    address = environment.template_uri(live.package, live.digest)
    if content is None:
        return Difference(KIND, pipeline, "missing", address)
    digest = digest_of(content)
    if digest == live.digest:
        return None
    # A version cannot be replaced, only deleted and uploaded again.
    delete = shlex.join(
        ["gcloud", "artifacts", "versions", "delete", live.digest, "--delete-tags",
         f"--package={live.package}", f"--repository={environment.templates}",
         f"--location={environment.location}", f"--project={environment.project}"]
    )  # fmt: skip
    return Difference(
        KIND,
        pipeline,
        "changed",
        address,
        (Change("bytes", digest, live.digest),),
        fix=f"find out who did it, then `{delete}` and `ecluse drift {environment.name} --repair`",
    )


class TemplateKeeper:
    """The live compiled pipelines of one environment. See `Keeper`."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    def differences(self, head: Head, pipelines: Collection[str] | None) -> list[Difference]:
        """Download what is live, side by side, and hash it."""
        live = [
            (name, entry)
            for name, entry in sorted(head.all_live.items())
            if pipelines is None or name in pipelines
        ]

        def look(one: tuple[str, Entry]) -> Difference | None:
            name, entry = one
            content = self._cloud.registry.download(entry.package, entry.digest)
            return compare(self._cloud.environment, name, entry, content)

        found = self._cloud.calls.side_by_side(look, live)
        return [difference for difference in found if difference is not None]

    def mend(self, head: Head, difference: Difference) -> str:
        """Upload a missing template again, from the release that the evidence keeps.

        Raises:
            Refused: no release here has these bytes.

        """
        live = head.live(difference.pipeline)
        assert live is not None, "only what is live is looked for"
        environment = self._cloud.environment
        try:
            release, files = fetch_release(self._cloud, live.commit)
        except InvalidInput as error:
            raise _lost(environment, difference, live) from error
        pipeline = release.pipelines.get(difference.pipeline)
        if pipeline is None or pipeline.digest != live.digest:
            raise _lost(environment, difference, live)
        self._cloud.registry.upload(live.package, files[pipeline.file])
        return f"uploaded again from the release of {live.commit[:12]}, and verified"


def _lost(environment: Environment, difference: Difference, live: Entry) -> Refused:
    return Refused(
        f"the template of `{difference.pipeline}` is gone, and no release kept here has it",
        where=difference.resource,
        fix=f"build commit {live.commit[:12]} again, then "
        f"`ecluse promote {environment.name} --release DIR --rerun "
        f"--pipeline {difference.pipeline}`",
    )
