"""Qualifications: signed evidence that a pipeline passed its gates in an environment.

One signed object a run, written once: EVIDENCE/qualifications/PIPELINE/SUBJECT/RUN.json. A subject
is compiled bytes, settings and runtime image together; any valid evidence for it will do.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from ecluse import clock
from ecluse.canonical import short
from ecluse.cloud import Cloud
from ecluse.cloud.signing import opened, signed
from ecluse.errors import NotQualified
from ecluse.release.manifest import Digest, ImageReference, ReleasedPipeline


class Evidence(BaseModel):
    """What passed where: digest, release, run, metrics, verdicts, who, when.

    Attributes:
        subject: one digest for the four fields after it.
        release: the manifest's digest.
        run: the qualifying run's resource name.
        smoke: whether that was the quick run on sample data that a mass change is proved by.

    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["ecluse.ledger.qualification/1"] = "ecluse.ledger.qualification/1"
    environment: str
    subject: Digest
    pipeline: str
    digest: Digest
    settings_digest: Digest
    runtime_image: ImageReference | None
    release: Digest
    commit: str
    run: str
    metrics: dict[str, float]
    verdicts: tuple[dict[str, Any], ...]
    smoke: bool = False
    at: datetime
    by: str


class Qualifications:
    """The qualifications of one environment."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._environment = cloud.environment

    def record(self, pipeline: ReleasedPipeline, evidence: Evidence) -> str:
        """Sign and write evidence, unless the same run's is there, and verify what is there now.

        Returns:
            The object's address.

        Raises:
            NotQualified: something else is in its place.

        """
        address = f"{self._folder(pipeline)}/{evidence.run.rsplit('/', 1)[-1]}.json"
        envelope = signed(self._cloud, evidence.model_dump(mode="json"))
        kept = self._cloud.storage.write_json_once(address, envelope)
        self._opened(pipeline, kept, address)
        return address

    def verified(self, pipeline: ReleasedPipeline, *, max_age: timedelta | None = None) -> Evidence:
        """Return valid evidence for a pipeline's bytes, settings and image.

        Args:
            pipeline: what it has to vouch for.
            max_age: how old it may be; none for any age.

        Raises:
            NotQualified: there is none, or all there is has a wrong signature or claim, or is too
                old.

        """
        folder = self._folder(pipeline)
        problem = NotQualified(
            f"`{pipeline.name}` ({short(pipeline.digest)}, with these settings and image) "
            f"did not qualify in {self._environment.name}",
            where=folder,
            fix=f"promote its release to {self._environment.name} first",
        )
        for address in self._cloud.storage.list(f"{folder}/"):
            found = self._cloud.storage.read(address)
            try:
                if found is not None:
                    evidence = self._opened(pipeline, found.content, address)
                    self._refuse_old(evidence, max_age, address)
                    return evidence
            except NotQualified as invalid:
                problem = invalid
        raise problem

    def _refuse_old(self, evidence: Evidence, max_age: timedelta | None, address: str) -> None:
        now = clock.now()
        if max_age is not None and now - evidence.at > max_age:
            raise NotQualified(
                f"`{evidence.pipeline}` qualified in {self._environment.name} "
                f"{clock.age(evidence.at, now)} ago; at most {clock.duration(max_age)} is allowed",
                where=address,
                fix=f"qualify it anew: `ecluse promote {self._environment.name} --rerun --commit "
                f"{evidence.commit} --pipeline {evidence.pipeline}`",
            )

    def _folder(self, pipeline: ReleasedPipeline) -> str:
        subject = pipeline.subject.removeprefix("sha256:")
        return f"{self._environment.evidence}/qualifications/{pipeline.name}/{subject}"

    def _opened(self, pipeline: ReleasedPipeline, envelope: bytes, address: str) -> Evidence:
        document = opened(self._cloud, envelope, address)
        try:
            evidence = Evidence.model_validate(document)
        except ValidationError:
            raise NotQualified("is no qualification", where=address) from None
        _refuse_other_claims(evidence, pipeline, self._environment.name, address)
        return evidence


def _refuse_other_claims(
    evidence: Evidence, pipeline: ReleasedPipeline, environment: str, address: str
) -> None:
    expected: Mapping[str, Any] = {
        "environment": environment,
        "pipeline": pipeline.name,
        "subject": pipeline.subject,
        "digest": pipeline.digest,
        "settings_digest": pipeline.settings_digest,
        "runtime_image": pipeline.runtime_image,
    }
    for name, value in expected.items():
        if getattr(evidence, name) != value:
            raise NotQualified(
                f"the evidence is for another {name.replace('_', ' ')}: "
                f"{getattr(evidence, name)}, not {value}",
                where=address,
                fix="qualify this one",
            )
    # A warning is kept in the evidence for whoever reads it, and refuses nothing.
    if not all(
        verdict.get("passed") is True or verdict.get("severity") == "warning"
        for verdict in evidence.verdicts
    ):
        raise NotQualified("the evidence holds a verdict that did not pass", where=address)
