"""Which HTTP request is which RPC: read from the REST transports of Google's own clients.

Every method of a service is thereby known and typed, whether it is implemented here or not.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from gcp_local.errors import InvalidArgument
from gcp_local.rpc.bindings import BINDINGS
from gcp_local.rpc.protos import Empty, Message, raw
from gcp_local.rpc.stubs import stubs_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from gcp_local.rpc.stubs import Stub

# The packages whose services are known.
APIS = (
    "google.cloud.aiplatform_v1",
    "google.cloud.artifactregistry_v1",
    "google.cloud.devtools.cloudbuild_v1",
    "google.cloud.kms_v1",
    "google.pubsub_v1",
    "google.cloud.resourcemanager_v3",
    "google.cloud.iam_credentials_v1",
    "google.cloud.iam_admin_v1",
)
# The packages of protos whose names are not those of their clients.
_PACKAGES = {
    "google.cloud.artifactregistry_v1": "google.devtools.artifactregistry.v1",
    "google.cloud.devtools.cloudbuild_v1": "google.devtools.cloudbuild.v1",
    "google.cloud.iam_credentials_v1": "google.iam.credentials.v1",
    "google.cloud.iam_admin_v1": "google.iam.admin.v1",
}
# Whose services have methods by gRPC alone, which are known, too.
_WITH_GRPC_ALONE = ("google.pubsub_v1", "google.cloud.iam_admin_v1")
# Whose services define the methods on policies themselves.
_WITH_POLICIES = ("google.cloud.resourcemanager_v3",)
# Methods that every service's transport carries along, and whose they really are.
_MIXINS = {
    "CancelOperation": "google.longrunning.Operations",
    "DeleteOperation": "google.longrunning.Operations",
    "GetOperation": "google.longrunning.Operations",
    "ListOperations": "google.longrunning.Operations",
    "WaitOperation": "google.longrunning.Operations",
    "GetLocation": "google.cloud.location.Locations",
    "ListLocations": "google.cloud.location.Locations",
    "GetIamPolicy": "google.iam.v1.IAMPolicy",
    "SetIamPolicy": "google.iam.v1.IAMPolicy",
    "TestIamPermissions": "google.iam.v1.IAMPolicy",
}
_LENT = {name: owner for name, owner in _MIXINS.items() if owner != "google.iam.v1.IAMPolicy"}
_VARIABLE = re.compile(r"\{(?P<name>[^=}]+)(?:=(?P<pattern>[^}]*))?\}")


@dataclass(frozen=True)
class Method:
    """One RPC: `google.cloud.aiplatform.v1.PipelineService` `.` `CreatePipelineJob`."""

    service: str
    name: str
    request: type[Message]
    response: type[Message]

    @property
    def full_name(self) -> str:
        """The name by which Google's documentation knows the method."""
        return f"{self.service}.{self.name}"

    @property
    def attribute(self) -> str:
        """The name of the Python method that implements it."""
        return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", self.name).lower()


@dataclass(frozen=True)
class Route:
    """One HTTP binding of a method.

    `body` is the request's field that the HTTP body holds, "*" for the request itself, or None.
    """

    method: Method
    verb: str
    template: str
    body: str | None

    @cached_property
    def _pattern(self) -> tuple[re.Pattern[str], list[str]]:
        names, text, last = [], "", 0
        for match in _VARIABLE.finditer(self.template):
            names.append(match["name"])
            text += re.escape(self.template[last : match.start()])
            text += f"({_expression(match)})"
            last = match.end()
        return re.compile(text + re.escape(self.template[last:])), names

    def match(self, path: str) -> dict[str, str] | None:
        """Give the path's variables if a still encoded path fits, else None."""
        pattern, names = self._pattern
        found = pattern.fullmatch(path)
        if found is None:
            return None
        return dict(zip(names, map(_decode, found.groups()), strict=True))

    @cached_property
    def variables(self) -> list[tuple[str, re.Pattern[str]]]:
        """The paths of those fields of the request that the URL holds, and how each is written."""
        return [
            (match["name"], re.compile(_expression(match)))
            for match in _VARIABLE.finditer(self.template)
        ]

    def fits(self, request: Message) -> bool:
        """Tell whether a request could have come by this URL."""
        return all(pattern.fullmatch(_at(request, path)) for path, pattern in self.variables)


class RouteTable:
    """The source of truth for which methods there are and how they are called.

    Args:
        routes: the HTTP bindings of all methods that have any.
        unbound: the methods that have none.

    Attributes:
        methods: all methods by their full names.

    """

    def __init__(self, routes: Iterator[Route], unbound: Iterable[Method] = ()) -> None:
        self._by_shape: dict[tuple[str, int], list[Route]] = {}
        self._open: list[Route] = []
        self._of_method: dict[str, list[Route]] = {}
        self.methods: dict[str, Method] = {}
        for route in routes:
            self.methods[route.method.full_name] = route.method
            self._of_method.setdefault(route.method.full_name, []).append(route)
            if "**" in route.template:
                self._open.append(route)
            else:
                shape = (route.verb, _plain(route.template).count("/"))
                self._by_shape.setdefault(shape, []).append(route)
        self.methods |= {method.full_name: method for method in unbound}
        for shaped in (*self._by_shape.values(), self._open):
            # A custom verb (":cancel") is more particular than a name that may hold a colon.
            shaped.sort(key=lambda route: ":" not in _plain(route.template))

    @classmethod
    def load(cls) -> RouteTable:
        """Read the table from the installed clients."""
        routes = [route for api in APIS for route in _routes_of(api)]
        bound = {route.method.full_name for route in routes}
        alone = {
            method.full_name: method
            for api in _WITH_GRPC_ALONE
            for method, _ in _rpcs_of(api)
            if method.full_name not in bound
        }
        known = {**alone, **{route.method.full_name: route.method for route in routes}}
        for name, (verb, template) in BINDINGS.items():
            body = None if verb in ("GET", "DELETE") else "*"
            routes.append(Route(known[name], verb, template, body))
            alone.pop(name, None)
        return cls(iter(routes), alone.values())

    def find(self, verb: str, path: str) -> tuple[Route, dict[str, str]] | None:
        """Find the route of a request and its path's variables."""
        for route in (*self._by_shape.get((verb, path.count("/")), ()), *self._open):
            if route.verb == verb and (variables := route.match(path)) is not None:
                return route, variables
        return None

    def check_names(self, method: Method, request: Message) -> None:
        """Hold a request that came by gRPC to what a URL could have said of its names.

        Raises:
            InvalidArgument: no URL of the method could; the error names a field.

        """
        routes = self._of_method.get(method.full_name, [])
        if routes and not any(route.fits(request) for route in routes):
            path, _ = routes[0].variables[0]
            text = f"Invalid resource name {_at(request, path)!r:.200} in {path!r}."
            raise InvalidArgument.of_field(path, text)

    def find_rpc(self, path: str) -> tuple[Method, Stub] | None:
        """Find the method of a gRPC path, `/google.pubsub.v1.Publisher/Publish`."""
        return self._rpcs.get(path)

    @cached_property
    def _rpcs(self) -> dict[str, tuple[Method, Stub]]:
        # At the first call: who speaks HTTP alone does not wait for it.
        return {
            stub.path: (self.methods.get(method.full_name, method), stub)
            for api in APIS
            for method, stub in _rpcs_of(api)
        }


def _expression(variable: re.Match[str]) -> str:
    """Write a variable's pattern as a regular expression."""
    wild = {"*": "[^/]+", "**": ".+"}
    parts = re.split(r"(\*\*|\*)", variable["pattern"] or "*")
    return "".join(wild.get(part, re.escape(part)) for part in parts)


def _at(request: Message, path: str) -> str:
    value: Any = request
    for name in path.split("."):
        value = getattr(value, name)
    return str(value)


def _plain(template: str) -> str:
    return _VARIABLE.sub(lambda match: match["pattern"] or "*", template)


def _decode(value: str) -> str:
    parts = [unquote(part) for part in value.split("/")]
    if any("/" in part or part in ("", ".", "..") for part in parts):
        raise InvalidArgument(f"Invalid resource name in the request's path: {value!r}.")
    return "/".join(parts)


def _routes_of(api: str) -> Iterator[Route]:
    services = importlib.import_module(f"{api}.services")
    mixed_in: set[str] = set()
    for module in pkgutil.iter_modules(services.__path__):
        transport = _transport(f"{services.__name__}.{module.name}.transports.rest")
        if transport is None:
            continue
        service = transport.__name__.removesuffix("RestTransport")
        mixins = _LENT if api in _WITH_POLICIES else _MIXINS
        for attribute, stub in vars(transport).items():
            name = attribute.removeprefix("_")
            if not (inspect.isclass(stub) and hasattr(stub, "_get_http_options")):
                continue
            if name not in mixins:
                yield from _routes_of_stub(f"{_package(api)}.{service}", name, stub)
            elif name not in mixed_in:
                mixed_in.add(name)
                yield from _routes_of_stub(_MIXINS[name], name, stub)


def _rpcs_of(api: str) -> Iterator[tuple[Method, Stub]]:
    """Go through what a package's clients call by gRPC, under the names that REST has it by."""
    for service, stub in stubs_of(api):
        own = stub.service.endswith(f".{service}")
        owner = f"{_package(api)}.{service}" if own else stub.service
        if own and api not in (*_WITH_POLICIES, *_WITH_GRPC_ALONE):
            owner = _MIXINS.get(stub.name, owner)  # as `_routes_of` takes it
        yield Method(owner, stub.name, stub.request, stub.response), stub


def _transport(module: str) -> Any:
    try:
        found = vars(importlib.import_module(module))
    except ModuleNotFoundError:
        return None  # a service that has no REST transport
    public = (name for name in found if name.endswith("RestTransport") and name[0] != "_")
    return found[next(public)]


def _package(api: str) -> str:
    if api in _PACKAGES:
        return _PACKAGES[api]
    base, _, version = api.rpartition("_")
    return f"{base}.{version}"


def _routes_of_stub(service: str, name: str, stub: Any) -> Iterator[Route]:
    signature = inspect.signature(stub.__call__)
    answer = signature.return_annotation
    method = Method(
        service,
        name,
        raw(signature.parameters["request"].annotation),
        Empty if answer in (None, inspect.Signature.empty) else raw(answer),
    )
    options: list[Mapping[str, str]] = stub._get_http_options()
    for option in options:
        yield Route(method, option["method"].upper(), option["uri"], option.get("body"))
