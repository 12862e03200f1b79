"""The model servers of deployed models."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gcp_local.containers.processes import StoppedError
from gcp_local.errors import Aborted, Unavailable
from gcp_local.vertex.serving.contract import Occasion
from gcp_local.vertex.serving.server import DEFAULT_TIMEOUT_SECONDS, ModelServer

if TYPE_CHECKING:
    from collections.abc import Callable

    from gcp_local.rpc.protos import Message
    from gcp_local.vertex.platform import Platform

Key = tuple[str, str]
"""An endpoint's name and a deployed model's id."""


@dataclass(eq=False)
class _Berth:
    """Where a deployed model's server is kept; one thread at a time starts or ends it."""

    server: ModelServer | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)
    stopped: threading.Event = field(default_factory=threading.Event)


class Fleet:
    """The source of truth for which process serves which deployed model.

    A server that has ended, by itself or with an earlier embedded cloud, is started anew when it is
    asked for. So what is deployed is served however the embedded cloud ended, and one that is only
    asked for its jobs starts no model.
    """

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._berths: dict[Key, _Berth] = {}
        self._lock = threading.Lock()
        self._closed = False

    def server(
        self,
        key: Key,
        model: Message,
        machine_type: str,
        *,
        stopped: threading.Event | None = None,
        still_deployed: Callable[[], bool] = lambda: True,
    ) -> ModelServer:
        """Give the server of a deployed model, started if it does not run.

        Args:
            key: which deployed model.
            model: the version of the model.
            machine_type: what it was asked to run on.
            stopped: when set, a model that is new here is not started after all, until `settle`.
            still_deployed: asked before a model that is new here is started: it may have been
                undeployed, and `stop` called, since the caller found it.

        Raises:
            Aborted: the model was undeployed meanwhile, or its start was stopped.
            Unavailable: another thread is a minute at starting it, or the embedded cloud ends.
            ApiError: it cannot be started, see `ModelServer.started`.

        """
        endpoint, deployed_id = key
        _, project, _, location, _, endpoint_id = endpoint.split("/")
        occasion = Occasion(project, location, endpoint_id, deployed_id, machine_type)
        with self._lock:
            if self._closed:
                raise Unavailable("The embedded cloud is ending.")
            new = _Berth(stopped=stopped or threading.Event())
            berth = self._berths.setdefault(key, new)
        if berth is new and not still_deployed():
            self.stop(key)
            raise _undeployed(key)
        if not berth.lock.acquire(timeout=DEFAULT_TIMEOUT_SECONDS):
            raise Unavailable(f"The server of the DeployedModel {deployed_id!r} is being started.")
        try:
            return self._manned(berth, key, model, occasion)
        finally:
            berth.lock.release()

    def alive(self, endpoint: str, deployed: str) -> bool:
        """Tell whether a deployed model has a server that runs; starts none."""
        with self._lock:
            berth = self._berths.get((endpoint, deployed))
        server = berth.server if berth is not None else None
        return server is not None and server.alive

    def settle(self, key: Key) -> None:
        """Take a model for deployed: the event that could stop its start has done its service."""
        with self._lock:
            berth = self._berths.get(key)
            if berth is not None:
                berth.stopped = threading.Event()

    def stop(self, key: Key, *, patience: float = 0, hurry: threading.Event | None = None) -> None:
        """End a deployed model's server, if it has one, and wait for its end.

        Args:
            key: which deployed model.
            patience: seconds that it has to answer what it was asked before.
            hurry: when set, it has no longer.

        """
        with self._lock:
            berth = self._berths.pop(key, None)
        if berth is None:
            return
        berth.stopped.set()
        with berth.lock:
            if berth.server is not None:
                berth.server.drain(patience, hurry or threading.Event())
                berth.server.close()
                berth.server = None

    def close(self) -> None:
        """End all servers, side by side; no more are started."""
        with self._lock:
            self._closed = True
            keys = list(self._berths)
        threads = [threading.Thread(target=self.stop, args=(key,)) for key in keys]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    # Inside

    def _manned(self, berth: _Berth, key: Key, model: Message, occasion: Occasion) -> ModelServer:
        """See that a berth, whose lock is held, has a server that runs."""
        if berth.server is not None and not berth.server.alive:
            berth.server.close()
            berth.server = None
        if berth.stopped.is_set():
            raise _undeployed(key)
        if berth.server is None:
            try:
                berth.server = ModelServer.started(
                    self._platform, model, occasion, stopped=berth.stopped
                )
            except StoppedError:
                raise _undeployed(key) from None
        return berth.server


def _undeployed(key: Key) -> Aborted:
    return Aborted(f"The DeployedModel {key[1]!r} of {key[0]!r} was undeployed meanwhile.")
