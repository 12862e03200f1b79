"""Substitutions: what `$PROJECT_ID` and `${_MINE}` in a build stand for.

`$$` is a dollar sign. A key that is none of Cloud Build's is refused; with `MUST_MATCH`, so is one
of the user's that is nowhere given, or given and nowhere used. Source:
https://cloud.google.com/build/docs/configuring-builds/substitute-variable-values.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gcp_local.builds.expansion import UnknownOperationError, begins_operation, operated
from gcp_local.errors import InvalidArgument

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from gcp_local.rpc.protos import Message

FIELD = "build.substitutions"
_KEY = re.compile(r"[A-Z_][A-Z0-9_]*")
_USERS = re.compile(r"_[A-Z0-9_]+")
_MOST, _LONGEST_KEY, _LONGEST_VALUE = 200, 100, 4000
# Those that a request may give a value to, as a trigger would.
OVERRIDABLE = frozenset(
    {"REPO_NAME", "REPO_FULL_NAME", "BRANCH_NAME", "TAG_NAME", "REF_NAME", "REVISION_ID",
     "COMMIT_SHA", "SHORT_SHA", "TRIGGER_NAME", "TRIGGER_BUILD_CONFIG_PATH"}
)  # fmt: skip
BUILT_IN = OVERRIDABLE | {
    "PROJECT_ID", "PROJECT_NUMBER", "BUILD_ID", "LOCATION", "SERVICE_ACCOUNT",
    "SERVICE_ACCOUNT_EMAIL",
}  # fmt: skip
_SHORT = 7


@dataclass(frozen=True)
class Piece:
    """A piece of a text: literal, or a key with maybe an operation on its value.

    Attributes:
        text: what is literal.
        key: the key, if it is a reference.
        operation: what stands behind the key in braces; `#` alone for the length.

    """

    text: str = ""
    key: str = ""
    operation: str = ""


def pieces(text: str, *, dynamic: bool) -> Iterator[Piece]:
    """Take a text apart; with `dynamic`, string operations count as well."""
    at = 0
    while (dollar := text.find("$", at)) >= 0:
        yield Piece(text[at:dollar])
        rest = text[dollar + 1 :]
        if rest.startswith("$"):
            yield Piece("$")
            at = dollar + 2
            continue
        found = _braced(rest, dynamic=dynamic) if rest.startswith("{") else _bare(rest)
        if found is None:
            yield Piece("$")
            at = dollar + 1
        else:
            piece, length = found
            yield piece
            at = dollar + 1 + length
    yield Piece(text[at:])


def _bare(rest: str) -> tuple[Piece, int] | None:
    match = _KEY.match(rest)
    return (Piece(key=match[0]), len(match[0])) if match else None


def _braced(rest: str, *, dynamic: bool) -> tuple[Piece, int] | None:
    length = dynamic and rest.startswith("{#")
    match = _KEY.match(rest, 2 if length else 1)
    if match is None:
        return None
    end = match.end()
    if rest.startswith("}", end):
        return Piece(key=match[0], operation="#" if length else ""), end + 1
    if not dynamic or length or not begins_operation(rest[end:]):
        return None
    close, depth = end, 1
    while close < len(rest):
        if rest.startswith("${", close):
            depth += 1
        elif rest[close] == "}":
            depth -= 1
            if depth == 0:
                return Piece(key=match[0], operation=rest[end:close]), close + 1
        close += 1
    return None


def applied(text: str, values: Mapping[str, str], *, dynamic: bool) -> str:
    """Put the values in; a key without one is nothing.

    Raises:
        InvalidArgument: a string operation that Cloud Build does not have.

    """
    out = []
    for piece in pieces(text, dynamic=dynamic):
        if not piece.key:
            out.append(piece.text)
            continue
        value = values.get(piece.key, "")
        if piece.operation == "#":
            value = str(len(value))
        elif piece.operation:
            operation = applied(piece.operation, values, dynamic=dynamic)
            try:
                value = operated(value, operation)
            except (UnknownOperationError, re.error) as error:
                raise _refused(f"{text!r}: {error}") from None
        out.append(value)
    return "".join(out)


def check_given(given: Mapping[str, str], field: str = FIELD, *, users_only: bool = False) -> None:
    """Refuse substitutions that nobody may give: their number, keys and lengths."""
    if len(given) > _MOST:
        raise _refused(f"number of substitutions {len(given)} exceeded (max: {_MOST})", field)
    for key, value in given.items():
        if len(key) > _LONGEST_KEY:
            raise _refused(f"substitution key {key!r} too long (max: {_LONGEST_KEY})", field)
        if not _USERS.fullmatch(key) and (users_only or key not in OVERRIDABLE):
            more = "" if users_only else " and is not an overridable built-in substitutions"
            raise _refused(
                f'substitution key "{key}" does not respect format "^_[A-Z0-9_]+$"{more}', field
            )
        if len(value) > _LONGEST_VALUE:
            raise _refused(f"the value of {key!r} is too long (max: {_LONGEST_VALUE})", field)


def check_matched(build: Message, *, mapped: bool) -> None:
    """Refuse keys that are nothing to Cloud Build and, unless it is ALLOW_LOOSE, unmatched ones.

    Args:
        build: the build before its substitution.
        mapped: the user's substitutions are all used, as environment variables of a step.

    """
    dynamic = bool(build.options.dynamic_substitutions)
    given: Mapping[str, str] = build.substitutions
    used: set[str] = set()

    def note(text: str) -> str:
        used.update(keys_in(text, dynamic=dynamic))
        return text

    change_texts(build, note)
    if dynamic:
        for value in given.values():
            note(value)
    for key in sorted(used - BUILT_IN):
        if not _USERS.fullmatch(key):
            raise _refused(f'key in the template "{key}" is not a valid built-in substitution')
    if build.options.substitution_option == 1:
        return
    wrong = [
        f'key in the template "{key}" is not matched in the substitution data'
        for key in sorted(used - set(given) - BUILT_IN)
    ]
    unused = [] if mapped else sorted(set(given) - used - OVERRIDABLE)
    wrong += [f'key "{key}" in the substitution data is not matched in the template'
              for key in unused]  # fmt: skip
    if wrong:
        raise InvalidArgument.of_field(FIELD, ";".join(wrong))


def keys_in(text: str, *, dynamic: bool) -> set[str]:
    """Name the keys that a text refers to."""
    found: set[str] = set()
    for piece in pieces(text, dynamic=dynamic):
        if piece.key:
            found.add(piece.key)
            found |= keys_in(piece.operation, dynamic=dynamic)
    return found


def settled(given: Mapping[str, str], *, dynamic: bool) -> dict[str, str]:
    """Give each key its last value: with `dynamic`, one may be made of others.

    Raises:
        InvalidArgument: one is made of itself.

    """
    if not dynamic:
        return dict(given)
    done: dict[str, str] = {}

    def settle(key: str, behind: tuple[str, ...]) -> None:
        if key in behind:
            raise _refused(f"the value of {key!r} is made of itself")
        if key in done or key not in given:
            return
        for other in keys_in(given[key], dynamic=True):
            settle(other, (*behind, key))
        done[key] = applied(given[key], {**given, **done}, dynamic=True)

    for key in given:
        settle(key, ())
    return done


def of_commit(sha: str) -> dict[str, str]:
    """Give the built-in substitutions that a commit has."""
    return {"COMMIT_SHA": sha, "REVISION_ID": sha, "SHORT_SHA": sha[:_SHORT]} if sha else {}


def change_texts(build: Message, change: Callable[[str], str]) -> None:
    """Change every text of a build in which substitutions count. `script` is none of them."""
    for step in build.steps:
        _change(step, ("name", "dir_", "entrypoint"), change)
        _change_all(step, ("args", "env", "secret_env"), change)
        for volume in step.volumes:
            _change(volume, ("name", "path"), change)
    _change(build, ("logs_bucket", "service_account"), change)
    _change_all(build, ("images", "tags"), change)
    _change_all(build.options, ("env", "secret_env"), change)
    for volume in build.options.volumes:
        _change(volume, ("name", "path"), change)
    _change_all(build.artifacts, ("images",), change)
    if build.artifacts.HasField("objects"):
        _change(build.artifacts.objects, ("location",), change)
        _change_all(build.artifacts.objects, ("paths",), change)
    for secret in build.available_secrets.secret_manager:
        _change(secret, ("version_name",), change)


def _change(message: Message, fields: tuple[str, ...], change: Callable[[str], str]) -> None:
    for field in fields:
        if text := getattr(message, field):
            setattr(message, field, change(text))


def _change_all(message: Message, fields: tuple[str, ...], change: Callable[[str], str]) -> None:
    for field in fields:
        texts = getattr(message, field)
        if texts:  # else a message that is not set would be
            texts[:] = [change(text) for text in texts]


def _refused(message: str, field: str = FIELD) -> InvalidArgument:
    return InvalidArgument.of_field(field, f"invalid value for '{field}': {message}")
