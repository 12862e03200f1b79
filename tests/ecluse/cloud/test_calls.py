"""The way calls go: patience, pauses, budgets; and what a user is told."""

import logging
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests
from google.api_core import exceptions as api_exceptions
from google.auth import exceptions as auth_exceptions
from hypothesis import given
from hypothesis import strategies as st
from requests.adapters import HTTPAdapter

from ecluse.cloud import calls as calls_module
from ecluse.cloud import connect
from ecluse.cloud.calls import Calls, Patience
from ecluse.cloud.failures import passing, seconds_until
from ecluse.cloud.slots import Slots
from ecluse.cloud.storage import PreconditionFailed
from ecluse.errors import CloudError, Interrupted
from ecluse.repository.settings import Budget
from tests.ecluse.cloud.place import Place, environment, unused

exceptions: Any = api_exceptions  # its classes are untyped
NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)


# What passes, and what it means


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("0", 0.0),
        ("120", 120.0),
        ("Sun, 22 Nov 2026 09:30:30 GMT", 30.0),
        ("Sun, 22 Nov 2026 09:29:00 GMT", 0.0),
        ("soon", None),
        ("-5", None),
        ("inf", None),
        ("nan", None),
    ],
)
def test_retry_after_is_read_as_seconds_or_as_a_date(said: str, seconds: float | None) -> None:
    assert seconds_until(said, NOW) == seconds


@given(st.text(max_size=40))
def test_no_retry_after_is_too_strange_to_be_read(said: str) -> None:
    seconds = seconds_until(said, NOW)
    assert seconds is None or 0 <= seconds < float("inf")


def answered(status: int, **headers: str) -> requests.Response:
    response = requests.Response()
    response.status_code = status
    response.headers.update({name.replace("_", "-"): value for name, value in headers.items()})
    response.request = requests.Request("GET", "https://example.com/").prepare()
    response._content = b"{}"
    return response


@pytest.mark.parametrize(
    ("status", "passes"),
    [(400, False), (401, False), (403, False), (404, False), (408, True), (409, False),
     (412, False), (429, True), (500, True), (501, False), (502, True), (503, True), (504, True)],
)  # fmt: skip
def test_every_client_tells_the_same_of_a_status(status: int, passes: bool) -> None:
    response = answered(status, Retry_After="7")
    of_typed_client = exceptions.from_http_response(response)
    of_kfp = requests.HTTPError(response=response)
    for error in (of_typed_client, of_kfp):
        found = passing(error)
        assert (found is not None) is passes
        if found is not None:
            assert found.retry_after == 7
            assert found.throttled is found.without_effect is (status == 429)


def test_the_wait_in_an_answers_details_counts_too() -> None:
    details = [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "1.5s"}]
    found = passing(exceptions.TooManyRequests("slower", details=details))
    assert found is not None
    assert found.retry_after == 1.5


def test_a_broken_connection_passes_and_only_one_never_opened_had_no_effect() -> None:
    with pytest.raises(requests.ConnectionError) as refused:
        requests.get("http://127.0.0.1:9/", timeout=5)
    never_sent = passing(refused.value)
    assert never_sent is not None
    assert never_sent.without_effect
    for error in (
        requests.ConnectionError(ConnectionResetError(104, "reset")),
        requests.ReadTimeout(),
        requests.exceptions.ChunkedEncodingError(),
        ConnectionResetError(),
    ):
        found = passing(error)
        assert found is not None
        assert not found.without_effect


def test_a_token_that_could_not_be_fetched_passes_and_refused_credentials_do_not() -> None:
    assert passing(auth_exceptions.TransportError("no route")) is not None
    assert passing(auth_exceptions.RefreshError("later", retryable=True)) is not None
    assert passing(auth_exceptions.RefreshError("revoked")) is None
    assert passing(auth_exceptions.DefaultCredentialsError("none")) is None
    assert passing(ValueError("a fault of ours")) is None


def test_what_a_user_is_told_says_what_to_do() -> None:
    calls = Calls(Budget(), Patience(deadline=0.01))
    disabled = exceptions.Forbidden(
        "Cloud KMS API has not been used",
        error_info={
            "reason": "SERVICE_DISABLED",
            "metadata": {"service": "cloudkms.googleapis.com", "consumer": "projects/acme"},
        },
    )
    told = {
        exceptions.Forbidden("you may not"): "ecluse doctor ENVIRONMENT",
        exceptions.Unauthorized("who are you"): "gcloud auth application-default login",
        disabled: "gcloud services enable cloudkms.googleapis.com --project=acme",
        exceptions.ServiceUnavailable("down"): "try again in a while",
        requests.ConnectionError("down"): "try again in a while",
        auth_exceptions.DefaultCredentialsError("no"): "gcloud auth application-default login",
    }
    for error, fix in told.items():
        with pytest.raises(CloudError) as caught:
            calls.call("projects/acme/thing", raising(error))
        assert caught.value.where == "projects/acme/thing"
        assert fix in caught.value.fix
    with pytest.raises(ValueError, match="ours"):
        calls.call("projects/acme/thing", raising(ValueError("a fault of ours")))


def raising(error: Exception) -> Any:
    def function() -> None:
        raise error

    return function


# Patience


def test_a_call_that_goes_on_failing_ends_at_the_deadline_and_says_how_often_it_was_tried(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls_module, "PATIENCE", Patience(deadline=0.4, first=0.02, longest=0.1))
    cloud = place.fresh()
    began = time.monotonic()
    with (
        place.server.faults.ordered(path="*/nothing", error=503),
        pytest.raises(CloudError, match=r"A fault that was ordered.* \(tried \d+ times in 0 s\)"),
    ):
        cloud.storage.read(place.address("nothing"))
    assert 0.1 < time.monotonic() - began < 20
    assert len([call for call in place.server.faults.calls if call["status"] == 503]) > 3


def test_a_service_that_asks_for_more_time_than_there_is_is_not_waited_for(place: Place) -> None:
    began = time.monotonic()
    with (
        place.server.faults.ordered(path="*/nothing", error=429, retry_after=60),
        pytest.raises(CloudError, match="A fault that was ordered"),
    ):
        place.cloud.storage.read(place.address("nothing"))
    assert time.monotonic() - began < 20


def test_retry_after_is_waited_for(place: Place) -> None:
    place.cloud.storage.write(place.address("thing"), b"content")
    began = time.monotonic()
    with place.server.faults.ordered(path="*/thing", error=503, retry_after=1, nth=1):
        assert place.cloud.storage.read(place.address("thing")) is not None
    assert time.monotonic() - began >= 1.0


def test_one_call_that_is_throttled_slows_all_of_its_environment(place: Place) -> None:
    place.cloud.storage.write(place.address("thing"), b"content")
    other = place.fresh()
    with (
        ThreadPoolExecutor(1) as pool,
        place.server.faults.ordered(path="*/nothing", error=429, retry_after=2, nth=1),
    ):
        began = time.monotonic()
        throttled = pool.submit(place.cloud.storage.read, place.address("nothing"))
        while not any(call["status"] == 429 for call in place.server.faults.calls):
            time.sleep(0.02)
        time.sleep(0.05)  # until the client has read the answer
        assert other.storage.read(place.address("thing")) is not None
        assert time.monotonic() - began < 1.9, "another environment's calls go on"
        assert place.cloud.storage.read(place.address("thing")) is not None
        assert time.monotonic() - began >= 2.0
        assert throttled.result() is None


def test_whoever_is_in_a_hurry_waits_for_no_second_try(place: Place) -> None:
    cloud = place.fresh()
    with (
        ThreadPoolExecutor(1) as pool,
        place.server.faults.ordered(path="*/nothing", error=503, retry_after=2),
    ):
        waiting = pool.submit(cloud.storage.read, place.address("nothing"))
        while not place.server.faults.calls or place.server.faults.calls[-1]["status"] != 503:
            time.sleep(0.02)
        began = time.monotonic()
        cloud.calls.hurry()
        with pytest.raises(CloudError):
            waiting.result(timeout=5)
        with pytest.raises(CloudError):
            cloud.storage.read(place.address("nothing"))
        assert time.monotonic() - began < 1.9
    assert cloud.storage.read(place.address("nothing")) is None


# Writes in doubt


@pytest.mark.parametrize("fault", [{"error": 500}, {"error": 503}, {"error": 429}, {"reset": True}])
def test_a_write_whose_answer_was_lost_is_not_taken_for_a_lost_race(
    place: Place, fault: dict[str, Any]
) -> None:
    storage, address = place.cloud.storage, place.address(unused())
    before = storage.write(address, b"before")
    with place.server.faults.ordered(path="/upload/*", when="after", nth=1, **fault):
        after = storage.write(address, b"mine", if_generation=before)
    found = storage.read(address)
    assert found is not None
    assert (found.content, found.generation) == (b"mine", after)


def test_a_write_in_doubt_that_somebody_else_replaced_is_a_lost_race(place: Place) -> None:
    storage, address = place.cloud.storage, place.address(unused())
    before = storage.write(address, b"before")
    other = place.fresh().storage
    with (
        place.server.faults.ordered(path="/upload/*", error=503, nth=1, retry_after=1),
        ThreadPoolExecutor(1) as pool,
    ):
        mine = pool.submit(storage.write, address, b"mine", if_generation=before)
        while not any(call["status"] == 503 for call in place.server.faults.calls):
            time.sleep(0.02)
        other.write(address, b"theirs", if_generation=before)
        with pytest.raises(PreconditionFailed):
            mine.result()
    found = storage.read(address)
    assert found is not None
    assert found.content == b"theirs"


def test_a_write_in_doubt_is_found_under_a_retention_policy_too(place: Place) -> None:
    storage, address = place.cloud.storage, place.address(unused())
    bucket = storage._client.bucket(place.environment.ledger.removeprefix("gs://"))
    bucket.retention_period = 3600
    bucket.patch()
    with place.server.faults.ordered(path="/upload/*", error=503, when="after", nth=1):
        assert storage.write(address, b"mine") > 0
    with pytest.raises(CloudError):
        storage.write(address, b"other")
    found = storage.read(address)
    assert found is not None
    assert found.content == b"mine"


def test_the_same_bytes_of_somebody_else_are_a_lost_race_when_nothing_was_in_doubt(
    place: Place,
) -> None:
    storage, address = place.cloud.storage, place.address(unused())
    before = storage.write(address, b"before")
    storage.write(address, b"same")
    with pytest.raises(PreconditionFailed):
        storage.write(address, b"same", if_generation=before)


# Connections


def test_all_clients_share_one_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "credentials.json"
    file.write_text(
        '{"type": "authorized_user", "client_id": "a", "client_secret": "b", "refresh_token": "c"}'
    )
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file))
    cloud = connect(environment(unused()))
    clients: list[Any] = [
        cloud.storage._client,
        cloud.pipelines._client.transport,
        cloud.registry._metadata.transport,
        cloud.keys._client.transport,
        cloud.images._client.transport,
        cloud.builds._client.transport,
    ]
    assert [client._credentials for client in clients] == [cloud.addresses.credentials] * 6
    assert cloud.registry._content._auth is cloud.addresses.credentials


def test_without_credentials_a_user_is_told_how_to_log_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "nothing.json"))
    for adapter in ("storage", "registry"):
        with pytest.raises(CloudError, match="no usable credentials") as told:
            getattr(connect(environment(unused())), adapter)
        assert "gcloud auth application-default login" in told.value.fix


# The budget


class Meter(HTTPAdapter):
    """Sends requests as ever, and counts how many are under way."""

    def __init__(self) -> None:
        super().__init__(pool_maxsize=64)
        self._lock = threading.Lock()
        self._now = 0
        self.most = 0

    def send(self, *args: Any, **kwargs: Any) -> requests.Response:
        with self._lock:
            self._now += 1
            self.most = max(self.most, self._now)
        try:
            return super().send(*args, **kwargs)
        finally:
            with self._lock:
                self._now -= 1


def test_no_more_calls_are_in_flight_than_the_budget_of_all_adapters_together(
    place: Place,
) -> None:
    cloud = place.fresh(calls=3, runs=1)
    meter = Meter()
    cloud.storage._client._http.mount("http://", meter)
    cloud.pipelines._client.transport._session.mount("http://", meter)
    with (
        place.server.faults.ordered(path="/*", latency=0.03),
        ThreadPoolExecutor(24) as pool,
    ):
        for number in range(12):
            pool.submit(cloud.storage.read, place.address(f"nothing/{number}"))
            pool.submit(cloud.pipelines.get, f"nothing-{number}")
    assert meter.most == 3
    assert len(place.server.faults.calls) >= 24


def test_sessions_keep_a_connection_for_each_call_in_flight(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    cloud = place.fresh(calls=16)
    names = [f"nothing-{number}" for number in range(48)]
    with (
        caplog.at_level(logging.WARNING, "urllib3"),
        place.server.faults.ordered(path="/*", latency=0.05),
    ):
        assert cloud.storage.read_many(place.address(name) for name in names)
        assert cloud.calls.side_by_side(cloud.pipelines.get, names) == [None] * 48
        assert not any(cloud.registry.live_digests(names).values())
    assert not [record for record in caplog.records if "pool is full" in record.message]


def test_an_adapter_is_connected_once_whichever_thread_comes_first(place: Place) -> None:
    for _ in range(3):
        cloud = place.fresh()
        together = threading.Barrier(8)

        def first(cloud: Any = cloud, together: Any = together) -> tuple[Any, ...]:
            together.wait()
            return cloud.storage, cloud.pipelines, cloud.registry, cloud.keys, cloud.images

        with ThreadPoolExecutor(8) as pool:
            found = [pending.result() for pending in [pool.submit(first) for _ in range(8)]]
        assert len(set(found)) == 1


def test_who_waits_longest_gets_the_next_place() -> None:
    slots = Slots(1)
    order: list[int] = []

    def work(number: int) -> None:
        with slots.taken():
            order.append(number)

    with slots.taken():
        threads = []
        for number in range(6):
            threads.append(threading.Thread(target=work, args=(number,)))
            threads[-1].start()
            while len(slots._queue) <= number:
                time.sleep(0.001)
    for thread in threads:
        thread.join()
    assert order == list(range(6))


def test_whoever_waits_for_a_place_can_be_stopped_and_blocks_nobody() -> None:
    slots = Slots(1)
    stop = threading.Event()
    with ThreadPoolExecutor(2) as pool:
        with slots.taken():
            first = pool.submit(_hold, slots, stop)
            while not slots._queue:
                time.sleep(0.001)
            second = pool.submit(_hold, slots, None)
            stop.set()
            with pytest.raises(Interrupted):
                first.result(timeout=10)
        assert second.result(timeout=10)


def _hold(slots: Slots, stop: threading.Event | None) -> bool:
    with slots.taken(stop):
        return True


def test_a_place_is_given_back_by_whoever_fails() -> None:
    calls = Calls(Budget(calls=1, runs=1))
    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            calls.call("thing", lambda: 1 // 0)
    assert calls.call("thing", lambda: 1) == 1


def test_the_first_failure_side_by_side_ends_what_has_not_begun() -> None:
    begun: list[int] = []

    def work(number: int) -> int:
        begun.append(number)
        if number == 0:
            raise ValueError("no")
        time.sleep(0.02)
        return number

    calls = Calls(Budget(calls=2))
    with pytest.raises(ValueError, match="no"):
        calls.side_by_side(work, range(100))
    assert len(begun) < 50
    assert calls.side_by_side(work, range(1, 4)) == [1, 2, 3]


def test_runs_have_places_of_their_own() -> None:
    cloud = connect(environment("x").model_copy(update={"budget": Budget(runs=2)}))
    assert cloud.run_slots.number == 2
    with cloud.run_slots.taken(), cloud.run_slots.taken():
        stop = threading.Event()
        stop.set()
        with pytest.raises(Interrupted), cloud.run_slots.taken(stop):
            pytest.fail("there was no third place")


# Lists


@contextmanager
def runs(place: Place, *names: str) -> Iterator[None]:
    for name in names:
        place.cloud.pipelines.create(place.request(name))
    yield


def test_a_list_of_runs_goes_on_where_a_page_failed_and_stops_at_its_limit(place: Place) -> None:
    names = [f"{unused()}-{number}" for number in range(5)]
    with runs(place, *names):
        client = place.cloud.pipelines._client
        calls: list[dict[str, Any]] = []
        with place.counted(calls):
            place.server.faults.add(path="*/pipelineJobs", error=503, nth=2)
            pages = place.cloud.calls.pages(
                "runs",
                lambda token: client.list_pipeline_jobs(
                    {
                        "parent": f"projects/{place.environment.project}/locations/europe-west1",
                        "page_size": 2,
                        "page_token": token,
                    },
                    retry=None,
                ),
            )
            found = [job.name.rsplit("/", 1)[1] for page in pages for job in page.pipeline_jobs]
        assert found == names[::-1]
        assert [call["status"] for call in calls] == [200, 503, 200, 200]
        place.server.faults.clear()
        newest = list(place.cloud.pipelines.list(labels={"ecluse-pipeline": "quiet"}, limit=2))
        assert [run.id for run in newest] == names[:2:-1]
        assert newest[0].labels["ecluse-pipeline"] == "quiet"
        assert newest[0].parameters == {"run_key": names[4]}
        assert not newest[0].schedule
        assert not list(place.cloud.pipelines.list(labels={"ecluse-pipeline": "other"}))
        assert not list(place.cloud.pipelines.list(since=datetime(2200, 1, 1, tzinfo=UTC)))


def test_a_call_that_fails_for_long_is_told_of_while_it_is_tried_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fails() -> None:
        raise exceptions.ServiceUnavailable("not now")

    hasty = Calls(Budget(), Patience(deadline=0.3, first=0.01, longest=0.02, silence=0.1))
    with pytest.raises(CloudError, match="not now"):
        hasty.call("gs://a/b", fails)
    told = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert 1 <= len(told) <= 3
    assert told[0].startswith("  waiting: gs://a/b fails for ")
    assert told[0].endswith("and is tried again: not now")
    caplog.clear()
    with pytest.raises(CloudError):
        Calls(Budget(), Patience(deadline=0.05, first=0.01, longest=0.02)).call("gs://a/b", fails)
    assert not [record for record in caplog.records if record.levelname == "WARNING"]
