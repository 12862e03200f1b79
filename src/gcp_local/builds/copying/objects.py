"""Objects of the embedded Cloud Storage, from a program that has Python's standard library only."""

from __future__ import annotations

import json
import os
import sys
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

_SECONDS = 300


class CopyError(Exception):
    """What cannot be copied, listed or shown, and why."""


def run(words: list[str], program: str) -> int:
    """Carry out `cp`, `cat` or `ls`, and give the exit code."""
    commands = {"cp": _copy, "cat": _show, "ls": _list}
    if not words or words[0] not in commands:
        sys.stderr.write(
            f"{program} {' '.join(words[:1])}: the embedded cloud's {program} has cp, cat and ls"
            " of Cloud Storage, and no more\n"
        )
        return 2
    flags = {word for word in words[1:] if word.startswith("-") and word != "-"}
    if unknown := flags - {"-r", "-R", "--recursive", "-n", "--no-clobber"}:
        sys.stderr.write(f"{program} {words[0]}: no flag {min(unknown)} here\n")
        return 2
    try:
        commands[words[0]]([word for word in words[1:] if word not in flags], flags)
    except (CopyError, OSError) as error:
        sys.stderr.write(f"{program}: {error}\n")
        return 1
    return 0


def _copy(words: list[str], flags: set[str]) -> None:
    if len(words) < 2:
        raise CopyError("cp needs a source and a destination")
    *sources, target = words
    deep = bool(flags & {"-r", "-R", "--recursive"})
    keep = bool(flags & {"-n", "--no-clobber"})
    found: list[tuple[str, str]] = []
    for source in sources:
        found += _remote(source, deep) if source.startswith("gs://") else _local(source, deep)
    if not found:
        raise CopyError(f"No URLs matched: {' '.join(sources)}")
    folder = target.endswith("/") or len(sources) > 1 or deep or Path(target).is_dir()
    if target.startswith("gs://") and target.count("/") == 2:
        folder, target = True, f"{target}/"
    for source, name in found:
        to = f"{target.rstrip('/')}/{name}" if folder else target
        if folder and not to.startswith("gs://") and ".." in Path(name).parts:
            raise CopyError(f"{source}: its name leads out of {target}")
        if keep and (_exists(to) if to.startswith("gs://") else Path(to).exists()):
            sys.stderr.write(f"Skipping existing item: {to}\n")
            continue
        sys.stderr.write(f"Copying {source} to {to}\n")
        content = _read(source) if source.startswith("gs://") else Path(source).read_bytes()
        if to.startswith("gs://"):
            _write(to, content)
        else:
            Path(to).parent.mkdir(parents=True, exist_ok=True)
            Path(to).write_bytes(content)


def _show(words: list[str], _: set[str]) -> None:
    for word in words:
        sys.stdout.buffer.write(_read(word))


def _list(words: list[str], flags: set[str]) -> None:
    for word in words:
        names = [uri for uri, _ in _remote(word, deep=True)]
        if not names:
            raise CopyError(f"One or more URLs matched no objects: {word}")
        if not flags & {"-r", "-R", "--recursive"} and word.endswith("/"):
            names = sorted({word + _first(uri.removeprefix(word)) for uri in names})
        sys.stdout.write("".join(f"{name}\n" for name in names))


def _first(path: str) -> str:
    first, slash, _ = path.partition("/")
    return first + slash


def _local(source: str, deep: bool) -> list[tuple[str, str]]:
    path = Path(source)
    if path.is_dir():
        if not deep:
            raise CopyError(f"{source} is a folder: add -r")
        return [
            (str(file), f"{path.resolve().name}/{file.relative_to(path).as_posix()}")
            for file in sorted(path.rglob("*"))
            if file.is_file()
        ]
    if path.is_file():
        return [(source, path.name)]
    if "*" in source and not path.is_absolute():
        return [(str(file), file.name) for file in sorted(Path().glob(source)) if file.is_file()]
    raise CopyError(f"No URLs matched: {source}")


def _remote(source: str, deep: bool) -> list[tuple[str, str]]:
    """Find objects; each with its name below what was asked for."""
    bucket, _, name = source.removeprefix("gs://").partition("/")
    if not deep and "*" not in name and not name.endswith("/"):
        return [(source, name.rpartition("/")[2])]
    prefix, star, _ = name.partition("*")
    if not star and prefix:
        prefix = prefix.rstrip("/")
    above = prefix.rpartition("/")[0]
    start = len(above) + 1 if above else 0
    found = []
    for each in _names(bucket, prefix):
        inside = each == prefix or not prefix or bool(star) or each.startswith(f"{prefix}/")
        if inside and (deep or "/" not in each[start:]):
            found.append((f"gs://{bucket}/{each}", each[start:]))
    return found


def _names(bucket: str, prefix: str) -> list[str]:
    found: list[str] = []
    token = ""
    while True:
        query = urllib.parse.urlencode({"prefix": prefix, "pageToken": token})
        page = json.loads(_ask("GET", f"/storage/v1/b/{bucket}/o?{query}"))
        found += [item["name"] for item in page.get("items", [])]
        token = page.get("nextPageToken", "")
        if not token:
            return found


def _exists(uri: str) -> bool:
    bucket, _, name = uri.removeprefix("gs://").partition("/")
    return name in _names(bucket, name)


def _read(uri: str) -> bytes:
    bucket, _, name = uri.removeprefix("gs://").partition("/")
    return _ask("GET", f"/storage/v1/b/{bucket}/o/{urllib.parse.quote(name, safe='')}?alt=media")


def _write(uri: str, content: bytes) -> None:
    bucket, _, name = uri.removeprefix("gs://").partition("/")
    query = urllib.parse.urlencode({"uploadType": "media", "name": name})
    _ask("POST", f"/upload/storage/v1/b/{bucket}/o?{query}", content)


def _ask(verb: str, path: str, body: bytes | None = None) -> bytes:
    request = urllib.request.Request(  # noqa: S310  (the embedded cloud's own address)
        os.environ["GCP_LOCAL"] + path, data=body, method=verb
    )
    request.add_header("Content-Type", "application/octet-stream")
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(request, timeout=_SECONDS) as answer:
            content: bytes = answer.read()
            return content
    except urllib.error.HTTPError as error:
        raise CopyError(f"{error.code}: {_message(error.read())}") from None


def _message(body: bytes) -> str:
    try:
        said: Any = json.loads(body)
        return str(said["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return body.decode(errors="replace")
