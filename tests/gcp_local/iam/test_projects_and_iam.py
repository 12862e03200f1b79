"""Projects, service accounts, their signatures, policies and permissions, by Google's clients."""

from __future__ import annotations

import base64
import json
import stat
import time
from collections.abc import Iterator
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from google.api_core import exceptions
from google.cloud import (
    artifactregistry_v1,
    bigquery,
    iam_admin_v1,
    iam_credentials_v1,
    kms_v1,
    resourcemanager_v3,
)
from google.cloud.artifactregistry_v1.services.artifact_registry.transports.grpc import (
    ArtifactRegistryGrpcTransport,
)
from google.cloud.iam_admin_v1.services.iam.transports.grpc import IAMGrpcTransport
from google.cloud.resourcemanager_v3.services.projects.transports.grpc import ProjectsGrpcTransport
from google.cloud.storage import Bucket
from google.iam.v1 import policy_pb2  # type: ignore[import-untyped]
from google.type import expr_pb2  # type: ignore[import-untyped]

from gcp_local.testing import RefusedError
from tests.gcp_local.emulators import Emulator

ACCOUNT = "projects/-/serviceAccounts/runner@my-project.iam.gserviceaccount.com"
OWNER = policy_pb2.Binding(role="roles/owner", members=["user:a@example.com"])


@pytest.fixture
def projects(emulator: Emulator) -> resourcemanager_v3.ProjectsClient:
    return resourcemanager_v3.ProjectsClient(**emulator.gapic)


@pytest.fixture
def accounts(emulator: Emulator) -> iam_admin_v1.IAMClient:
    """By gRPC: this client has no other transport."""
    return iam_admin_v1.IAMClient(transport=IAMGrpcTransport(channel=emulator.grpc_channel()))


@pytest.fixture
def credentials(emulator: Emulator) -> iam_credentials_v1.IAMCredentialsClient:
    return iam_credentials_v1.IAMCredentialsClient(**emulator.gapic)


def test_a_project_is_found_by_its_id_and_its_number(
    emulator: Emulator, projects: resourcemanager_v3.ProjectsClient, project: str
) -> None:
    found = projects.get_project(name=f"projects/{project}")
    assert found.project_id == project
    assert found.name.removeprefix("projects/").isdecimal()
    assert found.state == resourcemanager_v3.Project.State.ACTIVE
    assert projects.get_project(name=found.name) == found
    transport = ProjectsGrpcTransport(channel=emulator.grpc_channel())
    by_grpc = resourcemanager_v3.ProjectsClient(transport=transport)
    assert by_grpc.get_project(name=found.name) == found


def test_what_is_no_project_is_refused(projects: resourcemanager_v3.ProjectsClient) -> None:
    with pytest.raises(exceptions.Forbidden, match="may not exist"):
        projects.get_project(name="projects/123456789012")
    with pytest.raises(exceptions.BadRequest):
        projects.get_project(name="projects/No")
    with pytest.raises(exceptions.Forbidden):
        list(projects.list_projects(parent="organizations/1"))
    with pytest.raises(exceptions.MethodNotImplemented, match="CreateProject"):
        projects.create_project(project=resourcemanager_v3.Project(project_id="abcdef"))


def test_projects_are_searched(projects: resourcemanager_v3.ProjectsClient, project: str) -> None:
    projects.get_project(name=f"projects/{project}")
    for query in (f"id:{project}", f"projectId={project[:-3]}* state:ACTIVE", ""):
        found = {each.project_id for each in projects.search_projects(query=query)}
        assert project in found
    assert not list(projects.search_projects(query=f"id:{project} AND state:DELETE_REQUESTED"))
    with pytest.raises(exceptions.MethodNotImplemented, match="labels"):
        list(projects.search_projects(query="labels:x"))
    with pytest.raises(exceptions.BadRequest, match="query"):
        list(projects.search_projects(query="((("))


def test_a_projects_policy_is_kept_and_its_etag_guards_it(
    projects: resourcemanager_v3.ProjectsClient, project: str
) -> None:
    resource = f"projects/{project}"
    before = projects.get_iam_policy(resource=resource)
    policy = policy_pb2.Policy(bindings=[OWNER], etag=before.etag)
    kept = projects.set_iam_policy(request={"resource": resource, "policy": policy})
    assert list(kept.bindings) == [OWNER]
    number = projects.get_project(name=resource).name
    assert projects.get_iam_policy(resource=number) == kept
    with pytest.raises(exceptions.Conflict, match="concurrent policy changes"):
        projects.set_iam_policy(request={"resource": resource, "policy": policy})


@pytest.mark.parametrize(
    ("policy", "why"),
    [
        (policy_pb2.Policy(version=2), "version"),
        (policy_pb2.Policy(bindings=[{"role": "owner"}]), "role"),
        (policy_pb2.Policy(bindings=[{"role": "roles/owner", "members": ["me"]}]), "member"),
        (policy_pb2.Policy(bindings=[{"role": "roles/owner", "members": ["user:me"]}]), "member"),
        (
            policy_pb2.Policy(
                bindings=[policy_pb2.Binding(role="roles/a", condition=expr_pb2.Expr(title="t"))]
            ),
            "version 3",
        ),
    ],
)
def test_a_policy_that_cannot_be_is_refused(
    projects: resourcemanager_v3.ProjectsClient, project: str, policy: Any, why: str
) -> None:
    resource = f"projects/{project}"
    with pytest.raises(exceptions.BadRequest, match=why):
        projects.set_iam_policy(request={"resource": resource, "policy": policy})
    assert not projects.get_iam_policy(resource=resource).bindings


def test_policies_of_keys_and_repositories_are_kept(emulator: Emulator, project: str) -> None:
    keys = kms_v1.KeyManagementServiceClient(**emulator.gapic)
    parent = f"projects/{project}/locations/europe-west1"
    ring = keys.create_key_ring(parent=parent, key_ring_id="ring", key_ring=kms_v1.KeyRing()).name
    policy = policy_pb2.Policy(bindings=[OWNER])
    kept = keys.set_iam_policy(request={"resource": ring, "policy": policy})
    assert keys.get_iam_policy(request={"resource": ring}) == kept
    asked = {"resource": ring, "permissions": ["cloudkms.keyRings.get"]}
    assert keys.test_iam_permissions(request=asked).permissions == asked["permissions"]
    with pytest.raises(exceptions.NotFound):
        keys.get_iam_policy(request={"resource": f"{parent}/keyRings/other"})
    registry = artifactregistry_v1.ArtifactRegistryClient(
        transport=ArtifactRegistryGrpcTransport(channel=emulator.grpc_channel())
    )
    with pytest.raises(exceptions.NotFound):
        registry.get_iam_policy(request={"resource": f"{parent}/repositories/none"})


def test_a_buckets_policy_is_kept_and_its_etag_guards_it(bucket: Bucket) -> None:
    policy = bucket.get_iam_policy(requested_policy_version=3)
    policy.version = 3
    reading = {"role": "roles/storage.objectViewer", "members": {"user:a@example.com"}}
    ending = {"title": "t", "expression": "request.time < timestamp('2030-01-01T00:00:00Z')"}
    policy.bindings = [reading, {**reading, "condition": ending}]
    kept = bucket.set_iam_policy(policy)
    assert kept.bindings == policy.bindings
    assert bucket.get_iam_policy(requested_policy_version=3).etag == kept.etag
    with pytest.raises(exceptions.PreconditionFailed):
        bucket.set_iam_policy(policy)


@pytest.mark.parametrize(
    "said",
    [
        {"bindings": [1]},
        {"bindings": {"role": "roles/owner"}},
        {"bindings": [{"role": "owner", "members": ["allUsers"]}]},
        {"bindings": [{"role": "roles/owner", "members": "allUsers"}]},
        {"bindings": [{"role": "roles/owner", "members": ["user:me"]}]},
        {"bindings": [], "version": "x"},
        {"bindings": [], "more": 1},
        {"bindings": [], "etag": 1},
    ],
)
def test_a_buckets_policy_that_cannot_be_is_refused(
    emulator: Emulator, bucket: Bucket, said: dict[str, Any]
) -> None:
    path = f"/storage/v1/b/{bucket.name}/iam"
    assert emulator.call("PUT", path, json=said).status_code == 400
    assert not emulator.call("GET", path).json()["bindings"]


def test_a_policy_that_is_not_kept_is_said_to_be_so(emulator: Emulator, project: str) -> None:
    resource = f"projects/{project}/locations/europe-west1/ekmConnections/c"
    answer = emulator.call("GET", f"/v1/{resource}:getIamPolicy")
    assert answer.status_code == 501
    assert resource in answer.text


@pytest.fixture
def denying(emulator: Emulator) -> Iterator[Emulator]:
    yield emulator
    emulator.permissions.deny()


def test_everybody_may_do_everything_but_what_a_test_denies(
    denying: Emulator,
    projects: resourcemanager_v3.ProjectsClient,
    bucket: Bucket,
    project: str,
) -> None:
    asked = ["cloudkms.cryptoKeyVersions.useToSign", "storage.objects.create"]
    request = {"resource": f"projects/{project}", "permissions": asked}
    assert projects.test_iam_permissions(request=request).permissions == asked
    denying.permissions.deny("cloudkms.*")
    assert projects.test_iam_permissions(request=request).permissions == asked[1:]
    objects = ["storage.objects.create", "storage.objects.get"]
    assert bucket.test_iam_permissions(objects) == objects
    denying.permissions.deny("storage.objects.create")
    assert bucket.test_iam_permissions(objects) == objects[1:]
    tables = ["bigquery.tables.get", "bigquery.tables.update"]
    client = bigquery.Client(
        project=project, credentials=denying.credentials, client_options=denying.client_options
    )
    client.create_dataset("shop")
    table = client.create_table(f"{project}.shop.orders")
    assert client.test_iam_permissions(table, tables) == {"permissions": tables}
    denying.permissions.deny("bigquery.tables.up*")
    assert client.test_iam_permissions(table, tables) == {"permissions": tables[:1]}
    for wrong in ("storage.*", "storage", "Storage.objects.create"):
        with pytest.raises(exceptions.BadRequest, match="not valid"):
            projects.test_iam_permissions(
                request={"resource": f"projects/{project}", "permissions": [wrong]}
            )
    with pytest.raises(RefusedError, match="deny"):
        denying.ask("PUT", "/gcp-local/permissions", b'{"deny": "all"}')


def test_a_service_account_is_made_found_listed_and_deleted(
    accounts: iam_admin_v1.IAMClient, project: str
) -> None:
    made = accounts.create_service_account(
        name=f"projects/{project}",
        account_id="runner",
        service_account=iam_admin_v1.ServiceAccount(display_name="Runs pipelines"),
    )
    assert made.email == f"runner@{project}.iam.gserviceaccount.com"
    assert len(made.unique_id) == 21
    for account in (made.email, made.unique_id):
        for owner in (project, "-"):
            name = f"projects/{owner}/serviceAccounts/{account}"
            assert accounts.get_service_account(name=name) == made
    assert list(accounts.list_service_accounts(name=f"projects/{project}")) == [made]
    with pytest.raises(exceptions.AlreadyExists):
        accounts.create_service_account(name=f"projects/{project}", account_id="runner")
    accounts.delete_service_account(name=made.name)
    with pytest.raises(exceptions.NotFound, match="Unknown service account"):
        accounts.get_service_account(name=made.name)
    for wrong in ("short", "Upper-case", "ends-with-", "a" * 31):
        with pytest.raises(exceptions.BadRequest, match="account_id"):
            accounts.create_service_account(name=f"projects/{project}", account_id=wrong)
    with pytest.raises(exceptions.MethodNotImplemented, match="CreateServiceAccountKey"):
        accounts.create_service_account_key(name=made.name)


def test_service_accounts_are_there_by_rest_too(emulator: Emulator, project: str) -> None:
    path = f"/v1/projects/{project}/serviceAccounts"
    made = emulator.call("POST", path, json={"accountId": "runner"}).json()
    assert emulator.call("GET", f"/v1/{made['name']}").json() == made
    assert emulator.call("GET", path).json() == {"accounts": [made]}
    assert emulator.call("DELETE", f"/v1/{made['name']}").status_code == 200


@pytest.mark.parametrize(
    ("verb", "rest", "method"),
    [
        ("PATCH", "", "PatchServiceAccount"),
        ("POST", ":undelete", "UndeleteServiceAccount"),
        ("POST", "/keys", "CreateServiceAccountKey"),
        ("GET", "/keys", "ListServiceAccountKeys"),
        ("DELETE", "/keys/0123", "DeleteServiceAccountKey"),
    ],
)
def test_what_accounts_lack_is_named_by_rest_too(
    emulator: Emulator, project: str, verb: str, rest: str, method: str
) -> None:
    account = f"runner@{project}.iam.gserviceaccount.com"
    path = f"/v1/projects/{project}/serviceAccounts/{account}{rest}"
    answer = emulator.call(verb, path, json={} if verb in ("POST", "PATCH") else None)
    assert answer.status_code == 501
    assert f"google.iam.admin.v1.IAM.{method}" in answer.json()["error"]["message"]


def test_whether_one_may_act_as_an_account_is_answered_for_accounts_that_are_there(
    denying: Emulator, accounts: iam_admin_v1.IAMClient, project: str
) -> None:
    made = accounts.create_service_account(name=f"projects/{project}", account_id="runner")
    asked = {"resource": f"projects/-/serviceAccounts/{made.email}"}
    acting = ["iam.serviceAccounts.actAs"]
    request = {**asked, "permissions": acting}
    assert accounts.test_iam_permissions(request=request).permissions == acting
    denying.permissions.deny("iam.serviceAccounts.actAs")
    assert not accounts.test_iam_permissions(request=request).permissions
    unknown = {**request, "resource": f"projects/-/serviceAccounts/no-{made.email}"}
    with pytest.raises(exceptions.NotFound, match="Unknown service account"):
        accounts.test_iam_permissions(request=unknown)


def test_an_accounts_policy_is_kept_and_goes_with_it(
    accounts: iam_admin_v1.IAMClient, project: str
) -> None:
    made = accounts.create_service_account(name=f"projects/{project}", account_id="runner")
    policy = policy_pb2.Policy(bindings=[OWNER])
    kept = accounts.set_iam_policy(request={"resource": made.name, "policy": policy})
    assert accounts.get_iam_policy(request={"resource": made.name}) == kept
    accounts.delete_service_account(name=made.name)
    accounts.create_service_account(name=f"projects/{project}", account_id="runner")
    assert not accounts.get_iam_policy(request={"resource": made.name}).bindings


def test_a_disabled_account_says_so(accounts: iam_admin_v1.IAMClient, project: str) -> None:
    name = accounts.create_service_account(name=f"projects/{project}", account_id="runner").name
    accounts.disable_service_account(request={"name": name})
    assert accounts.get_service_account(name=name).disabled
    accounts.enable_service_account(request={"name": name})
    assert not accounts.get_service_account(name=name).disabled


def test_what_an_account_signs_the_public_key_verifies(
    emulator: Emulator, credentials: iam_credentials_v1.IAMCredentialsClient
) -> None:
    pem = emulator.call("GET", "/gcp-local/signing-key").content
    key = serialization.load_pem_public_key(pem)
    assert isinstance(key, rsa.RSAPublicKey)
    blob = credentials.sign_blob(name=ACCOUNT, payload=b"evidence")
    key.verify(blob.signed_blob, b"evidence", padding.PKCS1v15(), hashes.SHA256())
    claims = json.dumps({"sub": "x", "exp": int(time.time()) + 600})
    signed = credentials.sign_jwt(name=ACCOUNT, payload=claims)
    assert signed.key_id == blob.key_id
    content, _, signature = signed.signed_jwt.rpartition(".")
    key.verify(decoded(signature), content.encode(), padding.PKCS1v15(), hashes.SHA256())
    assert decoded(content.partition(".")[2]).decode() == claims
    file = emulator.state / "keys" / "service-accounts.pem"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def test_tokens_are_given(credentials: iam_credentials_v1.IAMCredentialsClient) -> None:
    scope = ["https://www.googleapis.com/auth/cloud-platform"]
    first = credentials.generate_access_token(name=ACCOUNT, scope=scope)
    assert first.access_token
    ends: Any = first.expire_time
    assert 3500 < ends.timestamp() - time.time() <= 3700
    token = credentials.generate_id_token(name=ACCOUNT, audience="me", include_email=True).token
    claims = json.loads(decoded(token.split(".")[1]))
    assert (claims["aud"], claims["email"]) == ("me", ACCOUNT.rpartition("/")[2])
    bare = credentials.generate_id_token(name=ACCOUNT, audience="me").token
    assert "email" not in json.loads(decoded(bare.split(".")[1]))


def test_what_cannot_be_signed_is_refused(
    credentials: iam_credentials_v1.IAMCredentialsClient,
) -> None:
    for name in (ACCOUNT.replace("/-/", "/my-project/"), "projects/-/serviceAccounts/me"):
        with pytest.raises(exceptions.BadRequest, match="name"):
            credentials.sign_blob(name=name, payload=b"x")
    with pytest.raises(exceptions.BadRequest, match="scope"):
        credentials.generate_access_token(name=ACCOUNT, scope=[])
    with pytest.raises(exceptions.BadRequest, match="lifetime"):
        credentials.generate_access_token(
            request={"name": ACCOUNT, "scope": ["s"], "lifetime": {"seconds": 3601}}
        )
    for claims in ("[]", "no", json.dumps({"exp": 1}), json.dumps({"exp": time.time() + 1})):
        with pytest.raises(exceptions.BadRequest):
            credentials.sign_jwt(name=ACCOUNT, payload=claims)
