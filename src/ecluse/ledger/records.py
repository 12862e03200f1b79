"""The ledger: per environment and pipeline, what is live, since when, by whom, on which evidence.

One object in Cloud Storage a pipeline, `PIPELINE.json`, holds the whole history. It changes only by
compare-and-swap on the object's generation, so that a lost update is impossible and a reader never
sees half an entry.
"""

import json
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from ecluse.cloud.storage import PreconditionFailed, Storage
from ecluse.errors import LedgerMoved, Refused
from ecluse.release.manifest import Digest, ImageReference

ABSENT = 0
"""The generation of a record that does not exist yet."""


class Entry(BaseModel):
    """One activation or retirement.

    Attributes:
        sequence: 1 for a pipeline's first entry in this environment.
        action: what happened to the pipeline here.
        package: the registry's name for it.
        digest: the compiled bytes that are live since.
        code_digest, runtime_image, compiler, settings: what the next plan compares with.
        settings_digest: sha256 of `settings`.
        parameters: what its runs are given here, placeholders of the release left empty.
        commit: of the release it came from.
        version: the tag it was promoted as, if it was.
        run: the resource name of the run that qualified it here.
        metrics: that run's metrics: the champion's, for the next gate.
        qualification: the evidence's address.
        at: when.
        by: who.

    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    sequence: int
    action: Literal["activate", "retire"]
    package: str
    digest: Digest
    code_digest: Digest
    runtime_image: ImageReference | None
    compiler: str
    settings: dict[str, Any]
    settings_digest: Digest
    parameters: dict[str, Any]
    commit: str
    version: str | None
    run: str
    metrics: dict[str, float]
    qualification: str
    at: AwareDatetime
    by: str


class Record(BaseModel):
    """All that happened to one pipeline in one environment, oldest first."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    environment: str
    pipeline: str
    entries: tuple[Entry, ...] = ()
    generation: int = Field(default=ABSENT, exclude=True)

    @property
    def live(self) -> Entry | None:
        """What is live now; none if nothing ever was, or the pipeline was retired."""
        last = self.entries[-1] if self.entries else None
        return last if last is not None and last.action == "activate" else None

    @property
    def next_sequence(self) -> int:
        """The sequence number of the entry that would come next."""
        return len(self.entries) + 1


class Ledger:
    """The records of one environment."""

    def __init__(self, storage: Storage, address: str, environment: str) -> None:
        self._storage = storage
        self._address = address.rstrip("/")
        self._environment = environment

    def read(self, pipeline: str) -> Record:
        """Return one pipeline's record, empty if there is none."""
        found = self._storage.read(self._object(pipeline))
        if found is None:
            return Record(environment=self._environment, pipeline=pipeline)
        return self._parsed(pipeline, found.content, found.generation)

    def read_all(self) -> Mapping[str, Record]:
        """Return every pipeline's record by its name."""
        records = {}
        for address in self._storage.list(f"{self._address}/live/"):
            pipeline = address.rsplit("/", 1)[1].removesuffix(".json")
            record = self.read(pipeline)
            if record.generation != ABSENT:
                records[pipeline] = record
        return records

    def append(self, record: Record, entry: Entry) -> Record:
        """Add an entry to a record as it was read: compare and swap.

        Raises:
            LedgerMoved: the record changed since it was read.

        """
        changed = record.model_copy(update={"entries": (*record.entries, entry)})
        content = json.dumps(
            changed.model_dump(mode="json"), sort_keys=True, indent=1, ensure_ascii=False
        ).encode()
        try:
            generation = self._storage.write(
                self._object(record.pipeline), content, if_generation=record.generation
            )
        except PreconditionFailed:
            now = self.read(record.pipeline)
            if now.entries == changed.entries:
                return now  # the write went through, and only its answer was lost
            raise LedgerMoved(
                f"`{record.pipeline}` was changed by somebody else in the meantime",
                where=self._object(record.pipeline),
                fix=f"look with `ecluse status {self._environment}`, then promote again",
            ) from None
        return changed.model_copy(update={"generation": generation})

    def _object(self, pipeline: str) -> str:
        return f"{self._address}/live/{pipeline}.json"

    def _parsed(self, pipeline: str, content: bytes, generation: int) -> Record:
        try:
            record = Record.model_validate_json(content)
        except ValidationError as error:
            problem = error.errors()[0]
            raise Refused(
                f"the ledger cannot be read: {problem['loc']}: {problem['msg']}",
                where=self._object(pipeline),
                fix="restore the object's last good generation",
            ) from None
        if (record.environment, record.pipeline) != (self._environment, pipeline):
            raise Refused(
                f"the ledger is of `{record.pipeline}` in {record.environment}",
                where=self._object(pipeline),
                fix="restore the object's last good generation",
            )
        return record.model_copy(update={"generation": generation})
