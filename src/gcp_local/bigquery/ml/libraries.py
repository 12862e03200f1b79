"""Hides libraries that others load only to know them.

pyarrow and scikit-learn load pandas if it is there, and XGBoost scikit-learn: that takes longer
than most trainings and predictions, which have no use for it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.abc import MetaPathFinder


class _Absent(MetaPathFinder):
    def __init__(self, names: tuple[str, ...]) -> None:
        self._names = names

    def find_spec(self, name: str, *_: object) -> None:
        if name in self._names:
            raise ModuleNotFoundError(name=name)


@contextmanager
def without(*names: str) -> Iterator[None]:
    """Let these libraries not be found by an import, unless they are loaded already.

    By no thread's import: in a server, name only what nothing else in it would load.
    """
    finder = _Absent(names)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
