"""Compiles pipelines in a process of its own, which `ecluse.release.compiler` starts.

Nothing of ours is imported here.

A pipeline.py is somebody's code: it may print, exit, or leave modules behind that carry the name of
another repository's. In a child none of that reaches the engine. One child compiles all pipelines
that need it, so that the import of kfp is paid once.

Reads one JSON object from standard input, `{"root": …, "pipelines": [NAME, …]}`, and writes one
line of JSON a pipeline to the descriptor that `--answers` names:
`{"name", "spec", "platform_spec", "sources"}` or `{"name", "error", "line"}`. `sources` are the
files, from the root, that were imported on the way, with their sha256.
"""

import contextlib
import hashlib
import importlib.util
import json
import os
import sys
import traceback
from pathlib import Path
from types import ModuleType
from typing import Any


def main() -> None:
    """Answer one request."""
    answers = os.fdopen(int(sys.argv[sys.argv.index("--answers") + 1]), "w", encoding="utf-8")
    request = json.load(sys.stdin)
    root = Path(request["root"])
    with answers:
        for name in request["pipelines"]:
            before = set(sys.modules)
            try:
                # Whatever a pipeline.py prints while it is loaded belongs to no answer.
                with contextlib.redirect_stdout(sys.stderr):
                    answer = _compiled(root, name)
            except (Exception, SystemExit) as error:  # noqa: BLE001 somebody's code may raise anything
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

    before = set(sys.modules)
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
    spec = json_format.MessageToDict(pipeline.pipeline_spec)
    platform = json_format.MessageToDict(pipeline.platform_spec)
    imported = {
        path
        for each in set(sys.modules) - before | {module.__name__}
        if (path := _file_under(sys.modules[each], root))
    }
    return {
        "spec": spec,
        "platform_spec": platform,
        "sources": {
            path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(imported)
        },
    }


def _load(name: str, file: Path) -> ModuleType:
    description = importlib.util.spec_from_file_location(name, file)
    if description is None or description.loader is None:
        raise ImportError(f"{file} is no Python file")
    module = importlib.util.module_from_spec(description)
    sys.modules[name] = module
    description.loader.exec_module(module)
    return module


def _file_under(module: ModuleType, root: Path) -> Path | None:
    file = getattr(module, "__file__", None)
    if not file:
        return None
    path = Path(file).resolve()
    return path if path.is_relative_to(root) and ".venv" not in path.parts else None


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
