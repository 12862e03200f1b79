"""Whether anybody still waits for the answer to the call that this thread is carrying out."""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_waits: ContextVar[Callable[[], bool]] = ContextVar("waits", default=lambda: True)


@contextmanager
def awaited_by(client: Callable[[], bool]) -> Iterator[None]:
    """Carry out a call whose client can tell whether it still waits."""
    token = _waits.set(client)
    try:
        yield
    finally:
        _waits.reset(token)


def is_awaited() -> bool:
    """Tell whether the client still waits; what is not known is taken for so."""
    return _waits.get()()
