"""Cloud Storage: buckets, and the objects in them as if their names were paths."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from gcp_local import clock
from gcp_local.errors import NotFound
from gcp_local.page import plots
from gcp_local.page.names import asked, bucket_page, object_page, path, raw_object
from gcp_local.page.view import (
    Block,
    Cell,
    Facts,
    Frame,
    Link,
    Note,
    Picture,
    Table,
    Text,
    View,
)
from gcp_local.page.writing import at, pretty, size

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gcp_local.page.site import Visit
    from gcp_local.storage.buckets import Bucket
    from gcp_local.storage.values import Object

_PAGE = 100
_MOST_TEXT = 128 * 1024
_IMAGES = ("image/png", "image/jpeg", "image/gif", "image/webp", "image/svg+xml")
_EXAMPLE = 'storage.Client(project="my-project").create_bucket("my-bucket")'


def table(visit: Visit, buckets: Sequence[Bucket], title: str = "Buckets") -> Table:
    """List buckets."""
    return Table(
        title,
        ["Bucket", "Location", "Versions", "Retention", "Made"],
        [
            [
                Cell(bucket.name, bucket_page(bucket.name)),
                Cell(bucket.location),
                Cell("kept" if bucket.versioning else "not kept"),
                Cell(f"{bucket.retention:,} s" if bucket.retention is not None else "–"),
                at(clock.from_micros(bucket.created), visit.now),
            ]
            for bucket in buckets
        ],
        empty="No bucket.",
        example=_EXAMPLE,
    )


def _trail(bucket: Bucket, prefix: str) -> list[Link]:
    trail = [
        Link("gcp-local", "/"),
        Link(bucket.project, path("projects", bucket.project)),
        Link(bucket.name, bucket_page(bucket.name)),
    ]
    walked = ""
    for part in prefix.split("/")[:-1]:
        walked += f"{part}/"
        trail.append(Link(part or "/", bucket_page(bucket.name, walked)))
    return trail


def bucket_view(visit: Visit, name: str) -> View:
    """Show a bucket, or a folder of it, page by page."""
    bucket = _bucket(visit, name)
    prefix = visit.query.get("prefix", "")
    start = visit.query.get("start", "")
    rows, last = _entries(visit, name, prefix, start)
    more = []
    if start:
        more.append(Link("← beginning", bucket_page(name, prefix)))
    if last is not None:
        address = asked(path("buckets", name), prefix=prefix, start=last)
        more.append(Link("more →", address))
    blocks: list[Block] = []
    if not prefix:
        blocks.append(
            Facts(
                [
                    ("Location", Cell(bucket.location)),
                    ("Class", Cell(bucket.storage_class)),
                    ("Versions", Cell("kept" if bucket.versioning else "not kept")),
                    ("Made", at(clock.from_micros(bucket.created), visit.now)),
                ]
            )
        )
    blocks.append(
        Table(
            "Objects",
            ["Name", "Size", "Type", "Generation", "Changed"],
            rows,
            empty="Nothing is here." if prefix else "The bucket is empty.",
            example=f"gcloud storage cp FILE gs://{name}/{prefix}" if not prefix else "",
            more=more,
        )
    )
    kind = "Folder" if prefix else "Bucket"
    return View(prefix or name, _trail(bucket, prefix)[:-1], blocks, kind=kind)


def _bucket(visit: Visit, name: str) -> Bucket:
    bucket = visit.sources.buckets.find(name)
    if bucket is None:
        raise NotFound(f"There is no bucket {name!r}.")
    return bucket


def _entries(
    visit: Visit, bucket: str, prefix: str, start: str
) -> tuple[list[list[Cell]], str | None]:
    """List a page of folders and objects; skips what is in the folders."""
    rows: list[list[Cell]] = []
    at_name = max(prefix, start)
    while True:
        found = visit.sources.objects.first(bucket, at_name)
        if found is None or not found.name.startswith(prefix):
            return rows, None
        if len(rows) == _PAGE:
            return rows, at_name
        inside = found.name[len(prefix) :]
        own, slash, _ = inside.partition("/")
        if slash:
            folder = f"{prefix}{own}/"
            rows.append(
                [Cell(f"{own}/", bucket_page(bucket, folder)), *[Cell("–")] * 4],
            )
            at_name = f"{folder[:-1]}0"  # "0" comes after "/"
            continue
        rows.append(_entry(visit, found, own))
        at_name = f"{found.name}\0"


def _entry(visit: Visit, found: Object, own: str) -> list[Cell]:
    return [
        Cell(own or found.name, object_page(found.bucket, found.name)),
        Cell(size(found.size), number=True, title=f"{found.size:,} bytes"),
        Cell(found.content_type or "–"),
        Cell(str(found.generation), code=True),
        at(clock.from_micros(found.updated), visit.now),
    ]


def object_view(visit: Visit, bucket_name: str, name: str) -> View:
    """Show an object: what is said of it, what is in it, its generations."""
    bucket = _bucket(visit, bucket_name)
    objects = visit.sources.objects
    generations = objects.generations(bucket_name, name)
    wanted = visit.query.get("generation", "")
    if wanted:
        shown = next((each for each in generations if str(each.generation) == wanted), None)
    else:
        shown = generations[0] if generations else None
    if shown is None:
        folder = f"{name.rstrip('/')}/"
        inside = objects.first(bucket_name, folder)
        if not wanted and inside is not None and inside.name.startswith(folder):
            rows, _ = _entries(visit, bucket_name, folder, "")
            table = Table("Objects", ["Name", "Size", "Type", "Generation", "Changed"], rows)
            return View(folder, _trail(bucket, folder)[:-1], [table], kind="Folder")
        what = f" of the generation {wanted}" if wanted else ""
        raise NotFound(f"There is no object gs://{bucket_name}/{name}{what}.")
    blocks: list[Block] = []
    if shown.deleted is not None:
        blocks.append(Note("This generation is not the live one any more."))
    blocks.append(_facts(visit, shown))
    if shown.metadata:
        rows = [
            [Cell(key, code=True), Cell(value, code=True)]
            for key, value in sorted(shown.metadata.items())
        ]
        blocks.append(Table("Metadata", ["Name", "Value"], rows))
    blocks += visit.part(lambda: _content(visit, shown))
    blocks.append(_generations(visit, generations, shown))
    folder = name.rpartition("/")[0]
    trail = _trail(bucket, f"{folder}/" if folder else "")
    return View(name.rpartition("/")[2] or name, trail, blocks, kind="Object")


def _facts(visit: Visit, shown: Object) -> Facts:
    download = raw_object(shown.bucket, shown.name, "download", shown.generation)
    return Facts(
        [
            ("URI", Cell(f"gs://{shown.bucket}/{shown.name}", code=True)),
            ("Generation", Cell(f"{shown.generation}, metageneration {shown.metageneration}")),
            ("Size", Cell(f"{size(shown.size)} ({shown.size:,} bytes)")),
            ("Type", Cell(shown.content_type or "–")),
            ("Made", at(clock.from_micros(shown.created), visit.now)),
            ("Changed", at(clock.from_micros(shown.updated), visit.now)),
            ("CRC32C", Cell(shown.crc32c, code=True)),
            ("Held", Cell("yes" if shown.temporary_hold or shown.event_based_hold else "no")),
            ("Bytes", Cell("download", download)),
        ]
    )


def _content(visit: Visit, shown: Object) -> list[Block]:
    """Show what is in an object, as far as that can be shown without any risk."""
    kind = (shown.content_type or "").partition(";")[0].strip().lower()
    name, ending = shown.name, shown.name.rpartition(".")[2].lower()
    if kind in _IMAGES or ending in ("png", "jpg", "jpeg", "gif", "webp", "svg"):
        source = raw_object(shown.bucket, name, "image", shown.generation)
        return [Picture("Content", source)]
    text = plots.text_of(
        visit.sources, shown.bucket, name, most=_MOST_TEXT, generation=shown.generation
    )
    if text is None:
        return [Note("Its bytes are not text.")]
    whole = Link("all of it, as text", raw_object(shown.bucket, name, "text", shown.generation))
    cut = shown.size > _MOST_TEXT
    note = f"The first {size(_MOST_TEXT)} of {size(shown.size)}." if cut else ""
    blocks: list[Block] = []
    if kind == "text/html" or ending in ("html", "htm"):
        source = raw_object(shown.bucket, name, "html", shown.generation)
        blocks.append(Frame("Content", source))
    if ending == "json" or kind == "application/json":
        text = _pretty(text)
    blocks.append(Text("Text", text or "It is empty.", [whole], note=note, folded=bool(blocks)))
    return blocks


def _pretty(text: str) -> str:
    try:
        return pretty(json.loads(text))
    except (ValueError, RecursionError):
        return text


def _generations(visit: Visit, generations: Sequence[Object], shown: Object) -> Table:
    return Table(
        "Generations",
        ["Generation", "Size", "Made", "Until"],
        [
            [
                Cell(
                    f"{each.generation}" + (" (shown)" if each is shown else ""),
                    object_page(each.bucket, each.name, each.generation),
                    code=True,
                ),
                Cell(size(each.size), number=True),
                at(clock.from_micros(each.created), visit.now),
                Cell("live")
                if each.deleted is None
                else at(clock.from_micros(each.deleted), visit.now),
            ]
            for each in generations
        ],
        note=""
        if len(generations) > 1
        else "Older ones stay only where the bucket keeps versions.",
    )
