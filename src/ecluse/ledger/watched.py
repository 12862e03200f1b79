"""What the watch has seen: how the first run by schedule of an activation ended.

LEDGER/watched/PIPELINE/000003.json   of the pipeline's third entry; written once
"""

from collections.abc import Collection, Mapping
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from ecluse.cloud import Cloud
from ecluse.errors import Refused


class Watched(BaseModel):
    """How the first run by schedule of an activation ended.

    Attributes:
        pipeline, sequence: which entry of the ledger the run was started for.
        digest: the compiled bytes that ran.
        run: the run's resource name.
        state: how it ended.
        ended: when.
        failure: why it failed, in the failed task's own words.

    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    pipeline: str
    sequence: int
    digest: str
    run: str
    state: Literal["succeeded", "failed"]
    ended: AwareDatetime
    failure: str = ""

    @property
    def run_id(self) -> str:
        """The last part of the run's resource name."""
        return self.run.rsplit("/", 1)[-1]


def note(cloud: Cloud, watched: Watched) -> None:
    """Keep how a run ended, unless that is kept already."""
    address = _address(cloud, watched.pipeline, watched.sequence)
    cloud.storage.write_json_once(address, watched.model_dump(mode="json"))


def noted(cloud: Cloud, entries: Collection[tuple[str, int]]) -> Mapping[tuple[str, int], Watched]:
    """Return what is kept of some entries, each named by its pipeline and sequence.

    Raises:
        Refused: an object is no such note.

    """
    addresses = {key: _address(cloud, *key) for key in entries}
    found = cloud.storage.read_many(addresses.values())
    return {
        key: _parsed(kept.content, address)
        for key, address in addresses.items()
        if (kept := found[address]) is not None
    }


def _address(cloud: Cloud, pipeline: str, sequence: int) -> str:
    return f"{cloud.environment.ledger}/watched/{pipeline}/{sequence:06d}.json"


def _parsed(content: bytes, address: str) -> Watched:
    try:
        return Watched.model_validate_json(content)
    except ValidationError:
        raise Refused(
            "what the watch noted cannot be read",
            where=address,
            fix=f"find out who wrote it; `gcloud storage rm {address}` has it noted anew",
        ) from None
