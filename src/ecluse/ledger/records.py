"""The ledger: what is live in an environment, since when, by whom, on which evidence.

    LEDGER/head.json                          the present: the last entry of every pipeline
    EVIDENCE/history/PIPELINE/000003-….json   the past: every entry, written once, each naming the
                                              one before it

The head is the only object that changes, by compare-and-swap on its generation: a lost update is
impossible, and what several pipelines do together becomes visible together. An entry is written to
the history first, so that whatever the head says has its history; what no head ever named (its
writer was killed in between) belongs to no history, and is found by nobody.
"""

import json
import uuid
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal, TypeVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from ecluse.canonical import digest_of_value
from ecluse.cloud.storage import PreconditionFailed, Storage
from ecluse.errors import CloudError, LeaseLost, LedgerMoved, Refused
from ecluse.release.manifest import Digest, ImageReference
from ecluse.repository.settings import Environment, PipelineSettings

ABSENT = 0
"""The generation of a head that does not exist yet."""

_SIDE_BY_SIDE = 16
_Model = TypeVar("_Model", bound=BaseModel)


class Entry(BaseModel):
    """One activation, retirement or rollback of a pipeline.

    Attributes:
        sequence: 1 for a pipeline's first entry in this environment. The ledger sets it.
        previous: the address of the entry before; none for the first. The ledger sets it.
        token: the fencing token of the lease that it was written under. The ledger sets it.
        action: what happened to the pipeline here.
        package: the registry's name for it.
        digest: the compiled bytes that are live since.
        code_digest, runtime_image, compiler, settings: what the next plan compares with.
        sources_digest: the same of the files behind it; none in entries of older releases.
        settings_digest: sha256 of `settings`.
        declared: the names of its runtime parameters.
        parameters: what its runs are given here, placeholders of the release left empty.
        release: the digest of the manifest that it came from.
        commit: of the release it came from.
        version: the tag it was promoted as, if it was.
        run: the resource name of the run that qualified it here.
        metrics: that run's metrics: the champion's, for the next gate.
        smoke: whether it was a quick run on sample data; the metrics are then the ones before.
        models: the registered model versions that this run made, by resource name.
        qualification: the evidence's address.
        at: when.
        by: who.
        reason: why, in a person's words, where one was asked for.
        override: the reason with which a missing qualification or a freeze was overridden.
        break_glass: the reason with which a person did this past the usual way.
        freeze: the freeze window in which it was done nevertheless, in words.
        restores: what a rollback made so again: the sequence of that entry; 0 for the time before
            the first one. None for whatever a promotion did.

    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    sequence: int = 0
    previous: str | None = None
    token: int = 0
    action: Literal["activate", "retire", "rollback"]
    package: str
    digest: Digest
    code_digest: Digest
    sources_digest: Digest | None = None
    runtime_image: ImageReference | None
    compiler: str
    settings: dict[str, Any]
    settings_digest: Digest
    declared: tuple[str, ...]
    parameters: dict[str, Any]
    release: Digest
    commit: str
    version: str | None
    run: str
    metrics: dict[str, float]
    smoke: bool = False
    models: tuple[str, ...] = ()
    qualification: str
    at: AwareDatetime
    by: str
    reason: str = ""
    override: str = ""
    break_glass: str = ""
    freeze: str = ""
    restores: int | None = None

    @property
    def is_live(self) -> bool:
        """Whether the pipeline is live with this entry."""
        return self.action != "retire"

    def parsed_settings(self) -> PipelineSettings:
        """Return the frozen settings as the model that people's files are read into."""
        return PipelineSettings.model_validate({"description": "", **self.settings})

    @property
    def exceptions(self) -> tuple[str, ...]:
        """What was done past a check to make this so, in words: every report shows them."""
        said = {"break-glass": self.break_glass, "override": self.override, "freeze": self.freeze}
        return tuple(f"{name}: {why}" for name, why in said.items() if why)


class Head(BaseModel):
    """The present of an environment.

    Attributes:
        environment: its name.
        fence: the greatest fencing token that ever wrote here; who has a lesser one is refused.
        nonce: tells this head from any other: whose write it was that went through.
        pipelines: the last entry of every pipeline that ever was live, retired ones too.
        generation: the object's, as it was read.

    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    environment: str
    fence: int = 0
    nonce: str = ""
    pipelines: dict[str, Entry] = Field(default_factory=dict)
    generation: int = Field(default=ABSENT, exclude=True)

    def live(self, pipeline: str) -> Entry | None:
        """Return what is live of a pipeline; none if nothing ever was, or it was retired."""
        last = self.pipelines.get(pipeline)
        return last if last is not None and last.is_live else None

    @property
    def all_live(self) -> dict[str, Entry]:
        """What is live, by pipeline."""
        return {name: entry for name, entry in self.pipelines.items() if entry.is_live}


class Ledger:
    """The ledger of one environment."""

    def __init__(self, storage: Storage, environment: Environment) -> None:
        self._storage = storage
        self._environment = environment.name
        self._head = f"{environment.ledger}/head.json"
        self._history = f"{environment.evidence}/history"

    def head(self) -> Head:
        """Return the present, in one read; an empty head where nothing was ever promoted.

        Raises:
            Refused: the object is no head of this environment, or was deleted.

        """
        found = self._storage.read(self._head)
        if found is None:
            # A holder of the lease writes the head before anything goes into the history.
            if self._storage.has_any(f"{self._history}/"):
                raise Refused(
                    "the ledger's head was deleted: there is a history, and nothing says what is "
                    "live",
                    where=self._head,
                    fix=restore(self._head),
                )
            return Head(environment=self._environment)
        head = _parsed(Head, found.content, self._head)
        if head.environment != self._environment:
            raise Refused(
                f"the ledger is that of {head.environment}",
                where=self._head,
                fix=restore(self._head),
            )
        return head.model_copy(update={"generation": found.generation})

    def fence(self, token: int) -> Head:
        """Shut out whoever holds an older lease, and return the head that says so.

        After this no writer with a lesser token can change the head: its generation is another,
        and what it says is a greater fence.

        Raises:
            LeaseLost: somebody with a greater token was here already.

        """
        while True:
            head = self.head()
            _refuse_lesser(token, head, self._head)
            if head.fence == token:
                return head
            try:
                return self._swap(head, head.model_copy(update={"fence": token}))
            except LedgerMoved:
                continue  # the one before wrote its last; look again

    def commit(self, head: Head, entries: Mapping[str, Entry], *, token: int) -> Head:
        """Make entries the present of their pipelines, all together: compare and swap.

        Args:
            head: the present, as it was read.
            entries: by pipeline; sequence, previous and token are filled in here.
            token: the fencing token of the writer's lease.

        Returns:
            The new head.

        Raises:
            LedgerMoved: the head changed since it was read.
            LeaseLost: it was changed by the holder of a newer lease.
            CloudError: it could not be written, or nobody can tell whether it was.

        """
        _refuse_lesser(token, head, self._head)
        chained = {name: self._chained(head, name, entry, token) for name, entry in entries.items()}
        documents = [
            (self._address(name, entry), entry.model_dump(mode="json"))
            for name, entry in chained.items()
        ]
        with ThreadPoolExecutor(min(_SIDE_BY_SIDE, max(1, len(documents)))) as pool:
            list(pool.map(lambda item: self._storage.write_json_once(*item), documents))
        changed = head.model_copy(
            update={"fence": token, "pipelines": {**head.pipelines, **chained}}
        )
        return self._swap(head, changed)

    def history(self, pipeline: str, *, head: Head | None = None) -> Iterator[Entry]:
        """Yield a pipeline's entries, the newest first, each read when it is asked for.

        Raises:
            Refused: an entry that another one names is not there, or was altered.

        """
        entry = (head or self.head()).pipelines.get(pipeline)
        while entry is not None:
            yield entry
            entry = self._read_entry(entry.previous) if entry.previous is not None else None

    def _chained(self, head: Head, pipeline: str, entry: Entry, token: int) -> Entry:
        last = head.pipelines.get(pipeline)
        return entry.model_copy(
            update={
                "sequence": last.sequence + 1 if last is not None else 1,
                "previous": self._address(pipeline, last) if last is not None else None,
                "token": token,
            }
        )

    def _address(self, pipeline: str, entry: Entry) -> str:
        digest = digest_of_value(entry.model_dump(mode="json")).removeprefix("sha256:")
        return f"{self._history}/{pipeline}/{entry.sequence:06d}-{digest[:16]}.json"

    def _read_entry(self, address: str) -> Entry:
        found = self._storage.read(address)
        if found is None:
            raise Refused("an entry of the history is missing", where=address, fix=restore(address))
        entry = _parsed(Entry, found.content, address)
        pipeline = address.rsplit("/", 2)[1]
        if self._address(pipeline, entry) != address:
            raise Refused(
                "an entry of the history was altered",
                where=address,
                fix=f"{restore(address)}; and find out who wrote the last",
            )
        return entry

    def _swap(self, head: Head, changed: Head) -> Head:
        """Write a head in place of the one that was read."""
        changed = changed.model_copy(update={"nonce": uuid.uuid4().hex})
        content = json.dumps(
            changed.model_dump(mode="json"), sort_keys=True, indent=1, ensure_ascii=False
        ).encode()
        try:
            generation = self._storage.write(self._head, content, if_generation=head.generation)
        except (PreconditionFailed, CloudError) as error:
            now = self.head()
            if now.nonce == changed.nonce:
                return now  # the write went through, and only its answer was lost
            if isinstance(error, CloudError):
                raise
            _refuse_lesser(changed.fence, now, self._head)
            raise LedgerMoved(
                "the ledger was changed by somebody else in the meantime",
                where=self._head,
                fix=f"look with `ecluse status {self._environment}`, then run the same again",
            ) from None
        return changed.model_copy(update={"generation": generation})


def _refuse_lesser(token: int, head: Head, where: str) -> None:
    if token < head.fence:
        raise LeaseLost(
            f"the lease was taken over: its fencing token was {token}, the ledger is at "
            f"{head.fence}",
            where=where,
            fix=f"look with `ecluse status {head.environment}`, then run the same again",
        )


def _parsed(model: type[_Model], content: bytes, where: str) -> _Model:
    try:
        return model.model_validate_json(content)
    except ValidationError as error:
        problem = error.errors()[0]
        field = ".".join(str(part) for part in problem["loc"])
        said = f"{field}: {problem['msg']}" if field else problem["msg"]
        raise Refused(
            f"the ledger cannot be read: {said}", where=where, fix=restore(where)
        ) from None


def restore(address: str) -> str:
    """Return the commands that bring an object's last good generation back; buckets keep them."""
    return (
        f"`gcloud storage ls --all-versions {address}` lists its generations; bring the last good "
        f"one back with `gcloud storage cp {address}#GENERATION {address}`"
    )
