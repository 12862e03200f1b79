"""Writes the table of methods into docs/gcp-local.md: `python -m tests.gcp_local.coverage`."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from gcp_local.bigquery.surface import Surface
from gcp_local.cloud import Cloud
from gcp_local.storage.methods import IMPLEMENTED, METHODS

PAGE = Path(__file__).parents[2] / "docs" / "gcp-local.md"
BEGIN, END = "<!-- methods: begin -->\n", "<!-- methods: end -->\n"


def table() -> str:
    """The table, as the running services make it."""
    with tempfile.TemporaryDirectory() as folder:
        cloud = Cloud(Path(folder), "http://127.0.0.1:9")
        methods = cloud.dispatcher.routes.methods
        implemented = {name for name in methods if cloud.dispatcher.implements(name)}
        bigquery = Surface.load().methods
        implemented |= {name for name in bigquery if cloud.bigquery.endpoint.implements(name)}
        cloud.close()
    implemented |= {f"storage.{name}" for name in IMPLEMENTED}
    services: dict[str, list[str]] = defaultdict(list)
    for name in methods:
        services[methods[name].service].append(name)
    for name in bigquery:
        services[name.rpartition(".")[0]].append(name)
    for name in METHODS:
        services[f"storage.{name.rpartition('.')[0]}"].append(f"storage.{name}")
    rows = ["| service | implemented | 501 |", "| --- | --- | --- |"]
    for service, names in sorted(services.items()):
        there = _short(name for name in names if name in implemented)
        missing = _short(name for name in names if name not in implemented)
        rows.append(f"| {service} | {there} | {missing} |")
    return "\n".join(rows) + "\n"


def _short(names: Iterable[str]) -> str:
    return ", ".join(sorted(name.rpartition(".")[2] for name in names)) or "–"


def page_with(content: str) -> str:
    """The page with its table replaced."""
    before, _, rest = PAGE.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}{content}{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(page_with(table()))
