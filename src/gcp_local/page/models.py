"""Models: their versions and aliases, and how each version was evaluated."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from gcp_local.errors import NotFound
from gcp_local.page import plots
from gcp_local.page.names import uri_cell
from gcp_local.page.run import label_cell
from gcp_local.page.view import Block, Cell, Facts, Link, Table, View
from gcp_local.page.writing import at, moment_of, number, values_of
from gcp_local.vertex.models.evaluations import ModelEvaluation
from gcp_local.vertex.models.registry import Model

if TYPE_CHECKING:
    from gcp_local.page.site import Place, Visit
    from gcp_local.rpc.protos import Message

_MOST = 200


def page(visit: Visit, place: Place) -> list[Block]:
    """List the models of a location, the one that changed last first."""
    newest = visit.sources.resources.newest_parents(Model, f"{place.name}/models/", _MOST)
    rows = []
    for name in newest:
        versions = list(visit.sources.resources.children(name, Model))
        if not versions:
            continue
        model = next((each for each in versions if "default" in each.version_aliases), versions[-1])
        rows.append(
            [
                visit.names.cell(name, model.display_name),
                Cell(name.rpartition("/")[2], code=True),
                Cell(str(len(versions)), number=True),
                Cell(", ".join(f"{alias} → {version}" for alias, version in _aliases(versions))),
                at(moment_of(versions[-1], "version_create_time"), visit.now),
            ]
        )
    return [
        Table(
            "Models",
            ["Model", "Id", "Versions", "Aliases", "Newest version"],
            rows,
            empty="No model. A pipeline that registers one, or this, puts it here:",
            example='aiplatform.Model.upload(display_name="churn", artifact_uri="gs://…",\n'
            '                        serving_container_image_uri="…")',
        )
    ]


def _aliases(versions: Sequence[Message]) -> list[tuple[str, str]]:
    return sorted((alias, each.version_id) for each in versions for alias in each.version_aliases)


def model_page(visit: Visit, place: Place, own: str) -> View:
    """Show a model with its versions."""
    base, _, wanted = own.partition("@")
    name = f"{place.name}/models/{base}"
    resources = visit.sources.resources
    versions = list(resources.children(name, Model))
    if not versions:
        raise NotFound(f"There is no model {base!r} in {place.shown}.")
    blocks: list[Block] = []
    shown = versions
    if wanted:
        shown = [
            each for each in versions if wanted == each.version_id or wanted in each.version_aliases
        ]
        if not shown:
            raise NotFound(f"The model {base!r} has no version or alias {wanted!r}.")
        blocks.append(_facts(visit, shown[0]))
    else:
        blocks.append(_versions(visit, versions))
    blocks += visit.part(lambda: _evaluations(visit, name, shown))
    first = shown[0]
    title = f"{first.display_name} {first.version_id}" if wanted else first.display_name
    return View(title, blocks=blocks, kind="Model version" if wanted else "Model")


def _versions(visit: Visit, versions: Sequence[Message]) -> Table:
    return Table(
        "Versions",
        ["Version", "Aliases", "Made", "Artifact", "Labels"],
        [
            [
                visit.names.cell(f"{each.name}@{each.version_id}", each.version_id),
                Cell(", ".join(sorted(each.version_aliases)) or "–"),
                at(moment_of(each, "version_create_time"), visit.now),
                uri_cell(each.artifact_uri),
                label_cell(dict(each.labels)),
            ]
            for each in reversed(versions)
        ],
    )


def _facts(visit: Visit, model: Message) -> Facts:
    container = model.container_spec
    command = " ".join([*container.command, *container.args])
    return Facts(
        [
            ("Model", visit.names.cell(model.name)),
            ("Aliases", Cell(", ".join(sorted(model.version_aliases)) or "–")),
            ("Made", at(moment_of(model, "version_create_time"), visit.now)),
            ("Artifact", uri_cell(model.artifact_uri)),
            ("Image", Cell(container.image_uri or "–", code=True)),
            ("Command", Cell(command or "the image's own", code=bool(command))),
            ("Predicts at", Cell(container.predict_route or "–", code=True)),
            ("Health at", Cell(container.health_route or "–", code=True)),
            ("Description", Cell(model.version_description or model.description or "–")),
            ("Labels", label_cell(dict(model.labels))),
        ]
    )


def _evaluations(visit: Visit, name: str, versions: Sequence[Message]) -> list[Block]:
    rows = []
    drawings: list[Block] = []
    for version in reversed(versions):
        owner = f"{name}@{version.version_id}"
        for evaluation in visit.sources.resources.children(owner, ModelEvaluation):
            title = evaluation.display_name or evaluation.name.rpartition("/")[2]
            said = values_of(evaluation.metrics.struct_value)
            rows += [
                [
                    visit.names.cell(owner, version.version_id),
                    Cell(title),
                    at(moment_of(evaluation, "create_time"), visit.now),
                    Cell(key),
                    Cell(number(float(value)), number=True),
                ]
                for key, value in said.items()
                if isinstance(value, int | float) and not isinstance(value, bool)
            ]
            if len(versions) == 1:
                drawings += plots.classification(said, title)
    table = Table(
        "Evaluations",
        ["Version", "Evaluation", "Made", "Metric", "Value"],
        rows,
        empty="No evaluation. import_model_evaluation and AutoML trainings put them here.",
    )
    return [table, *drawings]


def version_link(visit: Visit, model: str, version: str) -> Link:
    """Lead to a version of a model."""
    base = model.partition("@")[0]
    own = f"{base}@{version}" if version else base
    return visit.names.link(own)
