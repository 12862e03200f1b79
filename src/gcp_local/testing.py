"""A server for tests: starts it, tells how to reach it, drives it, breaks it, ends it.

    with LocalCloud(folder) as cloud:
        jobs = aiplatform_v1.PipelineServiceClient(**cloud.gapic)
        cloud.faults.add(path="/storage/*", error=503, nth=3)

The pytest plugin's fixtures are made of this. The server is a process of its own, and ends when the
one that started it has gone, however it went: it holds the other end of a pipe.
"""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import tarfile
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Self

# A proxy that the user's environment names knows no loopback address of this machine.
_WITHOUT_PROXY = urllib.request.build_opener(urllib.request.ProxyHandler({}))
_START_SECONDS, _END_SECONDS, _ANSWER_SECONDS = 60.0, 15.0, 60.0


class StartError(Exception):
    """The server did not start; the message is the end of its log."""


class RefusedError(ValueError):
    """The server refused what a test ordered of it; the message says why."""


class LocalCloud:
    """An embedded Google Cloud over one state folder.

    Args:
        state: the folder; what an earlier server left in it is there again.
        arguments: more options of `gcp-local serve`.
        project: the id of the project that tests use unless they make one.
        environment: variables of the server's process, beside this one's own.

    Attributes:
        faults: orders what goes wrong.
        clock: the time that the server goes by.
        images: what containers can run.
        event_targets: who gets CloudEvents.
        permissions: what nobody may do.

    """

    def __init__(
        self,
        state: Path,
        *,
        arguments: Sequence[str] = (),
        project: str = "local-project",
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.state = state
        self.project = project
        self.faults = Faults(self)
        self.clock = Clock(self)
        self.images = Images(self)
        self.event_targets = EventTargets(self)
        self.permissions = Permissions(self)
        self._arguments = tuple(arguments)
        self._environment = dict(environment or {})
        self._process: subprocess.Popen[bytes] | None = None
        self._endpoint = ""
        self._grpc_endpoint = ""

    # Its life

    def start(self) -> Self:
        """Start it, at the ports that it had before if it was started before.

        Raises:
            StartError: it ended at once, or does not answer.

        """
        assert self._process is None, "it runs already"
        port = urllib.parse.urlsplit(self._endpoint).port if self._endpoint else 0
        self.state.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._log.open("ab") as log:
            process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "gcp_local", "serve", "--end-with-stdin"),
                    *("--state", str(self.state), "--port", str(port)),
                    *("--grpc-port", self._grpc_endpoint.rpartition(":")[2] or "0"),
                    *self._arguments,
                ],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                env={**os.environ, **self._environment},
            )
        self._process = process
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline and process.poll() is None:
            told = self._told()
            if told.get("pid") == process.pid:
                self._endpoint = str(told["endpoint"])
                self._grpc_endpoint = str(told["grpc_endpoint"])
                return self
            time.sleep(0.02)
        self.kill()
        raise StartError(self.log[-2000:] or "the server did not answer in time")

    def stop(self) -> int:
        """End it as SIGTERM does, with all that it started; give its exit code."""
        return self._ended(signal.SIGTERM)

    def kill(self) -> None:
        """End it as `kill -9` does."""
        self._ended(signal.SIGKILL)

    def restart(self) -> None:
        """Start it again, after `kill` or else after `stop`: same state, same endpoint."""
        if self._process is not None:
            self.stop()
        self.start()

    def wait(self, seconds: float = _END_SECONDS) -> int:
        """Wait until it ends by itself (a fault may have stopped it), and give its exit code.

        Raises:
            TimeoutExpired: it did not.

        """
        assert self._process is not None, "it does not run"
        code = self._process.wait(seconds)
        self._forget()
        return code

    @property
    def running(self) -> bool:
        """Whether it runs."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """The id of its process."""
        assert self._process is not None, "it does not run"
        return self._process.pid

    @property
    def log(self) -> str:
        """All that it has logged."""
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self.stop()

    # How to reach it

    @property
    def endpoint(self) -> str:
        """Where it is, `http://127.0.0.1:PORT`."""
        return self._endpoint

    @property
    def grpc_endpoint(self) -> str:
        """Where gRPC is, `127.0.0.1:PORT`, for clients that speak nothing else."""
        return self._grpc_endpoint

    @property
    def client_options(self) -> dict[str, str]:
        """The `client_options` of any of Google's clients."""
        return {"api_endpoint": self.endpoint}

    @property
    def credentials(self) -> Any:
        """Credentials that are none."""
        from google.auth.credentials import AnonymousCredentials

        return AnonymousCredentials()

    @property
    def gapic(self) -> dict[str, Any]:
        """What a typed client is made with: `PipelineServiceClient(**cloud.gapic)`."""
        return {
            "credentials": self.credentials,
            "client_options": self.client_options,
            "transport": "rest",
        }

    @property
    def environment(self) -> dict[str, str]:
        """Variables by which clients that are not yours to make find it."""
        address = self.endpoint.removeprefix("http://")
        return {
            "STORAGE_EMULATOR_HOST": self.endpoint,
            "BIGQUERY_EMULATOR_HOST": self.endpoint,
            "PUBSUB_EMULATOR_HOST": self.grpc_endpoint,
            "CLOUDSDK_API_ENDPOINT_OVERRIDES_AIPLATFORM": f"{self.endpoint}/",
            "GCE_METADATA_HOST": address,
            "GCE_METADATA_IP": address,
            "GOOGLE_CLOUD_PROJECT": self.project,
        }

    def grpc_channel(self) -> Any:
        """Make a channel to it, for the gRPC transport of any of Google's clients."""
        import grpc  # type: ignore[import-untyped]

        return grpc.insecure_channel(self.grpc_endpoint)

    def new_project(self) -> str:
        """Make up the id of a project that nothing is in yet."""
        return f"test-{uuid.uuid4().hex[:12]}"

    def ask(self, verb: str, path: str, body: bytes | None = None) -> Any:
        """Ask the server's admin, `/gcp-local/…`; give the answer's JSON.

        Raises:
            RefusedError: it said no.

        """
        request = urllib.request.Request(f"{self.endpoint}{path}", data=body, method=verb)  # noqa: S310
        try:
            with _WITHOUT_PROXY.open(request, timeout=_ANSWER_SECONDS) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise RefusedError(json.load(error)["error"]["message"]) from None

    # Inside

    @property
    def _log(self) -> Path:
        return self.state / "server.log"

    def _told(self) -> dict[str, Any]:
        try:
            return dict(json.loads((self.state / "server.json").read_text()))
        except (OSError, ValueError):
            return {}

    def _ended(self, number: int) -> int:
        process = self._process
        assert process is not None, "it does not run"
        process.send_signal(number)
        try:
            code = process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            code = process.wait()
        self._forget()
        return code

    def _forget(self) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process = None


class Faults:
    """Orders what goes wrong: `gcp_local.faults` has the rules' fields."""

    def __init__(self, cloud: LocalCloud) -> None:
        self._cloud = cloud

    def add(self, **rule: Any) -> None:
        """Order one more fault; RefusedError if the rule is not clear."""
        self._cloud.ask("POST", "/gcp-local/faults", json.dumps(rule).encode())

    def clear(self) -> None:
        """Order nothing, and forget the log of calls."""
        self._cloud.ask("DELETE", "/gcp-local/faults")

    @contextmanager
    def ordered(self, **rule: Any) -> Iterator[None]:
        """Order one fault, and nothing else, as long as a `with` lasts."""
        self._cloud.ask("PUT", "/gcp-local/faults", json.dumps({"faults": [rule]}).encode())
        try:
            yield
        finally:
            if self._cloud.running:
                self._cloud.ask("PUT", "/gcp-local/faults", b'{"faults": []}')

    @property
    def rules(self) -> list[dict[str, Any]]:
        """What is ordered, with how often each was `seen` and has `fired`."""
        return list(self._cloud.ask("GET", "/gcp-local/faults")["faults"])

    @property
    def calls(self) -> list[dict[str, Any]]:
        """What was called, in order."""
        return list(self._cloud.ask("GET", "/gcp-local/faults")["calls"])


class Clock:
    """The time that the server goes by."""

    def __init__(self, cloud: LocalCloud) -> None:
        self._cloud = cloud

    def now(self) -> datetime:
        """Tell the time."""
        return datetime.fromisoformat(self._cloud.ask("GET", "/gcp-local/clock")["now"])

    def advance(self, step: timedelta | float) -> datetime:
        """Set it forward, by seconds unless a timedelta; whoever waits by it wakes."""
        seconds = step.total_seconds() if isinstance(step, timedelta) else step
        said = json.dumps({"advance": f"{seconds:.6f}s"}).encode()
        return datetime.fromisoformat(self._cloud.ask("POST", "/gcp-local/clock", said)["now"])


class EventTargets:
    """Who gets CloudEvents: stands in for Eventarc's triggers."""

    def __init__(self, cloud: LocalCloud) -> None:
        self._cloud = cloud

    def add(
        self, url: str, *, bucket: str = "", topic: str = "", types: Sequence[str] = ()
    ) -> None:
        """Send events to a server of this machine; RefusedError if that is not possible.

        Args:
            url: `http://127.0.0.1:PORT/…`.
            bucket: of what happens to its objects; or else
            topic: of what is published on it, `projects/P/topics/T`.
            types: of which types alone.

        """
        said = {"url": url, "bucket": bucket, "topic": topic, "types": list(types)}
        body = {name: value for name, value in said.items() if value}
        self._cloud.ask("POST", "/gcp-local/event-targets", json.dumps(body).encode())

    def clear(self) -> None:
        """Send no more events."""
        self._cloud.ask("DELETE", "/gcp-local/event-targets")


class Permissions:
    """What nobody may do: for tests of a program that asks what it may do."""

    def __init__(self, cloud: LocalCloud) -> None:
        self._cloud = cloud

    def deny(self, *patterns: str) -> None:
        """Deny exactly these, `cloudkms.*` for one; without any, nothing."""
        said = json.dumps({"deny": patterns}).encode()
        self._cloud.ask("PUT", "/gcp-local/permissions", said)


class Images:
    """What containers can run: stands in for `docker build` and `docker push`."""

    def __init__(self, cloud: LocalCloud) -> None:
        self._cloud = cloud

    def put(self, repository: str, content: Path | bytes, *, tag: str | None = None) -> str:
        """Record an image, and give its reference, `REPOSITORY@sha256:…`.

        Args:
            repository: `europe-west1-docker.pkg.dev/my-project/images/runtime`.
            content: a folder, or the bytes of a tar.
            tag: a name that it is known by as well.

        """
        asked = {"repository": repository} | ({"tag": tag} if tag else {})
        body = content if isinstance(content, bytes) else _tar_of(content)
        path = f"/gcp-local/images?{urllib.parse.urlencode(asked)}"
        return str(self._cloud.ask("PUT", path, body)["reference"])


def _tar_of(folder: Path) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as tar:
        for path in sorted(folder.rglob("*")):
            if "__pycache__" not in path.parts:
                tar.add(path, path.relative_to(folder), recursive=False)
    return content.getvalue()
