from __future__ import annotations

import pytest
from google.api_core.exceptions import BadRequest, NotFound
from google.cloud.bigquery import Client, Dataset, QueryJobConfig, Table


@pytest.fixture
def people(client: Client, dataset: Dataset) -> str:
    name = f"{dataset.dataset_id}.people"
    client.query_and_wait(
        f"CREATE TABLE {name} AS"
        " SELECT 'ann' AS name, 30 AS age, ['x', 'y'] AS tags, STRUCT('a' AS city) AS home"
        " UNION ALL SELECT 'bob', 40, [], STRUCT('b')"
    )
    return name


def rows(client: Client, query: str, **options: object) -> list[dict[str, object]]:
    return [dict(row) for row in client.query_and_wait(query, **options)]  # type: ignore[arg-type]


def test_a_table_is_found_by_every_form_of_its_name(client: Client, people: str) -> None:
    dataset, table = people.split(".")
    default = QueryJobConfig(default_dataset=f"{client.project}.{dataset}")
    for name in (
        people, f"`{people}`", f"`{dataset}`.{table}", f"{client.project}.{people}",
        f"`{client.project}.{people}`", f"`{client.project}`.`{dataset}`.`{table}`",
    ):  # fmt: skip
        assert rows(client, f"SELECT COUNT(*) AS n FROM {name}") == [{"n": 2}], name
    assert rows(client, f"SELECT COUNT(*) AS n FROM {table}", job_config=default) == [{"n": 2}]
    with pytest.raises(
        NotFound, match=f"Not found: Table {client.project}:{dataset}.People was not"
    ):
        rows(client, f"SELECT 1 FROM {dataset}.People")
    with pytest.raises(
        BadRequest, match=r'Table "people" must be qualified with a dataset .*\[1:15\]'
    ):
        rows(client, "SELECT 1 FROM people")


def test_columns_are_found_whatever_their_case(client: Client, people: str) -> None:
    assert rows(client, f"SELECT NAME, P.Age FROM {people} AS p WHERE p.NAME = 'bob'") == [
        {"name": "bob", "age": 40}
    ]


def test_arrays_are_unnested_beside_their_rows(client: Client, people: str) -> None:
    query = "SELECT name, tag, o FROM {} AS p, p.tags AS tag WITH OFFSET AS o ORDER BY o"
    assert rows(client, query.format(people)) == [
        {"name": "ann", "tag": "x", "o": 0},
        {"name": "ann", "tag": "y", "o": 1},
    ]
    left = f"SELECT name, tag FROM {people} LEFT JOIN UNNEST(tags) AS tag ORDER BY 1, 2"
    assert [row["tag"] for row in rows(client, left)] == ["x", "y", None]
    with pytest.raises(BadRequest, match="Values referenced in UNNEST must be arrays"):
        rows(client, f"SELECT 1 FROM {people} AS p, p.name")


def test_stars_leave_out_and_replace(client: Client, people: str) -> None:
    query = f"SELECT * EXCEPT (tags, home) REPLACE (age + 1 AS age) FROM {people} ORDER BY age"
    assert rows(client, query) == [{"name": "ann", "age": 31}, {"name": "bob", "age": 41}]
    assert rows(client, f"SELECT home.* FROM {people} ORDER BY city") == [
        {"city": "a"},
        {"city": "b"},
    ]
    with pytest.raises(BadRequest, match="Column nix in SELECT \\* EXCEPT list does not exist"):
        rows(client, f"SELECT * EXCEPT (nix) FROM {people}")


def test_with_shadows_and_recurs(client: Client, people: str) -> None:
    config = QueryJobConfig(default_dataset=f"{client.project}.{people.partition('.')[0]}")
    shadowing = "WITH people AS (SELECT 1 AS one) SELECT * FROM PEOPLE"
    assert rows(client, shadowing, job_config=config) == [{"one": 1}]
    query = (
        "WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i * 2 FROM n WHERE i < 9)"
        " SELECT MAX(i) AS m FROM n"
    )
    assert rows(client, query) == [{"m": 16}]


def test_views_are_read_by_their_query(client: Client, people: str) -> None:
    dataset = people.split(".", maxsplit=1)[0]
    view = Table(f"{client.project}.{dataset}.elders")
    view.view_query = f"SELECT name FROM `{client.project}.{people}` WHERE age > 35"
    client.create_table(view)

    assert rows(client, f"SELECT * FROM {dataset}.elders") == [{"name": "bob"}]
    client.query_and_wait(f"ALTER TABLE {people} DROP COLUMN age")
    with pytest.raises(
        BadRequest, match=r"Unrecognized name: age.*failed to parse view '.*elders'"
    ):
        rows(client, f"SELECT * FROM {dataset}.elders")


def test_a_wildcard_reads_the_tables_that_it_fits(client: Client, dataset: Dataset) -> None:
    for day in (1, 2, 3):
        client.query_and_wait(
            f"CREATE TABLE {dataset.dataset_id}.events_2020010{day} AS SELECT {day} AS n"
        )
    query = f"SELECT SUM(n) AS n, MIN(_TABLE_SUFFIX) AS first FROM `{dataset.dataset_id}.events_*`"

    assert rows(client, query) == [{"n": 6, "first": "20200101"}]
    assert rows(client, f"{query} WHERE _TABLE_SUFFIX >= '20200102'") == [
        {"n": 5, "first": "20200102"}
    ]
    with pytest.raises(BadRequest, match="does not match any table"):
        rows(client, f"SELECT 1 FROM `{dataset.dataset_id}.nothing_*`")


def test_a_table_is_read_as_it_was(client: Client, people: str) -> None:
    (before,) = client.query_and_wait("SELECT CURRENT_TIMESTAMP() AS t")
    client.query_and_wait(f"DELETE FROM {people} WHERE name = 'ann'")
    then = f"TIMESTAMP '{before['t'].isoformat(sep=' ')}'"

    assert rows(client, f"SELECT COUNT(*) AS n FROM {people}") == [{"n": 1}]
    assert rows(client, f"SELECT COUNT(*) AS n FROM {people} FOR SYSTEM_TIME AS OF {then}") == [
        {"n": 2}
    ]
    with pytest.raises(BadRequest, match="Cannot read before"):
        rows(
            client,
            f"SELECT 1 FROM {people} FOR SYSTEM_TIME AS OF TIMESTAMP_SUB({then}, INTERVAL 1 HOUR)",
        )
    with pytest.raises(BadRequest, match="in the future"):
        rows(
            client,
            f"SELECT 1 FROM {people} FOR SYSTEM_TIME AS OF TIMESTAMP_ADD({then}, INTERVAL 1 HOUR)",
        )


def test_partitions_must_be_named_where_the_table_says_so(client: Client, dataset: Dataset) -> None:
    name = f"{dataset.dataset_id}.days"
    client.query_and_wait(
        f"CREATE TABLE {name} PARTITION BY day OPTIONS (require_partition_filter = TRUE)"
        " AS SELECT DATE '2020-01-01' AS day, 1 AS n"
    )

    assert rows(client, f"SELECT n FROM {name} WHERE day > '2019-01-01'") == [{"n": 1}]
    message = r"Cannot query over table '.*days' without a filter over column\(s\) 'day'"
    with pytest.raises(BadRequest, match=message):
        rows(client, f"SELECT n FROM {name} WHERE n = 1")


def test_a_dry_run_tells_columns_tables_and_bytes(client: Client, people: str) -> None:
    config = QueryJobConfig(dry_run=True)
    job = client.query(f"SELECT age, UPPER(name) FROM {people}", job_config=config)

    assert [(field.name, field.field_type) for field in job.schema or ()] == [
        ("age", "INTEGER"),
        ("f0_", "STRING"),
    ]
    assert job.total_bytes_processed == 2 * 8 + 2 * (2 + 3)
    assert [table.table_id for table in job.referenced_tables] == ["people"]
    assert (
        client.query(f"SELECT COUNT(*) FROM {people}", job_config=config).total_bytes_processed == 0
    )


def test_a_dry_run_counts_the_partitions_that_are_read(client: Client, dataset: Dataset) -> None:
    name = f"{dataset.dataset_id}.moments"
    client.query_and_wait(
        f"CREATE TABLE {name} PARTITION BY DATE(at_time) AS"
        " SELECT TIMESTAMP_ADD(TIMESTAMP '2020-01-01', INTERVAL h HOUR) AS at_time, h"
        " FROM UNNEST(GENERATE_ARRAY(0, 71)) AS h"
    )

    def size(condition: str) -> int:
        config = QueryJobConfig(dry_run=True)
        query = f"SELECT SUM(h) FROM {name} WHERE {condition}"
        return int(client.query(query, job_config=config).total_bytes_processed or 0)

    assert size("h > 3") == 72 * 8
    assert size("at_time >= '2020-01-03' AND h > 3") == 24 * 16
    assert size("at_time = '2020-01-02 05:00:00'") == 24 * 16
    assert size("DATE(at_time) = '2019-01-01'") == 0
