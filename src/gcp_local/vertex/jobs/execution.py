"""A custom job carried out: its replicas as processes of this host, and what they leave.

The job's end is that of its primary replica, or of the first one that fails; the others are ended
then. What the replicas wrote in their stand-in for `/gcs` is uploaded if the job succeeded.
"""

from __future__ import annotations

import re
import shlex
import shutil
import socket
import threading
import uuid
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from gcp_local import clock
from gcp_local.containers.host import LOG_NAME, UnrunnableError
from gcp_local.containers.mount import Mount, UnmountableError, UnwritableError, write
from gcp_local.containers.processes import ProcessGroup, StoppedError
from gcp_local.errors import ApiError, NotFound
from gcp_local.orchestrator.container import how_it_failed
from gcp_local.vertex.jobs import packages, variables
from gcp_local.vertex.jobs.deadline import Deadline
from gcp_local.vertex.jobs.lifecycle import JobFailedError
from gcp_local.vertex.jobs.worker_pools import Replica, prebuilt, replicas

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gcp_local.containers.processes import Command
    from gcp_local.rpc.protos import Message
    from gcp_local.vertex.jobs.lifecycle import Run
    from gcp_local.vertex.platform import Platform

_DEFAULT_TIMEOUT, _LONGEST_TIMEOUT = timedelta(days=7), timedelta(days=3650)
_HOST_PYTHON = "python:3"  # an image that the host's own Python stands for
_NO_NAME = "\U0010ffff"  # after all names that there are, so that a list of them is empty
_MOUNTED = re.compile(r"(?P<before>(?:-{1,2}[\w.-]+=)?)/gcs/(?P<path>[^/\s][^\s]*)")
# What the SDK's CustomJob.from_local_script writes for an image that is not one of Google's.
_SCRIPT = re.compile(
    r"pip install --upgrade pip && pip3 install -q --user /gcs/(?P<package>\S+\.tar\.gz) && "
    r"(?P<rest>python3 -m .*)",
    re.DOTALL,
)


@dataclass(frozen=True)
class Extra:
    """What a job gets that its specification does not say.

    Attributes:
        environment: variables for all replicas.
        trial: the id of the tuning trial that the job is; empty if it is none.

    """

    environment: Mapping[str, str] = field(default_factory=dict)
    trial: str = ""


@dataclass(frozen=True)
class Reported:
    """What a job that succeeded told of itself.

    Attributes:
        metrics: the primary replica's file of reported metrics; empty if it wrote none.

    """

    metrics: str = ""


@dataclass(frozen=True)
class _Started:
    replica: Replica
    command: Command
    mount: Mount


def execute(run: Run, spec: Message, platform: Platform, extra: Extra) -> Reported:
    """Run a job's replicas to their end.

    Raises:
        JobFailedError: it did not succeed; the message has the last line of its log.
        StoppedError: it was asked to end.

    """
    folder = platform.work / "jobs" / uuid.uuid4().hex
    folder.mkdir(parents=True)
    group = ProcessGroup(platform.host.launcher)
    run.on_stop(group.stop)
    prefix = spec.base_output_directory.output_uri_prefix
    try:
        if prefix:
            check_bucket(prefix, platform)
        started = _prepare(run.job.name, spec, platform, extra, folder)
        run.begin()
        asked = min(spec.scheduling.timeout.ToTimedelta() or _DEFAULT_TIMEOUT, _LONGEST_TIMEOUT)
        with Deadline(clock.now() + asked, group.stop) as deadline:
            code, failed = _run_all(started, group)
        unkept = _keep_logs(started, prefix, run.job.name, platform)
        if deadline.passed:
            seconds = asked.total_seconds()
            message = f"The job ran longer than its timeout of {seconds:g} s and was ended."
            raise JobFailedError(message, "DEADLINE_EXCEEDED")
        if run.stopping:  # even if it ended well: there are programs that bear SIGTERM
            raise StoppedError
        if code != 0:
            raise JobFailedError(_failure(failed, code, prefix, run.job.name))
        if unkept:
            raise JobFailedError(unkept)
        for each in reversed(started):  # the primary replica has the last word
            each.mount.upload()
        metrics = folder / started[0].replica.name / "hypertune" / "output.metrics"
        said = metrics.read_text(encoding="utf-8", errors="replace") if metrics.is_file() else ""
        return Reported(said)
    except (UnrunnableError, UnmountableError, UnwritableError, OSError, ValueError) as error:
        raise JobFailedError(str(error)) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def log_of(prefix: str, job: str, replica: str) -> str:
    """Tell where a replica's log is kept, under the job's base directory."""
    return f"{prefix.rstrip('/')}/gcp-local/{job.rpartition('/')[2]}/{replica}/{LOG_NAME}"


def check_bucket(prefix: str, platform: Platform) -> None:
    """Find out before anything runs whether there is the bucket that results are to go to.

    Raises:
        JobFailedError: there is not.

    """
    try:
        platform.objects.list(prefix.removeprefix("gs://").partition("/")[0], prefix=_NO_NAME)
    except NotFound as error:
        raise JobFailedError(f"{prefix} cannot be written: {error}", "NOT_FOUND") from error


def _prepare(
    job: str, spec: Message, platform: Platform, extra: Extra, folder: Path
) -> list[_Started]:
    """Lay out a folder for each replica."""
    _, number, _, location, _, identity = job.split("/")
    everyone = replicas(spec)
    addresses = dict(zip(everyone, _free_addresses(len(everyone)), strict=True))
    started = []
    for replica in everyone:
        own = folder / replica.name
        (own / "hypertune").mkdir(parents=True)
        mount = Mount(own / "gcs", platform.objects)
        given = {
            **platform.host.environment(number, location),
            "CLOUD_ML_PROJECT_ID": number,
            "CLOUD_ML_JOB_ID": identity,
            **variables.of_folders(spec.base_output_directory.output_uri_prefix),
            **variables.of_experiment(spec),
            **variables.of_replica(replica, addresses, spec, trial=extra.trial),
            **extra.environment,
        }
        if extra.trial:
            given["CLOUD_ML_TRIAL_ID"] = extra.trial
            given["CLOUD_ML_HP_METRIC_FILE"] = str(own / "hypertune" / "output.metrics")
        started.append(_Started(replica, _command(replica, given, mount, own, platform), mount))
    return started


def _command(
    replica: Replica, given: Mapping[str, str], mount: Mount, folder: Path, platform: Platform
) -> Command:
    pool = replica.spec
    if pool.WhichOneof("task") == "python_package_spec":
        task = pool.python_package_spec
        image = task.executor_image_uri
        words, arguments = ["python3", "-m", task.python_module], list(task.args)
        uris = list(task.package_uris)
    else:
        task = pool.container_spec
        image, arguments = task.image_uri, list(task.args)
        words, uris = _of_container(task)
    own = {
        name: _mounted(value, mount) for name, value in variables.expanded(task.env, given).items()
    }
    path = [str(place) for uri in uris for place in _unpacked(uri, folder, platform)]
    if own.get("PYTHONPATH"):
        path.append(own["PYTHONPATH"])
    if path:
        own["PYTHONPATH"] = ":".join(path)
    mapped = platform.host.mappings.entry_point(image) is not None
    return platform.host.command(
        _HOST_PYTHON if prebuilt(image) and not mapped else image,
        [_mounted(word, mount) for word in words],
        arguments=[_mounted(word, mount) for word in arguments],
        folder=folder,
        mount=mount.folder,
        environment=given,
        own=own,
    )


def _of_container(task: Message) -> tuple[list[str], list[str]]:
    """Give a container's command, and the packages that go on its path."""
    command = list(task.command)
    script = _SCRIPT.fullmatch(command[2]) if len(command) == 3 else None
    if script and command[:2] == ["sh", "-c"]:
        # Installing would change the Python that everything runs in.
        return shlex.split(script["rest"]), [f"gs://{script['package']}"]
    return command, []


def _mounted(word: str, mount: Mount) -> str:
    """Turn `/gcs/…`, alone or after `--name=`, into a path in the mount, with what lies there."""
    match = _MOUNTED.fullmatch(word)
    if match is None:
        return word
    uri = f"gs://{match['path']}"
    mount.lay(uri)
    path = mount.path_of(uri)
    (path if word.endswith("/") else path.parent).mkdir(parents=True, exist_ok=True)
    return f"{match['before']}{path}"


def _unpacked(uri: str, folder: Path, platform: Platform) -> list[Path]:
    bucket, _, name = uri.removeprefix("gs://").partition("/")
    try:
        archive = platform.objects.open_path(bucket, name)
    except ApiError as error:
        raise JobFailedError(f"The package {uri} cannot be read: {error}", "NOT_FOUND") from error
    place = folder / "packages" / uuid.uuid4().hex
    return packages.unpack(archive, name.rpartition("/")[2], place)


def _run_all(started: Sequence[_Started], group: ProcessGroup) -> tuple[int, _Started]:
    """Run all replicas; give the exit code that the job's end is by, and whose it is."""
    ends: list[tuple[int, _Started]] = []
    ended = threading.Condition()

    def follow(each: _Started) -> None:
        each.command.log.touch()
        try:
            code = group.start(each.command).wait()
        except StoppedError:
            code = -15
        except (OSError, ValueError) as error:
            each.command.log.write_text(f"{each.command.words[0]!r} cannot be started: {error}\n")
            code = 127
        with ended:
            ends.append((code, each))
            ended.notify_all()

    threads = [threading.Thread(target=follow, args=(each,), daemon=True) for each in started]
    with ExitStack() as last:
        for thread in threads:
            thread.start()
            last.callback(thread.join)
        with ended:
            ended.wait_for(lambda: _deciding(ends) is not None)
        decided = _deciding(ends)
        assert decided is not None
        last.callback(group.stop)
    return decided


def _deciding(ends: Sequence[tuple[int, _Started]]) -> tuple[int, _Started] | None:
    for code, each in ends:
        if code != 0 or each.replica.primary:
            return code, each
    return None


def _keep_logs(started: Sequence[_Started], prefix: str, job: str, platform: Platform) -> str:
    """Write the logs into the bucket; tell why that failed, if it did."""
    if not prefix:
        return ""
    for each in started:
        uri = log_of(prefix, job, each.replica.name)
        try:
            write(platform.objects, uri, each.command.log, content_type="text/plain", move=False)
        except (UnwritableError, OSError) as error:
            return f"The log {error}"
    return ""


def _failure(failed: _Started, code: int, prefix: str, job: str) -> str:
    name = failed.replica.name
    where = f" The log is at {log_of(prefix, job, name)}" if prefix else ""
    return how_it_failed(name, code, failed.command.log) + where


def _free_addresses(count: int) -> list[str]:
    """Find loopback ports that are free now."""
    with ExitStack() as opened:
        found = []
        for _ in range(count):
            taken = opened.enter_context(socket.socket())
            taken.bind(("127.0.0.1", 0))
            found.append(f"127.0.0.1:{taken.getsockname()[1]}")
        return found
