"""Reads settings files into their models; whoever errs is told file, line, field and what to do."""

import difflib
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from ecluse.errors import SettingsError
from ecluse.repository.settings import (
    PLACEHOLDER,
    PLACEHOLDERS,
    Environment,
    PipelineSettings,
    ProjectSettings,
)
from ecluse.repository.settings_cache import SettingsCache
from ecluse.repository.yaml_source import (
    FieldPath,
    YamlSource,
    parse_yaml,
    read_text,
    read_yaml,
)

_WITH_PLACEHOLDERS = ("parameters", "environments", "smoke")
_Model = TypeVar("_Model", bound=BaseModel)
_FIELD = re.compile(r"[a-z][a-z0-9_]*")


def read_environment(file: Path, shown: str) -> Environment:
    """Read environments/NAME.yaml.

    Raises:
        SettingsError: with file, line and field.

    """
    return _read(Environment, file, shown, {"name": file.stem})


def read_pipeline(file: Path, shown: str, cache: SettingsCache) -> PipelineSettings:
    """Read a pipeline.yaml, from the cache if its text was parsed before.

    Raises:
        SettingsError: with file, line and field.

    """
    text = read_text(file, shown)
    content = cache.content(shown, text)
    if content is not None:
        try:
            settings = PipelineSettings.model_validate(content)
            _refuse_unknown_placeholders(YamlSource(shown, content, {}))
        except (ValidationError, SettingsError):
            pass  # said below, with its line
        else:
            return settings
    source = parse_yaml(text, shown)
    settings = _validated(PipelineSettings, source, {})
    cache.keep(shown, text, source.content)
    return settings


def read_project(file: Path) -> ProjectSettings:
    """Read [tool.ecluse] of a pyproject.toml."""
    try:
        tools = tomllib.loads(file.read_text(encoding="utf-8")).get("tool", {})
        table = tools.get("ecluse", {}) if isinstance(tools, dict) else {}
        return ProjectSettings.model_validate(table)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"not valid TOML: {error}", where=file.name) from None
    except ValidationError as error:
        problem = error.errors()[0]
        path = ".".join(str(part) for part in problem["loc"])
        raise SettingsError(
            f"`{path}`: {_said(problem)}", where=f"{file.name}, [tool.ecluse]"
        ) from None


def _read(model: type[_Model], file: Path, shown: str, given: Mapping[str, Any]) -> _Model:
    return _validated(model, read_yaml(file, shown), given)


def _validated(model: type[_Model], source: YamlSource, given: Mapping[str, Any]) -> _Model:
    for name in given:
        if name in source.content:
            raise SettingsError(
                f"`{name}` is not written in the file: the file's name says it",
                where=source.where((name,)),
                fix="remove the line",
            )
    try:
        settings = model.model_validate({**source.content, **given})
    except ValidationError as error:
        problems = _in_order_of_use(error.errors())
        first = problems[0]
        path = _field_path(first["loc"], source.lines)
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        dotted = ".".join(str(part) for part in path) or "the file"
        raise SettingsError(
            f"`{dotted}`: {_said(first)}{more}",
            where=source.where(path),
            fix=_suggestion(model, first),
        ) from None
    _refuse_unknown_placeholders(source)
    return settings


def _refuse_unknown_placeholders(source: YamlSource) -> None:
    for part in _WITH_PLACEHOLDERS:
        for path, value in _texts((part,), source.content.get(part)):
            if path[2:3] != ("gates",):  # nothing is filled in there
                _refuse_unknown_placeholder(value, source.where(path))


def _field_path(location: tuple[int | str, ...], lines: Mapping[FieldPath, int]) -> FieldPath:
    """Drop what pydantic adds to a field's path: names of union members and of types.

    The path's last part is kept when it is missing from the file: it is the missing field.
    """
    path: FieldPath = ()
    for index, part in enumerate(location):
        longer = (*path, part)
        if longer in lines:
            path = longer
        elif index == len(location) - 1 and isinstance(part, str) and _FIELD.fullmatch(part):
            return longer
    return path


def _said(problem: Mapping[str, Any] | Any) -> str:
    """Say a pydantic problem in our words."""
    match problem["type"]:
        case "missing":
            return "this field is missing"
        case "extra_forbidden":
            return "there is no such field"
        case "string_pattern_mismatch":
            return f"`{problem['input']}` does not look like one ({problem['ctx']['pattern']})"
        case "value_error":
            return str(problem["ctx"]["error"])
        case _:
            found = problem["input"]
            shown = (
                f"`{found}`"
                if isinstance(found, bool | int | float | str | None)
                else type(found).__name__
            )
            message = str(problem["msg"])
            return f"{message[0].lower()}{message[1:]}, found {shown}"


def _in_order_of_use(problems: Sequence[Any]) -> list[Any]:
    """Put misspelt fields first, and leave out the fields that are missing because of them."""
    extra = [problem for problem in problems if problem["type"] == "extra_forbidden"]
    rest = [
        problem
        for problem in problems
        if problem["type"] != "extra_forbidden"
        and not (
            problem["type"] == "missing"
            and any(
                other["loc"][:-1] == problem["loc"][:-1]
                and difflib.get_close_matches(str(other["loc"][-1]), [str(problem["loc"][-1])])
                for other in extra
            )
        )
    ]
    return extra + rest


def _suggestion(model: type[BaseModel], problem: Any) -> str:
    if problem["type"] != "extra_forbidden":
        return ""
    parents: tuple[type[BaseModel], ...] = (model,)
    for part in problem["loc"][:-1]:
        parents = _models_of(parents, part)
    word = str(problem["loc"][-1])
    fields = [
        field.alias or name
        for parent in parents
        for name, field in parent.model_fields.items()
        if name != "name"
    ]
    near = difflib.get_close_matches(word, fields, n=1)
    if near:
        return f"did you mean `{near[0]}`?"
    return f"the fields are: {', '.join(fields)}" if fields else ""


def _models_of(
    parents: tuple[type[BaseModel], ...], part: str | int
) -> tuple[type[BaseModel], ...]:
    """Return the models behind one step of a field's path, through lists, mappings and unions.

    Where a field may be one of several models, the path's next step is the right one's name.
    """
    named = tuple(parent for parent in parents if parent.__name__ == part)
    if named:
        return named
    pending: list[Any] = [
        parent.model_fields[part].annotation
        for parent in parents
        if isinstance(part, str) and part in parent.model_fields
    ]
    if not pending:
        return parents
    models: list[type[BaseModel]] = []
    while pending:
        annotation = pending.pop(0)
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            models.append(annotation)
        pending.extend(get_args(annotation))
    return tuple(models)


def _texts(path: FieldPath, value: Any) -> Iterable[tuple[FieldPath, str]]:
    """Yield every text inside a value with its path."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping):
        for key, child in value.items():
            yield from _texts((*path, str(key)), child)
    elif isinstance(value, list):
        for index, child in enumerate(value):
            yield from _texts((*path, index), child)


def _refuse_unknown_placeholder(text: str, where: str) -> None:
    for word in PLACEHOLDER.findall(text):
        if word not in PLACEHOLDERS:
            near = difflib.get_close_matches(word, PLACEHOLDERS, n=1)
            raise SettingsError(
                f"`{{{word}}}` is no placeholder",
                where=where,
                fix=f"did you mean `{{{near[0]}}}`?"
                if near
                else f"the placeholders are: {', '.join(PLACEHOLDERS)}",
            )
