"""The gRPC server: finds the RPC, parses, hands it to the same services as HTTP's requests.

It serves what Google's clients call by gRPC, with the same protos, the same faults and the same
errors. Of calls that are streams, those from both ends are served, where a service has one.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from concurrent.futures import Executor, Future
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import grpc  # type: ignore[import-untyped]
from google.protobuf.message import DecodeError

from gcp_local import clock
from gcp_local.errors import ApiError, Internal, InvalidArgument, Unavailable, Unimplemented
from gcp_local.grpc_door.status import nameless_enum, status_of
from gcp_local.rpc.patience import awaited_by

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from gcp_local.faults import Call, Faults, Rule
    from gcp_local.rpc.dispatch import Dispatcher
    from gcp_local.rpc.protos import Message
    from gcp_local.rpc.routes import Method
    from gcp_local.rpc.stubs import Stub

log = logging.getLogger(__name__)

_MOST_BYTES = 16 * 1024 * 1024
_MOST_CALLS = 400  # at a time
_GRACE_SECONDS = 2.0
_FAULT = "The embedded cloud failed; its log has the traceback."


class GrpcDoor:
    """A server of gRPC on a port of its own, which it takes at once and answers when started.

    Args:
        address: where to listen, an IPv4 address.
        port: 0 takes a free one.

    Attributes:
        port: the one that it listens on.

    Raises:
        OSError: the port is taken.

    """

    def __init__(self, address: str, port: int = 0) -> None:
        self._closing = False
        self._lock = threading.Lock()
        self._under_way = 0
        self._last_call = time.monotonic()
        self._server = grpc.server(
            _Threads(),
            handlers=[_Handlers(self)],
            maximum_concurrent_rpcs=_MOST_CALLS,
            options=[
                ("grpc.so_reuseport", 0),
                ("grpc.max_receive_message_length", _MOST_BYTES),
                ("grpc.max_send_message_length", -1),
            ],
        )
        try:
            self.port: int = self._server.add_insecure_port(f"{address}:{port}")
        except RuntimeError as error:
            raise OSError(f"gRPC cannot listen on port {port} of {address}: {error}") from None

    def start(self, dispatcher: Dispatcher, faults: Faults) -> None:
        """Begin to answer.

        Args:
            dispatcher: finds who answers.
            faults: what is to go wrong.

        """
        self._dispatcher = dispatcher
        self._faults = faults
        self._server.start()

    def stop(self) -> None:
        """Take no more calls, end the streams, and wait a little for the rest."""
        self._closing = True
        ended = self._server.stop(_GRACE_SECONDS)
        clock.wake()  # a stream waits by the clock, and finds that it is no longer wanted
        ended.wait()

    @property
    def last_call(self) -> float:
        """When, by `time.monotonic`, a call was last under way."""
        with self._lock:
            return time.monotonic() if self._under_way else self._last_call

    # For the handlers

    def handler(self, path: str) -> Any:
        """Give what answers the calls of a path; None if there is no such method."""
        found = self._dispatcher.routes.find_rpc(path)
        if found is None:
            return None
        method, stub = found
        if stub.unary:
            return grpc.unary_unary_rpc_method_handler(
                lambda content, context: self._unary(method, stub, content, context)
            )
        # On the wire all streams are alike.
        return grpc.stream_stream_rpc_method_handler(
            lambda contents, context: self._stream(method, stub, contents, context)
        )

    def _unary(self, method: Method, stub: Stub, content: bytes, context: Any) -> bytes:
        def carried_out() -> bytes:
            handler = self._dispatcher.handler(method)
            request = _parsed(stub, content)
            self._dispatcher.routes.check_names(method, request)
            with awaited_by(context.is_active):
                response: Message = handler(request)
            return bytes(response.SerializeToString())

        with _Counted(self):
            call, fault = self._faults.meet("POST", stub.path, method.full_name)
            if fault is not None and not fault.after:
                _strike(fault, call, context)
            answer: bytes = _guarded(carried_out, call, context)
            if fault is not None and fault.after:
                _strike(fault, call, context)
            call.status = HTTPStatus.OK
            return answer

    def _stream(
        self, method: Method, stub: Stub, contents: Iterator[bytes], context: Any
    ) -> Iterator[bytes]:
        with _Counted(self):
            call, fault = self._faults.meet("POST", stub.path, method.full_name)
            if fault is not None:
                _strike(fault, call, context)
            context.add_callback(clock.wake)
            requests = (_parsed(stub, content) for content in contents)

            def wanted() -> bool:
                return bool(context.is_active()) and not self._closing

            def handler_of_stream() -> Callable[..., Iterator[Message]]:
                if not stub.both_ways:
                    name = method.full_name
                    raise Unimplemented(f"{name} is not implemented by the embedded cloud.")
                return self._dispatcher.handler(method)

            handler = _guarded(handler_of_stream, call, context)
            responses: Iterator[Message] = handler(requests, wanted)
            while True:
                response = _guarded(lambda: next(responses, None), call, context)
                if response is None:
                    break
                yield response.SerializeToString()
            if self._closing:
                context.abort_with_status(status_of(Unavailable("The server is stopping.")))
            call.status = HTTPStatus.OK

    def count(self, step: int) -> None:
        """Count the calls that are under way."""
        with self._lock:
            self._under_way += step
            self._last_call = time.monotonic()


class _Threads(Executor):
    """A thread for each call. A pool's would keep a server that ends until the last is done."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Begin a call."""
        future: Future[Any] = Future()

        def run() -> None:
            try:
                future.set_result(fn(*args, **kwargs))
            except BaseException as error:  # noqa: BLE001  (whoever asks for the result is told)
                future.set_exception(error)

        threading.Thread(target=run, name="grpc", daemon=True).start()
        return future


class _Handlers(grpc.GenericRpcHandler):  # type: ignore[misc]
    """Finds who answers a call, when it comes."""

    def __init__(self, door: GrpcDoor) -> None:
        self._door = door

    def service(self, handler_call_details: Any) -> Any:
        """Give the handler of a call's method."""
        return self._door.handler(handler_call_details.method)


class _Counted:
    """Counts a call for as long as it is under way."""

    def __init__(self, door: GrpcDoor) -> None:
        self._door = door

    def __enter__(self) -> None:
        self._door.count(1)

    def __exit__(self, *_: object) -> None:
        self._door.count(-1)


def _guarded(work: Callable[[], Any], call: Call, context: Any) -> Any:
    """Do something; what goes wrong ends the call, in Google's form."""
    try:
        return work()
    except ApiError as error:
        call.status = error.code
        context.abort_with_status(status_of(error))
    except grpc.RpcError:
        raise  # the client has gone
    except Exception:
        log.exception("%s", call.path)
        call.status = Internal.code
        context.abort_with_status(status_of(Internal(_FAULT)))


def _parsed(stub: Stub, content: bytes) -> Message:
    """Parse a request.

    Raises:
        InvalidArgument: it is none, or holds an enum's number that stands for nothing.

    """
    try:
        request = stub.request()
        request.ParseFromString(content)
    except DecodeError as error:
        raise InvalidArgument(f"The request cannot be parsed: {error}") from None
    field = nameless_enum(request)
    if field is not None:
        raise InvalidArgument.of_field(field, f"Invalid value at '{field}' (TYPE_ENUM).")
    return request


def _strike(fault: Rule, call: Call, context: Any) -> None:
    """Do what a fault orders; whatever ends the call raises."""
    time.sleep(fault.latency)
    if fault.stop:
        os.kill(os.getpid(), signal.SIGKILL)
    if fault.reset:
        # What a client makes of a connection that is reset under a call.
        context.abort_with_status(status_of(Unavailable("Connection reset by peer")))
    error = fault.refusal()
    if error is not None:
        call.status = fault.error
        context.abort_with_status(status_of(error, retry_after=fault.retry_after))
