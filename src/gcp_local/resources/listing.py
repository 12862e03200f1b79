"""Lists: filter, order, pages (https://google.aip.dev/132, https://google.aip.dev/158)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from gcp_local.errors import InvalidArgument
from gcp_local.resources.filtering import Fields, Predicate, compile_filter, value_at
from gcp_local.rpc.protos import Message

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

M = TypeVar("M", bound=Message)
FilterCompiler = Callable[[str, type[Message], Fields], Predicate]
_FOREIGN = "The page token is not valid for this request."
_POSITION = re.compile(r"[0-9]{1,18}")
DEFAULT_PAGE, MAX_PAGE = 100, 1000


def list_page(
    resources: Iterable[M],
    request: Message,
    kind: type[M],
    *,
    filterable: Fields | None = None,
    sortable: Mapping[str, str] | None = None,
    newest_first: bool = False,
    compiler: FilterCompiler = compile_filter,
) -> tuple[list[M], str]:
    """Answer a List request: what passes its filter, in its order, one page of it.

    Args:
        resources: all candidates, oldest first.
        request: a message with `page_size` and `page_token`, and maybe `filter` and `order_by`.
        kind: the resources' message class.
        filterable: what one may filter by.
        sortable: what one may sort by.
        newest_first: the order when none is asked for.
        compiler: reads the filter, where a service's filters can say more than the usual.

    Returns:
        The page and the next page's token, empty at the end.

    Raises:
        InvalidArgument: a filter, an order or a token that the list does not know.

    """
    asked = request.DESCRIPTOR.fields_by_name
    wanted = request.filter if "filter" in asked else ""
    order = request.order_by if "order_by" in asked else ""
    holds = compiler(wanted, kind, filterable or {})
    found = [resource for resource in resources if holds(resource)]
    if newest_first:
        found.reverse()
    for path, descending in reversed(_read_order(order, sortable or {})):
        found.sort(key=lambda item: _sort_key(value_at(item, path)), reverse=descending)
    parent = request.parent if "parent" in asked else request.name
    return page_of(found, request, query=f"{parent}\n{wanted}\n{order}")


def page_of(found: Sequence[M], request: Message, *, query: str) -> tuple[list[M], str]:
    """Cut one page out of a list; its token holds for this very query and no other."""
    if request.page_size < 0:
        raise InvalidArgument.of_field("page_size", "page_size must not be negative.")
    size = min(request.page_size or DEFAULT_PAGE, MAX_PAGE)
    start = read_token(request.page_token, query)
    end = start + size
    token = make_token(end, query) if end < len(found) else ""
    return list(found[start:end]), token


def make_token(position: int | str, query: str) -> str:
    """Make an opaque page token."""
    mark = hashlib.sha256(query.encode()).hexdigest()[:16]
    return base64.urlsafe_b64encode(f"{mark}:{position}".encode()).decode()


def read_text_token(token: str, query: str) -> str:
    """Read what `make_token` put into a token; InvalidArgument if it is of another query."""
    mark = hashlib.sha256(query.encode()).hexdigest()[:16]
    try:
        given, _, position = base64.urlsafe_b64decode(token.encode()).decode().partition(":")
    except (binascii.Error, UnicodeError, ValueError):
        given, position = "", ""
    if given != mark:
        raise InvalidArgument.of_field("page_token", _FOREIGN)
    return position


def read_token(token: str, query: str) -> int:
    """Read the position in a token; 0 if there is none."""
    if not token:
        return 0
    position = read_text_token(token, query)
    if not _POSITION.fullmatch(position):
        raise InvalidArgument.of_field("page_token", _FOREIGN)
    return int(position)


def _read_order(text: str, sortable: Mapping[str, str]) -> list[tuple[str, bool]]:
    order = []
    for part in filter(None, (item.strip() for item in text.split(","))):
        name, _, direction = part.partition(" ")
        if name not in sortable or direction.strip() not in ("", "asc", "desc"):
            known = ", ".join(sorted(sortable)) or "nothing"
            message = f"Invalid order_by {text!r}: one can order by {known}, asc or desc."
            raise InvalidArgument.of_field("order_by", message)
        order.append((sortable[name], direction.strip() == "desc"))
    return order


def _sort_key(value: Any) -> tuple[bool, str | int | float | datetime]:
    return (value is not None, value if value is not None else 0)
