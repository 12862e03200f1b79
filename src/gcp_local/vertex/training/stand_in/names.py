"""What the server and the training's process agree on: the specification and the files' names."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from gcp_local.vertex.training.inputs import TabularInputs, Transformation
from gcp_local.vertex.training.splits import Split

if TYPE_CHECKING:
    from collections.abc import Sequence

MODEL_FILE, REPORT_FILE, REFUSAL_FILE = "model.json", "report.json", "refusal.txt"


@dataclass(frozen=True)
class Specification:
    """What to train: the files by their names, AutoML's inputs, the split."""

    files: tuple[tuple[str, str], ...]
    inputs: TabularInputs
    split: Split

    def with_files(self, files: Sequence[tuple[str, str]]) -> Specification:
        """Give the same with these files."""
        return replace(self, files=tuple(files))

    def save(self, path: Path) -> None:
        """Write it for `load`."""
        path.write_text(json.dumps(asdict(self)))

    @classmethod
    def load(cls, path: Path) -> Specification:
        """Read what `save` wrote."""
        said = json.loads(path.read_text())
        inputs, split = said["inputs"], said["split"]
        listed = tuple(Transformation(**each) for each in inputs.pop("transformations"))
        return cls(
            files=tuple((name, file) for name, file in said["files"]),
            inputs=TabularInputs(transformations=listed, **inputs),
            split=Split(split["kind"], tuple(split["fractions"]), split["key"]),
        )
