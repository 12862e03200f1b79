"""The compiler: pipeline → canonical bytes → digest.

The canonical form is KFP's IR as YAML with sorted keys and every text in double quotes: readable in
a registry, the same bytes for the same pipeline on every machine and Python, and the same values in
every YAML parser (a bare `1e3` is a number to some and a text to others).

A pipeline that did not change is not compiled: the result is kept under .ecluse/compiled with the
sha256 of every file that was imported to make it.
"""

import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml

from ecluse.canonical import digest_of
from ecluse.errors import CompilationError
from ecluse.naming import package_name
from ecluse.repository.catalog import Catalog

RUNTIME_IMAGE = "runtime"
"""What a component writes as its base image; a release puts the image's digest in its place."""

# Unproven on Vertex AI, so refused until somebody has seen them work there.
_UNPROVEN_FIELDS = frozenset(
    {"cacheKey", "literals", "singlePlatformSpecs", "taskConfigPassthroughs", "downloadToWorkspace"}
)
_CACHE_VERSION = 1
_BY_DIGEST = re.compile(r"@sha256:[0-9a-f]{64}$")
_HASH_SEED = "0"
_WORKER = Path(__file__).with_name("compile_worker.py")

# Fields of the IR whose keys are names that people chose.
_NAMED_BY_PEOPLE = frozenset({"parameters", "artifacts", "tasks", "components", "executors"})


@dataclass(frozen=True)
class CompiledPipeline:
    """A pipeline's IR, before a release gives it its runtime image.

    Attributes:
        name: the pipeline folder's name.
        spec: the PipelineSpec as plain values.

    """

    name: str
    spec: Mapping[str, Any]

    @property
    def package(self) -> str:
        """The registry package that Google files it under."""
        return package_name(self.spec["pipelineInfo"]["name"])

    @cached_property
    def uses_runtime_image(self) -> bool:
        """Whether any component runs in the runtime image."""
        return any(image == RUNTIME_IMAGE for image in self.images)

    @property
    def floating_images(self) -> tuple[str, ...]:
        """The images that are neither the runtime image nor named by digest."""
        return tuple(
            image
            for image in self.images
            if image != RUNTIME_IMAGE and not _BY_DIGEST.search(image)
        )

    @property
    def installs_packages(self) -> bool:
        """Whether any component installs packages when it starts."""
        commands = (container.get("command", []) for container in _containers(self.spec))
        return any("pip install" in word for command in commands for word in command)

    @property
    def steps(self) -> int:
        """How many tasks do something themselves, rather than hold other tasks."""
        components = self.spec.get("components", {})
        dags = [self.spec["root"]["dag"], *(c["dag"] for c in components.values() if "dag" in c)]
        tasks = [task for dag in dags for task in dag.get("tasks", {}).values()]
        return sum("dag" not in components[task["componentRef"]["name"]] for task in tasks)

    @property
    def images(self) -> tuple[str, ...]:
        """The images that components run in, sorted."""
        return tuple(sorted({c["image"] for c in _containers(self.spec) if "image" in c}))

    @cached_property
    def code_digest(self) -> str:
        """The digest without the runtime image: it moves with the pipeline's own code only."""
        return digest_of(canonical_yaml(self.spec))

    def content(self, runtime_image: str | None) -> bytes:
        """Return the canonical bytes with the runtime image by digest.

        Raises:
            CompilationError: the pipeline needs a runtime image and none is given.

        """
        if not self.uses_runtime_image:
            return canonical_yaml(self.spec)
        if runtime_image is None:
            raise CompilationError(
                "the pipeline runs in the runtime image, whose digest is not known",
                where=f"pipelines/{self.name}",
                fix="give --runtime-image REPOSITORY/runtime@sha256:…, or --local",
            )
        spec = json.loads(json.dumps(self.spec))
        for container in _containers(spec):
            if container.get("image") == RUNTIME_IMAGE:
                container["image"] = runtime_image
        return canonical_yaml(spec)

    @property
    def task_names(self) -> frozenset[str]:
        """Every task's name, those of nested DAGs included."""
        dags = [self.spec["root"]["dag"]]
        dags += [c["dag"] for c in self.spec.get("components", {}).values() if "dag" in c]
        return frozenset(name for dag in dags for name in dag.get("tasks", {}))

    @property
    def parameters(self) -> Mapping[str, Mapping[str, Any]]:
        """The runtime parameters: name → `{"parameterType", "defaultValue", "isOptional", …}`."""
        definitions = self.spec["root"].get("inputDefinitions", {})
        parameters: Mapping[str, Mapping[str, Any]] = definitions.get("parameters", {})
        return parameters


class _Quoted(yaml.SafeDumper):
    """Writes every text in double quotes, whatever it looks like, and never an alias."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 PyYAML's signature
        return True


_Quoted.add_representer(
    str, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"')
)


def canonical_yaml(spec: Mapping[str, Any]) -> bytes:
    """Return the one YAML text of a PipelineSpec."""
    text = yaml.dump(
        spec, Dumper=_Quoted, sort_keys=True, width=2**31, allow_unicode=True, indent=2
    )
    return text.encode()


def compile_pipelines(catalog: Catalog, names: Iterable[str] = ()) -> dict[str, CompiledPipeline]:
    """Compile the named pipelines, or all; those whose sources did not change come from the cache.

    Raises:
        UnknownPipeline: one of the names is no pipeline.
        CompilationError: one does not compile, or two compile to one name.

    """
    wanted = [folder.name for folder in catalog.pipelines(names)]
    cache = _Cache(catalog)
    compiled = {name: spec for name in wanted if (spec := cache.read(name)) is not None}
    stale = [name for name in wanted if name not in compiled]
    if stale:
        for answer in _ask_worker(catalog.root, stale):
            name = answer["name"]
            if "error" in answer:
                where = answer["line"]
                where = where if isinstance(where, str) else f"pipelines/{name}/pipeline.py:{where}"
                raise CompilationError(
                    f"pipeline `{name}` does not compile: {answer['error']}", where=where
                )
            _refuse_what_vertex_refuses(name, answer["spec"], answer["platform_spec"])
            cache.write(name, answer["spec"], answer["sources"])
            compiled[name] = answer["spec"]
    pipelines = {name: CompiledPipeline(name, compiled[name]) for name in wanted}
    _refuse_one_name_for_two(pipelines.values())
    return pipelines


def compiler_version() -> str:
    """Return the compiler's name and version, such as `kfp 2.17.0`."""
    return f"kfp {version('kfp')}"


class _Cache:
    """Compiled pipelines on disk, valid while every file behind them is as it was."""

    def __init__(self, catalog: Catalog) -> None:
        self._root = catalog.root
        self._folder = catalog.root / ".ecluse" / "compiled"

    def read(self, name: str) -> dict[str, Any] | None:
        try:
            kept = json.loads((self._folder / f"{name}.json").read_text(encoding="utf-8"))
            if kept["made_by"] != self._made_by() or kept["folder"] != self._folder_hash(name):
                return None
            sources: dict[str, str] = kept["sources"]
            if any(_sha256(self._root / path) != digest for path, digest in sources.items()):
                return None
            spec: dict[str, Any] = kept["spec"]
        except (OSError, ValueError, KeyError):
            return None  # no cache, or one that an older version or a kill left: compile
        return spec

    def write(self, name: str, spec: Mapping[str, Any], sources: Mapping[str, str]) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        kept = {
            "made_by": self._made_by(),
            "folder": self._folder_hash(name),
            "sources": sources,
            "spec": spec,
        }
        partial = self._folder / f".{name}.{os.getpid()}"
        partial.write_text(json.dumps(kept), encoding="utf-8")
        partial.replace(self._folder / f"{name}.json")

    def _made_by(self) -> list[str]:
        return [str(_CACHE_VERSION), compiler_version(), sys.version]

    def _folder_hash(self, name: str) -> str:
        """Hash what is not imported but may be read: the folder, and SQL and the like anywhere."""
        pipelines = self._root / "pipelines"
        digest = hashlib.sha256()
        for file in sorted(pipelines.rglob("*")):
            path = file.relative_to(pipelines)
            may_be_read = path.parts[0] == name or file.suffix != ".py"
            skipped = "__pycache__" in path.parts or file.name == "pipeline.yaml"
            if file.is_file() and may_be_read and not skipped:
                digest.update(f"{path.as_posix()}\0{_sha256(file)}\n".encode())
        return digest.hexdigest()


def _sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _ask_worker(root: Path, names: list[str]) -> list[dict[str, Any]]:
    """Run the compile worker on the given pipelines and return its answers."""
    readable, writable = os.pipe()
    # To a file: whatever a pipeline.py prints must not fill a pipe that nobody reads yet.
    complaints = tempfile.TemporaryFile()  # noqa: SIM115 closed with the worker, below
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(root), str(root / "src")]),
        "PYTHONHASHSEED": _HASH_SEED,
    }
    worker = subprocess.Popen(
        # By its file and with -P: the repository may hold another version of this very package.
        [sys.executable, "-P", str(_WORKER), "--answers", str(writable)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=complaints,
        pass_fds=[writable],
        env=environment,
        cwd=root,
    )
    os.close(writable)
    assert worker.stdin is not None
    with complaints, worker, worker.stdin:
        worker.stdin.write(json.dumps({"root": str(root), "pipelines": names}).encode())
        worker.stdin.close()
        with os.fdopen(readable, encoding="utf-8") as stream:
            answers = [json.loads(line) for line in stream]
        worker.wait()
        complaints.seek(0)
        complaint = complaints.read().decode(errors="replace")
    answered = {answer["name"] for answer in answers}
    missing = [name for name in names if name not in answered]
    if missing:
        last = complaint.strip().splitlines()[-1] if complaint.strip() else "it said nothing"
        raise CompilationError(
            f"the compiler ended early (exit code {worker.returncode}): {last}",
            where=f"pipelines/{missing[0]}/pipeline.py",
        )
    return answers


def _containers(spec: Mapping[str, Any]) -> Iterable[dict[str, Any]]:
    executors = spec.get("deploymentSpec", {}).get("executors", {})
    return [executor["container"] for executor in executors.values() if "container" in executor]


def _refuse_what_vertex_refuses(
    name: str, spec: Mapping[str, Any], platform_spec: Mapping[str, Any]
) -> None:
    where = f"pipelines/{name}/pipeline.py"
    if platform_spec.get("platforms"):
        raise CompilationError(
            f"pipeline `{name}` has a platform spec (volumes, secrets, pod settings), which "
            "Vertex AI refuses",
            where=where,
            fix="leave out what kfp-kubernetes added",
        )
    unproven = sorted(_UNPROVEN_FIELDS & _keys(spec))
    if unproven:
        raise CompilationError(
            f"pipeline `{name}` compiles to `{unproven[0]}`, which is unproven on Vertex AI",
            where=where,
            fix="write it without",
        )
    if "run_key" not in spec["root"].get("inputDefinitions", {}).get("parameters", {}):
        raise CompilationError(
            f"pipeline `{name}` has no parameter `run_key`",
            where=where,
            fix="add `run_key: str` and hand it to the first tasks: a qualifying run may take "
            "nothing from the cache",
        )


def _keys(value: Any) -> frozenset[str]:
    """Return every field of the IR, without the names that people chose for their own things."""
    if isinstance(value, list):
        return frozenset().union(*(_keys(child) for child in value))
    if not isinstance(value, Mapping):
        return frozenset()
    inner = (
        frozenset().union(*(_keys(named) for named in child.values()))
        if key in _NAMED_BY_PEOPLE and isinstance(child, Mapping)
        else _keys(child)
        for key, child in value.items()
        if key != "defaultValue"
    )
    return frozenset(value).union(*inner)


def _refuse_one_name_for_two(pipelines: Iterable[CompiledPipeline]) -> None:
    owners: dict[str, str] = {}
    for pipeline in pipelines:
        other = owners.setdefault(pipeline.package, pipeline.name)
        if other != pipeline.name:
            raise CompilationError(
                f"pipelines `{other}` and `{pipeline.name}` are both named `{pipeline.package}` in "
                "the registry",
                where=f"pipelines/{pipeline.name}/pipeline.py",
                fix="give one of them another name in @dsl.pipeline",
            )
