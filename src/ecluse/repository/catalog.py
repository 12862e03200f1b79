"""The catalog: which environments and pipelines a repository has, and what each is made of."""

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ecluse.errors import InvalidInput, SettingsError, UnknownEnvironment, UnknownPipeline
from ecluse.repository.commit import not_ignored
from ecluse.repository.settings import Environment, PipelineSettings, ProjectSettings
from ecluse.repository.settings_cache import SettingsCache
from ecluse.repository.settings_files import read_environment, read_pipeline, read_project
from ecluse.repository.yaml_source import read_yaml

_NOT_SOURCES = ("__pycache__", ".DS_Store")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,62}")


@dataclass(frozen=True)
class PipelineFolder:
    """A folder under pipelines/ that holds a pipeline.py.

    Attributes:
        name: the folder's name, which is the pipeline's.
        path: where it is.
        settings: its pipeline.yaml.

    """

    name: str
    path: Path
    settings: PipelineSettings

    @property
    def settings_file(self) -> str:
        """The settings file as errors show it."""
        return f"pipelines/{self.name}/pipeline.yaml"

    def where(self, *field: str | int) -> str:
        """Return `file:line` of a field of the settings file, for an error about its value."""
        return read_yaml(self.path / "pipeline.yaml", self.settings_file).where(field)


@dataclass(frozen=True)
class Catalog:
    """What a repository's folders declare. Nothing is imported or compiled here.

    Attributes:
        root: the repository's root folder.

    """

    root: Path

    @classmethod
    def find(cls, start: Path) -> "Catalog":
        """Return the catalog of the repository that a folder is in.

        Raises:
            InvalidInput: neither the folder nor a parent has pipelines/ and environments/.

        """
        start = start.resolve()
        for folder in (start, *start.parents):
            if (folder / "pipelines").is_dir() and (folder / "environments").is_dir():
                return cls(folder)
        raise InvalidInput(
            "no écluse repository: no folder here or above has pipelines/ and environments/",
            where=str(start),
            fix="change into your clone, or give --repository",
        )

    @cached_property
    def project(self) -> ProjectSettings:
        """[tool.ecluse] of pyproject.toml; all defaults where there is no such file."""
        file = self.root / "pyproject.toml"
        return read_project(file) if file.exists() else ProjectSettings()

    @cached_property
    def _settings(self) -> SettingsCache:
        return SettingsCache(self.root)

    @cached_property
    def environment_names(self) -> tuple[str, ...]:
        """The environments' names, sorted."""
        return tuple(sorted(file.stem for file in (self.root / "environments").glob("*.yaml")))

    @cached_property
    def pipeline_names(self) -> tuple[str, ...]:
        """The pipelines' names, sorted: folders that hold a pipeline.py.

        Settings without one are refused: to be overlooked would mean to be retired.
        """
        folders = (self.root / "pipelines").glob("*/pipeline.py")
        names = tuple(sorted(file.parent.name for file in folders))
        for file in sorted((self.root / "pipelines").glob("*/pipeline.yaml")):
            if file.parent.name not in names:
                raise SettingsError(
                    "there are settings of a pipeline here, and no pipeline.py",
                    where=f"pipelines/{file.parent.name}",
                    fix="write its pipeline.py; or remove the folder, which retires the pipeline",
                )
        for name in names:
            if not _NAME.fullmatch(name):
                raise SettingsError(
                    f"`{name}` is no name for a pipeline",
                    where=f"pipelines/{' '.join(name.split())}",
                    fix="use letters, digits, `_` and `-`, a letter first, 63 at most",
                )
        return names

    def environment(self, name: str) -> Environment:
        """Read one environment.

        Raises:
            UnknownEnvironment: there is none of that name.
            SettingsError: its file, or its `requires`, is wrong.

        """
        if name not in self.environment_names:
            raise UnknownEnvironment(
                f"there is no environment `{name}`",
                where="environments/",
                fix=_nearest(name, self.environment_names),
            )
        shown = f"environments/{name}.yaml"
        environment = read_environment(self.root / shown, shown)
        below = environment.requires
        if below is not None and (below == name or below not in self.environment_names):
            raise SettingsError(
                f"`requires`: `{below}` is no other environment",
                where=shown,
                fix=_nearest(below, [other for other in self.environment_names if other != name]),
            )
        return environment

    def environments(self) -> tuple[Environment, ...]:
        """Read all environments, each after the one it requires."""
        found = {name: self.environment(name) for name in self.environment_names}
        return tuple(found[name] for name in _in_order(found))

    def pipeline(self, name: str) -> PipelineFolder:
        """Read one pipeline's settings.

        Raises:
            UnknownPipeline: there is none of that name.
            SettingsError: its pipeline.yaml is wrong.

        """
        if name not in self.pipeline_names:
            raise UnknownPipeline(
                f"there is no pipeline `{name}`",
                where="pipelines/",
                fix=_nearest(name, self.pipeline_names),
            )
        path = self.root / "pipelines" / name
        shown = f"pipelines/{name}/pipeline.yaml"
        settings = read_pipeline(path / "pipeline.yaml", shown, self._settings)
        for environment in settings.environments:
            if environment not in self.environment_names:
                raise SettingsError(
                    f"`environments.{environment}`: there is no environment `{environment}`",
                    where=shown,
                    fix=_nearest(environment, self.environment_names),
                )
        for index, other in enumerate(settings.after or ()):
            if other == name or other not in self.pipeline_names:
                raise SettingsError(
                    f"`after.{index}`: `{other}` is no other pipeline",
                    where=read_yaml(path / "pipeline.yaml", shown).where(("after", index)),
                    fix=_nearest(other, [each for each in self.pipeline_names if each != name]),
                )
        return PipelineFolder(name=name, path=path, settings=settings)

    def pipelines(self, names: Iterable[str] = ()) -> tuple[PipelineFolder, ...]:
        """Read the named pipelines, or all of them.

        Raises:
            UnknownPipeline: one of the names is no pipeline, or there is none at all.
            SettingsError: a pipeline.yaml is wrong.

        """
        wanted = tuple(names) or self.pipeline_names
        if not wanted:
            raise UnknownPipeline(
                "there is no pipeline yet", where="pipelines/", fix="add pipelines/NAME/pipeline.py"
            )
        folders = tuple(self.pipeline(name) for name in wanted)
        self._settings.save()
        return folders

    def files_of(self, sources: Iterable[str]) -> Iterator[Path]:
        """Yield every file behind a list of files and folders, sorted, without what git ignores.

        Raises:
            SettingsError: one of them is not there.

        """
        kept = not_ignored(self.root)
        for source in sorted(sources):
            path = self.root / source
            if not path.exists():
                raise SettingsError(
                    f"`{source}` is listed as a source but is not there",
                    where="pyproject.toml, [tool.ecluse]",
                )
            for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
                is_kept = kept is None or file.relative_to(self.root).as_posix() in kept
                if file.is_file() and is_kept and not set(_NOT_SOURCES) & set(file.parts):
                    yield file


def _nearest(word: str, words: Iterable[str]) -> str:
    words = list(words)
    near = difflib.get_close_matches(word, words, n=1)
    if near:
        return f"did you mean `{near[0]}`?"
    return f"there are: {', '.join(words)}" if words else ""


def _in_order(environments: Mapping[str, Environment]) -> Iterator[str]:
    """Yield names so that each comes after the one it requires; a circle is refused."""
    done: set[str] = set()
    for start in environments:
        chain: list[str] = []
        name: str | None = start
        while name is not None and name not in done:
            if name in chain:
                raise SettingsError(
                    f"`requires` goes round in a circle: {' → '.join([*chain, name])}",
                    where=f"environments/{name}.yaml",
                )
            chain.append(name)
            name = environments[name].requires
        for each in reversed(chain):
            done.add(each)
            yield each
