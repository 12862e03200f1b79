"""`docker` in a build's step: `build`, `tag` and `push`; the rest is refused, and says so.

GCP_LOCAL is where the embedded cloud is; GCP_LOCAL_DOCKER is the folder of this build's images.
"""

from __future__ import annotations

import json
import os
import re
import sys
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

from gcp_local.builds.docker.assembling import Assembly
from gcp_local.builds.docker.daemon import Daemon, complete, split
from gcp_local.builds.docker.dockerfile import DockerfileError, read_stages
from gcp_local.builds.docker.ignoring import files_of, read_patterns

_REFERENCE = re.compile(r"[a-z0-9][a-z0-9._:/-]*(:[\w][\w.-]{0,127})?", re.ASCII)
_SHORT = {"-t": "--tag", "-f": "--file", "-q": "--quiet"}
_TAKEN = ("--tag", "--file", "--target", "--build-arg")
# Said of how docker works, and nothing to what comes out.
_IDLE = {"--cache-from": 1, "--network": 1, "--platform": 1, "--progress": 1, "--label": 1,
         "--no-cache": 0, "--pull": 0, "--quiet": 0, "--rm": 0, "--force-rm": 0}  # fmt: skip
_ANSWER_SECONDS = 120


class RefusedError(Exception):
    """What docker, or this stand-in for it, says no to."""


def main(words: list[str]) -> int:
    """Do what the words say, and give the exit code."""
    if words[:1] == ["image"]:
        words = words[1:]
    if not words or words[0] in ("version", "--version", "-v"):
        _say("Docker version 0 (the embedded cloud's stand-in: build, tag and push)")
        return 0
    commands = {"build": _build, "tag": _tag, "push": _push}
    if words[0] not in commands:
        return _fail(
            f"docker {words[0]}: the embedded cloud has no container engine. Its docker builds,"
            " tags and pushes, and no more"
        )
    try:
        commands[words[0]](words[1:])
    except (RefusedError, DockerfileError, OSError) as error:
        return _fail(f"ERROR: {error}")
    return 0


def _build(words: list[str]) -> None:
    options, rest = _read_options(words)
    if len(rest) != 1:
        raise RefusedError('"docker build" requires exactly 1 argument')
    context = Path(rest[0])
    if "://" in rest[0] or rest[0] == "-" or not context.is_dir():
        raise RefusedError(f"unable to prepare context: path {rest[0]!r} is no folder")
    file = Path(options["--file"][-1]) if options["--file"] else context / "Dockerfile"
    if not file.is_file():
        raise RefusedError(f"failed to read dockerfile: open {file}: no such file or directory")
    for reference in options["--tag"]:
        if not _REFERENCE.fullmatch(reference):
            raise RefusedError(f"invalid tag {reference!r}: invalid reference format")
    given = dict(map(_argument, options["--build-arg"]))
    stages, arguments, declared = read_stages(file.read_text(encoding="utf-8"), given)
    own = file.with_name(f"{file.name}.dockerignore")
    ignore = own if own.is_file() else context / ".dockerignore"
    patterns = read_patterns(ignore.read_text(encoding="utf-8")) if ignore.is_file() else []
    files = dict(files_of(context, patterns))
    _say(f"Sending build context: {len(files)} files")
    assembly = Assembly(stages, files, given, arguments, _say)
    image = assembly.of(options["--target"][-1] if options["--target"] else "")
    if unused := sorted(set(given) - declared):
        _say(f"[Warning] One or more build-args {unused} were not consumed")
    digest = _daemon().add(image.tar(), options["--tag"])
    _say(f"Successfully built {digest[7:19]}")
    for reference in options["--tag"]:
        _say(f"Successfully tagged {complete(reference)}")


def _tag(words: list[str]) -> None:
    if len(words) != 2:
        raise RefusedError('"docker tag" requires exactly 2 arguments')
    if not _daemon().tag(*words):
        raise RefusedError(f"No such image: {complete(words[0])}")


def _push(words: list[str]) -> None:
    everything = [word for word in words if word in ("-a", "--all-tags")]
    rest = [word for word in words if word not in everything and word not in ("-q", "--quiet")]
    if len(rest) != 1 or rest[0].startswith("-"):
        raise RefusedError('"docker push" requires exactly 1 argument')
    name, _ = split(rest[0])
    references = _daemon().tags_of(name) if everything else [complete(rest[0])]
    _say(f"The push refers to repository [{name}]")
    for reference in references:
        tar = _daemon().find(reference)
        if tar is None:
            raise RefusedError(f"An image does not exist locally with the tag: {reference}")
        digest = _put(*split(reference), tar)
        _say(f"{split(reference)[1]}: digest: {digest} size: {tar.stat().st_size}")


def _put(repository: str, tag: str, tar: Path) -> str:
    query = urllib.parse.urlencode({"repository": repository, "tag": tag, "push": 1})
    request = urllib.request.Request(  # noqa: S310  (the embedded cloud's own address)
        f"{os.environ['GCP_LOCAL']}/gcp-local/images?{query}", data=tar.read_bytes(), method="PUT"
    )
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(request, timeout=_ANSWER_SECONDS) as answer:
            return str(json.load(answer)["digest"])
    except urllib.error.HTTPError as error:
        raise RefusedError(json.load(error)["error"]["message"]) from None


def _read_options(words: list[str]) -> tuple[dict[str, list[str]], list[str]]:
    taken: dict[str, list[str]] = {name: [] for name in _TAKEN}
    rest = []
    waiting = iter(words)
    for word in waiting:
        if not word.startswith("-") or word == "-":
            rest.append(word)
            continue
        name, sign, value = word.partition("=")
        name = _SHORT.get(name, name)
        if name not in taken and name not in _IDLE:
            raise RefusedError(f"docker build {name}: the embedded cloud's docker has no such flag")
        if not sign and _IDLE.get(name, 1):
            value = next(waiting, "")
            if not value:
                raise RefusedError(f"flag needs an argument: {name}")
        if name in taken:
            taken[name].append(value)
    return taken, rest


def _argument(said: str) -> tuple[str, str]:
    name, sign, value = said.partition("=")
    return name, value if sign else os.environ.get(name, "")


def _daemon() -> Daemon:
    return Daemon(Path(os.environ["GCP_LOCAL_DOCKER"]))


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _fail(message: str) -> int:
    sys.stderr.write(f"{message}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
