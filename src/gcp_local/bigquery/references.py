"""Names of datasets and of what is in them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, order=True)
class DatasetRef:
    """A dataset of a project."""

    project: str
    dataset: str

    def __str__(self) -> str:
        return f"{self.project}:{self.dataset}"

    def as_json(self) -> dict[str, str]:
        """Give the `DatasetReference`."""
        return {"projectId": self.project, "datasetId": self.dataset}

    def table(self, name: str) -> TableRef:
        """Name a table of it."""
        return TableRef(self.project, self.dataset, name)


@dataclass(frozen=True, order=True)
class TableRef:
    """A table, view, snapshot, model or routine of a dataset.

    Printed as BigQuery's messages and ids have it, `project:dataset.table`.
    """

    project: str
    dataset: str
    table: str

    def __str__(self) -> str:
        return f"{self.project}:{self.dataset}.{self.table}"

    @property
    def dotted(self) -> str:
        """The name as SQL has it."""
        return f"{self.project}.{self.dataset}.{self.table}"

    @property
    def parent(self) -> DatasetRef:
        """The dataset."""
        return DatasetRef(self.project, self.dataset)

    def as_json(self, noun: str = "table") -> dict[str, str]:
        """Give the `TableReference`, or with another noun the `ModelReference`, and so on."""
        return {"projectId": self.project, "datasetId": self.dataset, f"{noun}Id": self.table}

    @classmethod
    def from_json(cls, reference: dict[str, Any], noun: str = "table") -> TableRef:
        """Read a `TableReference`, all of whose fields are there."""
        return cls(reference["projectId"], reference["datasetId"], reference[f"{noun}Id"])
