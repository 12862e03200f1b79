"""Runs first in every component's Python: makes KFP look for `/gcs/` in the task's own folder.

KFP computes `artifact.path` from a constant in `kfp.dsl.types.artifact_types`. The constant is
changed when, and only if, the component imports that module. Then the `sitecustomize` that this
file hides, if there is one, has its turn. Imports nothing that a component would not load anyway.
"""

# ruff: noqa: INP001, PTH100, PTH120  (no package: Python finds it by its folder; no pathlib at start)

import importlib.abc
import importlib.machinery
import importlib.util
import os
import sys
from collections.abc import Sequence
from types import ModuleType

_MODULE = "kfp.dsl.types.artifact_types"
_HERE = os.path.dirname(os.path.abspath(__file__))


class _Loader(importlib.abc.Loader):
    def __init__(self, loader: importlib.abc.Loader, mount: str) -> None:
        self._loader = loader
        self._mount = mount

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        self._loader.exec_module(module)
        module._GCS_LOCAL_MOUNT_PREFIX = self._mount  # type: ignore[attr-defined]


class _Finder(importlib.abc.MetaPathFinder):
    def __init__(self, mount: str) -> None:
        self._mount = mount

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != _MODULE:
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader, self._mount)
        return spec


if "GCP_LOCAL_MOUNT" in os.environ:
    sys.meta_path.insert(0, _Finder(os.environ["GCP_LOCAL_MOUNT"] + "/"))

sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry) != _HERE]
hidden = importlib.machinery.PathFinder.find_spec("sitecustomize")
if hidden is not None and hidden.loader is not None:
    hidden.loader.exec_module(importlib.util.module_from_spec(hidden))
