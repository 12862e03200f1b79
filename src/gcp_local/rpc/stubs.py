"""Which gRPC path is which RPC: read from the gRPC transports of Google's own clients.

A transport makes its stubs on a channel; on one that only writes down what is asked of it, the
stubs tell their paths.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, get_args

import grpc  # type: ignore[import-untyped]

from gcp_local.rpc.protos import Empty, Message, raw

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Self


@dataclass(frozen=True)
class Stub:
    """One RPC as a gRPC client knows it.

    Attributes:
        path: `/google.pubsub.v1.Publisher/Publish`.
        request: what the client sends, one or a stream of them.
        response: what it is sent.
        unary: whether it is one request and one response.
        both_ways: whether requests and responses are streams.

    """

    path: str
    request: type[Message]
    response: type[Message]
    unary: bool
    both_ways: bool

    @property
    def service(self) -> str:
        """The service's full name."""
        return self.path[1:].partition("/")[0]

    @property
    def name(self) -> str:
        """The method's name in its service."""
        return self.path.rpartition("/")[2]


def stubs_of(api: str) -> Iterator[tuple[str, Stub]]:
    """Go through the RPCs of a client package, each with the class of service that it was found in.

    A method that every service's client carries along comes once for each of them.
    """
    services = importlib.import_module(f"{api}.services")
    for module in pkgutil.iter_modules(services.__path__):
        transport = _transport(f"{services.__name__}.{module.name}.transports.grpc")
        service = transport.__name__.removesuffix("GrpcTransport")
        channel = _Recorder()
        made = transport(channel=channel)
        # Asked anew for its stubs, and not through what would log their calls.
        made._logged_channel = channel
        made._stubs.clear()
        for attribute, member in vars(transport).items():
            if not isinstance(member, property) or member.fget is None:
                continue
            before = len(channel.asked)
            getattr(made, attribute)
            kinds = get_args(inspect.signature(member.fget).return_annotation)
            if len(channel.asked) == before or len(kinds) != 2:
                continue  # no RPC's property
            path, shape = channel.asked[-1]
            (request,), response = kinds
            nothing = response in (None, type(None))
            yield (
                service,
                Stub(
                    path,
                    raw(request),
                    Empty if nothing else raw(response),
                    unary=shape == "unary_unary",
                    both_ways=shape == "stream_stream",
                ),
            )


def _transport(module: str) -> Any:
    found = vars(importlib.import_module(module))
    return next(kind for name, kind in found.items() if name.endswith("GrpcTransport"))


def _lead_nowhere(*_: Any, **__: Any) -> None:
    raise AssertionError("a recorded stub is not called")


class _Recorder(grpc.Channel):  # type: ignore[misc]
    """A channel that leads nowhere, and knows which stubs were asked of it."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []  # their paths and shapes

    def unary_unary(self, method: str, *_: Any, **__: Any) -> Callable[..., None]:
        self.asked.append((method, "unary_unary"))
        return _lead_nowhere

    def unary_stream(self, method: str, *_: Any, **__: Any) -> Callable[..., None]:
        self.asked.append((method, "unary_stream"))
        return _lead_nowhere

    def stream_unary(self, method: str, *_: Any, **__: Any) -> Callable[..., None]:
        self.asked.append((method, "stream_unary"))
        return _lead_nowhere

    def stream_stream(self, method: str, *_: Any, **__: Any) -> Callable[..., None]:
        self.asked.append((method, "stream_stream"))
        return _lead_nowhere

    def subscribe(self, callback: Any, try_to_connect: bool = False) -> None:
        """There is nothing to tell."""

    def unsubscribe(self, callback: Any) -> None:
        """There is nothing to tell."""

    def close(self) -> None:
        """There is nothing to close."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass
