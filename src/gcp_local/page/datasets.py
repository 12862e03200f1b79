"""BigQuery: datasets, their tables, columns and first rows, as the REST API tells them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from gcp_local.page.names import path
from gcp_local.page.run import label_cell
from gcp_local.page.view import Block, Cell, Facts, Link, Table, Text, View
from gcp_local.page.writing import at, plain, shortened, size

if TYPE_CHECKING:
    from gcp_local.page.site import Visit

_MOST = 200
_ROWS = 20
_LONGEST = 80


def table(visit: Visit, project: str) -> Table:
    """List a project's datasets."""
    said = visit.sources.bigquery(f"projects/{project}/datasets", {"maxResults": str(_MOST)})
    names = [each["datasetReference"]["datasetId"] for each in said.get("datasets", ())]
    return Table(
        "BigQuery datasets",
        ["Dataset", "Location", "Labels"],
        [
            [
                Cell(name, path("projects", project, "datasets", name)),
                Cell(plain(each.get("location", "–"))),
                label_cell(each.get("labels", {})),
            ]
            for name, each in zip(names, said.get("datasets", ()), strict=True)
        ],
        empty="No dataset.",
        example=f'bigquery.Client(project="{project}").create_dataset("my_dataset")',
    )


def dataset_page(visit: Visit, project: str, dataset: str) -> View:
    """Show a dataset: its tables and models."""
    _, own = visit.project(project)
    address = f"projects/{own}/datasets/{dataset}"
    said = visit.sources.bigquery(address, {})
    listed = visit.sources.bigquery(f"{address}/tables", {"maxResults": str(_MOST)})
    own_path = ("projects", own, "datasets", dataset, "tables")
    rows = [
        [
            Cell(name, path(*own_path, name)),
            Cell(plain(each.get("type", "TABLE"))),
            _moment(visit, each.get("creationTime")),
        ]
        for each in listed.get("tables", ())
        if (name := plain(each["tableReference"]["tableId"]))
    ]
    blocks: list[Block] = [
        Facts(
            [
                ("Location", Cell(plain(said.get("location", "–")))),
                ("Made", _moment(visit, said.get("creationTime"))),
                ("Description", Cell(plain(said.get("description", "–")))),
                ("Labels", label_cell(said.get("labels", {}))),
            ]
        ),
        Table("Tables", ["Table", "Type", "Made"], rows, empty="No table and no view."),
        *visit.part(lambda: _models(visit, address)),
    ]
    return View(
        dataset,
        _trail(own),
        blocks,
        kind="Dataset",
        api=f"/bigquery/v2/{address}",
    )


def _trail(project: str) -> list[Link]:
    return [Link("gcp-local", "/"), Link(project, path("projects", project))]


def _models(visit: Visit, address: str) -> list[Block]:
    said = visit.sources.bigquery(f"{address}/models", {"maxResults": str(_MOST)})
    rows = [
        [
            Cell(each["modelReference"]["modelId"]),
            Cell(plain(each.get("modelType", "–"))),
            _moment(visit, each.get("creationTime")),
        ]
        for each in said.get("models", ())
    ]
    return [Table("Models", ["Model", "Type", "Made"], rows)] if rows else []


def table_page(visit: Visit, project: str, dataset: str, own_name: str) -> View:
    """Show a table: its columns, and its first rows; a view's query."""
    _, own = visit.project(project)
    address = f"projects/{own}/datasets/{dataset}/tables/{own_name}"
    said = visit.sources.bigquery(address, {})
    fields = said.get("schema", {}).get("fields", [])
    known = [
        ("Type", Cell(plain(said.get("type", "TABLE")))),
        ("Rows", Cell(plain(said.get("numRows", "–")))),
        ("Size", Cell(size(int(said.get("numBytes", 0) or 0)))),
        ("Made", _moment(visit, said.get("creationTime"))),
        ("Changed", _moment(visit, said.get("lastModifiedTime"))),
        ("Description", Cell(plain(said.get("description", "–")))),
    ]
    for key, title in (
        ("timePartitioning", "Partitioned"),
        ("rangePartitioning", "Partitioned"),
        ("clustering", "Clustered"),
    ):
        if key in said:
            known.append((title, Cell(plain(said[key]), code=True)))
    blocks: list[Block] = [Facts(known)]
    query = said.get("view", {}).get("query") or said.get("materializedView", {}).get("query")
    if query:
        blocks.append(Text("Query", query))
    blocks.append(_columns(fields))
    if said.get("type", "TABLE") in ("TABLE", "SNAPSHOT"):
        blocks += visit.part(lambda: [_rows(visit, address, fields)])
    link = Link(dataset, path("projects", own, "datasets", dataset))
    return View(own_name, [*_trail(own), link], blocks, kind="Table", api=f"/bigquery/v2/{address}")


def _columns(fields: Any) -> Table:
    return Table(
        "Columns",
        ["Column", "Type", "Mode", "Description"],
        [
            [
                Cell(name, code=True, depth=depth),
                Cell(plain(field.get("type", ""))),
                Cell(plain(field.get("mode", "NULLABLE"))),
                Cell(plain(field.get("description", "–"))),
            ]
            for name, depth, field in _flat(fields, 0)
        ],
        empty="It has no columns.",
    )


def _flat(fields: Any, depth: int) -> list[tuple[str, int, Mapping[str, Any]]]:
    """Put the fields of structs below the structs."""
    found: list[tuple[str, int, Mapping[str, Any]]] = []
    for field in fields:
        found.append((plain(field.get("name", "")), depth, field))
        found += _flat(field.get("fields", ()), depth + 1)
    return found


def _rows(visit: Visit, address: str, fields: Any) -> Table:
    said = visit.sources.bigquery(f"{address}/data", {"maxResults": str(_ROWS)})
    total = int(said.get("totalRows", 0))
    return Table(
        "First rows",
        [plain(field.get("name", "")) for field in fields],
        [
            [Cell(shortened(_value(cell.get("v")), _LONGEST)) for cell in row.get("f", ())]
            for row in said.get("rows", ())
        ],
        empty="It has no rows.",
        note=f"{_ROWS} of {total:,}." if total > _ROWS else "",
    )


def _value(value: Any) -> str:
    """Write a cell, whose records and lists come as `f` and `v`."""
    if value is None:
        return "NULL"
    return plain(_bare(value))


def _bare(value: Any) -> Any:
    if isinstance(value, list):
        return [_bare(each.get("v")) for each in value]
    if isinstance(value, dict):
        return [_bare(each.get("v")) for each in value.get("f", ())]
    return value


def _moment(visit: Visit, milliseconds: Any) -> Cell:
    try:
        moment = datetime.fromtimestamp(int(milliseconds) / 1000, UTC)
    except (TypeError, ValueError, OverflowError, OSError):
        return Cell("–")
    return at(moment, visit.now)
