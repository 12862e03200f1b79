from __future__ import annotations

import random
import uuid
from typing import Any

import pytest
from google.cloud.bigquery import Client, SchemaField, Table

from tests.gcp_local.bigquery.conftest import hold_to_surface
from tests.gcp_local.emulators import Emulator

COLUMNS = {
    "age": "INTEGER",
    "spend": "FLOAT",
    "plan": "STRING",
    "vip": "BOOLEAN",
    "since": "TIMESTAMP",
    "held": "BOOLEAN",
    "left": "STRING",
    "next_spend": "FLOAT",
}
QUERY = "SELECT age, spend, plan, vip, held, `left` FROM d.customers"


def customers(rows: int = 600, *, seed: int = 1) -> list[dict[str, Any]]:
    """Customers: mostly the young on the basic plan leave; some ages and plans are not known."""
    source = random.Random(seed)
    found = []
    for number in range(rows):
        day = f"{1 + number % 12:02}-{1 + number % 28:02}"
        age, plan = source.randint(18, 80), source.choice(("basic", "plus", "gold"))
        leaves = (age < 50) == (plan == "basic")
        if source.random() < 0.1:
            leaves = not leaves
        spend = round(source.uniform(5, 100), 2)
        found.append(
            {
                "age": None if number % 40 == 7 else age,
                "spend": spend,
                "plan": None if number % 50 == 9 else plan,
                "vip": source.random() < 0.2,
                "since": f"20{10 + number % 15}-{day}T10:00:00Z",
                "held": number % 4 == 0,
                "left": "yes" if leaves else "no",
                "next_spend": round(2 * spend + age + source.gauss(0, 3), 2),
            }
        )
    return found


def fill(client: Client, dataset: str, name: str, rows: list[dict[str, Any]]) -> None:
    ref = f"{client.project}.{dataset}.{name}"
    client.create_table(Table(ref, [SchemaField(*each) for each in COLUMNS.items()]))
    assert client.insert_rows_json(ref, rows) == []


def create(client: Client, name: str, query: str, *, transform: str = "", **options: Any) -> None:
    client.query_and_wait(statement(name, query, transform=transform, **options))


def statement(name: str, query: str, *, transform: str = "", **options: Any) -> str:
    said = ", ".join(f"{key}={_written(value)}" for key, value in options.items())
    clause = f"TRANSFORM({transform})" if transform else ""
    return f"CREATE MODEL {name} {clause} OPTIONS({said}) AS {query}"


def _written(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).upper()
    return f"'{value}'" if isinstance(value, str) else str(value)


@pytest.fixture(scope="session")
def warehouse(emulator: Emulator) -> Client:
    """A project with a table of customers, and four models of them."""
    client = Client(
        project=f"test-{uuid.uuid4().hex[:12]}",
        credentials=emulator.gapic["credentials"],
        client_options={"api_endpoint": emulator.endpoint},
    )
    client._http.hooks["response"].append(hold_to_surface)
    client.create_dataset("d")
    fill(client, "d", "customers", customers())
    split: dict[str, Any] = {"data_split_method": "CUSTOM", "data_split_col": "held"}
    common: dict[str, Any] = {"input_label_cols": ["left"], **split, "enable_global_explain": True}
    statements = (
        statement("d.logistic", QUERY, model_type="logistic_reg", **common),
        statement("d.trees", QUERY, model_type="BOOSTED_TREE_CLASSIFIER", **common),
        statement(
            "d.linear",
            "SELECT age, spend, next_spend, held FROM d.customers",
            model_type="LINEAR_REG",
            **{**common, "input_label_cols": ["next_spend"]},
        ),
        statement(
            "d.several",
            "SELECT age, IFNULL(spend + next_spend, 0) AS both, `left`, plan, held"
            " FROM d.customers WHERE plan IS NOT NULL",
            model_type="LOGISTIC_REG",
            **{**common, "input_label_cols": ["plan"]},
        ),
    )
    for job in [client.query(each) for each in statements]:
        job.result()
    return client
