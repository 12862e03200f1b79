"""Where a query runs: where the datasets are that it names.

The names are found by the words before them, not by reading the query whole: this is done when a
job is asked for, and a query that cannot be read says so itself once it runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from gcp_local.bigquery.errors import BigQueryError
from gcp_local.bigquery.locations import DEFAULT, canonical
from gcp_local.bigquery.references import DatasetRef

if TYPE_CHECKING:
    from gcp_local.bigquery.catalog import Catalog
    from gcp_local.bigquery.sql.grammar.lexer import Token

_VIEWS = "INFORMATION_SCHEMA"
# A name of something in a dataset may come behind these.
_BEFORE = frozenset({
    "FROM", "JOIN", "INTO", "TABLE", "UPDATE", "MERGE", "USING", "EXISTS", "VIEW", "MODEL",
    "FUNCTION", "PROCEDURE", "CALL", "INSERT", "DELETE", ",", "(", "LIKE", "COPY", "CLONE",
})  # fmt: skip


def datasets_named(
    text: str, project: str, default: DatasetRef | None
) -> Iterator[DatasetRef | str]:
    """Give the datasets that a query seems to name, and the locations (of `region-eu` views)."""
    from gcp_local.bigquery.sql.grammar.lexer import read_tokens

    if default is not None:
        yield default
    try:
        tokens = read_tokens(text)
    except BigQueryError:
        return
    for before, path in _paths(tokens):
        upper = [name.upper() for name in path]
        at = upper.index(_VIEWS) if _VIEWS in upper else len(path) - 1
        if before not in _BEFORE or at < 1:
            continue
        home = path[at - 1]
        if home.lower().startswith("region-"):
            yield home[len("region-") :]
        else:
            yield DatasetRef(path[at - 2] if at > 1 else project, home)


def _paths(tokens: Sequence[Token]) -> Iterator[tuple[str, list[str]]]:
    """Give each dotted name, `a.b.c` or `a-b.c`, with the word before it."""
    at, before = 0, ""
    while at < len(tokens):
        token = tokens[at]
        if token.kind not in ("word", "quoted") or token.upper in _BEFORE:
            before = token.upper
            at += 1
            continue
        names = [_name(token)]
        at += 1
        while at + 1 < len(tokens) and tokens[at].text in (".", "-"):
            following = tokens[at + 1]
            if following.kind not in ("word", "quoted", "integer"):
                break
            if tokens[at].text == "-":
                names[-1] += f"-{following.text}"
            else:
                names.append(_name(following))
            at += 2
        yield before, [part for name in names for part in name.split(".")]
        before = ""


def _name(token: Token) -> str:
    return str(token.value) if token.kind == "quoted" else token.text


def location_of(named: Iterable[DatasetRef | str], catalog: Catalog) -> str | None:
    """Give the location of the first dataset that there is."""
    for each in named:
        if isinstance(each, str):
            return canonical(each)
        place = _place(each, catalog)
        if place is not None:
            return place
    return None


def check_location(named: Iterable[DatasetRef | str], catalog: Catalog, location: str) -> None:
    """Refuse datasets that are elsewhere than the job.

    Raises:
        BigQueryError: `notFound`, as it is in that location.

    """
    for each in named:
        if isinstance(each, str):
            continue
        place = _place(each, catalog)
        if place is not None and place.lower() != location.lower():
            raise BigQueryError(
                "notFound", f"Not found: Dataset {each} was not found in location {location}"
            )


def _place(ref: DatasetRef, catalog: Catalog) -> str | None:
    try:
        return str(catalog.dataset(ref).body.get("location", DEFAULT))
    except BigQueryError:
        return None  # who reads it says so, and where in the text
