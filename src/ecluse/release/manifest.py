"""A release: one commit's compiled pipelines, their settings and the runtime image's digest.

A release is a folder: `release.json`, the manifest, and one `PIPELINE.yaml` for each pipeline. It
is built once, from a clean commit, and is the same bytes whenever that commit is built again.
"""

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)

from ecluse.canonical import digest_of, digest_of_value, readable_json
from ecluse.errors import InvalidInput, ReleaseAltered
from ecluse.release.compile_cache import compiler_version
from ecluse.release.compiler import CompiledPipeline
from ecluse.repository.catalog import Catalog
from ecluse.repository.commit import Commit, not_ignored
from ecluse.repository.settings import PipelineSettings

MANIFEST = "release.json"

Digest = Annotated[str, StringConstraints(pattern=r"^sha256:[0-9a-f]{64}$")]
PipelineName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,62}$")]
PackageName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,127}$")]
ImageReference = Annotated[str, StringConstraints(pattern=r"^\S+@sha256:[0-9a-f]{64}$")]


class _Manifest(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ReleasedPipeline(_Manifest):
    """One pipeline of a release.

    Attributes:
        name: the pipeline folder's name.
        package: the registry's name for it.
        digest: sha256 of the compiled bytes, which is also the registry's version.
        code_digest: the same without the runtime image: tells a change of code from one of image.
        runtime_image: the image its components run in, by digest; none if it needs none.
        parameters: the names of its runtime parameters.
        settings: the delivered part of its pipeline.yaml.
        settings_digest: sha256 of `settings` as canonical JSON.
        sources_digest: sha256 over the files behind the compiled bytes, pipeline.yaml apart: tells
            a change of code from one of the compiler; none in manifests of older releases.

    """

    name: PipelineName
    package: PackageName
    digest: Digest
    code_digest: Digest
    runtime_image: ImageReference | None
    parameters: tuple[str, ...]
    settings: dict[str, Any]
    settings_digest: Digest
    sources_digest: Annotated[Digest | None, Field(exclude_if=lambda digest: digest is None)] = None

    @property
    def file(self) -> str:
        """The compiled pipeline's file in the release's folder."""
        return f"{self.name}.yaml"

    @property
    def subject(self) -> str:
        """One digest for all that a qualification vouches for: bytes, settings and image."""
        return digest_of_value(
            {
                "pipeline": self.name,
                "digest": self.digest,
                "settings": self.settings_digest,
                "runtime_image": self.runtime_image,
                "package": self.package,
                "parameters": self.parameters,
            }
        )

    @model_validator(mode="after")
    def _settings_parse(self) -> Self:
        self.parsed_settings()
        return self

    def parsed_settings(self) -> PipelineSettings:
        """Return the frozen settings as the model that people's files are read into."""
        return PipelineSettings.model_validate({"description": "", **self.settings})


class Release(_Manifest):
    """The manifest of a release (release.json).

    Attributes:
        commit, committed_at, subject: what it was made of.
        ancestry: the newest of the commits that this one descends from, twelve digits each: where
            there is no git, they tell whether a release would go backwards.
        compiler: its name and version.
        pipelines: by name.

    """

    schema_version: Literal[1] = 1
    commit: str
    committed_at: str
    subject: str
    ancestry: tuple[str, ...] = ()
    compiler: str
    pipelines: dict[str, ReleasedPipeline]

    @model_validator(mode="after")
    def _names_agree(self) -> Self:
        if any(name != pipeline.name for name, pipeline in self.pipelines.items()):
            raise ValueError("a pipeline stands under another name than its own")
        if len({pipeline.package for pipeline in self.pipelines.values()}) < len(self.pipelines):
            raise ValueError("two pipelines have one package")
        self.refuse_circles()
        return self

    def refuse_circles(self) -> None:
        """Check that every pipeline comes after others of this release, and not after itself.

        Raises:
            ValueError: naming the pipeline, or the circle.

        """
        after = {
            name: tuple(pipeline.parsed_settings().after or ())
            for name, pipeline in self.pipelines.items()
        }
        for name, others in after.items():
            if stray := next((other for other in others if other not in after), None):
                raise ValueError(f"`{name}` comes after `{stray}`, which is no pipeline")
        try:
            TopologicalSorter(after).prepare()
        except CycleError as error:
            raise ValueError(f"`after` goes round: {' → '.join(error.args[1])}") from None

    def content(self) -> bytes:
        """Return the manifest's bytes."""
        return readable_json(self.model_dump(mode="json"))

    @cached_property
    def digest(self) -> str:
        """The digest of the manifest, and through it of everything in the release."""
        return digest_of(self.content())


def make_release(
    catalog: Catalog,
    compiled: Mapping[str, CompiledPipeline],
    *,
    commit: Commit,
    ancestry: Sequence[str],
    runtime_image: str | None,
) -> tuple[Release, dict[str, bytes]]:
    """Put a release together.

    Returns:
        The manifest, and each compiled pipeline's bytes by file name.

    Raises:
        InvalidInput: the working tree is not clean, so that no commit would name these bytes.
        CompilationError: a pipeline needs the runtime image and there is none.

    """
    if not commit.clean:
        raise InvalidInput(
            "the working tree has changes that no commit holds",
            where=str(catalog.root),
            fix="commit them, or try them with `ecluse run`: a release is made of one commit",
        )
    return make_draft(
        catalog, compiled, commit=commit, ancestry=ancestry, runtime_image=runtime_image
    )


def make_draft(
    catalog: Catalog,
    compiled: Mapping[str, CompiledPipeline],
    *,
    commit: Commit,
    ancestry: Sequence[str],
    runtime_image: str | None,
) -> tuple[Release, dict[str, bytes]]:
    """Return what a release of the working tree would be, whether or not a commit holds it.

    For looking at. What is promoted comes from `make_release`.

    Raises:
        CompilationError: a pipeline needs the runtime image and there is none.

    """
    committed = not_ignored(catalog.root)
    pipelines: dict[str, ReleasedPipeline] = {}
    files: dict[str, bytes] = {}
    for name, pipeline in sorted(compiled.items()):
        content = pipeline.content(runtime_image)
        settings = catalog.pipeline(name).settings.delivered()
        released = ReleasedPipeline(
            name=name,
            package=pipeline.package,
            digest=digest_of(content),
            code_digest=pipeline.code_digest,
            runtime_image=runtime_image if pipeline.uses_runtime_image else None,
            parameters=tuple(sorted(pipeline.parameters)),
            settings=settings,
            settings_digest=digest_of_value(settings),
            sources_digest=pipeline.sources_digest(committed),
        )
        pipelines[name] = released
        files[released.file] = content
    release = Release(
        commit=commit.sha,
        committed_at=commit.time,
        subject=commit.subject,
        ancestry=tuple(ancestry),
        compiler=compiler_version(),
        pipelines=pipelines,
    )
    return release, files


def write_release(folder: Path, release: Release, files: Mapping[str, bytes]) -> None:
    """Write a release's folder, whole or not at all, in place of an older release.

    Raises:
        InvalidInput: there is something else in its place.

    """
    if folder.exists() and not (folder / MANIFEST).is_file() and not _is_empty(folder):
        raise InvalidInput(
            "there is something here, and it is no release",
            where=str(folder),
            fix="give another --output, or remove it",
        )
    partial = folder.with_name(f".{folder.name}.{os.getpid()}")
    older = folder.with_name(f".{folder.name}.{os.getpid()}.older")
    try:
        partial.mkdir(parents=True)
        for name, content in {**files, MANIFEST: release.content()}.items():
            (partial / name).write_bytes(content)
        if folder.exists():
            folder.rename(older)
        partial.rename(folder)
    except OSError as error:
        raise InvalidInput(
            f"cannot be written: {error.strerror}",
            where=str(folder),
            fix="name another folder with --output",
        ) from None
    finally:
        shutil.rmtree(partial, ignore_errors=True)
        shutil.rmtree(older, ignore_errors=True)


def _is_empty(folder: Path) -> bool:
    return folder.is_dir() and not any(folder.iterdir())


def read_release(folder: Path) -> tuple[Release, dict[str, bytes]]:
    """Read a release's folder and verify every byte of it against its manifest.

    Raises:
        InvalidInput: there is no release there.
        ReleaseAltered: a file or a setting is not what was built.

    """
    manifest = folder / MANIFEST
    if not manifest.is_file():
        raise InvalidInput(
            "there is no release", where=str(manifest), fix="build one with `ecluse build`"
        )
    release = parse_release(manifest.read_bytes(), where=str(manifest))
    files = {}
    for pipeline in release.pipelines.values():
        file = folder / pipeline.file
        if not file.is_file():
            raise ReleaseAltered("the compiled pipeline is missing", where=str(file), fix=_REBUILD)
        files[pipeline.file] = file.read_bytes()
    verify_release(release, files, where=str(folder))
    return release, files


def parse_release(content: bytes, *, where: str) -> Release:
    """Parse a manifest's bytes.

    Raises:
        ReleaseAltered: they are no manifest, or not in the form that `ecluse build` writes.

    """
    try:
        release = Release.model_validate(json.loads(content))
    except (ValueError, RecursionError) as error:
        reason = _first_problem(error)
        raise ReleaseAltered(f"no valid release: {reason}", where=where, fix=_REBUILD) from None
    if release.content() != content:
        raise ReleaseAltered("was edited after it was built", where=where, fix=_REBUILD)
    return release


def _first_problem(error: Exception) -> str:
    if not isinstance(error, ValidationError):
        return " ".join(str(error).split())[:200]
    problem = error.errors()[0]
    path = ".".join(str(part) for part in problem["loc"])
    return f"{path}: {problem['msg']}" if path else str(problem["msg"])


def verify_release(release: Release, files: Mapping[str, bytes], *, where: str) -> None:
    """Check bytes and settings against the digests in the manifest.

    Raises:
        ReleaseAltered: naming the first thing that differs.

    """
    for name, pipeline in release.pipelines.items():
        content = files.get(pipeline.file, b"")
        if digest_of(content) != pipeline.digest:
            raise ReleaseAltered(
                f"the compiled pipeline `{name}` is {digest_of(content)}, "
                f"the manifest says {pipeline.digest}",
                where=f"{where}/{pipeline.file}",
                fix=_REBUILD,
            )
        if digest_of_value(pipeline.settings) != pipeline.settings_digest:
            raise ReleaseAltered(
                f"the settings of `{name}` do not hash to their digest in the manifest",
                where=f"{where}/{MANIFEST}",
                fix=_REBUILD,
            )


_REBUILD = (
    "build it again from its commit with `ecluse build`; if you changed nothing, find out who did"
)
