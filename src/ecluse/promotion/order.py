"""An order: which release is to be promoted where, and on whose behalf."""

from collections.abc import Mapping
from dataclasses import dataclass

from ecluse.cloud import Cloud
from ecluse.release.manifest import Release


@dataclass(frozen=True)
class Order:
    """What is promoted, and where.

    Attributes:
        release, files: the release and its compiled pipelines' bytes by file name.
        cloud: the environment.
        by: who promotes.
        version: the tag it is promoted as, if any.
        rerun: start a new attempt even where a finished run exists.
        detach: leave runs under way once they have started; a later promotion joins them.
        override: the reason for going on without a qualification or in a freeze, where somebody
            gave one.
        tool_image: what this promotion runs in, by digest, for triggers to run in, too; none where
            that is not known.

    """

    release: Release
    files: Mapping[str, bytes]
    cloud: Cloud
    by: str
    version: str | None = None
    rerun: bool = False
    detach: bool = False
    override: str = ""
    tool_image: str | None = None
