"""Endpoints: what is deployed, how the traffic is split, and which model has a process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gcp_local.page.models import version_link
from gcp_local.page.run import label_cell
from gcp_local.page.view import Block, Cell, Facts, Mark, Note, Table, Tone, View
from gcp_local.page.writing import at, moment_of
from gcp_local.vertex.endpoints.service import Endpoint

if TYPE_CHECKING:
    from gcp_local.page.site import Place, Visit
    from gcp_local.rpc.protos import Message

_MOST = 200
_SERVING = Mark("Serving", Tone.GOOD, "✓")
_ASLEEP = Mark("Asleep", Tone.SOFT, "–")


def page(visit: Visit, place: Place) -> list[Block]:
    """List the endpoints of a location, newest first."""
    found = visit.sources.resources.newest(Endpoint, place.name, limit=_MOST)
    return [
        Table(
            "Endpoints",
            ["Endpoint", "Id", "Deployed models", "Made"],
            [
                [
                    visit.names.cell(each.name, each.display_name),
                    Cell(each.name.rpartition("/")[2], code=True),
                    Cell(str(len(each.deployed_models)), number=True),
                    at(moment_of(each, "create_time"), visit.now),
                ]
                for _, each in found
                if each is not None
            ],
            empty="No endpoint. A model that is deployed answers predictions here:",
            example="endpoint = model.deploy()\nendpoint.predict(instances=[…])",
        )
    ]


def endpoint_page(visit: Visit, name: str) -> View:
    """Show an endpoint."""
    endpoint = visit.sources.resources.get(name, Endpoint)
    split = dict(endpoint.traffic_split)
    rows = [_row(visit, endpoint, deployed, split) for deployed in endpoint.deployed_models]
    blocks: list[Block] = [
        Facts(
            [
                ("Id", Cell(name.rpartition("/")[2], code=True)),
                ("Made", at(moment_of(endpoint, "create_time"), visit.now)),
                ("Changed", at(moment_of(endpoint, "update_time"), visit.now)),
                ("Description", Cell(endpoint.description or "–")),
                ("Labels", label_cell(dict(endpoint.labels))),
            ]
        ),
        Table(
            "Deployed models",
            ["Health", "Deployed model", "Model", "Traffic", "", "Since"],
            rows,
            empty="Nothing is deployed, so nothing is predicted.",
            example="endpoint.deploy(model, traffic_percentage=100)",
        ),
    ]
    if any(row[0].mark is _ASLEEP for row in rows):
        blocks.append(Note("What is asleep has no process now; the next prediction starts one."))
    return View(endpoint.display_name, blocks=blocks, kind="Endpoint")


def _row(visit: Visit, endpoint: Message, deployed: Message, split: dict[str, int]) -> list[Cell]:
    alive = visit.sources.fleet.alive(endpoint.name, deployed.id)
    share = split.get(deployed.id, 0)
    link = version_link(visit, deployed.model, deployed.model_version_id)
    return [
        Cell(mark=_SERVING if alive else _ASLEEP),
        Cell(deployed.display_name or deployed.id, title=f"id {deployed.id}"),
        Cell(link.text, link.href, title=link.title),
        Cell(f"{share} %", number=True),
        Cell(share=(0, share), title=f"{share} % of the traffic"),
        at(moment_of(deployed, "create_time"), visit.now),
    ]
