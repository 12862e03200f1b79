from __future__ import annotations

import warnings
from pathlib import Path

from gcp_local.bigquery.engine import Engine


def test_a_statement_warns_of_nothing(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rows = Engine(tmp_path).run("SELECT $1 AS a", {}, [4])
    assert rows.to_pylist() == [{"a": 4}]
