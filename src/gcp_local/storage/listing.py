"""Listing objects as if names were paths (https://cloud.google.com/storage/docs/listing-objects)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from gcp_local.storage.glob import Glob
    from gcp_local.storage.values import Object


@dataclass(frozen=True, kw_only=True)
class Question:
    """What is asked of a list.

    Attributes:
        prefix: which names.
        delimiter: what stands for a folder's slash; empty for a flat list.
        start: the first name that may come.
        end: the first name that may not come any more.
        with_folders: list an object whose name is a folder's, too.
        after: go on behind this name and generation (from an earlier page).
        versions: list each generation; without, the generation plays no part.
        glob: the pattern that names must fit.
        size: how many objects and folders a page has at most.

    """

    prefix: str = ""
    delimiter: str = ""
    start: str = ""
    end: str | None = None
    with_folders: bool = False
    after: tuple[str, int] | None = None
    versions: bool = False
    glob: Glob | None = None
    size: int = 1000


@dataclass(frozen=True)
class Page:
    """Objects, folders ("prefixes"), and what to go on behind, if there is more."""

    items: Sequence[Object]
    prefixes: Sequence[str]
    go_on_after: tuple[str, int] | None


def page_of(objects: Iterable[Object], asked: Question) -> Page:
    """Cut a page out of objects that come in the order of their names and ages, from `start` on."""
    items: list[Object] = []
    prefixes: list[str] = []
    last = ("", 0)
    for described in objects:
        name = described.name
        place = (name, described.generation if asked.versions else 0)
        if asked.after is not None and place <= asked.after:
            continue
        if asked.end is not None and name >= asked.end:
            break
        if asked.glob is not None and not asked.glob.matches(name):
            continue
        folder = _folder(name, asked)
        opens = folder is None or folder not in prefixes[-1:]
        if opens and len(items) + len(prefixes) >= asked.size:
            return Page(items, prefixes, last)
        if folder is not None and opens:
            prefixes.append(folder)
        if folder is None or (asked.with_folders and name == folder):
            items.append(described)
        last = place
    return Page(items, prefixes, None)


def _folder(name: str, asked: Question) -> str | None:
    rest = name[len(asked.prefix) :]
    if not asked.delimiter or asked.delimiter not in rest:
        return None
    return asked.prefix + rest.partition(asked.delimiter)[0] + asked.delimiter
