from __future__ import annotations

import pytest
from google.api_core.exceptions import BadRequest, Conflict, NotFound
from google.cloud.bigquery import Client, Dataset, SchemaField, Table

from tests.gcp_local.bigquery.conftest import Rest

READER = "roles/bigquery.dataViewer"


@pytest.fixture
def table(client: Client, dataset: Dataset) -> Table:
    return client.create_table(Table(dataset.table("t"), schema=[SchemaField("a", "STRING")]))


def test_a_tables_policy_is_kept(client: Client, table: Table) -> None:
    policy = client.get_iam_policy(table)
    assert list(policy.bindings) == []
    policy.bindings.append({"role": READER, "members": {"user:me@example.com"}})
    client.set_iam_policy(table, policy)
    kept = client.get_iam_policy(table)

    assert kept.bindings == [{"role": READER, "members": {"user:me@example.com"}}]
    assert kept.etag != policy.etag
    with pytest.raises(Conflict, match="There were concurrent policy changes"):
        client.set_iam_policy(table, policy)


def test_a_policy_that_google_would_refuse_is_refused(client: Client, table: Table) -> None:
    for role, member, message in [
        ("owner", "user:me@example.com", "Role 'owner' is not supported"),
        (READER, "me", "Invalid member 'me'"),
    ]:
        policy = client.get_iam_policy(table)
        policy.bindings = [{"role": role, "members": {member}}]
        with pytest.raises(BadRequest, match=message):
            client.set_iam_policy(table, policy)


def test_the_caller_may_do_all_that_it_asks(client: Client, table: Table) -> None:
    asked = ["bigquery.tables.get", "bigquery.tables.update"]

    assert client.test_iam_permissions(table, asked) == {"permissions": asked}
    with pytest.raises(BadRequest, match=r"Permission 'bigquery\.\*' is not valid"):
        client.test_iam_permissions(table, ["bigquery.*"])
    with pytest.raises(NotFound, match="Not found: Table"):
        client.get_iam_policy(f"{table.dataset_id}.nowhere")


def test_row_access_policies_are_lacking(rest: Rest, table: Table) -> None:
    path = f"/datasets/{table.dataset_id}/tables/t/rowAccessPolicies"

    assert "bigquery.rowAccessPolicies.list" in rest.error("GET", path)["message"]
