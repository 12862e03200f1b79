"""Scripts: several statements, the procedural language, transactions, child jobs."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from google.api_core.exceptions import BadRequest, GoogleAPICallError
from google.cloud.bigquery import Client, Dataset, QueryJob, QueryJobConfig

from tests.gcp_local.bigquery.sql.conftest import Rows, Run


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("DECLARE x INT64 DEFAULT 3; SET x = x * 2; SELECT x AS x;", [(6,)]),
        ("DECLARE a, b STRING; SET (a, b) = ('p', 'q'); SELECT a || b AS r", [("pq",)]),
        ("DECLARE d DATE DEFAULT '2024-02-29'; SELECT EXTRACT(DAY FROM d) AS r", [(29,)]),
        ("DECLARE x DEFAULT (SELECT AS STRUCT 1 AS a, 'z' AS b); SELECT x.b AS r", [("z",)]),
        ("DECLARE l ARRAY<INT64> DEFAULT [1, 2]; SELECT n AS r FROM UNNEST(l) AS n", [(1,), (2,)]),
        ("DECLARE x INT64 DEFAULT 5; IF x > 9 THEN SELECT 1 AS r; ELSEIF x > 4 THEN SELECT 2 AS r;"
         " ELSE SELECT 3 AS r; END IF;", [(2,)]),
        ("DECLARE x INT64 DEFAULT 2; CASE x WHEN 1 THEN SELECT 'a' AS r; WHEN 2 THEN"
         " SELECT CASE WHEN x = 2 THEN 'b' END AS r; END CASE;", [("b",)]),
        ("CASE WHEN FALSE THEN SELECT 1 AS r; ELSE SELECT 2 AS r; END CASE;", [(2,)]),
        ("DECLARE i INT64 DEFAULT 0; LOOP SET i = i + 1; IF i >= 5 THEN LEAVE; END IF; END LOOP;"
         " SELECT i AS r;", [(5,)]),
        ("DECLARE i INT64 DEFAULT 0; WHILE i < 9 DO SET i = i + 1; CONTINUE; SET i = 99;"
         " END WHILE; SELECT i AS r;", [(9,)]),
        ("DECLARE i INT64 DEFAULT 0; REPEAT SET i = i + 3; UNTIL i > 7 END REPEAT;"
         " SELECT i AS r;", [(9,)]),
        ("DECLARE s INT64 DEFAULT 0; FOR row IN (SELECT n FROM UNNEST([1, 2, 3]) AS n) DO"
         " SET s = s + row.n; END FOR; SELECT s AS r;", [(6,)]),
        ("DECLARE i INT64 DEFAULT 0; outer_loop: LOOP LOOP SET i = i + 1; IF i = 3 THEN"
         " BREAK outer_loop; END IF; END LOOP; END LOOP outer_loop; SELECT i AS r;", [(3,)]),
        ("BEGIN DECLARE x INT64 DEFAULT 1; SELECT x AS r; END;", [(1,)]),
        ("BEGIN SELECT 1 / 0 AS r; EXCEPTION WHEN ERROR THEN"
         " SELECT @@error.message AS r, @@error.statement_text AS s; END;",
         [("division by zero: 1 / 0", "SELECT 1 / 0 AS r")]),
        ("BEGIN RAISE USING MESSAGE = 'mine'; EXCEPTION WHEN ERROR THEN"
         " SELECT REGEXP_CONTAINS(@@error.message, '^mine') AS r; END;", [(True,)]),
        ("DECLARE x INT64; EXECUTE IMMEDIATE 'SELECT ? + 1' INTO x USING 4; SELECT x AS r", [(5,)]),
        ("EXECUTE IMMEDIATE CONCAT('SELECT ', '@a * 2 AS r') USING 21 AS a;", [(42,)]),
        ("CREATE TEMP FUNCTION twice(x INT64) AS (x * 2); SELECT twice(4) AS r", [(8,)]),
        ("SELECT 1 AS r; SELECT 2 AS r;", [(2,)]),
        ("SELECT 1 AS r; RETURN; SELECT 2 AS r;", [(1,)]),
        ("ASSERT 1 = 1; SELECT 1 AS r", [(1,)]),
        ("SELECT 1; SELECT @@row_count AS r, @@error.message AS s", [(None, None)]),
    ],
)  # fmt: skip
def test_the_procedural_language(rows: Rows, text: str, expected: list[Any]) -> None:
    assert rows(text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("SELECT 1 AS a;\n  SELECT nowhere;", r"Query error: Unrecognized name: nowhere at \[2:10"),
        ("SELECT 1;\nDELETE FROM t;", r"Query error: DELETE must have a WHERE clause at \[2:1\]"),
        ("SELECT 1;\n\n RAISE USING MESSAGE = 'mine';", r"Query error: mine at \[3:2\]"),
        ("DECLARE x INT64; SET x = 'a';", r"Cannot coerce expression 'a' of type STRING to type I"),
        ("SET x = 1;", r"Undeclared variable: x at \[1:1\]"),
        ("DECLARE x INT64; DECLARE X STRING;", "Variable 'X' redeclaration is not allowed"),
        ("SELECT 1; DECLARE x INT64;", r"allowed only at the start .* at \[1:11\]"),
        ("BREAK;", "BREAK is only allowed inside of a loop body"),
        (
            "IF TRUE THEN SELECT 1; END;",
            r"Syntax error: Expected keyword IF but got .* at \[1:27\]",
        ),
        ("LOOP SELECT 1 END LOOP;", "Syntax error"),
        ("WHILE TRUE DO BREAK;", r"Expected keyword END but got end of script"),
        ("RAISE;", "outside of an exception handler"),
        ("ASSERT 1 = 2 AS 'they differ';", "they differ"),
        ("COMMIT TRANSACTION;", "there is no active transaction"),
        ("CALL nowhere(1);", "Procedure not found: nowhere"),
        ("EXECUTE IMMEDIATE 'SELECT 1; SELECT 2';", "single SQL statement"),
        ("IF 1 THEN SELECT 1; END IF;", "Expected a BOOL expression but got INT64"),
        ("SELECT 1; GRANT `r` ON SCHEMA d TO 'user:x'", "lacks GRANT statements"),
        ("SELECT 1; SELECT @@script.slot_ms", "lacks the system variable @@script.slot_ms"),
        ("SELECT 1; SELECT @@nope", r"Unrecognized name: @@nope at \[1:18\]"),
        ("SELECT 1; SET @@time_zone = 'UTC';", "lacks assignments to system variables"),
    ],
)
def test_errors_have_their_place_in_the_script(rows: Rows, text: str, message: str) -> None:
    with pytest.raises(GoogleAPICallError, match=message):
        rows(text)


def children_of(client: Client, job: QueryJob) -> list[QueryJob]:
    return sorted(client.list_jobs(parent_job=job), key=lambda child: (child.created, child.job_id))


def script_of(job: QueryJob) -> tuple[str | None, int, str | None]:
    """Give what was evaluated, in which line, and its text."""
    said = job.script_statistics
    assert said is not None
    frame = said.stack_frames[0]
    assert frame.start_line is not None
    return said.evaluation_kind, frame.start_line, frame.text


def test_a_scripts_statements_are_jobs_of_their_own(run: Run, client: Client) -> None:
    job = run(
        "DECLARE n INT64 DEFAULT (SELECT 40 + 2);\n"
        "CREATE TEMP TABLE kept AS SELECT n AS a;\n"
        "INSERT kept VALUES (1);\n"
        "SELECT COUNT(*) AS total FROM kept;"
    )

    assert job.statement_type == "SCRIPT"
    assert job.num_child_jobs == 4
    assert [tuple(row.values()) for row in job.result()] == [(2,)]
    children = {script_of(child)[1]: child
                for child in children_of(client, job)}  # fmt: skip
    assert [children[line].statement_type for line in (2, 3, 4)] == [
        "CREATE_TABLE_AS_SELECT",
        "INSERT",
        "SELECT",
    ]
    assert script_of(children[1]) == ("EXPRESSION", 1, "(SELECT 40 + 2)")
    last = children[4]
    assert script_of(last) == ("STATEMENT", 4, "SELECT COUNT(*) AS total FROM kept")
    assert last.parent_job_id == job.job_id
    assert [tuple(row.values()) for row in last.result()] == [(2,)]


def test_a_variable_names_its_column(run: Run) -> None:
    job = run("DECLARE low INT64 DEFAULT 3; SELECT low, low + 1;")

    assert [field.name for field in job.result().schema] == ["low", "f0_"]


def test_one_statement_is_no_script(run: Run, client: Client) -> None:
    job = run("CREATE TEMP FUNCTION f(x INT64) AS (x + 1); SELECT f(1) AS r;")

    assert (job.statement_type, job.num_child_jobs) == ("SELECT", 0)


def test_temporary_tables_are_gone_with_their_script(
    run: Run, rows: Rows, client: Client, dataset: Dataset
) -> None:
    run("CREATE TABLE t AS SELECT 'lasting' AS a")
    found = rows("CREATE TEMP TABLE t AS SELECT 'passing' AS a; SELECT a FROM t;")

    assert found == [("passing",)]
    assert rows("CREATE TEMP TABLE t AS SELECT 2 AS a; SELECT a FROM _SESSION.t;") == [(2,)]
    assert rows("SELECT a FROM t") == [("lasting",)]
    assert [each.table_id for each in client.list_tables(dataset)] == ["t"]


class TestProcedures:
    def test_a_procedure_gives_back_what_it_is_to(self, run: Run, rows: Rows) -> None:
        run(
            "CREATE PROCEDURE grow(IN step INT64, INOUT n INT64, OUT note STRING) BEGIN"
            " SET n = n + step; SET note = CONCAT('now ', CAST(n AS STRING)); END"
        )

        text = "DECLARE n INT64 DEFAULT 1; DECLARE s STRING; CALL grow(4, n, s); SELECT n, s;"
        assert rows(text) == [(5, "now 5")]
        with pytest.raises(BadRequest, match="Number of arguments does not match"):
            rows("CALL grow(1);")
        with pytest.raises(BadRequest, match="is INOUT and must be a variable"):
            rows("DECLARE s STRING; CALL grow(1, 2, s);")

    def test_it_sees_no_variable_but_its_own(self, run: Run, rows: Rows) -> None:
        run("CREATE PROCEDURE peek() BEGIN SELECT secret AS r; END")

        with pytest.raises(BadRequest, match="Unrecognized name: secret"):
            rows("DECLARE secret INT64 DEFAULT 1; CALL peek();")


class TestTransactions:
    @pytest.fixture(autouse=True)
    def tables(self, run: Run) -> None:
        run("CREATE TABLE one AS SELECT 1 AS a")
        run("CREATE TABLE two AS SELECT 2 AS a")

    def test_what_is_committed_is_there_at_once(self, rows: Rows) -> None:
        text = (
            "BEGIN TRANSACTION; INSERT one VALUES (10); DELETE two WHERE a = 2;"
            " INSERT two SELECT a FROM one; COMMIT TRANSACTION; SELECT a FROM two ORDER BY a;"
        )
        assert rows(text) == [(1,), (10,)]
        assert rows("SELECT a FROM one ORDER BY a") == [(1,), (10,)]

    @pytest.mark.parametrize(
        "ending",
        ["ROLLBACK TRANSACTION;", "", "SELECT 1 / 0 AS e;"],
        ids=["rolled back", "left open", "failed"],
    )
    def test_what_is_not_committed_never_was(self, rows: Rows, ending: str) -> None:
        text = f"BEGIN TRANSACTION; INSERT one VALUES (10); TRUNCATE TABLE two; {ending}"
        if "/ 0" in ending:
            with pytest.raises(BadRequest, match="division by zero"):
                rows(text)
        else:
            rows(text)

        assert rows("SELECT a FROM one UNION ALL SELECT a FROM two ORDER BY a") == [(1,), (2,)]

    def test_a_handler_may_take_it_back(self, rows: Rows) -> None:
        text = (
            "BEGIN BEGIN TRANSACTION; INSERT one VALUES (5); SELECT 1 / 0 AS e;"
            " COMMIT TRANSACTION; EXCEPTION WHEN ERROR THEN ROLLBACK TRANSACTION; END;"
            " SELECT COUNT(*) AS n FROM one;"
        )
        assert rows(text) == [(1,)]

    @pytest.fixture
    def interrupted(self, run: Run, client: Client, dataset: Dataset) -> Callable[..., QueryJob]:
        """Begin a transaction, do something else meanwhile, and let it go on."""

        def interrupted(first: str, meanwhile: str, then: str) -> QueryJob:
            script = client.query(
                f"BEGIN TRANSACTION; {first}; WHILE NOT EXISTS"
                " (SELECT 1 FROM INFORMATION_SCHEMA.TABLES WHERE table_name = 'signal') DO"
                f" SELECT 1; END WHILE; {then}",
                job_config=QueryJobConfig(default_dataset=dataset.reference),
                job_retry=None,
            )
            deadline = time.monotonic() + 20
            while len(list(client.list_jobs(parent_job=script))) < 2:
                assert time.monotonic() < deadline
            run(meanwhile)
            run("CREATE TABLE signal (n INT64)")
            return script

        return interrupted

    def test_it_reads_what_was_there_when_it_began(
        self, interrupted: Callable[..., QueryJob]
    ) -> None:
        script = interrupted(
            "SELECT 1",
            "UPDATE two SET a = 20 WHERE TRUE",
            "INSERT one SELECT a FROM two; COMMIT; SELECT a FROM one ORDER BY a",
        )
        assert [row["a"] for row in script.result(timeout=20)] == [1, 2]

    @pytest.mark.parametrize(
        "meanwhile",
        [
            "UPDATE one SET a = 7 WHERE TRUE",
            "DROP TABLE one",
            "CREATE OR REPLACE TABLE one AS SELECT 7 AS a",
        ],
    )
    def test_it_fails_if_another_has_changed_its_table(
        self, interrupted: Callable[..., QueryJob], meanwhile: str
    ) -> None:
        script = interrupted("UPDATE one SET a = a + 1 WHERE TRUE", meanwhile, "COMMIT")

        with pytest.raises(BadRequest, match="aborted due to concurrent update against table"):
            script.result(timeout=20)

    def test_a_temporary_table_may_be_replaced_in_one(self, rows: Rows) -> None:
        text = (
            "BEGIN TRANSACTION; CREATE TEMP TABLE t AS SELECT 1 AS a; INSERT t VALUES (2);"
            " CREATE OR REPLACE TEMP TABLE t AS SELECT 3 AS a; INSERT one SELECT a FROM t;"
            " DROP TABLE t; COMMIT; SELECT a FROM one ORDER BY a;"
        )
        assert rows(text) == [(1,), (3,)]

    def test_tables_are_not_made_in_one(self, rows: Rows) -> None:
        with pytest.raises(BadRequest, match=r"DDL statements.* are not supported in a transact"):
            rows("BEGIN TRANSACTION; CREATE TABLE three AS SELECT 3 AS a; COMMIT;")


def test_a_running_script_can_be_cancelled(client: Client) -> None:
    job = client.query("DECLARE i INT64 DEFAULT 0; LOOP SET i = i + 1; END LOOP;")
    job.cancel()

    with pytest.raises(GoogleAPICallError, match="cancelled"):
        job.result(timeout=10)
