"""Artifacts: every type, metadata, payloads, lists, importers."""

# mypy: disable-error-code="attr-defined, empty-body, misc, no-untyped-call, no-untyped-def"
# mypy: disable-error-code="no-any-return"
# mypy: disable-error-code="name-match, type-arg, untyped-decorator, valid-type, call-arg"
# ruff: noqa: PTH118, PTH123, UP006, UP035, UP045

from typing import List, NamedTuple, Optional

from kfp import dsl
from kfp.dsl import (
    HTML,
    Artifact,
    ClassificationMetrics,
    Dataset,
    Input,
    Markdown,
    Metrics,
    Model,
    Output,
    SlicedClassificationMetrics,
)

from tests.gcp_local.corpus.case import Case, Made
from tests.gcp_local.corpus.parts import component, echo, kind_of, outputs, read, read_all, write


class VertexModel(Artifact):
    """An artifact type of Google's, as google-cloud-pipeline-components declares it."""

    schema_title = "google.VertexModel"
    schema_version = "0.0.1"


@component
def every_type(
    artifact: Output[Artifact],
    dataset: Output[Dataset],
    model: Output[Model],
    metrics: Output[Metrics],
    classification: Output[ClassificationMetrics],
    sliced: Output[SlicedClassificationMetrics],
    html: Output[HTML],
    markdown: Output[Markdown],
):
    for one in (artifact, dataset, model, html, markdown):
        with open(one.path, "w") as file:
            file.write(one.schema_title)
    model.framework = "none"
    artifact.metadata["nested"] = {"a": [1, None, {"b": 2.5}]}
    metrics.log_metric("roc_auc", 0.75)
    metrics.log_metric("rows", 3)
    classification.log_roc_curve([0.0, 1.0], [0.0, 1.0], [1.0, 0.0])
    classification.log_confusion_matrix(["no", "yes"], [[3, 1], [0, 2]])
    sliced.metadata["evaluationSlices"] = [{"slice": "young"}]


@component
def read_types(
    artifact: Input[Artifact],
    model: Input[Model],
    metrics: Input[Metrics],
    classification: Input[ClassificationMetrics],
    html: Input[HTML],
) -> str:
    import json

    with open(html.path) as file:
        page = file.read()
    matrix = classification.metadata["confusionMatrix"]["rows"]
    return json.dumps(
        [
            artifact.metadata["nested"],
            model.framework,
            sorted(metrics.metadata.items()),
            matrix,
            page,
        ]
    )


@dsl.pipeline(name="artifact-types")
def artifact_types() -> str:
    made = every_type().outputs
    return read_types(
        artifact=made["artifact"],
        model=made["model"],
        metrics=made["metrics"],
        classification=made["classification"],
        html=made["html"],
    ).output


@dsl.container_component
def make_model(model: Output[VertexModel]):
    script = 'mkdir -p "$(dirname "$0")" && printf content > "$0"'
    return dsl.ContainerSpec(
        image="python:3.11-slim", command=["sh", "-c", script], args=[model.path]
    )


@component
def title_of(model: Input[Artifact]) -> str:
    with open(model.path) as file:
        return f"{model.schema_title} {file.read()}"


@dsl.pipeline(name="google-types")
def google_types() -> str:
    return title_of(model=make_model().outputs["model"]).output


@dsl.pipeline(name="artifact-outputs")
def artifact_outputs(text: str = "héllo") -> NamedTuple(
    "Outputs", [("data", Dataset), ("told", str)]
):
    made = write(text=text)
    told = read(data=made.outputs["data"])
    return outputs(data=made.outputs["data"], told=told.output)


@component
def elsewhere(uri: str, data: Output[Dataset]):
    data.uri = uri
    data.metadata["moved"] = True


@component
def uri_of(data: Input[Dataset]) -> str:
    return f"{data.uri} {data.metadata}"


@dsl.pipeline(name="artifact-uri")
def artifact_uri() -> str:
    moved = elsewhere(uri="gs://another-bucket/a/b.csv")
    return uri_of(data=moved.outputs["data"]).output


@component
def pythonic(text: str) -> NamedTuple("Outputs", [("data", Dataset), ("n", int)]):
    data = Dataset(uri=dsl.get_uri("data"), metadata={"made": "by hand"})
    with open(data.path, "w") as file:
        file.write(text)
    return data, len(text)


@component
def pythonic_reader(data: Dataset) -> str:
    with open(data.path) as file:
        return f"{data.metadata} {file.read()}"


@dsl.pipeline(name="pythonic-artifacts")
def pythonic_artifacts() -> NamedTuple("Outputs", [("told", str), ("n", int)]):
    made = pythonic(text="four")
    told = pythonic_reader(data=made.outputs["data"])
    return outputs(told=told.output, n=made.outputs["n"])


@component
def write_path(data: dsl.OutputPath("Dataset")):
    with open(data, "w") as file:
        file.write("by path")


@component
def read_path(data: dsl.InputPath("Dataset")) -> str:
    with open(data) as file:
        return file.read()


@dsl.pipeline(name="artifact-paths")
def artifact_paths() -> str:
    return read_path(data=write_path().outputs["data"]).output


@component
def write_folder(model: Output[Model]):
    import os

    os.makedirs(os.path.join(model.path, "assets"))  # noqa: PTH103
    for name in ("weights", "assets/classes"):
        with open(os.path.join(model.path, name), "w") as file:
            file.write(name)


@component
def list_folder(model: Input[Model]) -> list:
    import os

    return sorted(
        os.path.relpath(os.path.join(folder, name), model.path)
        for folder, _, names in os.walk(model.path)
        for name in names
    )


@dsl.pipeline(name="folders")
def folders() -> list:
    return list_folder(model=write_folder().outputs["model"]).output


@component
def maybe_read(label: str, data: Optional[Input[Dataset]] = None) -> str:
    if data is None:
        return f"{label}: nothing"
    with open(data.path) as file:
        return f"{label}: {file.read()}"


@dsl.pipeline(name="optional-artifacts")
def optional_artifacts() -> NamedTuple("Outputs", [("without", str), ("with_", str)]):
    without = maybe_read(label="without")
    given = maybe_read(label="with", data=write(text="x").outputs["data"])
    return outputs(without=without.output, with_=given.output)


@dsl.pipeline(name="lists-of-artifacts")
def lists_of_artifacts() -> NamedTuple("Outputs", [("data", List[Dataset]), ("told", str)]):
    with dsl.ParallelFor(["a", "b", "c"]) as text:
        made = write(text=text)
    told = read_all(data=dsl.Collected(made.outputs["data"]))
    return outputs(data=dsl.Collected(made.outputs["data"]), told=told.output)


@dsl.pipeline(name="importers")
def importers(suffix: str = "later") -> NamedTuple(
    "Outputs", [("constant", str), ("runtime", str), ("kind", str)]
):
    fixed = dsl.importer(
        artifact_uri="gs://bucket-of-others/data.csv",
        artifact_class=Dataset,
        reimport=True,
        metadata={"rows": 3, "name": f"data {suffix}", "nested": {"a": [1, suffix]}},
    )
    made = echo(text=f"gs://bucket-of-others/{suffix}.csv")
    later = dsl.importer(artifact_uri=made.output, artifact_class=Model, reimport=False)
    constant = uri_of(data=fixed.output)
    runtime = uri_of(data=dsl.importer(artifact_uri=made.output, artifact_class=Dataset).output)
    kind = kind_of(thing=later.output)
    return outputs(constant=constant.output, runtime=runtime.output, kind=kind.output)


@dsl.pipeline(name="input-artifacts")
def input_artifacts(data: Input[Dataset], label: str) -> NamedTuple(
    "Outputs", [("told", str), ("data", Dataset)]
):
    told = read(data=data)
    said = echo(text=f"{label}: {told.output}")
    again = write(text=said.output)
    return outputs(told=said.output, data=again.outputs["data"])


ROC = {
    "confidenceMetrics": [
        {"confidenceThreshold": 1.0, "falsePositiveRate": 0.0, "recall": 0.0},
        {"confidenceThreshold": 0.0, "falsePositiveRate": 1.0, "recall": 1.0},
    ],
    "confusionMatrix": {
        "annotationSpecs": [{"displayName": "no"}, {"displayName": "yes"}],
        "rows": [{"row": [3, 1]}, {"row": [0, 2]}],
    },
}

CASES = (
    Case(
        "artifact_types",
        "every artifact type of KFP, with metadata and payload",
        artifact_types,
        outputs={
            "Output": '[{"a": [1, null, {"b": 2.5}]}, "none", [["roc_auc", 0.75], ["rows", 3]],'
            ' [{"row": [3, 1]}, {"row": [0, 2]}], "system.HTML"]'
        },
        made={
            "every-type.artifact": Made(
                "system.Artifact@0.0.1", {"nested": {"a": [1, None, {"b": 2.5}]}}, "system.Artifact"
            ),
            "every-type.dataset": Made("system.Dataset@0.0.1", {}, "system.Dataset"),
            "every-type.model": Made("system.Model@0.0.1", {"framework": "none"}, "system.Model"),
            "every-type.metrics": Made("system.Metrics@0.0.1", {"roc_auc": 0.75, "rows": 3}),
            "every-type.classification": Made("system.ClassificationMetrics@0.0.1", ROC),
            "every-type.sliced": Made(
                "system.SlicedClassificationMetrics@0.0.1",
                {"evaluationSlices": [{"slice": "young"}]},
            ),
            "every-type.html": Made("system.HTML@0.0.1", {}, "system.HTML"),
            "every-type.markdown": Made("system.Markdown@0.0.1", {}, "system.Markdown"),
        },
    ),
    Case(
        "google_types",
        "an artifact type of Google's",
        google_types,
        outputs={"Output": "system.Artifact content"},
        made={"make-model.model": Made("google.VertexModel@0.0.1", {}, "content")},
    ),
    Case(
        "artifact_outputs",
        "an artifact as the pipeline's output",
        artifact_outputs,
        outputs={"told": "Dataset [('length', 5)] héllo"},
        made={"data": Made("system.Dataset@0.0.1", {"length": 5}, "héllo")},
    ),
    Case(
        "artifact_uri",
        "an artifact that a component puts elsewhere",
        artifact_uri,
        outputs={"Output": "gs://another-bucket/a/b.csv {'moved': True}"},
    ),
    Case(
        "pythonic_artifacts",
        "artifacts returned, and declared without Input and Output",
        pythonic_artifacts,
        outputs={"told": "{'made': 'by hand'} four", "n": 4},
    ),
    Case(
        "artifact_paths",
        "artifacts by `InputPath` and `OutputPath`",
        artifact_paths,
        outputs={"Output": "by path"},
    ),
    Case(
        "folders",
        "an artifact that is a folder",
        folders,
        outputs={"Output": ["assets/classes", "weights"]},
    ),
    Case(
        "optional_artifacts",
        "an optional input artifact, given and not",
        optional_artifacts,
        outputs={"without": "without: nothing", "with_": "with: x"},
    ),
    Case(
        "lists_of_artifacts",
        "a list of artifacts, as input and as the pipeline's output",
        lists_of_artifacts,
        outputs={"told": "a b c"},
        made={
            "data": tuple(Made("system.Dataset@0.0.1", {"length": 1}, text) for text in "abc"),
        },
    ),
    Case(
        "input_artifacts",
        "an artifact that is given to the pipeline",
        input_artifacts,
        {"label": "given"},
        {"data": Made("system.Dataset@0.0.1", {"rows": 3}, "before")},
        outputs={"told": "given: Dataset [('rows', 3)] before"},
        made={
            "data": Made(
                "system.Dataset@0.0.1", {"length": 35}, "given: Dataset [('rows', 3)] before"
            )
        },
    ),
    Case(
        "importers",
        "importers: reimport or not, URI constant or made at run time, metadata with placeholders",
        importers,
        outputs={
            "constant": "gs://bucket-of-others/data.csv"
            " {'name': 'data later', 'nested': {'a': [1, 'later']}, 'rows': 3}",
            "runtime": "gs://bucket-of-others/later.csv {}",
            "kind": "Model system.Model",
        },
    ),
)
