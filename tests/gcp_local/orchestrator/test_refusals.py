"""What Vertex AI would refuse is refused before there is a job, and says which part is at fault."""

# mypy: disable-error-code="attr-defined, empty-body, misc, no-untyped-call, no-untyped-def"
# mypy: disable-error-code="name-match, type-arg, untyped-decorator"

import copy
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from google.cloud.aiplatform_v1.types import pipeline_service
from kfp import dsl

from gcp_local.errors import InvalidArgument
from gcp_local.orchestrator.states import JobState, TaskState
from gcp_local.rpc.protos import Message, raw, to_json
from tests.gcp_local.orchestrator import components as c
from tests.gcp_local.orchestrator.harness import Cloud, compiled

Spec = dict[str, Any]
ListPipelineJobsResponse: type[Message] = raw(pipeline_service.ListPipelineJobsResponse)


def nested(depth: int, kind: type) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value] if kind is list else {"a": value}
    return value


def can_be_read_back(job: Message) -> bool:
    """Tell whether a list of jobs with this one can be kept and answered."""
    listed = ListPipelineJobsResponse(pipeline_jobs=[job])
    kept = ListPipelineJobsResponse.FromString(listed.SerializeToString())
    return kept == listed and bool(to_json(kept))


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> Spec:
    @dsl.pipeline(name="refusals")
    def refusals(n: int, share: float = 0.5, items: list = [1], text: str = "") -> None:  # noqa: B006
        total = c.add(a=n, b=1)
        c.write_dataset(text=text)
        with dsl.If(total.output == 2):
            c.echo(text=text)
        with dsl.ParallelFor([1, 2]) as item:
            c.write_dataset(text=f"{item}")

    return compiled(refusals, tmp_path_factory.mktemp("compiled"))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "The parameter 'n' is required"),
        ({"n": "1"}, """The parameter 'n': "1" is not of type NUMBER_INTEGER"""),
        ({"n": 1.5}, "The parameter 'n': 1.5 is not of type NUMBER_INTEGER"),
        ({"n": True}, "The parameter 'n': true is not of type NUMBER_INTEGER"),
        ({"n": None}, "The parameter 'n' cannot be null"),
        ({"n": 1, "share": "0.5"}, "'share'"),
        ({"n": 1, "items": {"a": 1}}, "'items'"),
        ({"n": 1, "text": 5}, "The parameter 'text': 5 is not of type STRING"),
        ({"n": 1, "m": 2}, "has no parameter 'm'. It has: items, n, share, text."),
        ({"n": 1, "share": float("nan")}, "nan is not a JSON number"),
        ({"n": 1, "share": float("inf")}, "The parameter 'share': inf is not a JSON number"),
        ({"n": 10**30}, "does not fit into 64 bits"),
        ({"n": 1, "items": nested(33, list)}, "The parameter 'items': lists and structs are neste"),
        ({"n": 1, "items": [nested(22, dict)]}, "at most 32 lists, or 21 structs"),
    ],
)
def test_a_wrong_runtime_parameter_is_refused_by_name(
    plain_cloud: Cloud, spec: Spec, given: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidArgument) as refusal:
        plain_cloud.orchestrator.validate(plain_cloud.job(spec, given))
    assert message in refusal.value.message


def _set(*path: Any) -> Callable[[Spec], None]:
    *keys, last, value = path

    def change(spec: Spec) -> None:
        for key in keys:
            spec = spec.setdefault(key, {})
        spec[last] = value

    return change


TASKS = ("root", "dag", "tasks")
ADD = ("deploymentSpec", "executors", "exec-add")
LOOP = (*TASKS, "for-loop-3")
CONDITION = (*TASKS, "condition-1", "triggerPolicy", "condition")
PARAMETER = ("components", "comp-add", "inputDefinitions", "parameters", "a")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_set("schemaVersion", "2.0.0"), "schema_version is 2.0.0"),
        (_set("pipelineInfo", {}), "pipeline_info.name is missing"),
        (_set("platforms", {"kubernetes": {}}), 'Unknown name "platforms"'),
        (_set("root", "dag", "tasks", {}), "root has no tasks"),
        (_set(*TASKS, "add", "componentRef", "name", "comp-none"), "comp-none"),
        (_set(*TASKS, "add", "dependentTasks", ["nowhere"]), "waits for 'nowhere'"),
        (_set(*TASKS, "add", "dependentTasks", ["condition-1"]), "wait for one another"),
        (_set(*TASKS, "add", "inputs", "parameters", {}), "required input 'a'"),
        (
            _set(*TASKS, "add", "inputs", "parameters", "a", "componentInputParameter", "zz"),
            "takes 'a' from an unknown input 'zz'",
        ),
        (_set(*CONDITION, "inputs.parameter_values['x'] =="), "is not a CEL expression"),
        (_set(*PARAMETER, "parameterType", "WHATEVER"), "WHATEVER"),
        (_set(*PARAMETER, {"parameterType": "PARAMETER_TYPE_ENUM_UNSPECIFIED"}), "UNSPECIFIED"),
        (_set(*TASKS, "add", "retryPolicy", {"maxRetryCount": -1}), "max_retry_count"),
        (
            _set(*TASKS, "add", "retryPolicy", {"maxRetryCount": 1, "backoffFactor": -2}),
            "backoff_factor at root.dag.tasks.add is -2.0",
        ),
        (
            _set(*TASKS, "add", "retryPolicy", {"maxRetryCount": 1, "backoffDuration": "-1s"}),
            "backoff_duration",
        ),
        (_set(*LOOP, "iteratorPolicy", {"parallelismLimit": -1}), "parallelism_limit"),
        (
            _set(*LOOP, "parameterIterator", "items", {"inputParameter": "nothing"}),
            "loops over an unknown input 'nothing'",
        ),
        (
            _set(*LOOP, "parameterIterator", "itemInput", "nothing"),
            "gives an unknown input 'nothing'",
        ),
        (_set("components", "comp-add", "executorLabel", "exec-none"), "exec-none"),
        (_set(*ADD, "container", "image", ""), "no image"),
        (
            _set(*ADD, "container", "image", "{{$.inputs.parameters['a']}}"),
            "an image that is known",
        ),
        (_set(*ADD, "container", "resources", {"resourceCpuLimit": "x"}), "'x', which is no"),
        (_set(*ADD, "container", "resources", {"resourceCpuLimit": "2Gi"}), "which is no quantity"),
        (_set(*ADD, "container", "resources", {"cpuLimit": -1}), "is -1.0; machines have"),
        (_set(*ADD, "container", "resources", {"cpuLimit": 1000}), "up to 416 CPUs"),
        (_set(*ADD, "container", "resources", {"resourceMemoryLimit": "1P"}), "up to 11776 GB"),
        (
            _set(
                *ADD, "container", "resources", {"memoryLimit": 1, "resourceMemoryRequest": "1Gi"}
            ),
            "exec-add is more than memory_limit",
        ),
        (
            _set(*ADD, "container", "resources", {"resourceCpuLimit": "{{$.inputs.x}}"}),
            "cpu_limit by a value that is known at run time only",
        ),
        (_set("components", "comp-add", "noSuchField", 1), "noSuchField"),
        (_set(*TASKS, "add", "taskInfo", {"name": float("inf")}), "Infinity"),
        (_set("deploymentSpec", "deep", nested(32, dict)), "nested too deeply"),
        (
            _set(
                *TASKS,
                "add",
                "inputs",
                "parameters",
                "a",
                {"runtimeValue": {"constant": nested(33, list)}},
            ),
            "the value at root.dag.tasks.add: lists and structs are nested too deeply",
        ),
        (
            _set(
                "root", "inputDefinitions", "parameters", "items", "defaultValue", nested(33, list)
            ),
            "nested too deeply",
        ),
    ],
)
def test_a_pipeline_that_vertex_ai_would_refuse_is_refused(
    plain_cloud: Cloud, spec: Spec, change: Callable[[Spec], None], message: str
) -> None:
    changed = copy.deepcopy(spec)
    change(changed)
    with pytest.raises(InvalidArgument) as refusal:
        plain_cloud.orchestrator.validate(plain_cloud.job(changed, {"n": 1}))
    assert message in refusal.value.message


@pytest.mark.parametrize("value", [nested(32, list), [nested(20, dict)], [2**53 + 2, -1e308]])
def test_a_job_with_the_deepest_values_can_be_read_back(plain_cloud: Cloud, value: Any) -> None:
    @dsl.pipeline(name="deep")
    def deep(outputs: str, items: list) -> None:
        said = c.say(outputs=outputs)
        c.describe_values(
            whole=1, real=1.0, text="", flag=True, items=said.outputs["items"], struct={}
        )

    artifact = {"artifacts": [{"metadata": {"deep": value[0]}}]}
    outputs = json.dumps({"parameterValues": {"items": value}, "artifacts": {"thing": artifact}})
    given = {"outputs": outputs, "items": value}
    result = plain_cloud.succeed(deep, given)
    assert result.outputs("say")["items"] == value
    assert can_be_read_back(result.job)


@pytest.mark.parametrize(
    ("outputs", "message"),
    [
        ('{"parameterValues": {"items": %s}}' % ("[" * 47 + "]" * 47), "'items': lists and"),
        ('{"parameterValues": {"items": %s}}' % ("[" * 9999), "outputs cannot be read"),
        ('{"parameterValues": {"items": [1e999]}}', "'items': inf is not a JSON number"),
        ('{"parameterValues": {"items": [%s]}}' % ("9" * 400), "'items': an integer is too large"),
        ('{"parameterValues": {"items": ["\\ud800"]}}', "'items': \"\\ud800\" is not Unicode"),
        ('{"parameterValues": {"items": {"a": 1}}}', "'items': {\"a\": 1} is not of type LIST"),
        ('{"parameterValues": []}', "outputs cannot be read: [] is not a struct"),
        ('{"artifacts": {"thing": {"artifacts": [{"uri": 5}]}}}', "'thing': 5 is not of type"),
        ('{"artifacts": {"thing": {"artifacts": [{"uri": "\\ud800"}]}}}', "is not Unicode"),
        ('{"artifacts": {"thing": {"artifacts": [{"metadata": {"a": -1e999}}]}}}', "-inf is not"),
        ('{"artifacts": {"thing": {"artifacts": [{"metadata": {"\\udfff": 1}}]}}}', "'thing': "),
    ],
)
def test_an_output_that_no_job_can_keep_fails_its_task(
    plain_cloud: Cloud, outputs: str, message: str
) -> None:
    @dsl.pipeline(name="saying")
    def saying(outputs: str) -> None:
        c.say(outputs=outputs)

    result = plain_cloud.run(saying, {"outputs": outputs})
    assert result.state is JobState.FAILED
    assert result.states() == {"say": TaskState.FAILED}
    assert message in result.tasks["say"].error.message
    assert can_be_read_back(result.job)


def test_a_component_that_contains_itself_is_refused(plain_cloud: Cloud, spec: Spec) -> None:
    changed = copy.deepcopy(spec)
    condition = changed["root"]["dag"]["tasks"]["condition-1"]
    inner = changed["components"]["comp-condition-1"]["dag"]["tasks"]
    inner["again"] = copy.deepcopy(condition)
    del inner["again"]["dependentTasks"]
    for source in inner["again"]["inputs"]["parameters"].values():
        source.clear()
        source["componentInputParameter"] = "pipelinechannel--text"
    with pytest.raises(InvalidArgument, match="contains itself"):
        plain_cloud.orchestrator.validate(plain_cloud.job(changed, {"n": 1}))


@pytest.mark.parametrize("root", ["", "/tmp", "s3://bucket", "gs://", "gs://bucket/../x"])
def test_an_output_directory_outside_cloud_storage_is_refused(
    plain_cloud: Cloud, spec: Spec, root: str
) -> None:
    with pytest.raises(InvalidArgument, match="gcs_output_directory"):
        plain_cloud.orchestrator.validate(plain_cloud.job(spec, {"n": 1}, root=root))


def test_a_job_without_a_pipeline_is_refused(plain_cloud: Cloud) -> None:
    with pytest.raises(InvalidArgument, match="pipeline_spec is required"):
        plain_cloud.orchestrator.validate(plain_cloud.job({}))


def test_an_output_of_the_wrong_type_fails_its_task(plain_cloud: Cloud) -> None:
    @dsl.container_component
    def write(text: str, whole: dsl.OutputPath(int)):  # type: ignore[valid-type]
        script = 'printf "%s" "$0" > "$1"'
        return dsl.ContainerSpec(
            image="python:3.11-slim", command=["sh", "-c", script], args=[text, whole]
        )

    @dsl.pipeline(name="outputs")
    def outputs(text: str) -> None:
        write(text=text)

    assert plain_cloud.succeed(outputs, {"text": "12"}).outputs("write") == {"whole": 12}
    result = plain_cloud.run(outputs, {"text": "twelve"})
    assert result.state is JobState.FAILED
    assert "'twelve' is not of type NUMBER_INTEGER" in result.tasks["write"].error.message


def test_a_metric_that_is_no_number_fails_its_task(plain_cloud: Cloud) -> None:
    @c.component
    def measure(metrics: dsl.Output[dsl.Metrics]) -> None:
        metrics.log_metric("loss", float("nan"))

    @dsl.pipeline(name="metrics")
    def metrics() -> None:
        measure()

    result = plain_cloud.run(metrics)
    assert result.state is JobState.FAILED
    assert "NaN is not a JSON value" in result.tasks["measure"].error.message


def test_a_container_component_gets_its_placeholders(plain_cloud: Cloud) -> None:
    @dsl.container_component
    def show(name: str, data: dsl.Output[dsl.Dataset], said: dsl.OutputPath(list), extra: int = 0):  # type: ignore[valid-type]
        code = (
            "import json, sys; path, out, *words = sys.argv[1:];"
            "open(path, 'w').write('made'); open(out, 'w').write(json.dumps(words))"
        )
        return dsl.ContainerSpec(
            image="python:3.11",
            command=["python3", "-c", code],
            args=[
                data.path,
                said,
                data.uri,
                dsl.ConcatPlaceholder(["--name=", name]),
                dsl.IfPresentPlaceholder(input_name="extra", then=["--extra", extra]),
                dsl.PIPELINE_JOB_RESOURCE_NAME_PLACEHOLDER,
                "{{not}} ${HOME} $(id)",
            ],
        )

    @dsl.pipeline(name="containers")
    def containers() -> None:
        show(name="a b", extra=3)

    result = plain_cloud.succeed(containers)
    data = result.artifact("show", "data")
    assert result.read(data.uri) == b"made"
    assert result.outputs("show")["said"] == [
        data.uri, "--name=a b", "--extra", "3", result.job.name, "{{not}} ${HOME} $(id)",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "uri"),
    [
        ("x/../../../escape", "gs://bucket/x"),
        ("x//y", "gs://bucket/x"),
        ("ok", "gs://bucket/../ok"),
    ],
)
def test_an_object_whose_name_leads_elsewhere_is_never_laid_as_a_file(
    plain_cloud: Cloud, name: str, uri: str, tmp_path: Path
) -> None:
    plain_cloud.objects.write("bucket", name, b"evil")

    @dsl.pipeline(name="hostile")
    def hostile(uri: str) -> None:
        c.describe_artifact(
            thing=dsl.importer(artifact_uri=uri, artifact_class=dsl.Artifact).output
        )

    result = plain_cloud.run(hostile, {"uri": uri})
    assert result.state is JobState.FAILED
    assert "cannot be shown as a file" in result.error
    assert not list(tmp_path.rglob("escape"))


def test_an_output_whose_name_leads_elsewhere_is_never_written(plain_cloud: Cloud) -> None:
    @dsl.pipeline(name="hostile")
    def hostile() -> None:
        c.echo(text="a")

    spec = compiled(hostile, plain_cloud.folder)
    outputs = spec["components"]["comp-echo"]["outputDefinitions"]["parameters"]
    outputs["../../../../../../escape/x"] = outputs.pop("Output")
    result = plain_cloud.run(spec)
    assert result.state is JobState.FAILED
    assert "cannot be shown as a file" in result.error
    assert not list(plain_cloud.folder.parent.rglob("escape"))


def test_importing_the_orchestrator_loads_neither_kfp_nor_cel() -> None:
    code = (
        "import sys, gcp_local.orchestrator; "
        "print(sorted({'kfp', 'celpy', 'numpy', 'google.cloud.aiplatform'} & set(sys.modules)))"
    )
    command = [sys.executable, "-c", code]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert shown == "[]\n"


def test_a_bucket_that_is_not_there_fails_the_task_clearly(plain_cloud: Cloud, spec: Spec) -> None:
    result = plain_cloud.run(spec, {"n": 1}, root="gs://nowhere-at-all/root")
    assert result.state is JobState.FAILED
    assert "nowhere-at-all" in result.error
