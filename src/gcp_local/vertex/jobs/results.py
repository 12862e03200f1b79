"""The outputs of a batch prediction: two files, as Vertex AI names them and shapes them.

`prediction.results-…` has what was predicted, `prediction.errors_stats-…` what could not be.
"""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from gcp_local.vertex.jobs.instances import Input

FORMATS = ("jsonl", "csv")
_SHARD = "00000-of-00001"


class Results:
    """Writes the files of one job into a folder, until they are closed.

    Attributes:
        predicted, failed: how many instances went either way.
        example: the error of the first that failed.

    """

    def __init__(self, folder: Path, form: str, *, keyed: bool) -> None:
        self.predicted = self.failed = 0
        self.example = ""
        self._as_table = form == "csv"
        self._name = "key" if keyed else "instance"
        self.paths = [
            folder / f"prediction.{each}-{_SHARD}" for each in ("results", "errors_stats")
        ]
        self._results, self._errors = (
            path.open("w", encoding="utf-8", newline="") for path in self.paths
        )
        self._columns: list[str] | None = None

    def close(self) -> None:
        """Write the files out."""
        self._results.close()
        self._errors.close()

    def predict(self, given: Input, prediction: Any) -> None:
        """Note what the model said of an input."""
        self.predicted += 1
        if not self._as_table:
            said = {self._name: given.shown, "prediction": prediction}
            self._results.write(json.dumps(said) + "\n")
            return
        writer = csv.writer(self._results)
        if self._columns is None:
            self._columns = list(given.columns)
            writer.writerow([*self._columns, "prediction"])
        cells = [given.columns.get(name) for name in self._columns]
        writer.writerow([_cell(value) for value in (*cells, prediction)])

    def fail(self, given: Input, code: int, message: str) -> None:
        """Note why there is no prediction for an input."""
        self.failed += 1
        self.example = self.example or message
        said = {self._name: given.shown, "error": {"code": code, "message": message}}
        self._errors.write(json.dumps(said) + "\n")


def _cell(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
