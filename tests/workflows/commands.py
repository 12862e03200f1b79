"""The `ecluse` commands that workflows and builds type and documents show, taken out of them."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.workflows import strict_yaml

_TYPED = re.compile(r"\becluse ((?:\"[^\"]*\"|'[^']*'|[^\n)\"'|;&])+)")


def of_workflow(file: Path) -> Iterator[tuple[str, ...]]:
    """Yield the arguments of each `ecluse …` in a workflow's or an action's steps."""
    for step in steps_of(strict_yaml.load(file.read_text(encoding="utf-8"))):
        for typed in _TYPED.findall(step.get("run", "")):
            yield tuple(shlex.split(typed))


def of_build(file: Path) -> Iterator[tuple[str, ...]]:
    """Yield the arguments of each step of a build whose entrypoint is `ecluse`."""
    for step in strict_yaml.load(file.read_text(encoding="utf-8"))["steps"]:
        if step.get("entrypoint") == "ecluse":
            yield tuple(step["args"])


def of_document(file: Path) -> Iterator[tuple[str, ...]]:
    """Yield the arguments of each `ecluse …` that a document shows as a command."""
    for typed in re.findall(
        r"(?:^|`)(?:uv run )?ecluse ([^`\n]+)", file.read_text(encoding="utf-8"), flags=re.MULTILINE
    ):
        yield tuple(shlex.split(typed))


def steps_of(document: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the steps of a workflow's jobs, or of a composite action."""
    if "runs" in document:
        return list(document["runs"]["steps"])
    return [step for job in document["jobs"].values() for step in job.get("steps", [])]
