"""A Dockerfile, read into its stages.

Source: https://docs.docker.com/reference/dockerfile/.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

_KNOWN = frozenset(
    {"ADD", "ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK", "LABEL",
     "MAINTAINER", "ONBUILD", "RUN", "SHELL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR"}
)  # fmt: skip
_FLAG = re.compile(r"--([a-z-]+)(?:=(\S*))?\s*")
_HEREDOC = re.compile(r"<<-?\s*[\"']?(\w+)[\"']?")
_VARIABLE = re.compile(r"\\(.)|\$(?:(\w+)|\{(\w+)(?::([-+])([^}]*))?\})")


class DockerfileError(ValueError):
    """What docker would refuse, or this stand-in cannot do."""


@dataclass(frozen=True)
class Instruction:
    """One instruction.

    Attributes:
        word: its name, `COPY`.
        flags: what stands before the rest, as in `--from=base`.
        rest: all else, lines joined.
        line: where it begins.

    """

    word: str
    flags: Mapping[str, str]
    rest: str
    line: int

    def words(self) -> list[str]:
        """Give the rest as words: a JSON list, or split at spaces."""
        listed = self.listed()
        if listed is not None:
            return listed
        try:
            return shlex.split(self.rest, posix=True)
        except ValueError as error:
            raise DockerfileError(f"line {self.line}: {error}") from None

    def listed(self) -> list[str] | None:
        """Give the words of the JSON form; None in the shell form."""
        if not self.rest.startswith("["):
            return None
        try:
            found = json.loads(self.rest)
        except ValueError:
            return None
        strings = isinstance(found, list) and all(isinstance(each, str) for each in found)
        return found if strings else None


@dataclass
class Stage:
    """A stage: what it stands on, its name, and its instructions."""

    base: str
    name: str
    instructions: list[Instruction] = field(default_factory=list)


def read_stages(
    text: str, given: Mapping[str, str]
) -> tuple[list[Stage], dict[str, str], set[str]]:
    """Read the stages of a Dockerfile.

    Args:
        text: the file's text.
        given: the build arguments.

    Returns:
        The stages; the values of the ARGs before the first; the names of all ARGs.

    Raises:
        DockerfileError: it is none.

    """
    stages: list[Stage] = []
    arguments: dict[str, str] = {}
    declared: set[str] = set()
    for each in _instructions(text):
        if each.word == "ARG":
            declared.update(word.partition("=")[0] for word in each.words())
        if each.word == "FROM":
            stages.append(_stage(each, arguments))
        elif stages:
            stages[-1].instructions.append(each)
        elif each.word == "ARG":
            arguments.update(arguments_of(each, given, arguments))
        else:
            raise DockerfileError(f"line {each.line}: no build stage in current context")
    if not stages:
        raise DockerfileError("the Dockerfile has no FROM")
    return stages, arguments, declared


def arguments_of(
    instruction: Instruction, given: Mapping[str, str], known: Mapping[str, str]
) -> dict[str, str]:
    """Give the values that an ARG declares: as given, else its default, else a global one's."""
    found = {}
    for word in instruction.words():
        name, sign, default = word.partition("=")
        if name in given:
            found[name] = given[name]
        elif sign:
            found[name] = expanded(default, known)
        elif name in known:
            found[name] = known[name]
    return found


def expanded(text: str, values: Mapping[str, str]) -> str:
    """Put variables in: `$X`, `${X}`, `${X:-default}`, `${X:+instead}`."""

    def value(match: re.Match[str]) -> str:
        if match[1]:
            return match[1]
        known = values.get(match[2] or match[3], "")
        if match[4] == "-":
            return known or match[5]
        if match[4] == "+":
            return match[5] if known else ""
        return known

    return _VARIABLE.sub(value, text)


def _stage(instruction: Instruction, arguments: Mapping[str, str]) -> Stage:
    words = instruction.rest.split()
    named = len(words) == 3 and words[1].upper() == "AS"
    if not named and len(words) != 1:
        raise DockerfileError(f"line {instruction.line}: FROM requires either one or three words")
    base = expanded(words[0], arguments)
    if not base:
        raise DockerfileError(
            f"line {instruction.line}: base name ({words[0]}) should not be blank"
        )
    return Stage(base, words[2].lower() if named else "")


def _instructions(text: str) -> list[Instruction]:
    lines = text.splitlines()
    found: list[Instruction] = []
    at = 0
    while at < len(lines):
        began, joined = at, ""
        while at < len(lines):
            line = lines[at].strip() if not joined else lines[at].rstrip()
            at += 1
            if not line.strip() or line.lstrip().startswith("#"):
                if joined:
                    continue
                break
            if not line.endswith("\\"):
                joined += line
                break
            joined += line[:-1]
        if not joined.strip():
            continue
        at = _past_heredocs(joined, lines, at)
        found.append(_instruction(joined.strip(), began + 1))
    return found


def _past_heredocs(joined: str, lines: list[str], at: int) -> int:
    if joined.split(None, 1)[0].upper() not in ("RUN", "COPY", "ADD"):
        return at
    for word in _HEREDOC.findall(joined):
        while at < len(lines) and lines[at].strip() != word:
            at += 1
        at += 1
    return at


def _instruction(text: str, line: int) -> Instruction:
    first, _, rest = text.partition(" ")
    word, rest = first.upper(), rest.strip()
    if word not in _KNOWN:
        raise DockerfileError(
            f"dockerfile parse error on line {line}: unknown instruction: {first}"
        )
    flags: dict[str, str] = {}
    while word in ("ADD", "COPY", "FROM", "HEALTHCHECK", "RUN") and (match := _FLAG.match(rest)):
        flags[match[1]] = match[2] or ""
        rest = rest[match.end() :]
    return Instruction(word, flags, rest, line)


Say = Callable[[str], object]
