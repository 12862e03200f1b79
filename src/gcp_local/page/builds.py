"""Builds: their steps, their log, what they made; and the triggers that make them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gcp_local.builds.messages import TERMINAL, Build, BuildTrigger
from gcp_local.page import states
from gcp_local.page.logs import stored_log
from gcp_local.page.names import object_page
from gcp_local.page.view import Block, Cell, Facts, Link, Mark, Note, Table, Tone, View
from gcp_local.page.writing import at, duration, moment_of, shortened

if TYPE_CHECKING:
    from gcp_local.page.site import Place, Visit
    from gcp_local.rpc.protos import Message

_MOST = 50
_LONGEST = 160
_EXAMPLE = 'builds.create_build(parent="projects/P/locations/L", build={"steps": […]})'


def page(visit: Visit, place: Place) -> list[Block]:
    """List the newest builds of a location, and its triggers."""
    newest = visit.sources.resources.newest
    rows = [
        [
            Cell(mark=states.mark_of(build, "status")),
            visit.names.cell(build.name, build.id[:8]),
            Cell(", ".join(build.tags) or "–"),
            Cell(_trigger_name(build)),
            at(moment_of(build, "create_time"), visit.now),
            Cell(_took(visit, build), number=True),
        ]
        for _, build in newest(Build, place.name, limit=_MOST)
        if build is not None
    ]
    triggers = [
        [
            Cell(trigger.name, title=trigger.id),
            Cell(trigger.description or "–"),
            Cell(trigger.filename or trigger.git_file_source.path or "its own steps", code=True),
            Cell("no" if trigger.disabled else "yes"),
            at(moment_of(trigger, "create_time"), visit.now),
        ]
        for _, trigger in newest(BuildTrigger, place.name, limit=_MOST)
        if trigger is not None
    ]
    return [
        Table(
            "Builds",
            ["State", "Build", "Tags", "Trigger", "Made", "Took"],
            rows,
            empty="No build here. Its steps run as processes of this machine:",
            example=_EXAMPLE,
            note=f"The newest {_MOST}." if len(rows) == _MOST else "",
        ),
        Table(
            "Triggers",
            ["Trigger", "Description", "Configuration", "Enabled", "Made"],
            triggers,
            empty="No trigger.",
        ),
    ]


def _trigger_name(build: Message) -> str:
    return str(build.substitutions.get("TRIGGER_NAME", "")) or build.build_trigger_id or "–"


def _took(visit: Visit, build: Message) -> str:
    return duration(moment_of(build, "start_time"), moment_of(build, "finish_time") or visit.now)


def build_page(visit: Visit, name: str) -> View:
    """Show a build."""
    build = visit.sources.resources.get(name, Build)
    blocks: list[Block] = []
    why = build.failure_info.detail or build.status_detail
    if why:
        blocks.append(Note("What Cloud Build says of it:", Tone.BAD, why))
    blocks.append(_facts(visit, build))
    blocks += visit.part(lambda: [_steps(build)])
    blocks += visit.part(lambda: _log(visit, build))
    blocks += visit.part(lambda: _made(build))
    if build.substitutions:
        rows = [
            [Cell(key, code=True), Cell(value, code=True)]
            for key, value in sorted(build.substitutions.items())
        ]
        blocks.append(Table("Substitutions", ["Name", "Value"], rows))
    return View(
        build.id,
        blocks=blocks,
        kind="Build",
        mark=states.mark_of(build, "status"),
        live=build.status not in TERMINAL,
    )


def _facts(visit: Visit, build: Message) -> Facts:
    known = [
        ("Made", at(moment_of(build, "create_time"), visit.now)),
        ("Started", at(moment_of(build, "start_time"), visit.now)),
        ("Took", Cell(_took(visit, build))),
        ("Trigger", Cell(_trigger_name(build))),
        ("Tags", Cell(", ".join(build.tags) or "–")),
        ("Runs as", Cell(build.service_account or "the default account", code=True)),
    ]
    source = build.source.storage_source
    if source.bucket:
        uri = f"gs://{source.bucket}/{source.object_}"
        href = object_page(source.bucket, source.object_, source.generation or None)
        known.append(("Source", Cell(uri, href, code=True)))
    elif build.source.git_source.url:
        known.append(("Source", Cell(build.source.git_source.url, code=True)))
    return Facts(known)


def _steps(build: Message) -> Table:
    return Table(
        "Steps",
        ["State", "Step", "Image", "Runs", "Waits for", "Took"],
        [
            [
                Cell(mark=_step_mark(build, step)),
                Cell(step.id or f"#{number}"),
                Cell(step.name, code=True),
                Cell(shortened(_said(step), _LONGEST), code=True),
                Cell(_awaited(step)),
                Cell(
                    duration(
                        moment_of(step.timing, "start_time"), moment_of(step.timing, "end_time")
                    ),
                    number=True,
                ),
            ]
            for number, step in enumerate(build.steps)
        ],
        note="" if build.status in TERMINAL else "The states of steps appear when the build ends.",
    )


def _step_mark(build: Message, step: Message) -> Mark:
    if states.name_of(step, "status") not in ("STATUS_UNKNOWN", "PENDING", "QUEUED"):
        return states.mark_of(step, "status")
    return states.MISSED if build.status in TERMINAL else states.AHEAD


def _awaited(step: Message) -> str:
    if list(step.wait_for) == ["-"]:
        return "nothing"
    return ", ".join(step.wait_for) or "those before"


def _said(step: Message) -> str:
    """Write what a step runs in one line."""
    if step.script:
        return str(step.script).strip().replace("\n", " ⏎ ")
    return " ".join(filter(None, [step.entrypoint, *step.args])) or "the image's own command"


def _log(visit: Visit, build: Message) -> list[Block]:
    uri = f"{build.logs_bucket.rstrip('/')}/log-{build.id}.txt"
    log = stored_log(visit.sources, uri) if build.logs_bucket else None
    return [log or Note("There is no log in a bucket (yet).")]


def _made(build: Message) -> list[Block]:
    results = build.results
    rows = [
        [Cell(image.name, code=True), Cell(image.digest, code=True)] for image in results.images
    ]
    blocks: list[Block] = []
    if rows:
        blocks.append(Table("Images", ["Image", "Digest"], rows))
    if results.artifact_manifest:
        bucket, _, name = results.artifact_manifest.removeprefix("gs://").partition("/")
        link = Link(results.artifact_manifest, object_page(bucket, name))
        blocks.append(
            Facts(
                [
                    ("Objects", Cell(str(results.num_artifacts))),
                    ("Their manifest", Cell(link.text, link.href, code=True)),
                ]
            )
        )
    return blocks
