"""Logs of failed tasks, brought from the embedded cloud to where people can open them."""

import re
from collections.abc import Iterable
from pathlib import Path

from ecluse.cloud.run import Run
from ecluse.workplace import Workplace

_LOG = re.compile(r"gs://\S+?/log\.txt")


def keep_logs(workplace: Workplace, environment: str, runs: Iterable[Run]) -> list[Path]:
    """Write the logs of failed tasks under .ecluse/logs and return the files.

    Only for the embedded cloud, whose objects no other tool on the machine can show; in Google's,
    Cloud Logging has them.
    """
    if not workplace.local:
        return []
    files = []
    for run in runs:
        for task in run.steps:
            address = _LOG.search(task.error) if task.state == "failed" else None
            if address is None:
                continue
            found = workplace.cloud(environment).storage.read(address[0])
            if found is not None:
                file = workplace.catalog.root / ".ecluse" / "logs" / run.id / f"{task.name}.txt"
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(found.content)
                files.append(file)
    return files
