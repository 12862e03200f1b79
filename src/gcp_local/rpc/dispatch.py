"""From an HTTP request to a method's answer: parse strictly, call, write as Google writes."""

from __future__ import annotations

import dataclasses
import json
import logging
import math
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gcp_local.errors import Internal, InvalidArgument, NotFound, Unimplemented
from gcp_local.rpc.bodies import RawAnswer, is_message, packed, raw_field, unpacked
from gcp_local.rpc.protos import Message, UnwritableError, from_json, to_json

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gcp_local.rpc.routes import Method, Route, RouteTable

log = logging.getLogger(__name__)

# https://cloud.google.com/apis/docs/system-parameters: they never belong to the request message.
_SYSTEM = {
    "$alt", "alt", "$.xgafv", "access_token", "callback", "fields", "$fields", "key", "oauth_token",
    "prettyPrint", "$prettyPrint", "quotaUser", "uploadType", "upload_protocol", "$userProject",
}  # fmt: skip
_BOOL, _MESSAGE = 8, 11
_MAX_DIGITS = 308  # of a whole number that a double can hold


@dataclass(frozen=True)
class Call:
    """An HTTP request to an RPC, path still percent-encoded, query already decoded.

    Its headers, by lower-case names, matter to the few methods that take any body.
    """

    verb: str
    path: str
    query: Sequence[tuple[str, str]]
    body: bytes
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)


class Dispatcher:
    """The one point through which every RPC goes.

    A service is one or more objects whose methods are the RPCs in snake case, each taking the
    request message and giving the response message; what they lack is answered with 501.

    Args:
        routes: which request is which method.
        services: the objects by the service's full name. Some services of Google's are about
            several nouns; each has an object of its own here.

    """

    def __init__(self, routes: RouteTable, services: Mapping[str, Sequence[object]]) -> None:
        self.routes = routes
        self._services = services

    def implements(self, full_name: str) -> bool:
        """Tell whether a method, given by its full name, is implemented."""
        return self._handler(self.routes.methods[full_name]) is not None

    def call(self, call: Call) -> dict[str, Any]:
        """Answer a request with the JSON of its response; errors as `answer`."""
        answer = self.answer(call)
        assert isinstance(answer, dict), f"{call.path} answers no JSON"
        return answer

    def answer(self, call: Call) -> dict[str, Any] | RawAnswer:
        """Answer a request with the JSON of its response, or with the bytes that are its response.

        Raises:
            ApiError: whatever the method, or the reading of its request, refused.

        """
        found = self.routes.find(call.verb, call.path)
        if found is None:
            raise NotFound(f"No method of a known service has the URL {call.verb} {call.path}.")
        route, variables = found
        method = route.method
        handler = self.handler(method)
        anything = raw_field(method.request) if route.body == "*" else None
        if anything is not None and not is_message(call.body, anything):
            return unpacked(handler(_read_raw(route, variables, call, anything)))
        request = _read(route, variables, call)
        response = handler(request)
        numeric = any("enum-encoding=int" in value for name, value in call.query if "alt" in name)
        return _rendered(response, numeric_enums=numeric)

    def handler(self, method: Method) -> Callable[..., Any]:
        """Find what answers a method: request in, response out; of a stream, streams of these.

        Raises:
            Unimplemented: nothing does.

        """
        handler = self._handler(method)
        if handler is None:
            raise Unimplemented(f"{method.full_name} is not implemented by the embedded cloud.")
        return handler

    def _handler(self, method: Method) -> Callable[[Message], Message] | None:
        for part in self._services.get(method.service, ()):
            handler: Callable[[Message], Message] | None = getattr(part, method.attribute, None)
            if handler is not None:
                return handler
        return None


def parse_json(body: bytes) -> Any:
    """Parse JSON as Google's front ends do.

    UTF-8, no half of a surrogate pair, no name given twice, no NaN, no number beyond a double.

    Raises:
        InvalidArgument: anything else.

    """
    try:
        parsed = json.loads(
            body.decode(),
            parse_constant=_refuse_constant,
            parse_float=_finite,
            parse_int=_whole,
            object_pairs_hook=_unique,
        )
        if b"\\u" in body:
            _refuse_half_letters(parsed)
        return parsed  # noqa: TRY300
    except (ValueError, RecursionError) as error:
        message = f"Invalid JSON payload received. {error}"
        raise InvalidArgument(message) from None


def _rendered(response: Message, *, numeric_enums: bool) -> dict[str, Any]:
    """Write a response; of a list, what cannot be written is passed over and logged.

    Raises:
        Internal: the response is kept but has no JSON form (an infinite number, say).

    """
    try:
        return to_json(response, numeric_enums=numeric_enums)
    except UnwritableError as error:
        if not any(_drop_unwritable(response, field) for field in response.DESCRIPTOR.fields):
            raise _unwritable(response, error) from None
    return to_json(response, numeric_enums=numeric_enums)


def _drop_unwritable(response: Message, field: Any) -> bool:
    """Take out of a list of resources those that have no JSON form; tell whether there were any."""
    resource = field.message_type
    if not field.is_repeated or resource is None or "name" not in resource.fields_by_name:
        return False
    everything = list(getattr(response, field.name))
    good = [each for each in everything if _writable(each)]
    if "next_page_token" not in response.DESCRIPTOR.fields_by_name or len(good) == len(everything):
        return False
    response.ClearField(field.name)
    getattr(response, field.name).extend(good)
    return True


def _writable(resource: Message) -> bool:
    try:
        to_json(resource)
    except UnwritableError as error:
        log.warning("%s", _unwritable(resource, error).message)
        return False
    return True


def _unwritable(message: Message, error: UnwritableError) -> Internal:
    noun = message.DESCRIPTOR.name
    name = getattr(message, "name", "")
    return Internal(f"The {noun} {name!r} is kept but cannot be written as JSON: {error}")


def _refuse_constant(text: str) -> Any:
    raise ValueError(f"Unexpected token: {text}")


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"The number {text:.40} is out of range.")
    return number


def _whole(text: str) -> int:
    if len(text) > _MAX_DIGITS:
        raise ValueError(f"The number {text:.40}… is out of range.")
    return int(text)


def _refuse_half_letters(parsed: Any) -> None:
    """Refuse half of a surrogate pair, which an escape can name and no UTF-8 can write."""
    try:
        json.dumps(parsed, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise ValueError("A string holds half of a surrogate pair.") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        ((twice, _),) = Counter(name for name, _ in pairs).most_common(1)
        raise ValueError(f"Name {twice!r} is given twice.")
    return found


def _read(route: Route, variables: Mapping[str, str], call: Call) -> Message:
    kind = route.method.request
    request = kind()
    body = parse_json(call.body) if call.body.strip() else {}
    if route.body == "*":
        request = from_json(body, kind)
    elif route.body:
        field = kind.DESCRIPTOR.fields_by_name[route.body]
        if field.message_type is None:
            request = from_json({route.body: body}, kind)
        else:
            part = getattr(request, route.body)
            part.CopyFrom(from_json(body, type(part), at=route.body))
            part.SetInParent()
    elif body:
        raise InvalidArgument("This method takes no request body.")
    query = [(name, value) for name, value in call.query if name not in _SYSTEM]
    if query and route.body == "*":
        raise _cannot_bind(query[0][0])
    if query:
        request.MergeFrom(from_json(_query_as_json(query, kind), kind))
    for path, value in variables.items():
        _assign(request, path, value)
    return request


def _read_raw(route: Route, variables: Mapping[str, str], call: Call, into: str) -> Message:
    """Read a request whose HTTP body is whatever it is."""
    request = route.method.request()
    query = [name for name, _ in call.query if name not in _SYSTEM]
    if query:
        raise _cannot_bind(query[0])
    body = packed(call.headers.get("content-type", ""), call.body, call.headers)
    getattr(request, into).CopyFrom(body)
    for path, value in variables.items():
        _assign(request, path, value)
    return request


def _assign(request: Message, path: str, value: str) -> None:
    *parents, last = path.split(".")
    for name in parents:
        request = getattr(request, name)
    setattr(request, last, value)


def _query_as_json(query: Sequence[tuple[str, str]], kind: type[Message]) -> dict[str, Any]:
    """Shape query parameters like a JSON body: dotted names nest, repeated ones are lists."""
    shaped: dict[str, Any] = {}
    for name, value in query:
        here, descriptor = shaped, kind.DESCRIPTOR
        *parents, last = name.split(".")
        for parent in parents:
            field = _field(descriptor, parent, name)
            if field.message_type is None or field.is_repeated:
                raise _cannot_bind(name)
            descriptor = field.message_type
            here = here.setdefault(field.name, {})
            if not isinstance(here, dict):
                raise _twice(name)
        field = _field(descriptor, last, name)
        typed: str | bool = value
        if field.type == _BOOL and value.lower() in ("true", "false"):
            typed = value.lower() == "true"
        if field.is_repeated:
            here.setdefault(field.name, []).append(typed)
        elif field.name in here:
            raise _twice(name)
        elif field.type == _MESSAGE and field.message_type.full_name.endswith(".FieldMask"):
            here[field.name] = _camel(value)
        else:
            here[field.name] = typed
    return shaped


def _camel(mask: str) -> str:
    """Write a field mask as JSON wants it: clients send it in either case."""
    return re.sub(r"_([a-z0-9])", lambda match: match[1].upper(), mask)


def _field(descriptor: Any, name: str, whole: str) -> Any:
    for field in descriptor.fields:
        if name in (field.name, field.json_name):
            return field
    raise _cannot_bind(whole)


def _twice(name: str) -> InvalidArgument:
    return InvalidArgument(f"Query parameter {name!r} is given twice.")


def _cannot_bind(name: str) -> InvalidArgument:
    message = f'Invalid JSON payload received. Unknown name "{name}": Cannot bind query parameter.'
    return InvalidArgument.of_field(
        name, f"{message} Field '{name}' could not be found in request message."
    )
