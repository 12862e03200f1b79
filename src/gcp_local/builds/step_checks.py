"""What Cloud Build refuses of a build's steps: names, order, lengths, volumes, environment."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, NoReturn

from gcp_local.errors import InvalidArgument

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gcp_local.rpc.protos import Message

MAX_SECONDS = 24 * 3600.0
AT_ONCE = "-"
"""What a step waits for that waits for nothing."""
_MOST_STEPS, _MOST_ARGS, _MOST_ENV = 300, 100, 100
_LONGEST_NAME, _LONGEST_DIR, _LONGEST_ARG, _LONGEST_ENV = 1000, 1000, 10_000, 65_536
_VOLUME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+")
_RESERVED = ("/workspace", "/builder/home", "/builder/outputs", "/var/run/docker.sock")


def seconds_of(duration: Message) -> float:
    """Read a `google.protobuf.Duration`."""
    seconds: float = duration.seconds + duration.nanos / 1e9
    return seconds


def check_steps(build: Message, limit: float) -> None:
    """Refuse steps that Cloud Build refuses.

    Args:
        build: the build, before its substitution.
        limit: how many seconds the build may take.

    Raises:
        InvalidArgument: the message names the step.

    """
    steps = build.steps
    if not steps:
        _refuse("", "no build steps are specified")
    if len(steps) > _MOST_STEPS:
        _refuse("", f"cannot specify more than {_MOST_STEPS} build steps")
    known = {AT_ONCE}
    for index, step in enumerate(steps):
        where = f"[{index}]"
        _check_lengths(step, where)
        if any("\0" in text for text in (*step.args, step.entrypoint, step.dir_, step.script)):
            _refuse(where, "a step cannot hold a NUL character")
        _check_order(step, index, known)
        _check_environment(step.env, f"steps{where}.env")
        _check_volumes(step.volumes, f"steps{where}.volumes", build.options.volumes)
        if step.script and (step.args or step.entrypoint):
            _refuse(where, "script cannot be used with args or entrypoint")
        if step.HasField("timeout"):
            _check_timeout(seconds_of(step.timeout), limit, build, where)
        if any(not 0 < code <= 255 for code in step.allow_exit_codes):
            _refuse(f"{where}.allow_exit_codes", "exit codes must be between 1 and 255")
    _check_environment(build.options.env, "options.env")
    _check_volumes(build.options.volumes, "options.volumes", ())
    used = Counter(volume.name for step in steps for volume in step.volumes)
    for name, count in used.items():
        if count < 2:
            _refuse("", f"Volume {name!r} is only used by one step")
    if build.options.volumes and len(steps) < 2:
        _refuse("", f"Volume {build.options.volumes[0].name!r} is only used by one step")


def _refuse(where: str, message: str) -> NoReturn:
    field = f"build.steps{where}"
    raise InvalidArgument.of_field(field, f"invalid value for '{field}': {message}")


def _check_lengths(step: Message, where: str) -> None:
    if not step.name:
        _refuse(f"{where}.name", "build step must specify name")
    for field, most in (("name", _LONGEST_NAME), ("dir_", _LONGEST_DIR)):
        if len(getattr(step, field)) > most:
            _refuse(f"{where}.{field.rstrip('_')}", f"value too long (max: {most})")
    if len(step.args) > _MOST_ARGS:
        _refuse(f"{where}.args", f"too many args (max: {_MOST_ARGS})")
    for index, arg in enumerate(step.args):
        if len(arg) > _LONGEST_ARG:
            _refuse(f"{where}.args[{index}]", f"arg too long (max: {_LONGEST_ARG})")
    if ".." in PurePosixPath(step.dir_).parts:
        _refuse(f"{where}.dir", "directory must not lead out of the workspace")


def _check_order(step: Message, index: int, known: set[str]) -> None:
    """Hold a step's id and what it waits for against the steps before it."""
    named = f"build step #{index}" + (f" - {step.id!r}" if step.id else "")
    for other in step.wait_for:
        if other not in known:
            _refuse(
                f"[{index}].wait_for",
                f'{named} depends on "{other}", which has not been defined',
            )
    if step.id == AT_ONCE:
        _refuse(f"[{index}].id", f"{named}: the ID cannot be {AT_ONCE!r}, which is reserved")
    if step.id in known:
        _refuse(f"[{index}].id", f"{named}: the ID is not unique")
    if step.id:
        known.add(step.id)


def _check_environment(env: Iterable[str], field: str) -> None:
    entries = list(env)
    where = f"build.{field}"
    if len(entries) > _MOST_ENV:
        message = f"too many envs (max: {_MOST_ENV})"
        raise InvalidArgument.of_field(where, f"invalid value for '{where}': {message}")
    for entry in entries:
        name, sign, _ = entry.partition("=")
        if not sign or not name or "\0" in entry:
            message = f'entry "{entry}" must be of the form "KEY=VALUE"'
            raise InvalidArgument.of_field(where, f"invalid value for '{where}': {message}")
        if len(entry) > _LONGEST_ENV:
            message = f"env too long (max: {_LONGEST_ENV})"
            raise InvalidArgument.of_field(where, f"invalid value for '{where}': {message}")


def _check_volumes(volumes: Iterable[Message], field: str, others: Iterable[Message]) -> None:
    names, paths = {each.name for each in others}, {each.path for each in others}
    where = f"build.{field}"
    for volume in volumes:
        message = ""
        path = PurePosixPath(volume.path)
        if not _VOLUME.fullmatch(volume.name):
            message = f"volume name {volume.name!r} must match [a-zA-Z0-9][a-zA-Z0-9_.-]+"
        elif not path.is_absolute() or ".." in path.parts or len(path.parts) < 2:
            message = f"volume path {volume.path!r} is not valid, it must be absolute"
        elif _is_reserved(str(path)):
            message = f"volume path {volume.path!r} is reserved"
        elif volume.name in names or str(path) in paths:
            message = f"volume {volume.name!r} or its path is given more than once"
        if message:
            raise InvalidArgument.of_field(where, f"invalid value for '{where}': {message}")
        names.add(volume.name)
        paths.add(str(path))


def _is_reserved(path: str) -> bool:
    return any(path == each or path.startswith(f"{each}/") for each in _RESERVED)


def _check_timeout(timeout: float, limit: float, build: Message, where: str) -> None:
    if timeout <= 0:
        _refuse(f"{where}.timeout", "value must be greater than 0")
    if timeout > limit:
        said = seconds_of(build.timeout) if build.HasField("timeout") else MAX_SECONDS
        _refuse(
            f"{where}.timeout",
            f'value must be less than or equal to build timeout value of "{_spoken(said)}"',
        )


def _spoken(seconds: float) -> str:
    """Write a time as Google's messages do: `20m0s`."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}h{minutes}m{rest}s"
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"
