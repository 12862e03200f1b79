"""The laptop: starts the embedded cloud as a process, and lays out in it what Terraform would.

The engine knows the embedded cloud as anybody does, by its command line and its addresses.
"""

import http
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypedDict

from ecluse.cloud import Cloud, connect
from ecluse.errors import CloudError, InvalidInput
from ecluse.repository.settings import Environment

_START_SECONDS = 60.0
_IDLE_SECONDS = 1800
_NO = ("", "0", "false")
_STATE_IN_USE = 2  # the exit code of a server whose folder another one holds


def wanted_locally(flag: bool) -> bool:
    """Whether the command is to use the embedded cloud: by its flag, or by ECLUSE_LOCAL."""
    return flag or os.environ.get("ECLUSE_LOCAL", "") not in _NO


def embedded_cloud(state: Path) -> str:
    """Return the embedded cloud's address, starting it if it does not run.

    ECLUSE_LOCAL may hold the address of one that was started otherwise.

    Args:
        state: the folder that it keeps its state in.

    Raises:
        InvalidInput: ECLUSE_LOCAL is neither a yes nor an address.
        CloudError: it does not start, with the last line of its log; or none answers where
            ECLUSE_LOCAL says.

    """
    setting = os.environ.get("ECLUSE_LOCAL", "")
    if _is_loopback(setting):
        _refuse_silence(setting)
        return setting.rstrip("/")
    if setting not in (*_NO, "1", "true"):
        raise InvalidInput(
            f"`{setting}` is no address of an embedded cloud",
            where="ECLUSE_LOCAL",
            fix="set it to 1, or to http://127.0.0.1:PORT",
        )
    running = running_cloud(state)
    return running if running is not None else _start(state)


def _refuse_silence(address: str) -> None:
    """Check that something listens at an address: nobody wants to wait a minute to hear it not."""
    parts = urllib.parse.urlsplit(address)
    try:
        socket.create_connection((parts.hostname or "", parts.port or 80), timeout=5).close()
    except OSError:
        raise CloudError(
            "no embedded cloud answers there",
            where=f"ECLUSE_LOCAL={address}",
            fix="set ECLUSE_LOCAL=1, which starts one; or start it there with `gcp-local serve`",
        ) from None


def stop_embedded_cloud(state: Path) -> None:
    """End the embedded cloud that keeps its state in a folder, if it runs."""
    server = _read_server(state)
    if server is not None and _is_of(state, server["endpoint"]):
        os.kill(server["pid"], signal.SIGTERM)
        _wait_until(lambda: not (state / "server.json").exists(), seconds=10)


def lay_out(environments: Iterable[Environment], address: str) -> None:
    """Create in the embedded cloud what Terraform creates in Google's: buckets, registries, key."""
    for environment in environments:
        cloud = connect(environment, local=address)
        # Each call finds its work done or does it; the mark saves the calls the next time.
        mark = f"{environment.ledger}/.laid-out.json"
        wanted = [
            environment.evidence,
            environment.bucket,
            environment.template_host,
            environment.signing_key,
            environment.images,
            environment.service_account,
            environment.build_logs,
        ]
        found = cloud.storage.read(mark)
        if found is not None and json.loads(found.content) == wanted:
            continue
        _prepare(cloud)
        cloud.storage.write(mark, json.dumps(wanted).encode())


def _prepare(cloud: Cloud) -> None:
    from ecluse.cloud.preparation import Preparation

    environment = cloud.environment
    cloud.storage.ensure_bucket(environment.ledger, environment.location, versioned=True)
    cloud.storage.ensure_bucket(environment.evidence, environment.location)
    cloud.storage.ensure_bucket(environment.bucket, environment.location)
    cloud.storage.ensure_bucket(environment.build_logs, environment.location)
    cloud.registry.ensure_repository()
    cloud.keys.ensure_key(environment.signing_key)
    preparation = Preparation(cloud.addresses)
    preparation.ensure_account(environment.service_account)
    preparation.ensure_image_repository(environment.image_repository)
    for repository in (environment.template_repository, environment.image_repository):
        preparation.ensure_agents_read(repository, environment.project)


def lay_topics(address: str, project: str, topics: Iterable[str]) -> None:
    """Make topics in the embedded cloud, unless they exist.

    Raises:
        CloudError: it does not make one.

    """
    for topic in sorted(topics):
        name = f"projects/{project}/topics/{urllib.parse.quote(topic, safe='')}"
        request = urllib.request.Request(  # noqa: S310 an http address on loopback, checked above
            f"{address}/v1/{name}", data=b"{}", method="PUT"
        )
        request.add_header("Content-Type", "application/json")
        try:
            urllib.request.urlopen(request, timeout=60).close()  # noqa: S310
        except urllib.error.HTTPError as error:
            if error.code != http.HTTPStatus.CONFLICT:
                said = error.read().decode(errors="replace")[:300]
                raise CloudError(f"the topic was not made: {said}", where=name) from None
        except urllib.error.URLError as error:
            raise CloudError(f"cannot be reached: {error.reason}", where=address) from None


def record_image(address: str, repository: str, archive: bytes) -> str:
    """Put an image's Python files into the embedded cloud, in place of `docker build` and `push`.

    Args:
        address: the embedded cloud's.
        repository: `LOCATION-docker.pkg.dev/PROJECT/REPOSITORY/NAME`.
        archive: a tar of the files as they stand on PYTHONPATH.

    Returns:
        The image's reference by digest.

    """
    query = urllib.parse.urlencode({"repository": repository})
    request = urllib.request.Request(  # noqa: S310 an http address on loopback, checked above
        f"{address}/gcp-local/images?{query}", data=archive, method="PUT"
    )
    request.add_header("Content-Type", "application/x-tar")
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
            return str(json.load(answer)["reference"])
    except urllib.error.HTTPError as error:
        raise CloudError(
            f"the image was not taken: {error.read().decode(errors='replace')[:300]}",
            where=repository,
        ) from None
    except urllib.error.URLError as error:
        raise CloudError(f"cannot be reached: {error.reason}", where=address) from None


def _start(state: Path) -> str:
    state.mkdir(parents=True, exist_ok=True)
    log = state / "server.log"
    with log.open("ab") as output:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "gcp_local", "serve"),
                *("--state", str(state)),
                *("--idle-timeout", str(_IDLE_SECONDS)),
            ],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        running = running_cloud(state)
        if running is not None:
            return running
        # Another command may have been quicker: then its server, once it is ready, is the one.
        if process.poll() not in (None, _STATE_IN_USE):
            raise CloudError(
                f"the embedded cloud did not start: {_last_line(log)}",
                where=str(log),
                fix="it needs the extra `local`: uv sync --all-extras",
            )
        time.sleep(0.05)
    process.terminate()
    raise CloudError("the embedded cloud did not answer in a minute", where=str(log))


def running_cloud(state: Path) -> str | None:
    """Return the address of the embedded cloud that keeps its state in a folder, if it runs."""
    server = _read_server(state)
    if server is None or not _is_of(state, server["endpoint"]):
        return None
    return server["endpoint"]


class _Server(TypedDict):
    endpoint: str
    pid: int


def _read_server(state: Path) -> _Server | None:
    """Return what a server wrote when it was ready; none if none did, or it is no such file."""
    try:
        found = json.loads((state / "server.json").read_text(encoding="utf-8"))
        server = _Server(endpoint=str(found["endpoint"]), pid=int(found["pid"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return server if _is_loopback(server["endpoint"]) else None


def _is_loopback(address: str) -> bool:
    try:
        parts = urllib.parse.urlsplit(address)
        port = parts.port
    except ValueError:
        return False
    return (
        parts.scheme == "http"
        and parts.hostname in ("127.0.0.1", "localhost")
        and "@" not in parts.netloc
        and port is not None
    )


def _is_of(state: Path, endpoint: str) -> bool:
    """Whether the server that answers there keeps its state in this folder.

    A server that was killed leaves its file behind, and another one may have its port by now.
    """
    try:
        with urllib.request.urlopen(f"{endpoint}/gcp-local/server", timeout=5) as answer:  # noqa: S310
            found = json.load(answer)["state"]
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return bool(Path(found) == state.resolve())


def _last_line(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return lines[-1] if lines else "it said nothing"


def _wait_until(condition: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return
        time.sleep(0.05)
