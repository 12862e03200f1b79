"""Commands that carry a release: image, build, plan, promote, trigger."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ecluse.cli import options
from ecluse.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.console import Console

    from ecluse.cloud import Cloud
    from ecluse.promotion.outcome import Outcome
    from ecluse.release.manifest import Release
    from ecluse.workplace import Workplace

_BUILDING_ENVIRONMENT = "nonprod"
_RELEASE_FOLDER = Path("dist/release")

EnvironmentArgument = Annotated[str, typer.Argument(help="The environment, such as nonprod.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    for command in (image, build, plan, promote, trigger):
        app.command()(command)


def image(
    environment: EnvironmentArgument,
    name: Annotated[str, typer.Argument(help="The image: runtime or tool.")] = "runtime",
    repository: options.Repository = options.HERE,
    local: options.Local = False,
    json: options.Json = False,
) -> None:
    """Print an image of this tree's sources by digest: found by its tag, or else built.

    The tag is the hash of exactly what goes into the image, so an unchanged source builds nothing.
    """
    from ecluse.cli import output
    from ecluse.release.runtime_image import resolve_image
    from ecluse.repository.commit import head_commit

    workplace = output.workplace(repository, local=local)
    log = output.console(quiet=True)
    reference = resolve_image(
        workplace.catalog,
        workplace.cloud(environment),
        name,
        commit="" if workplace.local else head_commit(workplace.catalog.root).sha,
        log=lambda text: log.print(text, markup=False, end=""),
    )
    if json:
        output.show_json({"image": reference})
    else:
        typer.echo(reference)


def build(
    environment: Annotated[
        str, typer.Option("--environment", "-e", help="Whose project holds the runtime image.")
    ] = _BUILDING_ENVIRONMENT,
    runtime_image: options.RuntimeImage = None,
    ancestry: Annotated[
        str, typer.Option(help="For a shallow clone: the commits before this one, as SHA,SHA,…")
    ] = "",
    output_folder: Annotated[
        Path, typer.Option("--output", help="Where the release goes.")
    ] = _RELEASE_FOLDER,
    repository: options.Repository = options.HERE,
    local: options.Local = False,
    json: options.Json = False,
) -> None:
    """Build a release of the checked-out commit: release.json and the compiled pipelines."""
    from ecluse.canonical import short
    from ecluse.cli import output
    from ecluse.release.delivery import build_release
    from ecluse.release.manifest import write_release

    workplace = output.workplace(repository, local=local)
    release, files = build_release(
        workplace,
        environment,
        runtime_image=runtime_image,
        ancestry=options.ancestry(ancestry),
    )
    write_release(output_folder, release, files)
    if json:
        output.show_json(release.model_dump(mode="json"))
        return
    console = output.console()
    for name, pipeline in release.pipelines.items():
        console.print(f"[green]✓[/] {name}  {short(pipeline.digest)}")
    console.print(f"[green]✓[/] release of {release.commit[:12]} in {output_folder}")


def plan(
    environment: EnvironmentArgument,
    release: options.ReleaseFolder = None,
    commit: options.Commit = None,
    pipeline: options.Pipelines = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Write the plan to this file, for `ecluse promote --plan`."),
    ] = None,
    runtime_image: options.RuntimeImage = None,
    repository: options.Repository = options.HERE,
    local: options.Local = False,
    markdown: options.MarkdownFile = None,
    json: options.Json = False,
) -> None:
    """Show what a promotion would do, pipeline by pipeline and why, and do nothing.

    Without --release and --commit it is the working tree that is compared with what is live.
    """
    from ecluse.cli import output
    from ecluse.promotion.drawing import draw_plan
    from ecluse.release.delivery import draft_release
    from ecluse.report.markdown import plan_report
    from ecluse.report.terminal import plan_lines, plan_table
    from ecluse.repository.commit import is_ancestor

    workplace = output.workplace(repository, local=local)
    is_draft = release is None and commit is None
    if is_draft and out is not None:
        raise InvalidInput(
            "a plan to be kept is that of a release, not of the working tree",
            where="--out",
            fix="`ecluse build`, and give --release; or give --commit",
        )
    options.append_markdown(markdown, "")
    notes: tuple[str, ...] = ()
    if is_draft:
        draft = draft_release(workplace, environment, runtime_image=runtime_image)
        released, notes = draft.release, draft.notes
    else:
        released, _ = _release(workplace, environment, release, commit)
    cloud = workplace.cloud(environment)
    made = draw_plan(
        released,
        cloud,
        only=_known(released, pipeline or []),
        # What no commit holds cannot have been proved anywhere yet.
        below=None if is_draft else workplace.below(cloud),
        knows=None if is_draft else partial(is_ancestor, workplace.catalog.root),
    )
    options.append_markdown(markdown, plan_report(made, notes))
    if out is not None:
        output.write_json(out, made.as_json())
    if json:
        output.show_json({**made.as_json(), "notes": list(notes)} if is_draft else made.as_json())
        return
    console = output.console()
    console.print(plan_table(made))
    for line in plan_lines(made, notes):
        console.print(line, soft_wrap=True)


def promote(
    environment: EnvironmentArgument,
    release: options.ReleaseFolder = None,
    commit: options.Commit = None,
    plan: Annotated[
        Path | None,
        typer.Option(
            "--plan", help="Do exactly what this plan says, or nothing if the world has moved."
        ),
    ] = None,
    version: Annotated[
        str | None, typer.Option(help="The tag that it is promoted as, such as v1.4.0.")
    ] = None,
    pipeline: options.Pipelines = None,
    rerun: Annotated[
        bool, typer.Option("--rerun", help="Start new runs even where finished ones exist.")
    ] = False,
    parallel: Annotated[
        int, typer.Option(min=1, max=64, help="How many pipelines side by side.")
    ] = 4,
    fail_fast: Annotated[
        bool, typer.Option("--fail-fast", help="Stop the others as soon as one fails.")
    ] = False,
    detach: Annotated[
        bool,
        typer.Option("--detach", help="Leave once the runs have started; promote again to join."),
    ] = False,
    override: Annotated[
        str | None,
        typer.Option(
            metavar="REASON",
            help="Go on where there is no qualification, or in a freeze. The reason stands in "
            "every report.",
        ),
    ] = None,
    wait: options.Wait = None,
    repository: options.Repository = options.HERE,
    local: options.Local = False,
    markdown: options.MarkdownFile = None,
    json: options.Json = False,
) -> None:
    """Take a release into an environment: upload, run, gate, activate.

    What is live stays live until the new bytes have proved themselves. Ended anywhere, the same
    command goes on where it stopped. Exit code 1 when a check, a gate or a run says no.
    """
    from ecluse.cli import output
    from ecluse.errors import Interrupted
    from ecluse.promotion import execution
    from ecluse.promotion.order import Order
    from ecluse.promotion.plan import read_plan
    from ecluse.promotion.tooling import tool_image
    from ecluse.release.delivery import find_planned_release, lay_missing_samples
    from ecluse.report.terminal import Board, plan_table
    from ecluse.repository.commit import is_ancestor

    options.append_markdown(markdown, "")
    options.version(version)
    expected = read_plan(plan) if plan is not None else None
    workplace = output.workplace(repository, local=local)
    console = output.console(quiet=json)
    cloud = workplace.cloud(environment)
    if expected is not None and release is None and commit is None:
        released, files = find_planned_release(
            workplace, environment, expected.commit, expected.release, built=_RELEASE_FOLDER
        )
    else:
        released, files = _release(workplace, environment, release, commit)
    lay_missing_samples(workplace, released, cloud)
    outcomes = execution.promote(
        Order(
            released,
            files,
            cloud,
            by=workplace.actor,
            version=version,
            rerun=rerun,
            detach=detach,
            override=options.reason(override, "--override"),
            tool_image=tool_image(workplace, released, cloud),
        ),
        execution.Terms(
            below=workplace.below(cloud),
            only=_known(released, pipeline or (expected.only if expected is not None else ())),
            expected=expected,
            parallel=parallel,
            fail_fast=fail_fast,
            wait=options.waiting_time(wait),
            knows=partial(is_ancestor, workplace.catalog.root),
        ),
        Board(console),
        planned=lambda made: console.print(plan_table(made)),
        waiting=lambda holding: console.print(f"  waiting: {holding.words}", markup=False),
    )
    if json:
        output.show_json(
            {
                "environment": environment,
                "commit": released.commit,
                "outcomes": [outcome.as_json() for outcome in outcomes],
            }
        )
    _report(workplace, console, cloud, outcomes, released, markdown)
    errors = [outcome.error for outcome in outcomes if outcome.error is not None]
    if errors:
        # Where one pipeline's error stopped the others, that error is the answer, not the stop.
        causes = [error for error in errors if not isinstance(error, Interrupted)] or errors
        raise typer.Exit(max(error.exit_code for error in causes))


def trigger(
    environment: EnvironmentArgument,
    name: Annotated[str, typer.Argument(help="The trigger, such as ecluse-release.")],
    commit: Annotated[
        str | None, typer.Option("--commit", help="The commit; the checked-out one by default.")
    ] = None,
    substitution: Annotated[
        list[str] | None, typer.Option("--substitution", "-s", help="_NAME=VALUE for the build.")
    ] = None,
    with_ancestry: Annotated[
        bool,
        typer.Option(
            "--with-ancestry",
            help="Also tell the build, as _ANCESTRY, which commits come before: its own clone of "
            "the repository is shallow.",
        ),
    ] = False,
    repository: options.Repository = options.HERE,
    local: options.Local = False,
) -> None:
    """Run a Cloud Build trigger that was registered beforehand, and follow its log to its end."""
    from ecluse.cli import output
    from ecluse.repository.commit import ancestry, head_commit

    workplace = output.workplace(repository, local=local)
    console = output.console()
    root = workplace.catalog.root
    sha = commit or head_commit(root).sha
    substitutions = options.key_values(substitution or [], "--substitution")
    if with_ancestry:
        substitutions["_ANCESTRY"] = ",".join(ancestry(root, sha))
    build = workplace.cloud(environment).builds.run_trigger(
        name,
        commit=sha,
        substitutions=substitutions,
        log=lambda text: console.print(text, markup=False, end=""),
    )
    console.print(f"[green]✓[/] build {build.id} succeeded")


def _release(
    workplace: "Workplace", environment: str, folder: Path | None, commit: str | None
) -> "tuple[Release, Mapping[str, bytes]]":
    from ecluse.release.delivery import find_release

    default = _RELEASE_FOLDER if folder is None and commit is None else folder
    return find_release(workplace, environment, folder=default, commit=commit)


def _known(release: "Release", names: "Sequence[str]") -> "Sequence[str]":
    from ecluse.errors import UnknownPipeline

    for name in names:
        if name not in release.pipelines:
            raise UnknownPipeline(
                f"the release has no pipeline `{name}`",
                where="--pipeline",
                fix=f"it has: {', '.join(sorted(release.pipelines))}",
            )
    return names


def _report(
    workplace: "Workplace",
    console: "Console",
    cloud: "Cloud",
    outcomes: "Sequence[Outcome]",
    release: "Release",
    markdown: Path | None,
) -> None:
    from ecluse.ledger.reports import keep_report
    from ecluse.promotion.logs import keep_logs
    from ecluse.report.markdown import promotion_report
    from ecluse.report.terminal import outcome_lines

    environment = cloud.environment.name
    for line in outcome_lines(outcomes, environment):
        console.print(line)
    runs = [outcome.run for outcome in outcomes if outcome.run is not None]
    for file in keep_logs(workplace, environment, runs):
        console.print(f"  its log: {file}")
    text = promotion_report(outcomes, environment=environment, commit=release.commit)
    keep_report(cloud, release.commit, text)
    options.append_markdown(markdown, text)
