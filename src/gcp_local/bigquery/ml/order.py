"""What the server and the training's process agree on: the order, and the names of the files."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from gcp_local.bigquery.ml.options import Options
from gcp_local.bigquery.schema import Schema, read_schema

ORDER_FILE, DATA_FILE, INPUTS_FILE = "order.json", "data.arrow", "inputs.arrow"
MODEL_FILE, HOLDOUT_FILE, REFUSAL_FILE = "model.json", "holdout.parquet", "refusal.txt"


DEFAULT_FRACTION = 0.2


@dataclass(frozen=True)
class Split:
    """How to split.

    Attributes:
        method: as DATA_SPLIT_METHOD has it.
        fraction: of the rows that evaluate, where the method is RANDOM or SEQ.
        column: by which, where it is CUSTOM or SEQ.

    """

    method: str
    fraction: float
    column: str = ""


@dataclass(frozen=True)
class Order:
    """A training that is asked for.

    Attributes:
        options: of CREATE MODEL.
        split: how the rows are split.
        label_type: the REST API's name of the label's type.
        features: the columns that are trained on.
        inputs: the columns before TRANSFORM that it, or without one the model, is given.
        transform: see `TrainedModel.transform`; `target` likewise.

    """

    options: Options
    split: Split
    label_type: str
    features: Schema
    inputs: Schema
    transform: str = ""
    target: str = ""

    def save(self, path: Path) -> None:
        """Write it for `load`."""
        said = {
            **asdict(self),
            "features": [each.as_json() for each in self.features],
            "inputs": [each.as_json() for each in self.inputs],
        }
        path.write_text(json.dumps(said))

    @classmethod
    def load(cls, path: Path) -> Order:
        """Read what `save` wrote."""
        said = json.loads(path.read_text())
        return cls(
            Options(**said["options"]),
            Split(**said["split"]),
            said["label_type"],
            read_schema(said["features"]),
            read_schema(said["inputs"]),
            said["transform"],
            said["target"],
        )
