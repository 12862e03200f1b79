"""The bytes of objects, in forms in which a browser does nothing with them but show them.

What is stored here may be anybody's. In the origin of this server a script could call every API,
so nothing is served as what it says it is: text is text, an image is one of a few types, and an
HTML document comes in a sandbox (an origin of its own, without scripts, forms or the network).
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from gcp_local.errors import InvalidArgument
from gcp_local.web.messages import Answer, FileSlice

if TYPE_CHECKING:
    from gcp_local.page.site import Visit

_SANDBOX = (
    "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:;"
    " frame-ancestors 'self'"
)
_IMAGES = {
    "png": "image/png",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "gif": "image/gif",
    "webp": "image/webp",
    "svg": "image/svg+xml",
}
_STARTS = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
)


def answer(visit: Visit, bucket: str, name: str) -> Answer:
    """Answer an object's bytes.

    Raises:
        NotFound: there is no such object or generation.
        InvalidArgument: not a generation, or not a form that there is.

    """
    wanted = visit.query.get("generation", "")
    if wanted and not (wanted.isascii() and wanted.isdecimal() and len(wanted) < 19):
        raise InvalidArgument(f"{wanted!r:.60} is no generation.")
    form = visit.query.get("as", "text")
    headers = {"content-security-policy": _SANDBOX}
    described, file = visit.sources.objects.open(
        bucket, name, generation=int(wanted) if wanted else None
    )
    match form:
        case "text":
            headers["content-type"] = "text/plain; charset=utf-8"
        case "html":
            headers["content-type"] = "text/html; charset=utf-8"
        case "image":
            start = file.read(8)
            found = next((kind for begin, kind in _STARTS if start.startswith(begin)), None)
            ending = name.rpartition(".")[2].lower()
            headers["content-type"] = found or _IMAGES.get(ending, "text/plain")
        case "download":
            own = quote(name.rpartition("/")[2] or "object", safe="")
            headers["content-type"] = "application/octet-stream"
            headers["content-disposition"] = f"attachment; filename*=UTF-8''{own}"
        case _:
            file.close()
            raise InvalidArgument(f"There is no form {form!r:.60} of an object here.")
    return Answer(200, FileSlice(file, 0, described.size), headers)
