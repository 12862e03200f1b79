"""The compiler: pipeline → canonical bytes → digest.

The canonical form is KFP's IR as YAML with sorted keys and every text in double quotes: readable in
a registry, the same bytes for the same pipeline on every machine and Python, and the same values in
every YAML parser (a bare `1e3` is a number to some and a text to others).

A pipeline that did not change is not compiled: `ecluse.release.compile_cache` keeps the result.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from ecluse.canonical import digest_of, digest_of_value
from ecluse.errors import CompilationError
from ecluse.naming import package_name
from ecluse.release.compile_cache import CompileCache
from ecluse.release.template import RUNTIME_IMAGE, Template, containers
from ecluse.repository.catalog import Catalog

# Unproven on Vertex AI, so refused until somebody has seen them work there.
_UNPROVEN_FIELDS = frozenset(
    {"cacheKey", "literals", "singlePlatformSpecs", "taskConfigPassthroughs", "downloadToWorkspace"}
)
_BY_DIGEST = re.compile(r"@sha256:[0-9a-f]{64}$")
_HASH_SEED = "0"
_WORKER = Path(__file__).with_name("compile_worker.py")
# A worker imports kfp for as long as it takes to compile some twenty pipelines.
_PIPELINES_A_WORKER = 8

# Fields of the IR whose keys are names that people chose.
_NAMED_BY_PEOPLE = frozenset({"parameters", "artifacts", "tasks", "components", "executors"})


@dataclass(frozen=True)
class CompiledPipeline:
    """A pipeline's IR, before a release gives it its runtime image.

    Attributes:
        name: the pipeline folder's name.
        spec: the PipelineSpec as plain values.
        template: its canonical text, cut where the runtime image goes in.
        read: the sha256 of each file of the repository that was read to make it, by path.
        beside: the same of the files in its folder that were not read, without pipeline.yaml.

    """

    name: str
    spec: Mapping[str, Any]
    template: Template
    read: Mapping[str, str]
    beside: Mapping[str, str]

    @property
    def package(self) -> str:
        """The registry package that Google files it under."""
        return package_name(self.spec["pipelineInfo"]["name"])

    @property
    def uses_runtime_image(self) -> bool:
        """Whether any component runs in the runtime image."""
        return self.template.names_runtime_image

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
        commands = (container.get("command", []) for container in containers(self.spec))
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
        return tuple(sorted({c["image"] for c in containers(self.spec) if "image" in c}))

    @cached_property
    def code_digest(self) -> str:
        """The digest without the runtime image: it moves with the pipeline's own code only."""
        return digest_of(self.template.content(RUNTIME_IMAGE))

    def sources_digest(self, committed: Collection[str] | None) -> str:
        """Return one digest of the files behind it, which neither image nor compiler moves.

        Args:
            committed: the files that git tracks: what it ignores is elsewhere another, and counts
                only where it was read. None where there is no git.

        """
        beside = {
            path: digest
            for path, digest in self.beside.items()
            if committed is None or path in committed
        }
        return digest_of_value({**beside, **self.read})

    def content(self, runtime_image: str | None) -> bytes:
        """Return the canonical bytes with the runtime image by digest.

        Raises:
            CompilationError: the pipeline needs a runtime image and none is given.

        """
        if runtime_image is None and self.uses_runtime_image:
            raise CompilationError(
                "the pipeline runs in the runtime image, whose digest is not known",
                where=f"pipelines/{self.name}",
                fix="give --runtime-image REPOSITORY/runtime@sha256:…, or --local",
            )
        return self.template.content(runtime_image or RUNTIME_IMAGE)

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


def compile_pipelines(catalog: Catalog, names: Iterable[str] = ()) -> dict[str, CompiledPipeline]:
    """Compile the named pipelines, or all; those whose sources did not change come from the cache.

    Raises:
        UnknownPipeline: one of the names is no pipeline.
        CompilationError: one does not compile, or two compile to one name.

    """
    wanted = [folder.name for folder in catalog.pipelines(names)]
    cache = CompileCache(catalog.root)
    found = {name: kept for name in wanted if (kept := cache.read(name)) is not None}
    problems: dict[str, CompilationError] = {}
    for answer in _ask_workers(catalog.root, [name for name in wanted if name not in found]):
        name = answer["name"]
        try:
            _refuse(name, answer)
        except CompilationError as problem:
            problems[name] = problem
        else:
            found[name] = cache.write(
                name,
                answer["spec"],
                Template.of(answer["spec"]),
                answer["read"],
                watched=answer["watched"],
            )
    for name in wanted:
        if name in problems:
            raise problems[name]
    pipelines = {name: CompiledPipeline(name, **vars(found[name])) for name in wanted}
    _refuse_one_name_for_two(pipelines.values())
    return pipelines


def _ask_workers(root: Path, names: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Compile pipelines in as many workers as the machine has cores for, and yield each answer."""
    if not names:
        return
    count = min(_cores(), -(-len(names) // _PIPELINES_A_WORKER))
    answers: SimpleQueue[dict[str, Any] | None] = SimpleQueue()
    with ThreadPoolExecutor(count) as pool:
        futures = [
            pool.submit(_ask_worker, root, names[i::count], answers.put) for i in range(count)
        ]
        for future in futures:
            future.add_done_callback(lambda _: answers.put(None))
        working = count
        while working:
            answer = answers.get()
            if answer is None:
                working -= 1
            else:
                yield answer
        for future in futures:
            future.result()


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _ask_worker(root: Path, names: Sequence[str], take: Callable[[dict[str, Any]], None]) -> None:
    """Run one compile worker on pipelines, and hand each answer on as it comes."""
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
    missing = list(names)
    with complaints, worker, worker.stdin:
        worker.stdin.write(json.dumps({"root": str(root), "pipelines": names}).encode())
        worker.stdin.close()
        with os.fdopen(readable, encoding="utf-8") as stream:
            for line in stream:
                answer = json.loads(line)
                missing.remove(answer["name"])
                take(answer)
        worker.wait()
        complaints.seek(0)
        complaint = complaints.read().decode(errors="replace")
    if missing:
        last = complaint.strip().splitlines()[-1] if complaint.strip() else "it said nothing"
        raise CompilationError(
            f"the compiler ended early (exit code {worker.returncode}): {last}",
            where=f"pipelines/{missing[0]}/pipeline.py",
        )


def _refuse(name: str, answer: Mapping[str, Any]) -> None:
    """Refuse what did not compile, and what Vertex AI would not take."""
    if "error" in answer:
        where = answer["line"]
        where = where if isinstance(where, str) else f"pipelines/{name}/pipeline.py:{where}"
        raise CompilationError(
            f"pipeline `{name}` does not compile: {answer['error']}", where=where
        )
    _refuse_what_vertex_refuses(name, answer["spec"], answer["platform_spec"])


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
