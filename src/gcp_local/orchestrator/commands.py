"""The command shapes that the KFP compiler writes around a Python function.

A lightweight component's command is, word for word,

    [sh -c INSTALL]  sh -ec LAUNCH SOURCE  --executor_input JSON --function_to_execute NAME

where INSTALL (left out with `install_kfp_package=False`) installs packages at the start of every
run. On Vertex AI that happens in a throw-away container. Here it would change the Python that
everything else runs in, so nothing is installed: if all is there already the prefix is dropped,
if not the task fails and says what is missing.
"""

from __future__ import annotations

import re
import shlex
from importlib import metadata
from typing import TYPE_CHECKING

from gcp_local.orchestrator.states import TaskFailedError

if TYPE_CHECKING:
    from collections.abc import Sequence

_INSTALL = re.compile(
    r"\s*if ! \[ -x \"\$\(command -v pip\)\" \]; then.*?\nfi\s+"
    r"PIP_DISABLE_PIP_VERSION_CHECK=1 (?P<install>.*) && \"\$0\" \"\$@\"\s*",
    re.DOTALL,
)


def without_satisfied_install(command: Sequence[str]) -> tuple[str, ...]:
    """Drop the installing prefix of a lightweight component's command.

    Raises:
        TaskFailedError: it would install something that is not there.

    """
    if len(command) < 4 or tuple(command[:2]) != ("sh", "-c"):
        return tuple(command)
    match = _INSTALL.fullmatch(command[2])
    if match is None:
        return tuple(command)
    missing = [item for item in _requirements(match["install"]) if not _satisfied(item)]
    if missing:
        raise TaskFailedError(
            f"The component installs {', '.join(missing)} at run time. The embedded cloud installs"
            " nothing into the Python it runs in: put it into that environment beforehand."
        )
    return tuple(command[3:])


def _requirements(install: str) -> list[str]:
    """List what `pip install … && pip install …` names."""
    found = []
    for line in install.split("&&"):
        words = iter(shlex.split(line))
        for word in words:
            if word in {"--index-url", "--extra-index-url", "--trusted-host"}:
                next(words, None)
            elif not word.startswith("-") and word not in {"python3", "pip", "install"}:
                found.append(word)
    return found


def _satisfied(requirement: str) -> bool:
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        wanted = Requirement(requirement)
        if wanted.marker is not None and not wanted.marker.evaluate():
            return True
        return wanted.specifier.contains(metadata.version(wanted.name), prereleases=True)
    except (InvalidRequirement, metadata.PackageNotFoundError):
        return False
