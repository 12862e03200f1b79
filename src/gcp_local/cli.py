"""The command line: `gcp-local serve`."""

from __future__ import annotations

import argparse
import math
import os
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from ipaddress import IPv4Address
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gcp_local.images.mapping import ImageMappings

_DESCRIPTION = """\
The embedded Google Cloud: one process on a loopback port that Google's own clients take for Google
Cloud. It needs no account, no container engine and no network, and it really runs what it is given:
pipelines, training jobs and models are processes of this machine."""
# A test holds this against what is there: each service with an implemented method has a line.
SERVICES = {
    "PipelineService": "pipelines of KFP, training pipelines, AutoML by a stand-in",
    "ScheduleService": "schedules that really fire; a test can drive the clock",
    "JobService": "custom jobs, tuning, batch prediction",
    "ModelService": "models, versions, aliases, evaluations",
    "EndpointService": "models deployed as processes, with a traffic split",
    "PredictionService": "predictions by them",
    "MetadataService": "artifacts, executions, contexts, lineage",
    "TensorboardService": "experiments and their time series",
    "DatasetService": "tabular data sets",
    "FeatureRegistryService": "feature groups and features",
    "ArtifactRegistry": "compiled pipelines, for KFP's RegistryClient too",
    "KeyManagementService": "keys that sign",
    "CloudBuild": "builds whose steps run on this machine, triggers that one runs",
    "BigQuery": "datasets, tables, jobs, GoogleSQL on DuckDB",
    "Publisher": "topics, and messages published on them",
    "Subscriber": "subscriptions, pulled, streamed and pushed",
    "IAMPolicy": "policies of topics, keys and repositories, kept",
    "Projects": "projects, their policies and permissions",
    "IAM": "service accounts",
    "IAMCredentials": "tokens and signatures of service accounts",
    "Cloud Storage": "buckets and objects, by the JSON API",
}
_EPILOG = """\
services (what they lack is answered with 501, naming the method):
{services}

start it, and point any client at it:
  gcp-local serve --state .gcp-local --port 8085

  from google.auth.credentials import AnonymousCredentials
  from google.cloud import aiplatform_v1
  jobs = aiplatform_v1.PipelineServiceClient(
      credentials=AnonymousCredentials(),
      client_options={{"api_endpoint": "http://127.0.0.1:8085"}},
      transport="rest",
  )

for clients that are not yours to make:
  export STORAGE_EMULATOR_HOST=http://127.0.0.1:8085
  export BIGQUERY_EMULATOR_HOST=http://127.0.0.1:8085
  export PUBSUB_EMULATOR_HOST=127.0.0.1:8086    # with serve --grpc-port 8086

in pytest, with nothing to start:
  def test_it(gcp_local):
      jobs = aiplatform_v1.PipelineServiceClient(**gcp_local.gapic)

`gcp-local serve --help` has the options; docs/gcp-local.md of the repository has the rest."""
_SERVE = """\
Start the server, and stay until SIGTERM, Ctrl-C or --idle-timeout ends it, with all that it
started. Once it answers, DIR/server.json tells where it is. All state is in DIR: a server that is
started on it again, even after kill -9, has everything; delete it to begin anew."""
_SERVE_EPILOG = """\
examples:
  gcp-local serve --state .gcp-local --port 8085
      for a day's work: clients are told http://127.0.0.1:8085
  gcp-local serve --state .gcp-local --image 'gcr.io/my-project/trainer:*=python -m trainer'
      what asks for that image runs `python -m trainer` on this machine
  gcp-local serve --state /tmp/ci --idle-timeout 300
      ends by itself when the tests have gone
  gcp-local serve --state /tmp/x --faults faults.json
      where faults.json has {"faults": [{"path": "/storage/*", "error": 503, "rate": 0.1}]}

while it runs, under its address:
  GET    /                     in a browser: what is in it, and what it is doing
  GET    /gcp-local/server     whose server this is
  PUT    /gcp-local/images     put an image here, in the place of docker build and docker push
  PUT    /gcp-local/sources    put a commit here, in the place of a push to a git host
  PUT    /gcp-local/secrets    put a secret here, in the place of Secret Manager
  POST   /gcp-local/clock      set the clock forward: {"advance": "86400s"}
  PUT    /gcp-local/event-targets  send CloudEvents of a bucket or a topic to a local server
  PUT    /gcp-local/permissions    deny some: {"deny": ["cloudkms.*"]}
  PUT    /gcp-local/faults     order what is to go wrong; GET tells what did, and all calls

It listens on 127.0.0.1 unless told otherwise, has no identities, and runs commands as you. Exit
codes: 0 ended as it should; 2 wrong usage, or the state is in use."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and give its exit code: 0 done, 2 wrong usage or state."""
    asked = _parser().parse_args(arguments)

    try:
        return _served(asked)
    except ModuleNotFoundError as error:
        print(  # noqa: T201
            f"gcp-local: there is no module {error.name!r} here. The extra `local` brings what the"
            " server needs: pip install './ecluse[local]'",
            file=sys.stderr,
        )
        return 2


def _served(asked: argparse.Namespace) -> int:
    from gcp_local.errors import InvalidArgument
    from gcp_local.images.mapping import MappingError
    from gcp_local.web.door import Door
    from gcp_local.web.serving import StateBusyError, run

    try:
        run(
            asked.state,
            port=asked.port,
            grpc_port=asked.grpc_port,
            door=Door(asked.listen, frozenset(asked.allow_host)),
            idle_timeout=asked.idle_timeout,
            verbose=asked.verbose,
            images=_mappings(asked.image, asked.images),
            accelerators_ignored=asked.ignore_accelerators,
            faults=asked.faults,
            ends_with_stdin=asked.end_with_stdin,
            permissive=asked.permissive,
            components=asked.components,
        )
    except (InvalidArgument, MappingError, StateBusyError, OSError) as error:
        print(f"gcp-local: {error}", file=sys.stderr)  # noqa: T201
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    width = max(map(len, SERVICES))
    services = "\n".join(f"  {name:<{width}}  {what}" for name, what in SERVICES.items())
    parser = argparse.ArgumentParser(
        prog="gcp-local",
        description=_DESCRIPTION,
        epilog=_EPILOG.format(services=services),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"gcp-local {package_version()}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    serve = commands.add_parser(
        "serve",
        help="start the server and stay until it is ended",
        description=_SERVE,
        epilog=_SERVE_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    serve.add_argument(
        "--state", type=Path, required=True, metavar="DIR", help="the folder that holds everything"
    )
    serve.add_argument(
        "--port",
        type=_port,
        default=0,
        metavar="N",
        help="the port; without it a free one is taken",
    )
    serve.add_argument(
        "--grpc-port",
        type=_port,
        default=0,
        metavar="N",
        help="the port of gRPC, for clients that speak nothing else; without it a free one",
    )
    serve.add_argument("--verbose", action="store_true", help="log every request")
    _add_door(serve.add_argument_group("who reaches it"))
    _add_ends(serve.add_argument_group("when it ends by itself"))
    _add_containers(serve.add_argument_group("what it runs"))
    _add_faults(serve.add_argument_group("for tests"))
    return parser


def _port(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or not 0 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError(f"{text!r:.50} is no port: it must be from 0 to 65535")
    return int(text)


def _count(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or len(text) > 4 or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r:.50} is no number: it must be from 1 to 9999")
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r:.50} is no number of seconds above 0")
    return seconds


def _address(text: str) -> IPv4Address:
    try:
        return IPv4Address(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r:.50} is no IPv4 address") from None


def _add_door(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--listen",
        type=_address,
        default=IPv4Address("127.0.0.1"),
        metavar="ADDRESS",
        help="where to listen in place of 127.0.0.1; 0.0.0.0 is everywhere. Whoever reaches the"
        " port can run any command here, as you",
    )
    group.add_argument(
        "--allow-host",
        type=str.lower,
        action="append",
        default=[],
        metavar="NAME",
        help="a host name by which clients may ask for it, beside its addresses; repeatable",
    )


def _add_ends(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--idle-timeout",
        type=_seconds,
        metavar="SECONDS",
        help="end after this long without a request or a running job",
    )
    group.add_argument(
        "--end-with-stdin",
        action="store_true",
        help="end when stdin is closed: when the process that holds its other end has gone",
    )


def _add_containers(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--image",
        action="append",
        default=[],
        metavar="PATTERN=COMMAND",
        help="the command of this machine that stands for the entry point of all images whose"
        " reference PATTERN matches (* and ? as in a shell); repeatable, the first that matches"
        " counts. It is split into words as a shell would, but no shell runs it. A container"
        " with a command of its own runs that instead, so COMMAND may be empty",
    )
    group.add_argument(
        "--images",
        type=Path,
        metavar="FILE",
        help="more of these, one a line, after those of --image; # begins a comment",
    )
    group.add_argument(
        "--ignore-accelerators",
        action="store_true",
        help="run without a GPU or TPU what asks for one; without this it is refused",
    )
    group.add_argument(
        "--components",
        type=_count,
        metavar="N",
        help="how many components of pipelines run at a time; without it as many as there are"
        " processors, and four at least",
    )
    group.add_argument(
        "--permissive",
        action="store_true",
        help="run pipelines with features that are not proved to work on Vertex AI, and warn;"
        " without this they are refused",
    )


def _add_faults(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--faults",
        type=Path,
        metavar="FILE",
        help='what is to go wrong from the start, as JSON: {"faults": [RULE, …]}',
    )


def _mappings(given: Sequence[str], file: Path | None) -> ImageMappings:
    from gcp_local.containers.host import PROGRAMS
    from gcp_local.images.mapping import ImageMappings, lines_of

    path = os.pathsep.join([PROGRAMS, os.environ.get("PATH", os.defpath)])
    return ImageMappings.parsed([*given, *(lines_of(file) if file else ())], path)


def package_version() -> str:
    """Tell the installed version."""
    try:
        return version("ecluse")
    except PackageNotFoundError:
        return "unknown"
