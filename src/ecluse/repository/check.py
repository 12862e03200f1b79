"""What can be known to be wrong before anything runs: settings against compiled pipelines."""

import difflib
from collections.abc import Iterable, Mapping
from graphlib import CycleError, TopologicalSorter
from typing import Any

from ecluse.errors import CompilationError, SettingsError
from ecluse.release.compiler import CompiledPipeline
from ecluse.repository.caching import tasks_to_run_anew
from ecluse.repository.catalog import Catalog, PipelineFolder
from ecluse.repository.gate_check import check_gates
from ecluse.repository.settings import Environment, Parameter

_PYTHON_TYPES: Mapping[str, tuple[type, ...]] = {
    "STRING": (str,),
    "NUMBER_INTEGER": (int,),
    "NUMBER_DOUBLE": (int, float),
    "BOOLEAN": (bool,),
    "LIST": (list,),
    "STRUCT": (dict,),
}
_WORDS = {
    "STRING": "a text",
    "NUMBER_INTEGER": "a whole number",
    "NUMBER_DOUBLE": "a number",
    "BOOLEAN": "true or false",
    "LIST": "a list",
    "STRUCT": "a mapping",
}


def check_settings(catalog: Catalog, compiled: Mapping[str, CompiledPipeline]) -> None:
    """Hold every pipeline's settings against its compiled form, for every environment.

    Raises:
        SettingsError: naming file, line and field of the first thing that cannot work.

    """
    environments = catalog.environments()
    _refuse_other_images(environments)
    _refuse_circles(catalog)
    for name, pipeline in compiled.items():
        folder = catalog.pipeline(name)
        for environment in environments:
            _check_parameters(folder, pipeline, environment)
        _check_bytes(pipeline)
        check_gates(folder, pipeline, environments)
        _check_sample_data(folder, pipeline)
        _check_schedules(folder, pipeline)


def _refuse_other_images(environments: Iterable[Environment]) -> None:
    """Refuse other images than the environment below has: the same digest runs in both."""
    by_name = {environment.name: environment for environment in environments}
    for environment in by_name.values():
        below = by_name.get(environment.requires or "")
        if below is not None and below.images != environment.images:
            raise SettingsError(
                f"`images` is not that of `{below.name}`, whose image runs here too",
                where=f"environments/{environment.name}.yaml",
                fix=f"write `images: {below.images}`",
            )


def _refuse_circles(catalog: Catalog) -> None:
    """Refuse pipelines of which each comes after another: none could ever be the first."""
    after = {folder.name: folder.settings.after or () for folder in catalog.pipelines()}
    try:
        TopologicalSorter(after).prepare()
    except CycleError as error:
        circle = error.args[1]
        raise SettingsError(
            f"`after` goes round in a circle: {' → '.join(circle)}",
            where=catalog.pipeline(circle[0]).where("after"),
            fix="take one of them out",
        ) from None


def _check_bytes(pipeline: CompiledPipeline) -> None:
    """Refuse what a digest does not cover: an image by tag, packages fetched at run time."""
    where = f"pipelines/{pipeline.name}/pipeline.py"
    if pipeline.floating_images:
        raise CompilationError(
            f"a component runs in `{pipeline.floating_images[0]}`, and a tag can move between "
            "nonprod and prod",
            where=where,
            fix='use base_image="runtime", or an image by digest',
        )
    if pipeline.installs_packages:
        raise CompilationError(
            "a component installs packages when it starts: prod may get others than nonprod had",
            where=where,
            fix="leave out packages_to_install, say install_kfp_package=False, and put what it "
            "needs into the runtime image",
        )


def _check_parameters(
    folder: PipelineFolder, pipeline: CompiledPipeline, environment: Environment
) -> None:
    declared = pipeline.parameters
    settings = folder.settings
    overrides = settings.environments.get(environment.name)
    written: list[tuple[tuple[str, ...], Mapping[str, Parameter]]] = [
        (("parameters",), settings.parameters)
    ]
    if overrides is not None:
        written.append((("environments", environment.name, "parameters"), overrides.parameters))
    if settings.smoke is not None:
        written.append((("smoke", "parameters"), settings.smoke.parameters))
    for path, parameters in written:
        for name, value in parameters.items():
            problem = _parameter_problem(name, value, declared)
            if problem is not None:
                what, fix = problem
                raise SettingsError(what, where=folder.where(*path, name), fix=fix)
    given = settings.parameters_in(environment, declared, runtime_image="", commit="")
    for name, definition in declared.items():
        optional = definition.get("isOptional") or "defaultValue" in definition
        if name != "run_key" and name not in given and not optional:
            raise SettingsError(
                f"the parameter `{name}` has no value in {environment.name} and no default",
                where=folder.where("parameters"),
                fix=f"add `{name}: …` under `parameters`",
            )
    for name, value in environment.parameters.items():
        if name in declared:
            kind = str(declared[name]["parameterType"])
            check_type(name, value, kind, f"environments/{environment.name}.yaml")


def _parameter_problem(
    name: str, value: Parameter, declared: Mapping[str, Mapping[str, Any]]
) -> tuple[str, str] | None:
    """Say what is wrong with a parameter that somebody wrote, and what to do; none if nothing is.

    Where it stands is not asked: finding that reads the file anew.
    """
    if name == "run_key":
        return "`run_key` is set by ecluse, afresh for each run", "remove the line"
    if name not in declared:
        near = difflib.get_close_matches(name, declared, n=1)
        known = f"it has: {', '.join(sorted(declared))}"
        return f"the pipeline has no parameter `{name}`", (
            f"did you mean `{near[0]}`?" if near else known
        )
    problem = _type_problem(name, value, str(declared[name]["parameterType"]))
    return (problem, "") if problem is not None else None


def check_type(name: str, value: Parameter, kind: str, where: str) -> None:
    """Hold a parameter's value against its KFP type, such as `NUMBER_INTEGER`.

    Raises:
        SettingsError: it is of another type.

    """
    problem = _type_problem(name, value, kind)
    if problem is not None:
        raise SettingsError(problem, where=where)


def _type_problem(name: str, value: Parameter, kind: str) -> str | None:
    types = _PYTHON_TYPES.get(kind)
    if types is None or value is None:
        return None
    is_stray_bool = isinstance(value, bool) and bool not in types
    if isinstance(value, types) and not is_stray_bool:
        return None
    return f"`{name}` must be {_WORDS[kind]}, found `{value}`"


def _check_sample_data(folder: PipelineFolder, pipeline: CompiledPipeline) -> None:
    sample = folder.settings.sample_data
    if sample is not None and sample.parameter not in pipeline.parameters:
        raise SettingsError(
            f"`sample_data.parameter`: the pipeline has no parameter `{sample.parameter}`",
            where=folder.where("sample_data", "parameter"),
            fix=f"it has: {', '.join(sorted(pipeline.parameters))}",
        )
    change = folder.settings.bad_change
    if change is not None and not (folder.path / change).is_file():
        raise SettingsError(
            f"`bad_change`: there is no file {change}", where=folder.where("bad_change")
        )


def _check_schedules(folder: PipelineFolder, pipeline: CompiledPipeline) -> None:
    """Refuse a schedule that would run the pipeline once and then answer from the cache."""
    settings = folder.settings
    scheduled: list[tuple[str, ...]] = [] if settings.schedule is None else [("schedule",)]
    scheduled += [
        ("environments", name, "schedule")
        for name, overrides in settings.environments.items()
        if overrides.schedule is not None
    ]
    cached = tasks_to_run_anew(pipeline.spec) if scheduled else ()
    if cached:
        tasks = ", ".join(f"`{task}`" for task in cached)
        raise SettingsError(
            "every scheduled run has the same parameters, `run_key` included: from the second on "
            f"Vertex AI would take from its cache what {tasks} gave before, and run nothing of it",
            where=folder.where(*scheduled[0]),
            fix=f"in pipelines/{folder.name}/pipeline.py write `.set_caching_options(False)` "
            f"on the task {tasks}",
        )
