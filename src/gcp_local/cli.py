"""The command line: `gcp-local serve`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gcp_local.images.mapping import ImageMappings

_DESCRIPTION = """\
The embedded Google Cloud: Vertex AI Pipelines, Model Registry, Cloud Storage, Artifact Registry and
Cloud KMS on a loopback port, for any Google client. It really runs pipelines, as processes of this
machine. What it does not have it answers with 501, naming the method."""
_EPILOG = """\
example:
  gcp-local serve --state .gcp-local --port 8085
  gcp-local serve --state .gcp-local --image 'gcr.io/my-project/trainer:*=python -m trainer'
  then, in any client: client_options={"api_endpoint": "http://127.0.0.1:8085"}, transport="rest"
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and give its exit code: 0 done, 2 wrong usage or state."""
    parser = argparse.ArgumentParser(
        prog="gcp-local",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"gcp-local {package_version()}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    serve = commands.add_parser("serve", help="start the server and stay until it is ended")
    serve.add_argument(
        "--state", type=Path, required=True, metavar="DIR", help="the folder that holds everything"
    )
    serve.add_argument("--port", type=int, default=0, help="loopback port; 0 takes a free one")
    serve.add_argument(
        "--idle-timeout",
        type=float,
        metavar="SECONDS",
        help="end after this long without a request or a running job",
    )
    serve.add_argument(
        "--image",
        action="append",
        default=[],
        metavar="PATTERN=COMMAND",
        help="the command of this machine that stands for the entry point of all images whose"
        " reference PATTERN matches (* and ? as in a shell); repeatable, the first that matches"
        " counts. It is split into words as a shell would, but no shell runs it. A container"
        " with a command of its own runs that instead, so COMMAND may be empty",
    )
    serve.add_argument(
        "--images",
        type=Path,
        metavar="FILE",
        help="more of these, one a line, after those of --image; # begins a comment",
    )
    serve.add_argument(
        "--ignore-accelerators",
        action="store_true",
        help="run without a GPU or TPU what asks for one; without this it is refused",
    )
    serve.add_argument(
        "--end-with-stdin",
        action="store_true",
        help="end when stdin is closed: when the process that holds its other end has gone",
    )
    serve.add_argument(
        "--faults",
        type=Path,
        metavar="FILE",
        help='what is to go wrong from the start, as JSON: {"faults": [RULE, …]}',
    )
    serve.add_argument(
        "--permissive",
        action="store_true",
        help="run pipelines with features that are not proved to work on Vertex AI, and warn;"
        " without this they are refused",
    )
    serve.add_argument("--verbose", action="store_true", help="log every request")
    asked = parser.parse_args(arguments)

    from gcp_local.errors import InvalidArgument
    from gcp_local.images.mapping import MappingError
    from gcp_local.web.serving import StateBusyError, run

    try:
        run(
            asked.state,
            port=asked.port,
            idle_timeout=asked.idle_timeout,
            verbose=asked.verbose,
            images=_mappings(asked.image, asked.images),
            accelerators_ignored=asked.ignore_accelerators,
            faults=asked.faults,
            ends_with_stdin=asked.end_with_stdin,
            permissive=asked.permissive,
        )
    except (InvalidArgument, MappingError, StateBusyError, OSError) as error:
        print(f"gcp-local: {error}", file=sys.stderr)  # noqa: T201
        return 2
    return 0


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
