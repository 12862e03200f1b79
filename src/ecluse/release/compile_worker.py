"""Compiles pipelines in a process of its own, which `ecluse.release.compiler` starts.

Nothing of ours is imported here.

A pipeline.py is somebody's code: it may print, exit, or leave modules behind that carry the name of
another repository's. In a child none of that reaches the engine. One child compiles many pipelines,
so that the import of kfp is paid once.

Reads one JSON object from standard input, `{"root": …, "pipelines": [NAME, …]}`, and writes one
line of JSON a pipeline to the descriptor that `--answers` names:
`{"name", "spec", "platform_spec", "read", "watched"}` or `{"name", "error", "line"}`. `read` holds
the sha256 of each file that was imported or opened on the way, as it was before; null for one that
was looked for in vain; and for a folder that was listed, whose path ends in `/`, that of its names.
Paths are from the root, or absolute outside it. `watched` is false where something read files that
cannot be seen from here: another process.
"""

# ruff: noqa: PTH100, PTH123, PTH208 (audit events hold paths as texts)

import contextlib
import hashlib
import importlib.util
import json
import os
import sys
import traceback
from collections.abc import Sequence
from importlib.machinery import (
    EXTENSION_SUFFIXES,
    SOURCE_SUFFIXES,
    ExtensionFileLoader,
    FileFinder,
    SourceFileLoader,
)
from pathlib import Path
from types import ModuleType
from typing import Any

_OTHER_PROCESSES = frozenset(
    {"subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork", "os.forkpty"}
)
_IMPORT_MACHINERY = "<frozen importlib"
_NO_FILES = ("/proc/", "/dev/", "/sys/")


def main() -> None:
    """Answer one request."""
    answers = os.fdopen(int(sys.argv[sys.argv.index("--answers") + 1]), "w", encoding="utf-8")
    request = json.load(sys.stdin)
    root = Path(request["root"])
    import kfp  # noqa: F401 before anything is watched: what it reads is known by its version

    watch = _Watch(root)
    _import_from_source(root)
    sys.meta_path.append(_NotFound(root, watch))
    sys.addaudithook(watch.event)
    with answers:
        for name in request["pipelines"]:
            before = set(sys.modules)
            watch.begin()
            try:
                # Whatever a pipeline.py prints while it is loaded belongs to no answer.
                with contextlib.redirect_stdout(sys.stderr):
                    answer = _compiled(root, name)
                answer |= watch.end(_imported(root, before))
            except (Exception, SystemExit) as error:  # noqa: BLE001 somebody's code may raise anything
                watch.end(())
                answer = {"error": _last_line(error), "line": _line_in(error, root, name)}
            answers.write(json.dumps({"name": name, **answer}) + "\n")
            answers.flush()
            # The next pipeline imports its shared components anew, so that its sources are seen.
            for module in set(sys.modules) - before:
                if _file_under(sys.modules[module], root):
                    del sys.modules[module]


def _compiled(root: Path, name: str) -> dict[str, Any]:
    from google.protobuf import json_format
    from kfp.dsl.graph_component import GraphComponent

    file = root / "pipelines" / name / "pipeline.py"
    module = _load(f"pipelines.{name}.pipeline", file)
    found = {
        id(value): value
        for value in vars(module).values()
        if isinstance(value, GraphComponent)
        and getattr(value.pipeline_func, "__module__", None) == module.__name__
    }
    if len(found) != 1:
        count = "no" if not found else str(len(found))
        return {"error": f"the file defines {count} @dsl.pipeline; it needs one", "line": 1}
    (pipeline,) = found.values()
    return {
        "spec": json_format.MessageToDict(pipeline.pipeline_spec),
        "platform_spec": json_format.MessageToDict(pipeline.platform_spec),
    }


class _FromSource(SourceFileLoader):
    """Takes the source as it is, and no bytecode: that is held for new by the second."""

    def path_stats(self, path: str) -> Any:
        raise OSError(path)


def _import_from_source(root: Path) -> None:
    """Have the repository's modules, and no others, imported without bytecode."""
    finder = FileFinder.path_hook(
        (ExtensionFileLoader, EXTENSION_SUFFIXES), (_FromSource, SOURCE_SUFFIXES)
    )

    def of_repository(path: str) -> Any:
        if not _is_ours(Path(path).resolve(), root):
            raise ImportError(path)
        return finder(path)

    sys.path_hooks.insert(0, of_repository)
    sys.path_importer_cache.clear()


class _Watch:
    """Takes note of what is read while a pipeline compiles."""

    def __init__(self, root: Path) -> None:
        self._roots = tuple(dict.fromkeys([f"{root}/", f"{root.resolve()}/"]))
        self._installed = _installed(root)
        self._read: dict[str, str | None] = {}
        self._made: set[str] = set()
        self._watched = True
        self._on = False

    def begin(self) -> None:
        """Begin anew."""
        self._read, self._made, self._watched, self._on = {}, set(), True, True

    def end(self, imported: Sequence[Path]) -> dict[str, Any]:
        """Return what was read; add what was imported in ways that go unseen."""
        for path in imported:
            self.note(str(path))
        self._on = False
        return {"read": self._read, "watched": self._watched}

    def event(self, name: str, arguments: tuple[Any, ...]) -> None:
        """Look at one of Python's audit events."""
        if not self._on:
            return
        if name == "open":
            path, mode, flags = arguments
            if isinstance(path, int):
                return
            made = flags & (os.O_TRUNC | os.O_EXCL) if flags else "w" in (mode or "")
            self.note(os.fsdecode(path), made=bool(made))
        elif name in {"os.listdir", "os.scandir"}:
            # The import machinery lists folders to find modules: those that it takes are opened.
            asker = sys._getframe(1).f_code.co_filename
            if not isinstance(arguments[0], int) and not asker.startswith(_IMPORT_MACHINERY):
                self.note(f"{os.fsdecode(arguments[0] or '.')}/")
        elif name == "sqlite3.connect":
            self.note(os.fsdecode(arguments[0]))
        elif name in _OTHER_PROCESSES:
            self._watched = False

    def note(self, path: str, *, made: bool = False) -> None:
        """Note a file, or a folder if the path ends in `/`, as it is now."""
        if not self._on:
            return
        absolute = os.path.abspath(path) + ("/" if path.endswith("/") else "")
        within = (absolute[len(root) :] for root in self._roots if absolute.startswith(root))
        shown = next(within, absolute) or "./"
        is_known = shown in self._read or shown in self._made or "__pycache__" in shown
        is_installed = ".venv" in shown.split("/") or absolute.startswith(self._installed)
        if is_known or is_installed or shown.startswith(_NO_FILES):
            return
        if made:
            self._made.add(shown)
            return
        self._on = False  # what is opened to hash it is no news
        self._read[shown] = digest_of_path(absolute)
        self._on = True


class _NotFound:
    """Stands last among the finders, and notes the files of modules that none of them found."""

    def __init__(self, root: Path, watch: _Watch) -> None:
        self._folders = [str(root), str(root / "src")]
        self._watch = watch

    def find_spec(self, name: str, path: Sequence[str] | None, target: Any = None) -> None:  # noqa: ARG002
        """Find nothing."""
        last = name.rpartition(".")[2]
        for folder in self._folders if path is None else path:
            if any(folder.startswith(root) for root in self._folders):
                self._watch.note(f"{folder}/{last}.py")
                self._watch.note(f"{folder}/{last}/__init__.py")


def digest_of_path(path: str) -> str | None:
    """Return the sha256 of a file, or of a folder's names if the path ends in `/`; none if absent.

    The names without bytecode, which comes and goes.
    """
    try:
        if path.endswith("/"):
            names = sorted(name for name in os.listdir(path) if name != "__pycache__")
            return hashlib.sha256("\0".join(names).encode("utf-8", "surrogateescape")).hexdigest()
        with open(path, "rb") as file:
            return hashlib.sha256(file.read()).hexdigest()
    except OSError:
        return None


def _load(name: str, file: Path) -> ModuleType:
    description = importlib.util.spec_from_file_location(
        name, file, loader=_FromSource(name, str(file))
    )
    if description is None or description.loader is None:
        raise ImportError(f"{file} is no Python file")
    module = importlib.util.module_from_spec(description)
    sys.modules[name] = module
    description.loader.exec_module(module)
    return module


def _imported(root: Path, before: set[str]) -> list[Path]:
    found = (_file_under(sys.modules[name], root) for name in set(sys.modules) - before)
    return sorted({path for path in found if path is not None})


def _file_under(module: ModuleType, root: Path) -> Path | None:
    file = getattr(module, "__file__", None)
    if not file:
        return None
    path = Path(file).resolve()
    return path if _is_ours(path, root) else None


def _is_ours(path: Path, root: Path) -> bool:
    inside = path.is_relative_to(root) or path.is_relative_to(root.resolve())
    return inside and ".venv" not in path.parts and not str(path).startswith(_installed(root))


def _installed(root: Path) -> tuple[str, ...]:
    """Return the folders of Python's own and of installed packages, which versions stand for."""
    prefixes = {f"{prefix}/" for prefix in (sys.prefix, sys.base_prefix)}
    return tuple(prefix for prefix in prefixes if not f"{root}/".startswith(prefix))


def _last_line(error: BaseException) -> str:
    text = "".join(traceback.format_exception_only(error)).strip()
    return " ".join(text.split())


def _line_in(error: BaseException, root: Path, name: str) -> str:
    """Return `file:line` of the innermost frame in the repository, as errors show it."""
    if isinstance(error, SyntaxError) and error.filename:
        frames = [(error.filename, error.lineno or 1)]
    else:
        frames = [
            (frame.filename, frame.lineno or 1)
            for frame in traceback.extract_tb(error.__traceback__)
        ]
    for filename, line in reversed(frames):
        path = Path(filename)
        if path.is_absolute() and path.is_relative_to(root) and ".venv" not in path.parts:
            return f"{path.relative_to(root).as_posix()}:{line}"
    return f"pipelines/{name}/pipeline.py:1"


if __name__ == "__main__":
    main()
