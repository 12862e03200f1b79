"""Commands for whoever writes pipelines: check, compile, run."""

from pathlib import Path
from typing import Annotated

import typer

from ecluse.cli import options
from ecluse.errors import InvalidInput

_RUN_ENVIRONMENT = "dev"


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command()(check)
    app.command(name="compile")(compile_)
    app.command()(run)


def check(
    repository: options.Repository = options.HERE,
    json: options.Json = False,
) -> None:
    """Check every setting and compile every pipeline, without touching any cloud."""
    from ecluse.cli import output
    from ecluse.release.compiler import compile_pipelines
    from ecluse.repository.catalog import Catalog
    from ecluse.repository.check import check_settings

    catalog = Catalog.find(repository)
    environments = catalog.environments()
    compiled = compile_pipelines(catalog)
    check_settings(catalog, compiled)
    if json:
        output.show_json(
            {
                "environments": [environment.name for environment in environments],
                "pipelines": {name: pipeline.code_digest for name, pipeline in compiled.items()},
            }
        )
        return
    console = output.console()
    names = ", ".join(environment.name for environment in environments)
    console.print(f"[green]✓[/] environments: {names}")
    for name, pipeline in compiled.items():
        tasks = f"{pipeline.steps} task{'s' if pipeline.steps > 1 else ''}"
        console.print(f"[green]✓[/] {name}: {tasks}, settings fit")


def compile_(
    pipelines: Annotated[list[str] | None, typer.Argument(help="Pipelines; all if none.")] = None,
    output_folder: Annotated[
        Path | None, typer.Option("--output", help="Write PIPELINE.yaml files to this folder.")
    ] = None,
    runtime_image: options.RuntimeImage = None,
    repository: options.Repository = options.HERE,
    json: options.Json = False,
) -> None:
    """Compile pipelines to their canonical bytes and show their digests.

    Without --runtime-image the digest is that of the pipeline's own code, and a component's image
    stays the word `runtime`: such a file is for reading, not for running.
    """
    from ecluse.canonical import digest_of, short
    from ecluse.cli import output
    from ecluse.release.compiler import compile_pipelines
    from ecluse.release.template import RUNTIME_IMAGE
    from ecluse.repository.catalog import Catalog

    compiled = compile_pipelines(Catalog.find(repository), pipelines or ())
    contents = {
        name: pipeline.content(runtime_image or RUNTIME_IMAGE)
        for name, pipeline in compiled.items()
    }
    if output_folder is not None:
        try:
            output_folder.mkdir(parents=True, exist_ok=True)
            for name, content in contents.items():
                (output_folder / f"{name}.yaml").write_bytes(content)
        except OSError as error:
            raise InvalidInput(
                f"cannot be written: {error.strerror}",
                where=str(output_folder),
                fix="name another folder with --output",
            ) from None
    if json:
        output.show_json({name: digest_of(content) for name, content in contents.items()})
        return
    console = output.console()
    for name, content in contents.items():
        target = f"  → {output_folder / f'{name}.yaml'}" if output_folder is not None else ""
        console.print(f"[green]✓[/] {name}  {short(digest_of(content))}{target}")


def run(
    pipeline: Annotated[str, typer.Argument(help="The pipeline's folder name.")],
    environment: Annotated[str, typer.Option("--environment", "-e")] = _RUN_ENVIRONMENT,
    parameter: Annotated[
        list[str] | None,
        typer.Option("--parameter", "-p", help="NAME=VALUE in YAML, for this run only."),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(help="With --local: a data file to run on, instead of sample data."),
    ] = None,
    runtime_image: options.RuntimeImage = None,
    repository: options.Repository = options.HERE,
    local: options.Local = False,
    markdown: options.MarkdownFile = None,
    json: options.Json = False,
) -> None:
    """Run a pipeline as it is in the working tree, and hold it against its gates.

    Nothing is promoted: the ledger is not touched. Exit code 1 when the run or a gate says no.
    """
    from ecluse.cli import output
    from ecluse.promotion import trial
    from ecluse.promotion.logs import keep_logs
    from ecluse.report.markdown import run_report
    from ecluse.report.terminal import Board, run_summary

    options.append_markdown(markdown, "")
    workplace = output.workplace(repository, local=local)
    console = output.console(quiet=json)
    result = trial.run_pipeline(
        workplace,
        pipeline,
        environment=environment,
        overrides=trial.yaml_values(options.key_values(parameter or [], "--parameter")),
        data=data,
        runtime_image=runtime_image,
        watcher=Board(console),
    )
    options.append_markdown(markdown, run_report(pipeline, result.run, result.verdicts))
    if json:
        output.show_json(result.as_json())
    else:
        console.print(f"  {run_summary(result.run)}")
    for file in keep_logs(workplace, environment, [result.run]):
        console.print(f"  its log: {file}")
    if result.error is not None:
        result.error.answered = True
        raise result.error
