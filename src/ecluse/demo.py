"""The demo: the whole story on one machine, told with the engine's own steps.

Works on a copy of the repository, so that its commits and its bad change touch nothing of yours.
Knows no pipeline: what data to use and which mistake to make is said by each pipeline.yaml.
"""

import fcntl
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console

from ecluse.canonical import digest_of, short
from ecluse.cloud import Cloud
from ecluse.errors import InvalidInput, Refused
from ecluse.local import stop_embedded_cloud
from ecluse.promotion import execution as promotion
from ecluse.promotion.execution import Terms
from ecluse.promotion.order import Order
from ecluse.promotion.outcome import Outcome
from ecluse.promotion.plan import Plan
from ecluse.release.delivery import build_release
from ecluse.release.manifest import Release
from ecluse.release.store import fetch_release
from ecluse.report.html import Chapter, render
from ecluse.report.terminal import Board, outcome_lines, plan_table, status_table
from ecluse.repository.catalog import Catalog, PipelineFolder
from ecluse.repository.sample_data import lay_sample, sample_file
from ecluse.upkeep.status import read_status
from ecluse.workplace import Workplace

_NONPROD, _PROD = "nonprod", "prod"
_VERSION = "v1.0.0"
_ANEW = "see above; `make demo` begins anew"
# The demo's own commits: no signature, no hook, whatever the user's git is set to.
_GIT = (
    *("-c", "user.name=Écluse demo", "-c", "user.email=demo@ecluse.example"),
    *("-c", "commit.gpgsign=false", "-c", "tag.gpgsign=false", "-c", "core.hooksPath=/dev/null"),
)
_LEFT_OUT = shutil.ignore_patterns(
    ".git", ".venv", ".uv", ".ecluse", "__pycache__", ".*_cache", "node_modules", "dist"
)


@dataclass
class _Story:
    """What has been told so far."""

    workplace: Workplace
    console: Console
    chapters: list[Chapter] = field(default_factory=list)


def tell(catalog: Catalog, *, data: Path | None, console: Console) -> None:
    """Tell the story: a merge, a tag, a bad change, and the status after it.

    Raises:
        UnusableData: the given data file fails the pipeline's own check; nothing was started.
        Refused: a step that has to succeed did not, or the bad change was not stopped.

    """
    folders = [folder for folder in catalog.pipelines() if folder.settings.sample_data is not None]
    if not folders:
        raise InvalidInput(
            "no pipeline says how to get sample data",
            where="pipelines/",
            fix="add `sample_data` to a pipeline.yaml",
        )
    files = {folder.name: sample_file(catalog, folder, given=data) for folder in folders}
    root = catalog.root / ".ecluse" / "demo"
    root.parent.mkdir(exist_ok=True)
    with _alone(root.with_suffix(".lock")):
        _tell(catalog, folders, files, root, data=data, console=console)


def _tell(
    catalog: Catalog,
    folders: Sequence[PipelineFolder],
    files: Mapping[str, Path],
    root: Path,
    *,
    data: Path | None,
    console: Console,
) -> None:
    began = time.monotonic()
    copy = _fresh_copy(catalog.root, root)
    workplace = Workplace(Catalog(copy), local=True)
    try:
        story = _Story(workplace, console)
        _start(story, files)
        merged = _merge(story)
        _tag(story, merged)
        _bad_change(story, merged)
        rows = [row for status in read_status(workplace.clouds()) for row in status.rows]
        console.print()
        console.rule("[bold]5 · What is live[/]", align="left")
        console.print(status_table(rows))
        report = root / "report.html"
        html = render(story.chapters, rows, source=str(data) if data else "generated sample data")
        report.write_text(html, encoding="utf-8")
    finally:
        stop_embedded_cloud(workplace.state)
    _say_what_next(console, catalog.root, copy, report, folders[0].name, time.monotonic() - began)


def _start(story: _Story, files: Mapping[str, Path]) -> None:
    console = story.console
    with _chapter(console, "1 · An empty Google Cloud on this machine"):
        environments = {cloud.environment.name: cloud for cloud in story.workplace.clouds()}
        console.print(f"  [green]✓[/] the embedded cloud listens at {story.workplace.address}")
        for name in (_NONPROD, _PROD):
            cloud = environments[name]
            for pipeline, file in files.items():
                folder = story.workplace.catalog.pipeline(pipeline)
                address = lay_sample(folder, cloud, file)
                console.print(
                    f"  [green]✓[/] project [bold]{cloud.environment.project}[/], empty but for"
                )
                console.print(f"      {address}")


def _merge(story: _Story) -> Release:
    with _chapter(story.console, "2 · A merge: build once, promote to nonprod"):
        release, outcomes, plan = _build_and_promote(story)
        _require(outcomes)
    _note(story, "A merge", f"commit {release.commit[:9]}: {release.subject}", plan, outcomes)
    return release


def _tag(story: _Story, merged: Release) -> None:
    with _chapter(story.console, f"3 · A tag, {_VERSION}: promote the same bytes to prod"):
        workplace, console = story.workplace, story.console
        _git(workplace.catalog.root, "tag", _VERSION)
        cloud = workplace.cloud(_PROD)
        below = workplace.cloud(_NONPROD)
        release, files = fetch_release(below, merged.commit)
        console.print(
            f"  [green]✓[/] the release of {merged.commit[:9]}, from {_NONPROD}'s evidence: "
            "every byte verified"
        )
        order = Order(release, files, cloud, by=workplace.actor, version=_VERSION)
        plan, outcomes = _promote(story, order, below)
        for line in outcome_lines(outcomes, _PROD):
            console.print(line)
        _require(outcomes)
        for name, pipeline in release.pipelines.items():
            content = cloud.registry.download(pipeline.package, pipeline.digest)
            found = digest_of(content) if content is not None else "nothing"
            same = found == pipeline.digest
            console.print(
                f"\n  [bold]{name}[/], as nonprod qualified it and as prod gives it back:"
            )
            console.print(f"  {pipeline.digest}\n  {found}")
            console.print("  [green]the same bytes[/]" if same else "  [red]other bytes[/]")
            if not same:
                raise Refused(
                    "prod's registry gives back other bytes", where=pipeline.package, fix=_ANEW
                )
    _note(story, "A tag", f"{_VERSION} at {release.commit[:9]}", plan, outcomes)


def _bad_change(story: _Story, merged: Release) -> None:
    folders = story.workplace.catalog.pipelines()
    folder = next((folder for folder in folders if folder.settings.bad_change), None)
    if folder is None:
        return
    with _chapter(story.console, "4 · A bad change: nonprod's gate says no"):
        subject = _apply(story.workplace.catalog.root, folder)
        # The working tree changed: read everything anew.
        story.workplace = Workplace(Catalog(story.workplace.catalog.root), local=True)
        release, outcomes, plan = _build_and_promote(story)
        stopped = [outcome for outcome in outcomes if outcome.ending == "refused"]
        if not stopped:
            raise Refused(
                "the bad change was not stopped by a gate",
                where=folder.settings_file,
                fix="look at the gates, or at `bad_change`",
            )
        for outcome in stopped:
            live = merged.pipelines[outcome.pipeline].digest
            now = story.workplace.cloud(_NONPROD).ledger.head().live(outcome.pipeline)
            if now is None or now.digest != live:
                raise Refused(
                    "what was live is not live any more", where=outcome.pipeline, fix=_ANEW
                )
            story.console.print(f"  [green]✓[/] stopped; {short(live)} stays live in {_NONPROD}")
    _note(story, "A bad change", f"commit {release.commit[:9]}: {subject}", plan, outcomes)


def _build_and_promote(story: _Story) -> tuple[Release, tuple[Outcome, ...], Plan]:
    workplace, console = story.workplace, story.console
    release, files = build_release(workplace, _NONPROD, runtime_image=None)
    console.print(f"  [green]✓[/] commit {release.commit[:9]}  {release.subject}")
    for pipeline in release.pipelines.values():
        console.print(f"  [green]✓[/] {pipeline.name} compiled to {short(pipeline.digest)}")
        if pipeline.runtime_image is not None:
            image = short(pipeline.runtime_image.rsplit("@", 1)[1])
            console.print(f"  [green]✓[/] runtime image {image}")
    order = Order(release, files, workplace.cloud(_NONPROD), by=workplace.actor)
    plan, outcomes = _promote(story, order, below=None)
    for line in outcome_lines(outcomes, _NONPROD):
        console.print(line)
    return release, outcomes, plan


def _promote(story: _Story, order: Order, below: Cloud | None) -> tuple[Plan, tuple[Outcome, ...]]:
    console = story.console
    plans: list[Plan] = []

    def planned(plan: Plan) -> None:
        plans.append(plan)
        if below is not None:
            name = below.environment.name
            console.print(f"  [green]✓[/] qualified in {name}: the signature is valid")
        console.print(plan_table(plan))

    outcomes = promotion.promote(order, Terms(below), Board(console), planned=planned)
    return plans[0], outcomes


def _note(
    story: _Story, title: str, subtitle: str, plan: Plan, outcomes: tuple[Outcome, ...]
) -> None:
    """Keep a promotion for the report, with the HTML pages that its tasks wrote."""
    cloud = story.workplace.cloud(plan.environment)
    pages = [
        (f"{outcome.pipeline}: {task.name}, {artifact.name}", artifact.uri)
        for outcome in outcomes
        if outcome.run is not None
        for task in outcome.run.steps
        for artifact in task.artifacts
        if artifact.type == "system.HTML"
    ]
    found = [(title, cloud.storage.read(uri)) for title, uri in pages]
    story.chapters.append(
        Chapter(
            title=title,
            subtitle=subtitle,
            environment=plan.environment,
            outcomes=outcomes,
            pages=tuple(
                (title, page.content.decode(errors="replace"))
                for title, page in found
                if page is not None
            ),
        )
    )


def _require(outcomes: tuple[Outcome, ...]) -> None:
    for outcome in outcomes:
        if outcome.error is not None:
            raise Refused("the demo cannot go on: see above", where=outcome.pipeline, fix=_ANEW)


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Hold the demo's folder: a second demo would tear the first one's from under it."""
    with lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InvalidInput(
                "another demo of this repository is running",
                where=str(lock),
                fix="wait for its end",
            ) from None
        yield


@contextmanager
def _chapter(console: Console, title: str) -> Iterator[None]:
    console.print()
    console.rule(f"[bold]{title}[/]", align="left")
    began = time.monotonic()
    yield
    console.print(f"  [dim]{time.monotonic() - began:.1f} s[/]")


def _fresh_copy(root: Path, folder: Path) -> Path:
    """Copy the repository's files into a git repository of its own, replacing an older demo's."""
    copy = folder / "repository"
    stop_embedded_cloud(Workplace(Catalog(copy), local=True).state)
    if folder.exists():
        shutil.rmtree(folder)
    shutil.copytree(root, copy, ignore=_LEFT_OUT)
    _git(copy, "init", "--quiet", "--initial-branch=main")
    _git(copy, "add", "--all")
    _commit(copy, "First version")
    return copy


def _apply(root: Path, folder: PipelineFolder) -> str:
    """Make the pipeline's bad change a commit; return its subject."""
    patch = f"pipelines/{folder.name}/{folder.settings.bad_change}"
    subject = f"Tidy up {folder.name} (a mistake)"
    try:
        _git(root, "apply", patch)
    except Refused as error:
        raise InvalidInput(
            f"the bad change does not apply: {error.what}",
            where=patch,
            fix="make it anew: change the code, then `git diff > …`",
        ) from None
    _git(root, "add", "--all")
    _commit(root, subject)
    return subject


def _commit(root: Path, subject: str) -> None:
    _git(root, "commit", "--quiet", "-m", subject)


def _git(root: Path, *arguments: str) -> None:
    try:
        subprocess.run(
            ["git", *_GIT, "-C", str(root), *arguments], check=True, capture_output=True, text=True
        )
    except FileNotFoundError:
        raise InvalidInput("there is no git on this machine", fix="install git") from None
    except subprocess.CalledProcessError as error:
        said = error.stderr.strip().splitlines() or ["it said nothing"]
        raise Refused(said[0], where=f"git {arguments[0]}", fix=_ANEW) from None


def _say_what_next(
    console: Console, root: Path, copy: Path, report: Path, pipeline: str, seconds: float
) -> None:
    where = copy.relative_to(root)
    console.print()
    console.rule(f"[bold]Done in {seconds:.0f} s[/]", align="left")
    console.print("  The report to look at:")
    console.print(f"    [bold]{report}[/]")
    console.print("\n  What to type next:")
    # `make` finds the uv that it installed itself; the user's shell does not.
    run = "uv run ecluse" if _has_uv(root) else ".venv/bin/ecluse"
    rows = (
        (
            f"{run} status --local --repository {where}",
            "what is live where, from the demo's ledger",
        ),
        (f"{run} run {pipeline} --local", "try a change of src/ or pipelines/ on sample data"),
        (
            f"{run.removesuffix('ecluse')}gcp-local serve --port 8085"
            f" --state {where}/.ecluse/gcp-local",
            "the cloud that it ran in: open http://127.0.0.1:8085/ in a browser",
        ),
        (f"{run} check", "every setting, every pipeline, without a cloud"),
        ("make test", "everything this repository promises"),
    )
    for command, purpose in rows:
        console.print(f"    [bold]{command}[/]")
        console.print(f"        [dim]{purpose}[/]")


def _has_uv(root: Path) -> bool:
    found = shutil.which("uv")
    return found is not None and not Path(found).is_relative_to(root)
