"""CREATE, ALTER and DROP of tables, views, schemas and routines."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from google.api_core.exceptions import BadRequest, Conflict, GoogleAPICallError, NotFound
from google.cloud.bigquery import Client, Dataset, QueryJobConfig, Table

from tests.gcp_local.bigquery.sql.conftest import Rows, Run


def test_a_table_is_made_as_it_is_said(run: Run, client: Client, dataset: Dataset) -> None:
    job = run(
        """
        CREATE TABLE t (
          id INT64 NOT NULL OPTIONS(description = 'the key'),
          name STRING(10) DEFAULT 'nobody',
          price NUMERIC(10, 2),
          tags ARRAY<STRING>,
          home STRUCT<city STRING NOT NULL, spots ARRAY<STRUCT<x INT64, y INT64>>>,
          born DATE,
          PRIMARY KEY (id) NOT ENFORCED
        )
        PARTITION BY DATE_TRUNC(born, MONTH)
        CLUSTER BY name, id
        OPTIONS(
          description = 'a table', friendly_name = 'T', labels = [('team', 'a'), ('tier', 'b')],
          partition_expiration_days = 30, require_partition_filter = TRUE,
          expiration_timestamp = TIMESTAMP '2099-01-01'
        )
        """
    )
    table = client.get_table(dataset.table("t"))

    assert job.statement_type == "CREATE_TABLE"
    assert job.ddl_operation_performed == "CREATE"
    assert job.ddl_target_table == table.reference
    fields = {field.name: field for field in table.schema}
    assert (fields["id"].mode, fields["id"].description) == ("REQUIRED", "the key")
    assert (fields["name"].max_length, fields["name"].default_value_expression) == (10, "'nobody'")
    assert (fields["price"].precision, fields["price"].scale) == (10, 2)
    assert fields["tags"].mode == "REPEATED"
    assert [inner.mode for inner in fields["home"].fields] == ["REQUIRED", "REPEATED"]
    assert (table.time_partitioning.type_, table.time_partitioning.field) == ("MONTH", "born")
    assert table.time_partitioning.expiration_ms == 30 * 86_400_000
    assert table.clustering_fields == ["name", "id"]
    assert table.labels == {"team": "a", "tier": "b"}
    assert (table.description, table.friendly_name) == ("a table", "T")
    assert table.require_partition_filter
    assert table.expires == dt.datetime(2099, 1, 1, tzinfo=dt.UTC)
    assert constraints_of(table) == {"primaryKey": {"columns": ["id"]}}


def constraints_of(table: Table) -> dict[str, Any]:
    return dict(table.to_api_repr()["tableConstraints"])


@pytest.mark.parametrize(
    ("said", "kind", "field"),
    [
        ("DATE(moment)", "DAY", "moment"),
        ("day", "DAY", "day"),
        ("TIMESTAMP_TRUNC(moment, HOUR)", "HOUR", "moment"),
        ("DATE_TRUNC(day, YEAR)", "YEAR", "day"),
        ("_PARTITIONDATE", "DAY", None),
        ("TIMESTAMP_TRUNC(_PARTITIONTIME, MONTH)", "MONTH", None),
    ],
)
def test_partitions_have_many_forms(
    run: Run, client: Client, dataset: Dataset, said: str, kind: str, field: str | None
) -> None:
    run(f"CREATE TABLE t (moment TIMESTAMP, day DATE, n INT64) PARTITION BY {said}")

    found = client.get_table(dataset.table("t")).time_partitioning
    assert (found.type_, found.field) == (kind, field)


def test_ranges_are_partitions_too(run: Run, client: Client, dataset: Dataset) -> None:
    run("CREATE TABLE t (n INT64) PARTITION BY RANGE_BUCKET(n, GENERATE_ARRAY(0, 100, 10))")

    found = client.get_table(dataset.table("t")).range_partitioning
    assert (found.field, found.range_.start, found.range_.end, found.range_.interval) == (
        "n",
        0,
        100,
        10,
    )


def test_a_query_fills_a_table(run: Run, rows: Rows) -> None:
    job = run("CREATE TABLE t AS SELECT 1 AS a, 'x' AS b UNION ALL SELECT 2, NULL")

    assert job.statement_type == "CREATE_TABLE_AS_SELECT"
    assert rows("SELECT * FROM t ORDER BY a") == [(1, "x"), (2, None)]


def test_columns_may_be_given_to_a_query(run: Run, rows: Rows) -> None:
    run("CREATE TABLE t (price FLOAT64 NOT NULL, word STRING) AS SELECT 1, 'x'")

    assert rows("SELECT price / 2 AS half, word FROM t") == [(0.5, "x")]
    with pytest.raises(BadRequest, match=r"does not match the number of columns in the query \(1"):
        run("CREATE TABLE u (a INT64, b INT64) AS SELECT 1 AS a")
    with pytest.raises(BadRequest, match="has type INT64, to which the query's type STRING"):
        run("CREATE TABLE u (a INT64) AS SELECT 'x' AS a")
    with pytest.raises(BadRequest, match="Required field a cannot be null"):
        run("CREATE TABLE u (a STRING NOT NULL) AS SELECT word AS a FROM t WHERE word = 'x'"
            " UNION ALL SELECT NULL")  # fmt: skip


def test_what_is_there_is_replaced_skipped_or_refused(run: Run, rows: Rows) -> None:
    run("CREATE TABLE t AS SELECT 1 AS a")

    assert run("CREATE TABLE IF NOT EXISTS t AS SELECT 2 AS a").ddl_operation_performed == "SKIP"
    with pytest.raises(Conflict, match="Already Exists: Table"):
        run("CREATE TABLE t AS SELECT 2 AS a")
    assert rows("SELECT a FROM t") == [(1,)]
    job = run("CREATE OR REPLACE TABLE t AS SELECT a + 1 AS b FROM t")
    assert job.ddl_operation_performed == "REPLACE"
    assert rows("SELECT b FROM t") == [(2,)]
    with pytest.raises(BadRequest, match="cannot have both OR REPLACE and IF NOT EXISTS"):
        run("CREATE OR REPLACE TABLE IF NOT EXISTS t (a INT64)")


class TestCopies:
    @pytest.fixture(autouse=True)
    def base(self, run: Run) -> None:
        run("CREATE TABLE base (a INT64, b STRING) CLUSTER BY a OPTIONS(description = 'the base')")
        run("INSERT base VALUES (1, 'x'), (2, 'y')")

    def test_like_takes_the_form_and_copy_the_rows(
        self, run: Run, rows: Rows, client: Client, dataset: Dataset
    ) -> None:
        run("CREATE TABLE like_it LIKE base")
        run("CREATE TABLE copied COPY base")
        run("CREATE TABLE filled LIKE base AS SELECT 7 AS a, 'z' AS b")

        table = client.get_table(dataset.table("like_it"))
        assert (table.clustering_fields, table.description) == (["a"], "the base")
        assert rows("SELECT * FROM like_it") == []
        assert rows("SELECT COUNT(*) AS n FROM copied") == [(2,)]
        assert rows("SELECT * FROM filled") == [(7, "z")]

    def test_a_clone_goes_its_own_way(
        self, run: Run, rows: Rows, client: Client, dataset: Dataset
    ) -> None:
        run("CREATE TABLE cloned CLONE base")
        run("DELETE base WHERE a = 1")
        run("INSERT cloned VALUES (3, 'z')")

        assert rows("SELECT a FROM base") == [(2,)]
        assert rows("SELECT a FROM cloned ORDER BY a") == [(1,), (2,), (3,)]
        clone = client.get_table(dataset.table("cloned")).to_api_repr()["cloneDefinition"]
        assert clone["baseTableReference"]["tableId"] == "base"

    def test_a_snapshot_stays_as_it_is(
        self, run: Run, rows: Rows, client: Client, dataset: Dataset
    ) -> None:
        job = run(
            "CREATE SNAPSHOT TABLE kept CLONE base"
            " OPTIONS(expiration_timestamp = TIMESTAMP '2099-01-01')"
        )
        run("TRUNCATE TABLE base")

        assert job.statement_type == "CREATE_SNAPSHOT_TABLE"
        assert rows("SELECT COUNT(*) AS n FROM kept") == [(2,)]
        table = client.get_table(dataset.table("kept"))
        assert table.table_type == "SNAPSHOT"
        base = table.to_api_repr()["snapshotDefinition"]["baseTableReference"]
        assert base["tableId"] == "base"
        with pytest.raises(BadRequest, match="currently a SNAPSHOT"):
            run("DELETE kept WHERE TRUE")
        with pytest.raises(BadRequest, match="currently a SNAPSHOT"):
            run("DROP TABLE kept")
        run("CREATE TABLE restored CLONE kept")
        run("DROP SNAPSHOT TABLE kept")
        assert rows("SELECT COUNT(*) AS n FROM restored") == [(2,)]

    def test_a_table_comes_back_as_it_was(self, run: Run, rows: Rows, client: Client) -> None:
        (then,) = rows("SELECT CURRENT_TIMESTAMP() AS now")[0]
        run("DELETE base WHERE TRUE")
        run(f"CREATE TABLE past CLONE base FOR SYSTEM_TIME AS OF TIMESTAMP '{then}'")

        assert rows("SELECT a FROM past ORDER BY a") == [(1,), (2,)]
        with pytest.raises(BadRequest, match="Invalid snapshot time"):
            run("CREATE TABLE late CLONE base FOR SYSTEM_TIME AS OF TIMESTAMP '2099-01-01'")


class TestAltering:
    @pytest.fixture(autouse=True)
    def table(self, run: Run) -> None:
        run("CREATE TABLE t (a INT64 NOT NULL, b STRING(5), c INT64) CLUSTER BY c")
        run("INSERT t VALUES (1, 'x', 10), (2, 'y', 20)")

    def test_columns_come(self, run: Run, rows: Rows) -> None:
        job = run("ALTER TABLE t ADD COLUMN d FLOAT64, ADD COLUMN IF NOT EXISTS a INT64")

        assert (job.statement_type, job.ddl_operation_performed) == ("ALTER_TABLE", "ALTER")
        assert rows("SELECT * FROM t ORDER BY a") == [(1, "x", 10, None), (2, "y", 20, None)]

    def test_a_column_that_goes_does_not_come_back_with_its_values(
        self, run: Run, rows: Rows
    ) -> None:
        run("ALTER TABLE t DROP COLUMN b")
        run("ALTER TABLE t ADD COLUMN b STRING")

        assert rows("SELECT * FROM t ORDER BY a") == [(1, 10, None), (2, 20, None)]

    def test_columns_get_other_names_types_and_notes(
        self, run: Run, rows: Rows, client: Client, dataset: Dataset
    ) -> None:
        run("ALTER TABLE t RENAME COLUMN b TO word")
        run("ALTER TABLE t ALTER COLUMN a SET DATA TYPE FLOAT64")
        run("ALTER TABLE t ALTER COLUMN a DROP NOT NULL")
        run("ALTER TABLE t ALTER COLUMN a SET OPTIONS(description = 'a number')")
        run("ALTER TABLE t ALTER COLUMN word SET DEFAULT 'none'")
        run("ALTER TABLE t ALTER COLUMN word SET DATA TYPE STRING(9)")
        run("INSERT t (c) VALUES (30)")

        schema = client.get_table(dataset.table("t")).schema
        assert (schema[0].field_type, schema[0].mode) == ("FLOAT", "NULLABLE")
        assert schema[0].description == "a number"
        assert (schema[1].name, schema[1].max_length) == ("word", 9)
        assert rows("SELECT a, word FROM t ORDER BY c") == [(1.0, "x"), (2.0, "y"), (None, "none")]

    def test_a_table_gets_another_name(self, run: Run, rows: Rows) -> None:
        run("ALTER TABLE t RENAME TO u")

        assert rows("SELECT COUNT(*) AS n FROM u") == [(2,)]
        with pytest.raises(NotFound):
            run("DELETE t WHERE TRUE")

    def test_options_are_set_and_cleared(self, run: Run, client: Client, dataset: Dataset) -> None:
        run("ALTER TABLE t SET OPTIONS(description = 'x', labels = [('a', 'b')])")
        run("ALTER TABLE t SET OPTIONS(description = NULL)")

        table = client.get_table(dataset.table("t"))
        assert (table.description, table.labels) == (None, {"a": "b"})

    def test_keys_are_noted(self, run: Run, client: Client, dataset: Dataset) -> None:
        run("CREATE TABLE other (k INT64, PRIMARY KEY (k) NOT ENFORCED)")
        run("ALTER TABLE t ADD PRIMARY KEY (a) NOT ENFORCED")
        run("ALTER TABLE t ADD CONSTRAINT mine FOREIGN KEY (c) REFERENCES other(k) NOT ENFORCED")

        keys = constraints_of(client.get_table(dataset.table("t")))
        assert keys["primaryKey"] == {"columns": ["a"]}
        assert [key["name"] for key in keys["foreignKeys"]] == ["mine"]
        run("ALTER TABLE t DROP PRIMARY KEY")
        run("ALTER TABLE t DROP CONSTRAINT mine")

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("ADD COLUMN a INT64", "Column already exists: a"),
            ("ADD COLUMN d INT64 NOT NULL", "Cannot add required fields to an existing schema"),
            ("ADD COLUMN d INT64 DEFAULT 1", "default value is not supported"),
            ("DROP COLUMN z", "Column z was not found in table"),
            ("DROP COLUMN c", "which is used for clustering"),
            ("ALTER COLUMN b SET DATA TYPE STRING(3)", "requires that the existing column type"),
            ("ALTER COLUMN b SET DATA TYPE INT64", r"\(STRING\) is assignable to .* \(INT64\)"),
            ("ALTER COLUMN c DROP NOT NULL", "is not NOT NULL"),
            ("SET OPTIONS(colour = 'red')", "Unknown option: colour"),
            ("SET OPTIONS(description = 1)", "Option description has a value of a wrong type"),
            ("FROBNICATE", 'Unexpected identifier "FROBNICATE"'),
        ],
    )  # fmt: skip
    def test_what_cannot_be_is_refused(self, run: Run, rows: Rows, text: str, message: str) -> None:
        with pytest.raises(BadRequest, match=message):
            run(f"ALTER TABLE t {text}")

        assert rows("SELECT * FROM t ORDER BY a") == [(1, "x", 10), (2, "y", 20)]


def test_a_view_is_made_of_its_query(
    run: Run, rows: Rows, client: Client, dataset: Dataset
) -> None:
    run("CREATE TABLE t AS SELECT 1 AS a, 2 AS b")
    source = f"`{dataset.dataset_id}.t`"
    job = run(
        f"CREATE VIEW v (first OPTIONS(description = 'one'), second) OPTIONS(description = 'seen')"
        f" AS SELECT a, b FROM {source}"
    )
    run("INSERT t VALUES (3, 4)")

    assert job.statement_type == "CREATE_VIEW"
    assert rows("SELECT first, second FROM v ORDER BY first") == [(1, 2), (3, 4)]
    view = client.get_table(dataset.table("v"))
    assert (view.table_type, view.description) == ("VIEW", "seen")
    assert [field.description for field in view.schema] == ["one", None]
    run(f"CREATE OR REPLACE VIEW v AS SELECT a + b AS total FROM {source}")
    assert rows("SELECT total FROM v ORDER BY total") == [(3,), (7,)]
    for text in ("INSERT v VALUES (1)", "DROP TABLE v", "CREATE OR REPLACE TABLE v (a INT64)"):
        with pytest.raises(BadRequest, match="currently a VIEW"):
            run(text)
    run("DROP VIEW v")
    assert run("DROP VIEW IF EXISTS v").ddl_operation_performed == "SKIP"


def test_schemas_are_made_changed_and_dropped(run: Run, client: Client, dataset: Dataset) -> None:
    name = f"{dataset.dataset_id}_more"
    run(f"CREATE SCHEMA {name} OPTIONS(location = 'us', description = 'x', labels = [('a', 'b')])")
    assert run(f"CREATE SCHEMA IF NOT EXISTS {name}").ddl_operation_performed == "SKIP"
    run(f"ALTER SCHEMA {name} SET OPTIONS(default_table_expiration_days = 1.5)")

    made = client.get_dataset(name)
    assert (made.description, made.labels, made.location) == ("x", {"a": "b"}, "US")
    assert made.default_table_expiration_ms == 36 * 3_600_000
    run(f"CREATE TABLE {name}.t (a INT64)")
    with pytest.raises(BadRequest, match="is still in use"):
        run(f"DROP SCHEMA {name}")
    run(f"DROP SCHEMA {name} CASCADE")
    with pytest.raises(NotFound):
        client.get_dataset(name)
    run(f"UNDROP SCHEMA {name}")
    assert [table.table_id for table in client.list_tables(name)] == ["t"]
    run(f"DROP SCHEMA {name} CASCADE")


def test_routines_are_kept(run: Run, client: Client, dataset: Dataset) -> None:
    run("CREATE FUNCTION twice(x INT64) RETURNS INT64 AS (x * 2)")
    run("CREATE TABLE FUNCTION above(n INT64) AS SELECT 1 AS a WHERE n > 1")
    run("CREATE PROCEDURE doing(IN x INT64, OUT y INT64) BEGIN SET y = x; END")

    kinds = {each.reference.routine_id: each.type_ for each in client.list_routines(dataset)}
    assert kinds == {
        "above": "TABLE_VALUED_FUNCTION",
        "doing": "PROCEDURE",
        "twice": "SCALAR_FUNCTION",
    }
    twice = client.get_routine(f"{dataset.dataset_id}.twice")
    assert (twice.body, twice.arguments[0].data_type.type_kind.name) == ("x * 2", "INT64")
    with pytest.raises(Conflict, match="Already Exists: Routine"):
        run("CREATE FUNCTION twice(x INT64) AS (x)")
    with pytest.raises(BadRequest, match="currently a"):
        run("DROP FUNCTION doing")
    job = run("DROP FUNCTION twice")
    assert (job.statement_type, job.ddl_operation_performed) == ("DROP_FUNCTION", "DROP")
    run("DROP TABLE FUNCTION above")
    run("DROP PROCEDURE doing")
    assert list(client.list_routines(dataset)) == []


def test_a_table_function_gives_rows(run: Run, rows: Rows, dataset: Dataset) -> None:
    home = dataset.dataset_id
    run("CREATE TABLE t AS SELECT n AS a FROM UNNEST([1, 2, 3]) AS n")
    run(f"CREATE TABLE FUNCTION above(n INT64) AS SELECT a, n AS low FROM {home}.t WHERE a > n")

    assert rows(f"SELECT * FROM {home}.above(1) AS f JOIN t USING (a) ORDER BY a") == [
        (2, 1),
        (3, 1),
    ]
    with pytest.raises(BadRequest, match="No matching signature for function"):
        rows(f"SELECT * FROM {home}.above('x')")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("CREATE TABLE t", r'Syntax error: Expected "\(" but got end of script at \[1:15\]'),
        ("CREATE TABLE t (a INT65)", r"Type not found: INT65 at \[1:19\]"),
        ("CREATE TABLE t (a INT64(5))", "INT64 does not support type parameters"),
        ("CREATE TABLE t (a ARRAY<ARRAY<INT64>>)", "nested arrays are not supported"),
        ("CREATE TABLE t (a NUMERIC(50, 2))", r"P must be between 2 and 31"),
        ("CREATE TABLE t (a INT64, A STRING)", "Duplicate field names in schema"),
        ("CREATE TABLE t (a STRING) PARTITION BY a", "PARTITION BY expression must be"),
        ("CREATE TABLE t (a DATE) PARTITION BY DATE_TRUNC(a, WEEK)", "PARTITION BY expression"),
        ("CREATE TABLE t (a DATE) CLUSTER BY b", "cannot be found in the schema"),
        ("CREATE TABLE t AS SELECT 1", "columns must be named, but column 1 has no name"),
        ("CREATE TABLE t (a INT64) OPTIONS(colour = 'red')", "Unknown option: colour"),
        ("CREATE TABLE t (a INT64) OPTIONS(description = 'a', description = 'b')", "Duplicate opt"),
        ("CREATE TEMP TABLE t (a INT64)", "requires a script or session"),
        ("CREATE THING t", 'Syntax error: Unexpected identifier "THING" at'),
        ("CREATE TABLE t (a INT64) nonsense", "Expected end of input but got identifier"),
        ("DROP TABLE nowhere", "Not found: Table"),
        ("CREATE FUNCTION f(x INT64, x INT64) AS (x)", "Duplicate argument name x"),
        ("CREATE TABLE nowhere.t (a INT64)", "Not found: Dataset"),
    ],
)
def test_what_bigquery_refuses_is_refused(run: Run, text: str, message: str) -> None:
    with pytest.raises(GoogleAPICallError, match=message):
        run(text)


@pytest.mark.parametrize(
    "text",
    [
        "CREATE EXTERNAL TABLE t OPTIONS(uris = ['gs://a/b'], format = 'CSV')",
        "CREATE MATERIALIZED VIEW v AS SELECT 1 AS a",
        "CREATE FUNCTION f(x STRING) RETURNS STRING LANGUAGE js AS 'return x'",
        "GRANT `roles/bigquery.dataViewer` ON SCHEMA d TO 'user:x@example.com'",
        "CREATE TABLE t (a STRING COLLATE 'und:ci')",
        "CREATE SEARCH INDEX i ON t(ALL COLUMNS)",
        "CREATE TABLE t (a GEOGRAPHY)",
    ],
)
def test_what_the_stand_in_lacks_it_says(run: Run, text: str) -> None:
    with pytest.raises(GoogleAPICallError, match="The embedded cloud's BigQuery lacks"):
        run(text)


def test_a_dry_run_makes_nothing(client: Client, dataset: Dataset) -> None:
    config = QueryJobConfig(dry_run=True, default_dataset=dataset.reference)
    job = client.query("CREATE TABLE t AS SELECT 1 AS a", job_config=config)

    assert job.statement_type == "CREATE_TABLE_AS_SELECT"
    assert list(client.list_tables(dataset)) == []
