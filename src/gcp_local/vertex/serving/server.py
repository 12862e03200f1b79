"""One model server: a serving container, started, found healthy, spoken to, ended."""

from __future__ import annotations

import json
import shutil
import threading
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from gcp_local.containers.host import LOG_NAME, UnrunnableError
from gcp_local.containers.processes import Command, Process, ProcessGroup, StoppedError
from gcp_local.errors import FailedPrecondition, InvalidArgument, NotFound, Unavailable
from gcp_local.vertex.serving.answers import Predictions, read_predictions, refusal
from gcp_local.vertex.serving.contract import Contract, Occasion, contract_of
from gcp_local.vertex.serving.http import LARGEST_REPLY_BYTES, Reply, ReplyTooLargeError, ask
from gcp_local.vertex.serving.ports import free_port, give_back
from gcp_local.vertex.serving.stand_ins import command_of, stand_in_for

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gcp_local.rpc.protos import Message
    from gcp_local.vertex.platform import Platform

_HEALTH_SECONDS = 10.0  # how long one health check may take
_FIRST_PAUSE, _LONGEST_PAUSE = 0.02, 0.25
_LOG_TAIL_BYTES = 2000
DEFAULT_TIMEOUT_SECONDS = 60.0
"""How long a prediction may take, unless the endpoint says otherwise."""


class ModelServer:
    """A model's serving container, which runs until `close`.

    Use it as a context:

        occasion = Occasion(project="123", location="europe-west1", …)
        with ModelServer.started(platform, model, occasion) as server:
            server.predict([{"age": 44}], None).predictions
    """

    def __init__(
        self, contract: Contract, port: int, folder: Path, group: ProcessGroup, process: Process
    ) -> None:
        self._contract = contract
        self._port = port
        self._folder = folder
        self._group = group
        self._code: int | None = None
        self._ended = threading.Event()
        self._asking = 0
        self._lock = threading.Lock()
        threading.Thread(
            target=self._watch, args=(process,), name="model-server", daemon=True
        ).start()

    @classmethod
    def started(
        cls,
        platform: Platform,
        model: Message,
        occasion: Occasion,
        *,
        stopped: threading.Event | None = None,
    ) -> Self:
        """Start the container of a model and wait until it is healthy.

        Args:
            platform: the host, and a folder to work in.
            model: a Model with a container_spec.
            occasion: for what it is served.
            stopped: when set by another thread, the waiting ends.

        Raises:
            FailedPrecondition: it ended, or did not become healthy in time; the end of its log is
                in the message. Or nothing on this host can stand for its image.
            Unimplemented: its spec asks for what is not done here.
            StoppedError: `stopped` was set.

        """
        port = free_port()
        folder = platform.work / "serving" / uuid.uuid4().hex
        folder.mkdir(parents=True)
        try:
            contract = contract_of(model, occasion, port)
            command = _command(platform, model.container_spec.image_uri, contract, occasion, folder)
            group = ProcessGroup(platform.host.launcher)
            command.log.touch()
            try:
                process = group.start(command)
            except (OSError, ValueError) as error:
                raise FailedPrecondition(
                    f"The model server {command.words[0]!r} cannot be started: {error}"
                ) from error
        except BaseException:
            give_back(port)
            shutil.rmtree(folder, ignore_errors=True)
            raise
        server = cls(contract, port, folder, group, process)
        try:
            server._await_health(stopped or threading.Event())
        except BaseException:
            server.close()
            raise
        return server

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def alive(self) -> bool:
        """Whether the process still runs."""
        return not self._ended.is_set()

    def predict(
        self,
        instances: Sequence[Any],
        parameters: Any = None,
        *,
        timeout: float = DEFAULT_TIMEOUT_SECONDS,
        largest: int = LARGEST_REPLY_BYTES,
    ) -> Predictions:
        """Ask for predictions.

        Args:
            instances: what to predict on, JSON values.
            parameters: what governs the prediction, a JSON value; None sends nothing.
            timeout: seconds until it is given up.
            largest: how many bytes the answer may have.

        Raises:
            ApiError: the container refused (its status and its words), gave no predictions, or
                did not answer.

        """
        body: dict[str, Any] = {"instances": list(instances)}
        if parameters is not None:
            body["parameters"] = parameters
        headers = {"content-type": "application/json"}
        reply = self.ask(json.dumps(body).encode(), headers, timeout=timeout, largest=largest)
        return read_predictions(reply)

    def ask(
        self,
        body: bytes,
        headers: Mapping[str, str],
        *,
        timeout: float = DEFAULT_TIMEOUT_SECONDS,
        largest: int = LARGEST_REPLY_BYTES,
    ) -> Reply:
        """Send any body to the predict route; `timeout` and `largest` as for `predict`.

        Raises:
            ApiError: the container refused, or did not answer, or too much.

        """
        route = self._contract.predict_route
        with self._lock:
            self._asking += 1
        try:
            reply = ask(
                self._port,
                "POST",
                route,
                body=body,
                headers=headers,
                timeout=timeout,
                largest=largest,
            )
        except ReplyTooLargeError:
            raise FailedPrecondition(
                f"The model server's response is larger than {largest} bytes."
            ) from None
        except TimeoutError:
            raise Unavailable(f"The model server did not answer within {timeout:g} s.") from None
        except OSError as error:
            if self._ended.wait(1):
                raise Unavailable(self._exit_message()) from None
            raise Unavailable(f"The model server broke the connection: {error}") from None
        finally:
            with self._lock:
                self._asking -= 1
        if not 200 <= reply.status < 300:
            raise refusal(reply)
        return reply

    def log_tail(self) -> str:
        """Read the end of what the container has printed."""
        try:
            with (self._folder / LOG_NAME).open("rb") as file:
                file.seek(0, 2)
                file.seek(max(0, file.tell() - _LOG_TAIL_BYTES))
                return file.read().decode(errors="replace").strip()
        except FileNotFoundError:
            return ""

    def drain(self, seconds: float, hurry: threading.Event) -> None:
        """Wait until all that was asked is answered, but not for longer, nor once in a hurry."""
        deadline = time.monotonic() + seconds
        while self._asking and self.alive and time.monotonic() < deadline:
            if hurry.wait(_FIRST_PAUSE):
                return

    def close(self) -> None:
        """End the container and wait for its end; nothing of it is left."""
        self._group.stop()
        self._ended.wait()
        shutil.rmtree(self._folder, ignore_errors=True)
        give_back(self._port)

    # Inside

    def _watch(self, process: Process) -> None:
        self._code = process.wait()
        self._ended.set()

    def _await_health(self, stopped: threading.Event) -> None:
        deadline = time.monotonic() + self._contract.startup_seconds
        pause = _FIRST_PAUSE
        waiting = list(self._contract.health_routes)
        while waiting:
            if stopped.is_set():
                raise StoppedError
            if not self.alive:
                raise FailedPrecondition(self._exit_message())
            if self._healthy(waiting[0]):
                waiting.pop(0)
                continue
            if time.monotonic() > deadline:
                raise FailedPrecondition(
                    f"Model server never became healthy: GET {waiting[0]} on port {self._port}"
                    f" (AIP_HEALTH_ROUTE, AIP_HTTP_PORT) gave no 200 within"
                    f" {self._contract.startup_seconds:g} s. {self._said()}"
                )
            self._ended.wait(pause)
            pause = min(pause * 1.3, _LONGEST_PAUSE)
        if not self.alive:  # then it was someone else who answered
            raise FailedPrecondition(self._exit_message())

    def _healthy(self, route: str) -> bool:
        try:
            return ask(self._port, "GET", route, timeout=_HEALTH_SECONDS).status == 200
        except (OSError, ReplyTooLargeError):
            return False

    def _exit_message(self) -> str:
        code = self._code or 0
        how = f"exit code {code}" if code >= 0 else f"signal {-code}"
        return f"Model server exited unexpectedly ({how}). {self._said()}"

    def _said(self) -> str:
        tail = self.log_tail()
        return f"Its log ends with:\n{tail}" if tail else "Its log is empty."


def _command(
    platform: Platform, image: str, contract: Contract, occasion: Occasion, folder: Path
) -> Command:
    environment = platform.host.environment(occasion.project, occasion.location)
    stand_in = stand_in_for(image)
    if stand_in is not None and platform.host.mappings.entry_point(image) is None:
        if contract.command or contract.arguments:
            raise InvalidArgument(
                f"The image {image!r} is stood in for by a program of the embedded cloud, which"
                " takes no command and no arguments."
            )
        return command_of(stand_in, folder, environment, contract.variables)
    mount = folder / "gcs"
    mount.mkdir()
    try:
        return platform.host.command(
            image,
            contract.command,
            arguments=contract.arguments,
            folder=folder,
            mount=mount,
            environment=environment,
            own=contract.variables,
        )
    except (UnrunnableError, NotFound) as error:
        raise FailedPrecondition(f"The model cannot be served: {error}") from error
