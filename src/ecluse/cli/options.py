"""Options that several commands share, each in one place."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from ecluse.errors import InvalidInput
from ecluse.repository.duration import parse_duration

Repository = Annotated[
    Path,
    typer.Option(
        "--repository", help="The repository, or a folder in it.", envvar="ECLUSE_REPOSITORY"
    ),
]
HERE = Path()
_LONGEST_REASON = 500
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


Pipelines = Annotated[
    list[str] | None, typer.Option("--pipeline", help="Only this pipeline; may be given again.")
]
Wait = Annotated[
    str | None,
    typer.Option(
        "--wait", help="Wait so long for whoever is at work there, such as 30m; else leave at once."
    ),
]


def waiting_time(text: str | None) -> timedelta | None:
    """Return how long `--wait` says.

    Raises:
        InvalidInput: it is no length of time.

    """
    try:
        return parse_duration(text) if text is not None else None
    except ValueError as error:
        raise InvalidInput(str(error), where="--wait", fix="write it like --wait 30m") from None


def reason(text: str | None, option: str) -> str:
    """Return a reason that a person gave; empty where the option was not given.

    Raises:
        InvalidInput: it was given, and says nothing.

    """
    if text is None:
        return ""
    said = " ".join(text.split())
    if not said:
        raise InvalidInput("a reason is needed", where=option, fix=f'write it: {option} "why"')
    if not said.isprintable() or len(said) > _LONGEST_REASON:
        raise InvalidInput(
            f"a reason is a line of plain text, of at most {_LONGEST_REASON} characters",
            where=option,
            fix="shorten it, and say where more is written",
        )
    return said


def ancestry(text: str) -> tuple[str, ...]:
    """Parse `SHA,SHA,…`.

    Raises:
        InvalidInput: something in it is no beginning of a sha.

    """
    commits = tuple(filter(None, text.split(",")))
    stray = next((each for each in commits if not re.fullmatch(r"[0-9a-f]{12,40}", each)), None)
    if stray is not None:
        raise InvalidInput(
            f"`{stray[:60]}` is no commit",
            where="--ancestry",
            fix="give what `ecluse trigger --with-ancestry` gives",
        )
    return tuple(each[:12] for each in commits)


def append_markdown(file: Path | None, text: str) -> None:
    """Append a report to a file, such as GitHub's job summary.

    Called with no text first, so that a file that cannot be written is known before anything runs.
    """
    if file is None:
        return
    try:
        with file.open("a", encoding="utf-8") as report:
            report.write(f"{text}\n" if text else "")
    except OSError as error:
        raise InvalidInput(
            f"cannot be written: {error.strerror}",
            where=str(file),
            fix="name another file with --markdown",
        ) from None


def version(text: str | None) -> str | None:
    """Return a version as it is, if it looks like one.

    Raises:
        InvalidInput: it does not.

    """
    if text is not None and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,62}", text):
        raise InvalidInput(f"`{text}` is no version", where="--version", fix="write it like v1.4.0")
    return text


def key_values(pairs: list[str], option: str) -> dict[str, str]:
    """Parse `NAME=VALUE` pairs.

    Raises:
        InvalidInput: one has no `=`.

    """
    parsed = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise InvalidInput(
                f"`{pair}` is not NAME=VALUE",
                where=option,
                fix=f"write it like {option} name=value",
            )
        parsed[name] = value
    return parsed
