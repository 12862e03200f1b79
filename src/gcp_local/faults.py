"""Faults on demand: what a test orders to go wrong, and the log of what was called.

A fault is a rule of these fields, as JSON:

    method        the full name of an RPC, or a pattern of them (`*` and `?` as in a shell)
    path, verb    or a pattern of the still encoded path, maybe with the HTTP verb
    error         answer this: 403, 429, 500 or 503 …
    disabled      … a 403 that says that this service, cloudkms.googleapis.com, is not enabled
    retry_after   … with a Retry-After header of so many seconds
    reset         or reset the connection, with no answer at all
    stop          or end the server at once, as `kill -9` does
    latency       and before that wait so many seconds
    when          "before" (so the call has no effect) or "after" its effect: the ambiguous write
    nth           only the n-th call that matches
    rate, seed    or this share of them, drawn at random, the same with the same seed
    times         so often at most

Of several that could strike one call the first does. Nothing here outlives the server, and the
admin's own paths are never struck.
"""

from __future__ import annotations

import fnmatch
import random
import re
import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

from gcp_local.errors import (
    ApiError,
    Internal,
    InvalidArgument,
    PermissionDenied,
    ResourceExhausted,
    Unavailable,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from gcp_local.rpc.routes import RouteTable

# What a fault answers.
_ORDERED: Mapping[int, type[ApiError]] = {
    403: PermissionDenied,
    429: ResourceExhausted,
    500: Internal,
    503: Unavailable,
}
_ORDERED_MESSAGE = "A fault that was ordered."
ERRORS = tuple(_ORDERED)
_DENIED = PermissionDenied.code
_VERBS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
_EFFECTS = ("error", "reset", "stop")
_LONGEST_LOG = 10_000
_ADMIN = re.compile(r"/+gcp-local(/.*)?")
_PAGE = re.compile(r"/|/page/.*")


@dataclass(frozen=True)
class Rule:
    """One fault, as it was ordered; the module says what the fields mean."""

    method: str | None = None
    path: str | None = None
    verb: str | None = None
    error: int | None = None
    disabled: str | None = None
    retry_after: int | None = None
    reset: bool = False
    stop: bool = False
    latency: float = 0.0
    when: str = "before"
    nth: int | None = None
    rate: float = 1.0
    seed: int = 0
    times: int | None = None

    @property
    def after(self) -> bool:
        """Whether the call has its effect first."""
        return self.when == "after"

    def refusal(self) -> ApiError | None:
        """Give the error that the rule answers, if it answers one.

        A service that is not enabled is told apart by its details, as Google documents:
        https://cloud.google.com/apis/design/errors#error_info.
        """
        if self.error is None:
            return None
        if self.disabled is None:
            return _ORDERED[self.error](_ORDERED_MESSAGE)
        detail = {
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": "SERVICE_DISABLED",
            "domain": "googleapis.com",
            "metadata": {"service": self.disabled},
        }
        message = f"{self.disabled} has not been used in this project before or it is disabled."
        return PermissionDenied(message, details=[detail], reason="accessNotConfigured")

    def matches(self, method: str | None, verb: str, path: str) -> bool:
        """Tell whether the rule is about a call."""
        if self.method is not None:
            return method is not None and fnmatch.fnmatchcase(method, self.method)
        assert self.path is not None
        return self.verb in (None, verb) and fnmatch.fnmatchcase(path, self.path)


@dataclass
class Call:
    """One call as the log has it.

    Attributes:
        method: the RPC's full name, None where the path is no RPC's.
        status: what was answered; None while it is under way, or if there was no answer.
        fault: the number of the rule that struck it.

    """

    number: int
    method: str | None
    verb: str
    path: str
    status: int | None = None
    fault: int | None = None


class _Ordered:
    """A rule, and how often it was asked and struck."""

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self.seen = 0
        self.fired = 0
        self._random = random.Random(rule.seed)  # noqa: S311  (what is wanted is a repeatable one)

    def strikes(self) -> bool:
        """Count a call that matches, and tell whether it is to be struck."""
        rule = self.rule
        self.seen += 1
        drawn = self._random.random() < rule.rate
        spent = rule.times is not None and self.fired >= rule.times
        return drawn and not spent and rule.nth in (None, self.seen)

    def as_json(self) -> dict[str, Any]:
        said = {
            field.name: getattr(self.rule, field.name)
            for field in fields(Rule)
            if getattr(self.rule, field.name) != field.default
        }
        return {**said, "seen": self.seen, "fired": self.fired}


class Faults:
    """The source of truth for what is ordered, and for what was called."""

    def __init__(self, routes: RouteTable) -> None:
        self._routes = routes
        self._lock = threading.Lock()
        self._ordered: list[_Ordered] = []
        self._calls: deque[Call] = deque(maxlen=_LONGEST_LOG)
        self._count = 0

    def meet(self, verb: str, path: str, method: str | None = None) -> tuple[Call, Rule | None]:
        """Log a call that has come in; give what is to go wrong with it, if anything.

        The caller writes the status into the log's entry.

        Args:
            verb: the HTTP verb.
            path: still percent-encoded.
            method: the RPC's full name, if that is not found by verb and path.

        """
        # To look at the cloud with a browser is not to call it.
        looks = verb == "GET" and _PAGE.fullmatch(path)
        if looks or _ADMIN.fullmatch(path):
            return Call(0, None, verb, path), None
        method = method or self._method(verb, path)
        with self._lock:
            self._count += 1
            call = Call(self._count, method, verb, path)
            self._calls.append(call)
            struck = None
            for number, ordered in enumerate(self._ordered):
                if not ordered.rule.matches(method, verb, path) or not ordered.strikes():
                    continue
                if struck is None:
                    struck, call.fault = ordered.rule, number
                    ordered.fired += 1
            return call, struck

    def replace(self, said: Any) -> None:
        """Order exactly these, from `{"faults": [RULE, …]}`; their counts begin anew.

        Raises:
            InvalidArgument: not a list of rules; the error names the field.

        """
        if not isinstance(said, dict) or set(said) != {"faults"}:
            raise InvalidArgument.of_field("faults", 'The body must be {"faults": [RULE, …]}.')
        if not isinstance(said["faults"], list):
            raise InvalidArgument.of_field("faults", "faults must be a list of rules.")
        rules = [
            rule_of(each, self._routes.methods, f"faults[{number}]")
            for number, each in enumerate(said["faults"])
        ]
        with self._lock:
            self._ordered = [_Ordered(rule) for rule in rules]

    def add(self, said: Any) -> None:
        """Order one more, from its JSON; InvalidArgument as `replace`."""
        rule = rule_of(said, self._routes.methods, "fault")
        with self._lock:
            self._ordered.append(_Ordered(rule))

    def clear(self) -> None:
        """Order nothing, and forget the log."""
        with self._lock:
            self._ordered = []
            self._calls.clear()
            self._count = 0

    def as_json(self) -> dict[str, Any]:
        """Tell what is ordered, how often it struck, and what was called, in order."""
        with self._lock:
            return {
                "faults": [ordered.as_json() for ordered in self._ordered],
                "calls": [asdict(call) for call in self._calls],
                "forgotten_calls": self._count - len(self._calls),
            }

    def _method(self, verb: str, path: str) -> str | None:
        if not path.startswith(("/v1", "/v3/", "/ui/")):
            return None
        try:
            found = self._routes.find(verb, path)
        except InvalidArgument:
            return None  # whoever answers will say so
        return found[0].method.full_name if found else None


def rule_of(said: Any, methods: Iterable[str], at: str) -> Rule:
    """Read a rule strictly.

    Args:
        said: its JSON.
        methods: the full names of all RPCs.
        at: what the rule is called in errors.

    Raises:
        InvalidArgument: the error names the field.

    """
    if not isinstance(said, dict):
        raise InvalidArgument.of_field(at, f"{at} must be a rule.")
    known = [field.name for field in fields(Rule)]
    for name, value in said.items():
        if name not in known:
            raise _refusal(at, name, f"there is no such field, but {', '.join(known)}")
        holds, form = _FORMS[name]
        if not holds(value):
            raise _refusal(at, name, f"it must be {form}")
    rule = Rule(**said)
    _check_together(rule, said, methods, at)
    return rule


def _check_together(rule: Rule, said: Mapping[str, Any], methods: Iterable[str], at: str) -> None:
    if (rule.method is None) == (rule.path is None):
        raise _refusal(at, "method", "a rule has either a method or a path")
    if rule.verb is not None and rule.path is None:
        raise _refusal(at, "verb", "it goes with a path")
    if rule.method is not None and not any(fnmatch.fnmatchcase(m, rule.method) for m in methods):
        raise _refusal(at, "method", f"no known method has the name {rule.method!r}")
    effects = [name for name in _EFFECTS if getattr(rule, name)]
    if len(effects) > 1:
        raise _refusal(at, effects[1], f"a rule cannot have {effects[0]} as well")
    if not effects and not rule.latency:
        raise _refusal(at, "error", "a rule has an error, a reset, a stop or a latency")
    if rule.retry_after is not None and rule.error is None:
        raise _refusal(at, "retry_after", "it goes with an error")
    if rule.disabled is not None and rule.error != _DENIED:
        raise _refusal(at, "disabled", f"it goes with an error of {_DENIED}")
    if rule.nth is not None and ("rate" in said or "times" in said):
        raise _refusal(at, "nth", "it goes with neither a rate nor times")
    if "seed" in said and "rate" not in said:
        raise _refusal(at, "seed", "it goes with a rate")


def _is_whole(least: int, most: int) -> Callable[[Any], bool]:
    return lambda value: (
        isinstance(value, int) and not isinstance(value, bool) and least <= value <= most
    )


def _is_number(least: float, most: float) -> Callable[[Any], bool]:
    return lambda value: (
        isinstance(value, int | float) and not isinstance(value, bool) and least < value <= most
    )


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def _is_one_of(*values: Any) -> Callable[[Any], bool]:
    return lambda value: value in values


def _is_path(value: Any) -> bool:
    return _is_text(value) and value[0] in "/*?["


_MILLION = 10**6
_FORMS: Mapping[str, Sequence[Any]] = {
    "method": (_is_text, "a full name, google.cloud.aiplatform.v1.PipelineService.GetPipelineJob"),
    "path": (_is_path, "a pattern like /storage/v1/b/*"),
    "verb": (_is_one_of(*_VERBS), f"one of {', '.join(_VERBS)}"),
    "error": (_is_one_of(*ERRORS), f"one of {', '.join(map(str, ERRORS))}"),
    "disabled": (_is_text, "the name of a service, cloudkms.googleapis.com"),
    "retry_after": (_is_whole(0, 86400), "a whole number of seconds, at most 86400"),
    "reset": (lambda value: isinstance(value, bool), "true or false"),
    "stop": (lambda value: isinstance(value, bool), "true or false"),
    "latency": (_is_number(0, 3600), "a number of seconds above 0, at most 3600"),
    "when": (_is_one_of("before", "after"), '"before" or "after"'),
    "nth": (_is_whole(1, _MILLION), "a whole number, at least 1"),
    "rate": (_is_number(0, 1), "a number above 0, at most 1"),
    "seed": (_is_whole(0, 2**63), "a whole number"),
    "times": (_is_whole(1, _MILLION), "a whole number, at least 1"),
}


def _refusal(at: str, name: str, why: str) -> InvalidArgument:
    return InvalidArgument.of_field(f"{at}.{name}", f"Invalid {at}.{name}: {why}.")
