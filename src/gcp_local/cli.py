"""The command line: `gcp-local serve`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

_DESCRIPTION = """\
The embedded Google Cloud: Vertex AI Pipelines, Model Registry, Cloud Storage, Artifact Registry and
Cloud KMS on a loopback port, for any Google client. It really runs pipelines, as processes of this
machine. What it does not have it answers with 501, naming the method."""
_EPILOG = """\
example:
  gcp-local serve --state .gcp-local --port 8085
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
    serve.add_argument("--verbose", action="store_true", help="log every request")
    asked = parser.parse_args(arguments)

    from gcp_local.web.serving import StateBusyError, run

    try:
        run(asked.state, port=asked.port, idle_timeout=asked.idle_timeout, verbose=asked.verbose)
    except (StateBusyError, OSError) as error:
        print(f"gcp-local: {error}", file=sys.stderr)  # noqa: T201
        return 2
    return 0


def package_version() -> str:
    """Tell the installed version."""
    try:
        return version("ecluse")
    except PackageNotFoundError:
        return "unknown"
