"""All cases of the corpus, and their compiled pipelines.

    python -m tests.gcp_local.corpus.cases

compiles the pipelines anew into `compiled/`.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import yaml
from kfp import compiler

from tests.gcp_local.corpus import artifacts, conditions, containers, flow, loops, nested, values
from tests.gcp_local.corpus.case import Case

FOLDER = Path(__file__).with_name("compiled")
MODULES = (values, artifacts, nested, conditions, loops, flow, containers)
CASES: tuple[Case, ...] = tuple(case for module in MODULES for case in module.CASES)


def source_of(case: Case) -> str:
    """Name the file that a case's pipeline is written in."""
    return next(m.__name__.rpartition(".")[2] for m in MODULES if case in m.CASES) + ".py"


def compiled_again(case: Case) -> dict[str, Any]:
    """Compile a case's pipeline."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pipeline.yaml"
        compiler.Compiler().compile(case.pipeline, str(path))
        return _body(path)


def committed(case: Case) -> dict[str, Any]:
    """Read a case's pipeline as it was compiled once."""
    return _body(path_of(case))


def path_of(case: Case) -> Path:
    """Tell where a case's compiled pipeline is."""
    return FOLDER / f"{case.pipeline.name}.yaml"


def _body(path: Path) -> dict[str, Any]:
    (body,) = yaml.load_all(path.read_text(), getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    assert isinstance(body, dict)
    return body


if __name__ == "__main__":
    for old in FOLDER.glob("*.yaml"):
        old.unlink()
    for each in CASES:
        compiler.Compiler().compile(each.pipeline, str(path_of(each)))
