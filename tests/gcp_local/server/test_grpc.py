"""The gRPC door, through the gRPC transports of Google's clients."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc  # type: ignore[import-untyped]
import pytest
from google.api_core import exceptions, retry
from google.cloud import aiplatform_v1, kms_v1
from google.cloud.aiplatform_v1.services.pipeline_service.transports.grpc import (
    PipelineServiceGrpcTransport,
)
from google.cloud.kms_v1.services.key_management_service.transports import (
    KeyManagementServiceGrpcTransport,
)
from google.rpc import error_details_pb2  # type: ignore[import-untyped]

from gcp_local.grpc_door.server import GrpcDoor
from tests.gcp_local.emulators import Emulator, start

LISTING = "google.cloud.kms.v1.KeyManagementService.ListKeyRings"
NO_RETRY = retry.Retry(predicate=lambda _: False)


def keys(emulator: Emulator) -> kms_v1.KeyManagementServiceClient:
    transport = KeyManagementServiceGrpcTransport(channel=emulator.grpc_channel())
    return kms_v1.KeyManagementServiceClient(transport=transport)


@pytest.fixture
def broken(emulator: Emulator) -> Iterator[Emulator]:
    """The server, which has no faults before nor after."""
    emulator.faults.clear()
    yield emulator
    emulator.faults.clear()


def test_a_resource_made_by_grpc_is_there_by_http(emulator: Emulator, project: str) -> None:
    parent = f"projects/{project}/locations/europe-west1"
    made = keys(emulator).create_key_ring(parent=parent, key_ring_id="r", key_ring=kms_v1.KeyRing())
    found = kms_v1.KeyManagementServiceClient(**emulator.gapic).get_key_ring(name=made.name)
    assert found == made


def test_an_error_has_the_code_and_the_field_that_http_tells(
    emulator: Emulator, project: str
) -> None:
    with pytest.raises(exceptions.InvalidArgument) as refused:
        keys(emulator).create_key_ring(
            parent=f"projects/{project}/locations/europe-west1", key_ring_id="no good"
        )
    (detail,) = refused.value.details
    assert isinstance(detail, error_details_pb2.BadRequest)
    assert detail.field_violations[0].field == "key_ring_id"


def test_a_method_that_is_not_there_is_named(emulator: Emulator, project: str) -> None:
    name = f"projects/{project}/locations/europe-west1/keyRings/r/importJobs/j"
    with pytest.raises(exceptions.MethodNotImplemented, match=r"v1\.KeyMan\w+\.GetImportJob "):
        keys(emulator).get_import_job(name=name)
    with pytest.raises(exceptions.MethodNotImplemented, match="StreamRawPredict"):
        call(emulator, "google.cloud.aiplatform.v1.PredictionService/StreamRawPredict", b"")
    with pytest.raises(exceptions.MethodNotImplemented):
        call(emulator, "no.such.Service/Method", b"")


def call(emulator: Emulator, path: str, content: bytes) -> bytes:
    with emulator.grpc_channel() as channel:
        try:
            answer: bytes = channel.unary_unary(f"/{path}")(content, timeout=10)
        except grpc.RpcError as error:
            raise exceptions.from_grpc_status(error.code(), error.details()) from None  # type: ignore[no-untyped-call]
        return answer


def test_what_is_no_message_is_refused(emulator: Emulator) -> None:
    with pytest.raises(exceptions.InvalidArgument, match="cannot be parsed"):
        call(emulator, "google.cloud.kms.v1.KeyManagementService/GetKeyRing", b"\x0a\xff")


def test_a_name_that_no_url_could_hold_is_refused(emulator: Emulator) -> None:
    for name in ("", "nonsense", "projects/abcdef/keyRings/r"):
        with pytest.raises(exceptions.InvalidArgument, match="Invalid resource name") as refused:
            keys(emulator).get_key_ring(name=name)
        assert refused.value.details[0].field_violations[0].field == "name"


def test_an_enums_number_that_stands_for_nothing_is_refused(
    emulator: Emulator, project: str
) -> None:
    request = kms_v1.CreateCryptoKeyRequest(parent="p", crypto_key_id="k")
    content = kms_v1.CreateCryptoKeyRequest.serialize(request)
    content += b"\x1a\x02\x18\x63"  # crypto_key { purpose: 99 }
    with pytest.raises(exceptions.InvalidArgument, match=r"crypto_key\.purpose"):
        call(emulator, "google.cloud.kms.v1.KeyManagementService/CreateCryptoKey", content)


def test_operations_are_known_by_grpc_too(emulator: Emulator) -> None:
    transport = PipelineServiceGrpcTransport(channel=emulator.grpc_channel())
    client = aiplatform_v1.PipelineServiceClient(transport=transport)
    with pytest.raises(exceptions.NotFound):
        client.get_operation({"name": "projects/abcdef/locations/us-central1/operations/1"})


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ({"error": 503}, exceptions.ServiceUnavailable),
        ({"error": 429, "retry_after": 3}, exceptions.ResourceExhausted),
        ({"error": 500, "when": "after"}, exceptions.InternalServerError),
        ({"reset": True}, exceptions.ServiceUnavailable),
    ],
)
def test_a_fault_that_was_ordered_strikes(
    broken: Emulator, project: str, fault: Any, expected: type[Exception]
) -> None:
    client = keys(broken)
    parent = f"projects/{project}/locations/europe-west1"
    with broken.faults.ordered(method=LISTING, nth=2, **fault):
        client.list_key_rings(parent=parent, retry=NO_RETRY)
        with pytest.raises(expected) as struck:
            client.list_key_rings(parent=parent, retry=NO_RETRY)
        client.list_key_rings(parent=parent, retry=NO_RETRY)
    if "retry_after" in fault:
        assert struck.value.details[0].retry_delay.seconds == 3  # type: ignore[attr-defined]
    statuses = [call["status"] for call in broken.faults.calls if call["method"] == LISTING]
    assert statuses == [200, fault.get("error"), 200]


def test_an_effect_before_the_fault_stays(broken: Emulator, project: str) -> None:
    client = keys(broken)
    parent = f"projects/{project}/locations/europe-west1"
    ordered = broken.faults.ordered(path="*/CreateKeyRing", error=503, when="after")
    with ordered, pytest.raises(exceptions.ServiceUnavailable):
        client.create_key_ring(parent=parent, key_ring_id="r", retry=NO_RETRY)
    assert [ring.name for ring in client.list_key_rings(parent=parent)] == [f"{parent}/keyRings/r"]


def test_calls_by_grpc_keep_an_idle_server_up_and_it_says_where_it_is(tmp_path: Path) -> None:
    emulator = start(tmp_path / "state", "--idle-timeout", "2")
    try:
        told = emulator.ask("GET", "/gcp-local/server")
        assert told["grpc_endpoint"] == emulator.grpc_endpoint
        client = keys(emulator)
        deadline = time.monotonic() + 2.6
        while time.monotonic() < deadline:
            client.list_key_rings(parent="projects/abcdef/locations/europe-west1")
            time.sleep(0.2)
        assert emulator.running
        assert emulator.wait() == 0
    finally:
        if emulator.running:
            emulator.kill()


def test_a_taken_port_is_refused(emulator: Emulator) -> None:
    port = int(emulator.grpc_endpoint.rpartition(":")[2])
    with pytest.raises(OSError, match=f"gRPC cannot listen on port {port}"):
        GrpcDoor("127.0.0.1", port)
