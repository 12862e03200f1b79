"""INSERT, UPDATE, DELETE, MERGE and TRUNCATE TABLE."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest
from google.api_core.exceptions import BadRequest, GoogleAPICallError
from google.cloud.bigquery import Client, Dataset, QueryJobConfig

from tests.gcp_local.bigquery.sql.conftest import Rows, Run


@pytest.fixture
def people(run: Run) -> None:
    run("CREATE TABLE people (id INT64 NOT NULL, name STRING(8), paid NUMERIC(6, 2), born DATE)")
    run("INSERT INTO people (id, name) VALUES (1, 'Ada'), (2, 'Ben'), (3, NULL)")


@pytest.mark.usefixtures("people")
class TestOneTable:
    def test_an_insert_counts_its_rows(self, run: Run, rows: Rows) -> None:
        job = run("INSERT people (id, name) VALUES (4, 'Dan'), (5, 'Eve')")

        assert job.statement_type == "INSERT"
        assert job.num_dml_affected_rows == 2
        assert job.dml_stats == (2, 0, 0)
        assert rows("SELECT COUNT(*) AS n FROM people") == [(5,)]

    def test_values_become_what_the_columns_are(self, run: Run, rows: Rows) -> None:
        run("INSERT people (id, paid, born) VALUES (9, 1.005, '2024-02-29')")

        found = rows("SELECT paid, born, name FROM people WHERE id = 9")
        assert found == [(Decimal("1.01"), dt.date(2024, 2, 29), None)]

    def test_a_query_may_be_inserted(self, run: Run, rows: Rows) -> None:
        run("INSERT INTO people (id, name) SELECT id + 10, name FROM people WHERE id < 3")

        found = rows("SELECT id, name FROM people WHERE id > 10 ORDER BY id")
        assert found == [(11, "Ada"), (12, "Ben")]

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("INSERT people (name) VALUES ('x')", "Required field id cannot be null"),
            ("INSERT people (id) VALUES (NULL)", "Required field id cannot be null"),
            (
                "INSERT people (id, name) VALUES (1, 'much too long')",
                r"Field name: STRING\(8\) has maximum length 8 but got a value with length 13",
            ),
            ("INSERT people (id, paid) VALUES (1, 12345.6)", r"is not in range of \[-9999.99"),
            (
                "INSERT people (id) VALUES ('x')",
                "Value has type STRING which cannot be inserted into column id, which has type"
                r" INT64 at \[1:28\]",
            ),
            ("INSERT people (id, name) VALUES (1)", "wrong column count; Has 1, expected 2"),
            ("INSERT people (id) SELECT 1, 2", "wrong column count; Has 2, expected 1"),
            ("INSERT people (id, id) VALUES (1, 2)", "columns with duplicate name: id"),
            ("INSERT people (nobody) VALUES (1)", "Column nobody is not present in table"),
            (
                "INSERT people (id) SELECT name FROM people",
                "Query column 1 has type STRING which cannot be inserted into column id, which has"
                " type INT64",
            ),
            ("DELETE FROM people", r"DELETE must have a WHERE clause at \[1:1\]"),
            ("\n UPDATE people SET id = 1", r"UPDATE must have a WHERE clause at \[2:2\]"),
            ("UPDATE people SET born = 1 WHERE TRUE", "Value of type INT64 cannot be assigned to"),
            ("UPDATE people SET nobody = 1 WHERE TRUE", r"Unrecognized name: nobody at \[1:19\]"),
            ("UPDATE people SET id = 1, id = 2 WHERE TRUE", "assigned more than once"),
            ("UPDATE people SET id = NULL WHERE TRUE", "Required field id cannot be null"),
            ("UPDATE people SET WHERE TRUE", "Syntax error: Unexpected keyword WHERE at"),
        ],
    )
    def test_what_a_column_cannot_hold_is_refused(
        self, run: Run, rows: Rows, text: str, message: str
    ) -> None:
        with pytest.raises(BadRequest, match=message):
            run(text)

        assert rows("SELECT COUNT(*) AS n FROM people") == [(3,)]

    def test_an_update_changes_the_rows_that_it_means(self, run: Run, rows: Rows) -> None:
        job = run("UPDATE people AS p SET name = 'Cleo', paid = p.id WHERE p.name IS NULL")

        assert job.dml_stats == (0, 0, 1)
        assert rows("SELECT id, name, paid FROM people ORDER BY id") == [
            (1, "Ada", None),
            (2, "Ben", None),
            (3, "Cleo", Decimal(3)),
        ]

    def test_an_update_reads_other_tables(self, run: Run, rows: Rows) -> None:
        run("CREATE TABLE names AS SELECT 1 AS id, 'Anna' AS name UNION ALL SELECT 2, 'Bea'")
        run("UPDATE people p SET p.name = n.name FROM names n WHERE p.id = n.id")

        assert rows("SELECT name FROM people ORDER BY id") == [("Anna",), ("Bea",), (None,)]

    def test_a_row_is_changed_by_one_other_row_at_most(self, run: Run) -> None:
        with pytest.raises(BadRequest, match="at most one source row for each target row"):
            run("UPDATE people p SET name = q.name FROM people q WHERE p.id = 1")

    def test_a_delete_takes_rows_away(self, run: Run, rows: Rows) -> None:
        job = run("DELETE people WHERE id IN (SELECT MAX(id) FROM people)")

        assert job.num_dml_affected_rows == 1
        assert rows("SELECT id FROM people ORDER BY id") == [(1,), (2,)]

    def test_null_is_not_true(self, run: Run) -> None:
        assert run("DELETE people WHERE name = 'Ada' AND born > '2000-01-01'").dml_stats == (
            0,
            0,
            0,
        )

    def test_truncating_leaves_the_table(self, run: Run, rows: Rows) -> None:
        job = run("TRUNCATE TABLE people")

        assert (job.statement_type, job.dml_stats) == ("TRUNCATE_TABLE", (0, 3, 0))
        assert rows("SELECT * FROM people") == []

    def test_a_dry_run_changes_nothing(self, client: Client, dataset: Dataset, rows: Rows) -> None:
        config = QueryJobConfig(dry_run=True, default_dataset=dataset.reference)
        job = client.query("DELETE people WHERE TRUE", job_config=config)

        assert job.statement_type == "DELETE"
        assert rows("SELECT COUNT(*) AS n FROM people") == [(3,)]


def test_fields_of_records_are_updated_by_themselves(run: Run, rows: Rows) -> None:
    run("CREATE TABLE t (id INT64, home STRUCT<city STRING, place STRUCT<x INT64, y INT64>>)")
    run("INSERT t VALUES (1, ('Basel', STRUCT(1, 2))), (2, NULL)")
    run("UPDATE t SET home.place.x = id * 10 WHERE TRUE")

    assert rows("SELECT id, home FROM t ORDER BY id") == [
        (1, {"city": "Basel", "place": {"x": 10, "y": 2}}),
        (2, {"city": None, "place": {"x": 20, "y": None}}),
    ]
    with pytest.raises(BadRequest, match="overlaps with home"):
        run("UPDATE t SET home = NULL, home.city = 'x' WHERE TRUE")
    with pytest.raises(BadRequest, match="Field name z does not exist"):
        run("UPDATE t SET home.place.z = 1 WHERE TRUE")


def test_arrays_are_put_in_whole(run: Run, rows: Rows) -> None:
    run("CREATE TABLE t (id INT64, tags ARRAY<STRING>, more ARRAY<FLOAT64>)")
    run("INSERT t VALUES (1, ['a', 'b'], [1, 2]), (2, NULL, [])")

    assert rows("SELECT * FROM t ORDER BY id") == [(1, ["a", "b"], [1.0, 2.0]), (2, [], [])]


def test_columns_without_a_value_get_their_default(run: Run, rows: Rows) -> None:
    run("CREATE TABLE t (id INT64, word STRING DEFAULT 'none', n INT64 DEFAULT 1 + 1)")
    run("INSERT t (id) VALUES (1)")
    run("INSERT t VALUES (2, DEFAULT, 5), (3, 'x', DEFAULT)")
    run("UPDATE t SET n = DEFAULT WHERE id = 2")

    assert rows("SELECT * FROM t ORDER BY id") == [(1, "none", 2), (2, "none", 2), (3, "x", 2)]


@pytest.mark.usefixtures("people")
class TestMerge:
    def test_each_row_goes_to_the_first_clause_for_it(self, run: Run, rows: Rows) -> None:
        run("CREATE TABLE news AS SELECT 1 AS id, 'Anna' AS name UNION ALL SELECT 7, 'Gus'")
        job = run(
            """
            MERGE INTO people AS t USING news AS s ON t.id = s.id
            WHEN MATCHED AND s.name = 'Nobody' THEN DELETE
            WHEN MATCHED THEN UPDATE SET name = s.name
            WHEN NOT MATCHED THEN INSERT (id, name) VALUES (id, s.name)
            WHEN NOT MATCHED BY SOURCE AND t.name IS NULL THEN DELETE
            WHEN NOT MATCHED BY SOURCE THEN UPDATE SET name = CONCAT(t.name, '?')
            """
        )

        assert job.statement_type == "MERGE"
        assert job.dml_stats == (1, 1, 2)
        found = rows("SELECT id, name FROM people ORDER BY id")
        assert found == [(1, "Anna"), (2, "Ben?"), (7, "Gus")]

    def test_a_constant_condition_replaces_a_table_s_rows(self, run: Run, rows: Rows) -> None:
        run(
            "MERGE people USING (SELECT 8 AS id, 'Hal' AS name) ON FALSE"
            " WHEN NOT MATCHED THEN INSERT (id, name) VALUES (id, name)"
            " WHEN NOT MATCHED BY SOURCE THEN DELETE"
        )

        assert rows("SELECT id, name FROM people") == [(8, "Hal")]

    def test_all_of_a_source_s_row_may_be_inserted(self, run: Run, rows: Rows) -> None:
        run("CREATE TABLE copy LIKE people")
        run("MERGE copy t USING people s ON t.id = s.id WHEN NOT MATCHED THEN INSERT ROW")

        assert rows("SELECT id FROM copy ORDER BY id") == [(1,), (2,), (3,)]

    def test_two_source_rows_for_one_row_are_refused(self, run: Run, rows: Rows) -> None:
        with pytest.raises(BadRequest, match="must match at most one source row"):
            run(
                "MERGE people t USING (SELECT 1 AS id UNION ALL SELECT 1) s ON t.id = s.id"
                " WHEN MATCHED THEN UPDATE SET name = 'x'"
            )

        assert rows("SELECT name FROM people WHERE id = 1") == [("Ada",)]


def test_views_and_snapshots_are_not_written_to(run: Run) -> None:
    run("CREATE TABLE t AS SELECT 1 AS a")
    run("CREATE SNAPSHOT TABLE s CLONE t")

    with pytest.raises(
        BadRequest, match="is not allowed for this operation because it is currentl"
    ):
        run("INSERT s VALUES (2)")


def test_a_table_that_is_not_there_is_not_found(run: Run, dataset: Dataset) -> None:
    with pytest.raises(GoogleAPICallError, match=f"Not found: Table {dataset.project}:.*nowhere"):
        run("DELETE nowhere WHERE TRUE")


def test_inserts_side_by_side_all_stay(
    client: Client, run: Run, rows: Rows, dataset: Dataset
) -> None:
    run("CREATE TABLE t (a INT64)")
    config = QueryJobConfig(default_dataset=dataset.reference)
    jobs = [client.query(f"INSERT t VALUES ({n})", job_config=config) for n in range(6)]
    for job in jobs:
        job.result()

    assert rows("SELECT a FROM t ORDER BY a") == [(n,) for n in range(6)]
