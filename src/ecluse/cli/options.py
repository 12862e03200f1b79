"""Options that several commands share, each in one place."""

from pathlib import Path
from typing import Annotated

import typer

from ecluse.errors import InvalidInput

Repository = Annotated[
    Path,
    typer.Option(
        "--repository", help="The repository, or a folder in it.", envvar="ECLUSE_REPOSITORY"
    ),
]
HERE = Path()
Local = Annotated[
    bool,
    typer.Option("--local", help="Use the embedded Google Cloud (ECLUSE_LOCAL=1 does the same)."),
]
Json = Annotated[bool, typer.Option("--json", help="Answer in JSON, for machines.")]
MarkdownFile = Annotated[
    Path | None,
    typer.Option("--markdown", help="Also append a report in Markdown to this file."),
]
RuntimeImage = Annotated[
    str | None,
    typer.Option(
        help="The runtime image by digest, REPOSITORY/runtime@sha256:…; with --local it is made "
        "from the working tree."
    ),
]
ReleaseFolder = Annotated[
    Path | None, typer.Option("--release", help="The folder of a release that `build` made.")
]
Commit = Annotated[
    str | None,
    typer.Option(
        "--commit",
        help="Take the release of this commit (a sha, a tag, HEAD) from where the environment "
        "below keeps it.",
    ),
]


def append_markdown(file: Path | None, text: str) -> None:
    """Append a report to a file, such as GitHub's job summary."""
    if file is None:
        return
    try:
        with file.open("a", encoding="utf-8") as report:
            report.write(f"{text}\n")
    except OSError as error:
        raise InvalidInput(f"cannot be written: {error.strerror}", where=str(file)) from None


def key_values(pairs: list[str], option: str) -> dict[str, str]:
    """Parse `NAME=VALUE` pairs.

    Raises:
        InvalidInput: one has no `=`.

    """
    parsed = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise InvalidInput(f"`{pair}` is not NAME=VALUE", where=option)
        parsed[name] = value
    return parsed
