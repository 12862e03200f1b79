from __future__ import annotations

import warnings
from pathlib import Path

import pytest

from gcp_local.bigquery.engine import Cancellation, Engine
from gcp_local.bigquery.errors import BigQueryError


def test_a_statement_warns_of_nothing(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rows = Engine(tmp_path).run("SELECT $1 AS a", {}, [4])
    assert rows.to_pylist() == [{"a": 4}]


def test_an_end_that_is_asked_for_while_something_begins_is_told() -> None:
    class Late(Cancellation):
        def check(self) -> None:
            super().check()
            if not self.cancelled:
                self.cancel()

    told: list[str] = []
    with Late().telling(lambda: told.append("end")):
        pass

    assert told


def test_what_begins_after_the_end_was_asked_for_is_stopped() -> None:
    cancellation = Cancellation()
    cancellation.cancel("enough")

    with pytest.raises(BigQueryError, match="enough"), cancellation.telling(lambda: None):
        pass
