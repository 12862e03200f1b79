"""What a run needs from around it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gcp_local.containers.slots import Slots
    from gcp_local.orchestrator.artifacts import Artifact
    from gcp_local.orchestrator.cache import Cache
    from gcp_local.orchestrator.container import Stores
    from gcp_local.orchestrator.journal import Node


@dataclass(frozen=True)
class Setting:
    """What a run needs from around it.

    Attributes:
        root: the `gs://` prefix of the whole run.
        work: the run's own folder on this host.
        environment: the environment variables of every component.
        placeholders: the values of the job's placeholders.
        cache: what need not run again.
        known: gives the name of an artifact in ML Metadata that is like one to be imported.
        slots: taken by a container while it runs.
        fail_fast: after a failure nothing new is started.

    """

    root: str
    work: Path
    environment: Mapping[str, str]
    placeholders: Mapping[str, str]
    stores: Stores
    cache: Cache
    known: Callable[[str, Artifact], str | None]
    slots: Slots
    fail_fast: bool

    def placeholders_of(self, node: Node) -> dict[str, str]:
        """Give the values of the job's placeholders and the task's."""
        return {
            **self.placeholders,
            ".pipeline_task_name": node.name,
            ".pipeline_task_uuid": str(node.id),
        }
