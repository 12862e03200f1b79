"""A trial: one pipeline as it is in the working tree, run and judged, with no ledger touched."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any

import yaml

from ecluse import naming
from ecluse.canonical import digest_of, short
from ecluse.cloud import Cloud
from ecluse.cloud.run import Run, RunRequest
from ecluse.errors import EcluseError, GateRefused, InvalidInput, RunFailed
from ecluse.promotion import gates
from ecluse.promotion.gates import Verdict
from ecluse.promotion.outcome import Watcher
from ecluse.release.compiler import CompiledPipeline, compile_pipelines
from ecluse.release.resources import task_resources
from ecluse.release.runtime_image import resolve_image
from ecluse.repository.check import check_settings, check_type
from ecluse.repository.commit import head_commit
from ecluse.repository.sample_data import lay_sample, sample_file
from ecluse.repository.settings import Parameter
from ecluse.workplace import Workplace


@dataclass(frozen=True)
class Trial:
    """How a trial ended.

    Attributes:
        run: the run.
        verdicts: what the gates said; empty if the run did not succeed.
        error: why the answer is no; none if it is yes.

    """

    run: Run
    verdicts: tuple[Verdict, ...]
    error: EcluseError | None

    def as_json(self) -> dict[str, Any]:
        """Return the trial as plain values."""
        return {
            "run": self.run.name,
            "state": self.run.state,
            "metrics": self.run.metrics,
            "verdicts": [verdict.as_json() for verdict in self.verdicts],
            "error": str(self.error) if self.error else None,
        }


def run_pipeline(
    workplace: Workplace,
    name: str,
    *,
    environment: str,
    overrides: Mapping[str, Parameter],
    data: Path | None,
    runtime_image: str | None,
    watcher: Watcher,
) -> Trial:
    """Compile a pipeline, run it in an environment, and hold the run against its gates.

    Raises:
        InvalidInput: something written is wrong; nothing ran.
        UnknownMetric: a gate names a metric that the run did not produce.
        BrokenGate: a gate written in Python is missing, raises, or makes no sense.
        CloudError: the cloud said no.

    """
    catalog = workplace.catalog
    folder = catalog.pipeline(name)
    cloud_settings = catalog.environment(environment)
    if cloud_settings.requires is not None:
        raise InvalidInput(
            f"{environment} runs only what {cloud_settings.requires} qualified",
            where="--environment",
            fix="try it in another environment, such as dev",
        )
    if data is not None and not workplace.local:
        raise InvalidInput(
            "a data file goes with --local only: elsewhere runs use the environment's own data",
            where="--data",
            fix="add --local, or leave --data out",
        )
    compiled = compile_pipelines(catalog, [name])
    check_settings(catalog, compiled)
    pipeline = compiled[name]
    _check_overrides(pipeline, overrides)
    file = None
    if workplace.local and folder.settings.sample_data is not None:
        file = sample_file(catalog, folder, given=data)
    cloud = workplace.cloud(cloud_settings.name)
    if file is not None:
        address = lay_sample(folder, cloud, file)
        watcher.step(name, f"data at {address}")
    image = runtime_image
    if image is None and pipeline.uses_runtime_image:
        image = _image(workplace, cloud, watcher, name)
    run = _run(workplace, cloud, pipeline, image, overrides, watcher)
    if run.state != "succeeded":
        return Trial(run, (), RunFailed(run.failure, where=run.name))
    verdicts = gates.judge(
        folder.settings.gates_in(cloud_settings.name),
        gates.findings_of(
            run, prices=cloud_settings.prices, resources=lambda: task_resources(pipeline.spec)
        ),
        _champion(cloud, name),
        pipeline=name,
        environment=cloud_settings.name,
        where=folder.settings_file,
    )
    watcher.judged(name, verdicts)
    refused = gates.refusing(verdicts)
    error = GateRefused(gates.refusal(refused), where=run.name) if refused else None
    return Trial(run, verdicts, error)


def yaml_values(texts: Mapping[str, str]) -> dict[str, Parameter]:
    """Parse each value as YAML: `3` is a number, `"3"` a text.

    Raises:
        InvalidInput: one is no YAML.

    """
    values = {}
    for name, text in texts.items():
        try:
            values[name] = yaml.safe_load(text)
        except (yaml.YAMLError, RecursionError):
            raise InvalidInput(
                f"`{text}` is no YAML value",
                where="--parameter",
                fix=f"to give a text as it is, quote it: --parameter '{name}=\"…\"'",
            ) from None
    return values


def _check_overrides(pipeline: CompiledPipeline, overrides: Mapping[str, Parameter]) -> None:
    for name, value in overrides.items():
        definition = pipeline.parameters.get(name)
        if definition is None or name == "run_key":
            known = sorted(set(pipeline.parameters) - {"run_key"})
            raise InvalidInput(
                f"the pipeline has no parameter `{name}`",
                where="--parameter",
                fix=f"it has: {', '.join(known)}",
            )
        check_type(name, value, str(definition["parameterType"]), "--parameter")


def _image(workplace: Workplace, cloud: Cloud, watcher: Watcher, name: str) -> str:
    """Return the image of the working tree: no build can be asked of what no commit holds."""
    commit = "" if workplace.local else head_commit(workplace.catalog.root).sha
    image = resolve_image(
        workplace.catalog,
        cloud,
        "runtime",
        commit=commit,
        log=lambda text: watcher.step(name, text),
    )
    watcher.step(name, f"runtime image {short(image.rsplit('@', 1)[1])}")
    return image


def _run(
    workplace: Workplace,
    cloud: Cloud,
    pipeline: CompiledPipeline,
    image: str | None,
    overrides: Mapping[str, Parameter],
    watcher: Watcher,
) -> Run:
    content = pipeline.content(image)
    digest = digest_of(content)
    if not cloud.registry.has(pipeline.package, digest):
        cloud.registry.upload(pipeline.package, content)
    watcher.step(pipeline.name, f"compiled to {short(digest)}")
    settings = workplace.catalog.pipeline(pipeline.name).settings
    environment = cloud.environment
    parameters = settings.parameters_in(
        environment, pipeline.parameters, runtime_image=image or "", commit=""
    )
    run_id = naming.run_id(
        package=pipeline.package,
        environment=f"{environment.name}-trial",
        subject=secrets.token_hex(5),
        attempt=1,
    )
    request = RunRequest(
        run_id=run_id,
        display_name=f"{pipeline.name} trial by {workplace.actor}",
        template=environment.template_uri(pipeline.package, digest),
        parameters={**parameters, **overrides, "run_key": run_id},
        labels={
            **environment.labels,
            **settings.labels,
            "ecluse-environment": naming.label(environment.name),
            "ecluse-pipeline": naming.label(pipeline.name),
            "ecluse-digest": naming.label(digest),
            "ecluse-trial-by": naming.label(workplace.actor),
        },
    )
    run = cloud.pipelines.create(request)
    watcher.step(pipeline.name, f"run {run.id}")
    return cloud.pipelines.wait(run, lambda seen: watcher.running(pipeline.name, seen), Event())


def _champion(cloud: Cloud, name: str) -> gates.Metrics | None:
    live = cloud.ledger.head().live(name)
    return live.metrics if live is not None else None
