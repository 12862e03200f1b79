"""YAML that remembers where each value stands, so that an error can name file and line."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import yaml

from ecluse.errors import SettingsError

_LARGEST = 2**63
_SURROGATE = re.compile("[\ud800-\udfff]")

FieldPath: TypeAlias = tuple[str | int, ...]


@dataclass(frozen=True)
class YamlSource:
    """A parsed YAML mapping.

    Attributes:
        shown: the file's name as errors show it.
        content: the parsed mapping.
        lines: the line (from 1) of every field, by its path from the top.

    """

    shown: str
    content: Mapping[str, Any]
    lines: Mapping[FieldPath, int] = field(repr=False)

    def where(self, path: FieldPath) -> str:
        """Return `file:line` of a field, or of its nearest known parent."""
        while path and path not in self.lines:
            path = path[:-1]
        return f"{self.shown}:{self.lines.get(path, 1)}"


def read_yaml(file: Path, shown: str) -> YamlSource:
    """Parse a settings file.

    Raises:
        SettingsError: it is missing, is no YAML, is no mapping, or has a key twice.

    """
    return parse_yaml(read_text(file, shown), shown)


def read_text(file: Path, shown: str) -> str:
    """Return a settings file's text.

    Raises:
        SettingsError: it is missing, or is no text.

    """
    try:
        return file.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise SettingsError("the file is missing", where=shown, fix="create it") from None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"the file cannot be read: {error}", where=shown) from None


def parse_yaml(text: str, shown: str) -> YamlSource:
    """Parse a settings file's text.

    Raises:
        SettingsError: it is no YAML, is no mapping, or has a key twice.

    """
    loader = None
    try:
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
        lines: dict[FieldPath, int] = {}
        if node is not None:
            _note_lines(node, (), lines, shown)
        content = {} if node is None else loader.construct_document(node)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise SettingsError(f"not valid YAML: {error.problem}", where=f"{shown}:{line}") from None
    except (yaml.YAMLError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise SettingsError(f"not valid YAML: {reason}", where=shown) from None
    except RecursionError:
        raise SettingsError("it is nested too deeply, or holds itself", where=shown) from None
    finally:
        if loader is not None:
            loader.dispose()
    if not isinstance(content, dict):
        raise SettingsError(
            f"expected fields with values, found {type(content).__name__}", where=f"{shown}:1"
        )
    source = YamlSource(shown=shown, content=content, lines=lines)
    _refuse_what_json_lacks(source, (), content)
    return source


def _refuse_what_json_lacks(source: YamlSource, path: FieldPath, value: Any) -> None:
    """Refuse values that no run could be given: they cannot be written as JSON."""
    problem = ""
    if isinstance(value, dict):
        for key, child in value.items():
            _refuse_what_json_lacks(source, (*path, str(key)), child)
    elif isinstance(value, list):
        for index, child in enumerate(value):
            _refuse_what_json_lacks(source, (*path, index), child)
    elif isinstance(value, float) and not math.isfinite(value):
        problem = "is not a finite number"
    elif isinstance(value, int) and abs(value) >= _LARGEST:
        problem = "is too large a number"
    elif isinstance(value, str) and not value.isprintable() and _SURROGATE.search(value):
        problem = "holds half of a character"
    if problem:
        dotted = ".".join(str(part) for part in path)
        raise SettingsError(f"`{dotted}` {problem}", where=source.where(path))


def _note_lines(node: yaml.Node, path: FieldPath, lines: dict[FieldPath, int], shown: str) -> None:
    lines[path] = min(lines.get(path, node.start_mark.line + 1), node.start_mark.line + 1)
    if isinstance(node, yaml.SequenceNode):
        for index, child in enumerate(node.value):
            _note_lines(child, (*path, index), lines, shown)
    elif isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, child in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise SettingsError(
                    "a field's name must be a plain word",
                    where=f"{shown}:{key.start_mark.line + 1}",
                )
            if key.value in seen:
                raise SettingsError(
                    f"`{key.value}` stands here a second time",
                    where=f"{shown}:{key.start_mark.line + 1}",
                    fix="keep one of the two",
                )
            seen.add(key.value)
            lines[(*path, key.value)] = key.start_mark.line + 1
            _note_lines(child, (*path, key.value), lines, shown)
