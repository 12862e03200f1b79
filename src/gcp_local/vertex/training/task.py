"""What every kind of training task has in common, whatever it trains."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from gcp_local.rpc.protos import Message


@dataclass(frozen=True)
class Produced:
    """What a training task gave.

    Attributes:
        model: the Model to upload, if there is one.
        details: what is said of it once it is uploaded, in fields that are the service's own.
        evaluation: its ModelEvaluation, if it was evaluated.
        slices: ModelEvaluationSlices of that evaluation.
        metadata: of the task, for `training_task_metadata`.

    """

    model: Message | None = None
    details: Message | None = None
    evaluation: Message | None = None
    slices: Sequence[Message] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)


class Task(Protocol):
    """One pipeline's training."""

    @property
    def model(self) -> Message | None:
        """The Model that will be uploaded, as far as it is known before; None: none will be."""
        ...

    def run(self, tell: Callable[[Mapping[str, Any]], None]) -> Produced:
        """Train, and return when it is done.

        Args:
            tell: takes the task's metadata as far as they are known while it runs; the pipeline
                is RUNNING from the first call on.

        Raises:
            StoppedError: it was stopped.
            ApiError: it failed.

        """
        ...

    def stop(self, *, closing: bool = False) -> None:
        """Ask it to end, maybe before it runs. Returns at once.

        Args:
            closing: the server ends; nobody cancelled it.

        """
        ...
