from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from google.cloud.bigquery import Client, Dataset, QueryJob, QueryJobConfig

Run = Callable[[str], QueryJob]
Rows = Callable[[str], list[tuple[Any, ...]]]


@pytest.fixture
def run(client: Client, dataset: Dataset) -> Run:
    """Run a text in the test's dataset, to its end."""
    config = QueryJobConfig(default_dataset=dataset.reference)

    def run(text: str) -> QueryJob:
        job = client.query(text, job_config=config, job_retry=None)
        job.result()
        return job

    return run


@pytest.fixture
def rows(client: Client, dataset: Dataset) -> Rows:
    """Give the rows of a query in the test's dataset."""
    config = QueryJobConfig(default_dataset=dataset.reference)

    def rows(text: str) -> list[tuple[Any, ...]]:
        job = client.query(text, job_config=config, job_retry=None)
        return [tuple(row.values()) for row in job.result()]

    return rows
