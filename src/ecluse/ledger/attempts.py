"""The tries of one thing in one environment, counted in the evidence before each run."""

import json
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

    def begin(self, number: int, *, rerun_of: int | None = None) -> None:
        """Note an attempt. Whoever notes the same one at the same time joins its run.

        Args:
            number: the attempt's.
            rerun_of: where it is begun because somebody asked for a new run: the sequence of the
                pipeline's last entry then, 0 if it had none.

        """
        note: dict[str, Any] = {"run": self.run_id(number)}
        if rerun_of is not None:
            note["rerun_of"] = rerun_of
        self._cloud.storage.write_json_once(self._address(number), note)

    def rerun_of(self, number: int) -> int | None:
        """Return what the note of an attempt says by that name; none if it says nothing."""
        found = self._cloud.storage.read(self._address(number))
        try:
            sequence = json.loads(found.content)["rerun_of"] if found is not None else None
        except (ValueError, KeyError, TypeError):
            return None
        return sequence if isinstance(sequence, int) else None

    def _address(self, number: int) -> str:
        return f"{self._folder}/{number:04d}.json"

    def run_id(self, number: int) -> str:
        """Return the id of an attempt's run."""
        return naming.run_id(
            package=self._pipeline.package,
            environment=self._cloud.environment.name,
            subject=self._subject,
            attempt=number,
        )
