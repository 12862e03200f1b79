"""Qualifications: signed evidence that a pipeline passed its gates in an environment.

One object a subject (compiled bytes, settings and runtime image together), written once:

    EVIDENCE/qualifications/PIPELINE/SUBJECT.json
    {"evidence": {…}, "key": "projects/…/cryptoKeyVersions/1", "signature": "base64"}

The signature (ECDSA P-256 over the evidence's canonical JSON, by Cloud KMS) is verified with the
key that the environment's settings name, never with the one that the object names.
"""

import base64
import binascii
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from ecluse.canonical import canonical_json, short
from ecluse.cloud import Cloud
from ecluse.errors import NotQualified
from ecluse.release import Digest, ImageReference, ReleasedPipeline


class Evidence(BaseModel):
    """What passed where: digest, release, run, metrics, verdicts, who, when.

    Attributes:
        subject: one digest for the four fields after it.
        release: the manifest's digest.
        run: the qualifying run's resource name.

    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["ecluse.qualification/1"] = "ecluse.qualification/1"
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
    at: datetime
    by: str

    def signed_content(self) -> bytes:
        """Return the bytes that are signed."""
        return canonical_json(self.model_dump(mode="json"))


class Qualifications:
    """The qualifications of one environment."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._environment = cloud.environment

    def address(self, pipeline: ReleasedPipeline) -> str:
        """Return where the qualification of a pipeline's bytes, settings and image is."""
        subject = pipeline.subject.removeprefix("sha256:")
        return f"{self._environment.evidence}/qualifications/{pipeline.name}/{subject}.json"

    def record(self, pipeline: ReleasedPipeline, evidence: Evidence) -> str:
        """Sign and write evidence; keep what is there if the same subject qualified before.

        Returns:
            The object's address.

        """
        key = self._environment.signing_key
        signature = self._cloud.keys.sign(key, evidence.signed_content())
        envelope = {
            "evidence": evidence.model_dump(mode="json"),
            "key": key,
            "signature": base64.b64encode(signature).decode(),
        }
        address = self.address(pipeline)
        self._cloud.storage.write_json_once(address, envelope)
        return address

    def verified(self, pipeline: ReleasedPipeline) -> Evidence:
        """Return the valid evidence for a pipeline's bytes, settings and image.

        Raises:
            NotQualified: there is none, or its signature or any of its claims is wrong.

        """
        address = self.address(pipeline)
        found = self._cloud.storage.read(address)
        if found is None:
            raise NotQualified(
                f"`{pipeline.name}` ({short(pipeline.digest)}, with these settings and image) "
                f"did not qualify in {self._environment.name}",
                where=address,
                fix=f"promote its release to {self._environment.name} first",
            )
        public_key = self._cloud.keys.public_key(self._environment.signing_key)
        evidence = _opened(found.content, public_key, address)
        _refuse_other_claims(evidence, pipeline, self._environment.name, address)
        return evidence


def _opened(content: bytes, public_key: str, address: str) -> Evidence:
    from ecluse.cloud.keys import verifies

    try:
        envelope = json.loads(content)
        evidence = Evidence.model_validate(envelope["evidence"])
        signature = base64.b64decode(envelope["signature"], validate=True)
    except (ValueError, KeyError, TypeError, ValidationError, binascii.Error):
        raise NotQualified("is no qualification", where=address, fix=_ALTERED) from None
    if not verifies(public_key, evidence.signed_content(), signature):
        raise NotQualified(
            "the signature does not fit: the evidence was altered, or signed with another key",
            where=address,
            fix=_ALTERED,
        )
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
                fix=_ALTERED,
            )
    if not all(verdict.get("passed") is True for verdict in evidence.verdicts):
        raise NotQualified("the evidence holds a verdict that did not pass", where=address)


_ALTERED = "find out who wrote it; qualify again from the release's commit"
