"""One container task, from its inputs to its outputs, as a process on this host."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gcp_local.containers.host import LOG_NAME, ContainerHost
from gcp_local.containers.mount import Mount, UnwritableError, write
from gcp_local.containers.processes import Command
from gcp_local.errors import ApiError, NotFound
from gcp_local.orchestrator import commands, parameters
from gcp_local.orchestrator.artifacts import Artifact
from gcp_local.orchestrator.parameters import MistypedValueError, ParameterType
from gcp_local.orchestrator.placeholders import Scope, resolve, resolve_words
from gcp_local.orchestrator.states import (
    Outcome,
    TaskFailedError,
    TaskState,
    Values,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gcp_local.containers.processes import Process
    from gcp_local.orchestrator.parameters import Json
    from gcp_local.orchestrator.spec import Component, Container
    from gcp_local.storage.objects import ObjectStore

_NO_NAME = "\U0010ffff"  # after all names that there are, so that a list of them is empty
_LOG_TAIL_BYTES = 64 * 1024
_TRACEBACK = "Traceback (most recent call last):"
# What a component or an object's name can bring about here: names that no file can have, files that
# are in each other's way, a disk that is full. A ValueError is what this package raises, mostly.
_FAILURES = (ApiError, ValueError, OSError, OverflowError, RecursionError)
_EXCEPTION_LINE = re.compile(r"[A-Za-z_][\w.]*(: .*)?\Z")


@dataclass(frozen=True)
class Place:
    """Where a task lives.

    Attributes:
        folder: its own folder on this host, gone after it ended.
        root: its own `gs://` prefix, under which its outputs and its log are kept.
        artifact_name: makes the ML Metadata name of the artifact of an output.
        placeholders: values of the job's and the task's placeholders.
        environment: the environment variables common to all of the job's tasks.

    """

    folder: Path
    root: str
    artifact_name: Callable[[str], str]
    placeholders: Mapping[str, str]
    environment: Mapping[str, str]


@dataclass(frozen=True)
class Stores:
    """Where a task's inputs come from and its outputs go, and what runs it."""

    objects: ObjectStore
    host: ContainerHost

    def check_bucket(self, root: str) -> None:
        """Find out before anything runs whether its outputs can be kept under that URI.

        Raises:
            TaskFailedError: there is no such bucket.

        """
        bucket = root.removeprefix("gs://").partition("/")[0]
        try:
            self.objects.list(bucket, prefix=_NO_NAME)
        except NotFound as error:
            raise TaskFailedError(f"{root} cannot be written: {error}") from error


def run(
    component: Component,
    container: Container,
    inputs: Values,
    place: Place,
    stores: Stores,
    start: Callable[[Command], Process],
) -> Outcome:
    """Run the container's command and collect what it gave.

    `start` starts a command, or raises `StoppedError`.

    Raises:
        TaskFailedError: it did not succeed; the message says why and where the log is.
        StoppedError: the job was cancelled.

    """
    try:
        mount = Mount(place.folder / "gcs", stores.objects)
        executor_input = _executor_input(component, inputs, place, mount)
        command = _command(container, executor_input, place, mount, stores.host)
        for artifacts in inputs.artifacts.values():
            for artifact in artifacts:
                mount.lay(artifact.uri)
        outputs: dict[str, Any] = executor_input["outputs"]
        for file in _output_files(outputs, mount):
            file.parent.mkdir(parents=True, exist_ok=True)
        code, unkept = _execute(command, place, stores.objects, start)
        if code != 0:
            where = unkept or f"The log is at {place.root}/{LOG_NAME}"
            raise TaskFailedError(f"{how_it_failed('workerpool0-0', code, command.log)} {where}")
        if unkept:
            raise TaskFailedError(unkept)
        outcome = Outcome(TaskState.SUCCEEDED, _outputs(component, outputs))
        mount.upload()
    except _FAILURES as error:
        raise TaskFailedError(str(error)) from error
    else:
        return outcome
    finally:
        shutil.rmtree(place.folder, ignore_errors=True)


def _executor_input(
    component: Component, inputs: Values, place: Place, mount: Mount
) -> dict[str, Any]:
    """Make the ExecutorInput, in the JSON form that components read."""
    given: dict[str, Json] = {
        name: value for name, value in inputs.parameters.items() if value is not None
    }
    folder = mount.path_of(place.root)
    outputs: dict[str, Any] = {"outputFile": str(folder / "executor_output.json")}
    if component.parameter_outputs:
        outputs["parameters"] = {
            name: {"outputFile": str(mount.path_of(f"{place.root}/{name}"))}
            for name in component.parameter_outputs
        }
    if component.artifact_outputs:
        outputs["artifacts"] = {
            name: {
                "artifacts": [
                    Artifact.of(
                        spec,
                        name=place.artifact_name(name),
                        display_name=name,
                        uri=f"{place.root}/{name}",
                    ).as_runtime()
                ]
            }
            for name, spec in component.artifact_outputs.items()
        }
    listed = {
        name: {"artifacts": [artifact.as_runtime() for artifact in artifacts]}
        for name, artifacts in inputs.artifacts.items()
    }
    return {"inputs": {"parameterValues": given, "artifacts": listed}, "outputs": outputs}


def _command(
    container: Container,
    executor_input: Mapping[str, Any],
    place: Place,
    mount: Mount,
    host: ContainerHost,
) -> Command:
    scope = Scope(executor_input, place.placeholders, str(mount.folder))
    command = commands.without_satisfied_install(container.command)
    return host.command(
        resolve(container.image, scope),
        resolve_words(command, scope),
        arguments=resolve_words(container.args, scope),
        folder=place.folder,
        mount=mount.folder,
        environment=place.environment,
        own={name: resolve(value, scope) for name, value in container.env.items()},
    )


def _output_files(outputs: Mapping[str, Any], mount: Mount) -> list[Path]:
    """List the files whose folders a component may take for granted."""
    files = [Path(outputs["outputFile"])]
    files += [Path(parameter["outputFile"]) for parameter in outputs.get("parameters", {}).values()]
    for listed in outputs.get("artifacts", {}).values():
        files += [mount.path_of(artifact["uri"]) for artifact in listed["artifacts"]]
    return files


def _execute(
    command: Command,
    place: Place,
    objects: ObjectStore,
    start: Callable[[Command], Process],
) -> tuple[int, str]:
    """Run it, and keep its log in the bucket however it ends.

    Returns:
        The exit code, and why the log could not be kept: empty if it was.

    """
    command.log.touch()
    unkept = ""
    try:
        code = start(command).wait()
    except (OSError, ValueError) as error:
        raise TaskFailedError(f"{command.words[0]!r} cannot be started: {error}") from error
    finally:
        log = f"{place.root}/{LOG_NAME}"
        try:
            write(objects, log, command.log, content_type="text/plain", move=False)
        except (UnwritableError, OSError) as error:
            unkept = f"The log {error}"
    return code, unkept


def how_it_failed(replica: str, code: int, log: Path) -> str:
    """Say in sentences how a replica's process ended, and what it said last."""
    how = f"exited with a non-zero status of {code}" if code > 0 else f"was ended by signal {-code}"
    reason = last_error(log)
    stop = "" if not reason or reason.endswith((".", "!", "?")) else "."
    return f"The replica {replica} {how}. {reason}{stop}".rstrip()


def last_error(log: Path) -> str:
    """Find the line that says what went wrong: a traceback's last, else the log's last."""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - _LOG_TAIL_BYTES))
        lines = file.read().decode(errors="replace").splitlines()
    lines = [line.rstrip() for line in lines if line.strip()]
    starts = [number for number, line in enumerate(lines) if line.endswith(_TRACEBACK)]
    if starts:
        for line in lines[starts[-1] + 1 :]:
            if _EXCEPTION_LINE.match(line):
                return line
    return lines[-1].strip() if lines else ""


def _outputs(component: Component, outputs: Mapping[str, Any]) -> Values:
    """Read what the component said it gave.

    Raises:
        TaskFailedError: the executor's output file cannot be read, or what it says of an output
            is not of its type or cannot be kept.

    """
    said: Json = {}
    file = Path(outputs["outputFile"])
    try:
        if file.is_file():
            said = _struct(parameters.strict_json(file.read_text(encoding="utf-8")))
        given, made = _struct(said.get("parameterValues")), _struct(said.get("artifacts"))
    except ValueError as error:
        raise TaskFailedError(f"The component's outputs cannot be read: {error}") from error
    values: dict[str, Json] = {}
    for name, kind in component.parameter_outputs.items():
        try:
            own = Path(outputs["parameters"][name]["outputFile"])
            if name in given:
                values[name] = parameters.of_type(given[name], kind)
            elif own.is_file():
                values[name] = parameters.parsed(own.read_text(encoding="utf-8"), kind)
        except ValueError as error:
            raise TaskFailedError(f"The output parameter {name!r}: {error}") from error
    artifacts: dict[str, tuple[Artifact, ...]] = {}
    for name, spec in component.artifact_outputs.items():
        prepared = outputs["artifacts"][name]["artifacts"][0]
        artifact = Artifact.of(spec, name=prepared["name"], display_name=name, uri=prepared["uri"])
        try:
            artifacts[name] = (_as_said(artifact, _struct(made.get(name)).get("artifacts")),)
        except ValueError as error:
            raise TaskFailedError(f"The output artifact {name!r}: {error}") from error
    return Values(values, artifacts)


def _as_said(artifact: Artifact, said: Json) -> Artifact:
    """Give the artifact with the address and the metadata that the component says it has."""
    runtime = _struct(said[0]) if isinstance(said, list) and said else {}
    uri = parameters.of_type(runtime.get("uri"), ParameterType.STRING)
    storable = parameters.storable
    told = _struct(runtime.get("metadata"))
    metadata = {storable(name): storable(value) for name, value in told.items()}
    return replace(artifact, uri=uri or artifact.uri, metadata={**artifact.metadata, **metadata})


def _struct(value: Json) -> dict[str, Json]:
    """Give a struct whose items are yet to be checked; nothing is an empty one."""
    if value is None or isinstance(value, dict):
        return value or {}
    raise MistypedValueError(f"{json.dumps(value)[:80]} is not a struct")
