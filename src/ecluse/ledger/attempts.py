"""The tries of one thing in one environment, counted in the evidence before each run."""

import re
from collections.abc import Mapping
from typing import Any

from ecluse import naming
from ecluse.canonical import digest_of_value
from ecluse.cloud import Cloud
from ecluse.release.manifest import ReleasedPipeline

_ATTEMPT = re.compile(r"/([0-9]{4,9})\.json$")


class Attempts:
    """The tries of one thing: EVIDENCE/attempts/PIPELINE/SUBJECT/0001.json and so on.

    The thing is the compiled bytes with these parameters and job settings: the same again is the
    same run, which a promotion joins or takes as it ended, instead of paying for another.
    """

    def __init__(
        self, cloud: Cloud, pipeline: ReleasedPipeline, parameters: Mapping[str, Any]
    ) -> None:
        self._cloud = cloud
        self._pipeline = pipeline
        environment = cloud.environment
        self._subject = digest_of_value(
            {
                "subject": pipeline.subject,
                "parameters": dict(parameters),
                "service_account": environment.service_account,
                "bucket": environment.bucket,
                "network": environment.network,
                "encryption_key": environment.encryption_key,
            }
        )
        self._folder = (
            f"{cloud.environment.evidence}/attempts/{pipeline.name}"
            f"/{self._subject.removeprefix('sha256:')}"
        )

    def last(self) -> int:
        """Return the number of the last attempt; 0 if there was none."""
        numbers = [
            int(match[1])
            for address in self._cloud.storage.list(f"{self._folder}/")
            if (match := _ATTEMPT.search(address))
        ]
        return max(numbers, default=0)

    def begin(self, number: int) -> None:
        """Note an attempt. Whoever notes the same one at the same time joins its run."""
        self._cloud.storage.write_json_once(
            f"{self._folder}/{number:04d}.json", {"run": self.run_id(number)}
        )

    def run_id(self, number: int) -> str:
        """Return the id of an attempt's run."""
        return naming.run_id(
            package=self._pipeline.package,
            environment=self._cloud.environment.name,
            subject=self._subject,
            attempt=number,
        )
