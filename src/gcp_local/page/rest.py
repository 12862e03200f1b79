"""`/` and `/page/…`: which address shows what.

GET /                                                     the overview
GET /page/projects/P[/locations/L[/NOUN[/ID[/…]]]]        as the resources are named
GET /page/buckets/B[?prefix=…]                            folders and objects
GET /page/buckets/B/objects/O                             an object, its slashes written as %2F
GET /page/raw/B/O?as=text|html|image|download             its bytes, harmless
GET /page/static/…                                        the stylesheet and the script

Pages only look: nothing here changes anything.
"""

from __future__ import annotations

import logging
from http import HTTPStatus
from importlib import resources
from typing import TYPE_CHECKING

from gcp_local import clock
from gcp_local.errors import ApiError, Internal, NotFound
from gcp_local.page import raw
from gcp_local.page.names import ROOT, Names
from gcp_local.page.site import Sources, Visit
from gcp_local.page.view import Link, Note, Tone, View
from gcp_local.web.messages import Answer

if TYPE_CHECKING:
    from jinja2 import Environment

    from gcp_local.web.messages import Request

_LOG = logging.getLogger("gcp_local")
_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; frame-src 'self';"
    " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "content-security-policy": _POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
_STATIC = {"page.css": "text/css; charset=utf-8", "page.js": "text/javascript; charset=utf-8"}
_METHODS = ("GET", "HEAD")


class PageEndpoint:
    """Answers those who look with a browser."""

    def __init__(self, sources: Sources, endpoint: str) -> None:
        self._sources = sources
        self._endpoint = endpoint
        self._templates: Environment | None = None

    def answer(self, request: Request) -> Answer:
        """Answer one request; whatever goes wrong, with a page."""
        try:
            found = self._found(request)
        except ApiError as error:
            found = self._refusal(error)
        except Exception:  # noqa: BLE001  (whoever looks gets a page)
            _LOG.exception("%s", request.path)
            found = self._refusal(Internal("This page failed; the log has the traceback."))
        return Answer(found.status, found.body, {**_HEADERS, **found.headers})

    def _found(self, request: Request) -> Answer:
        if request.method not in _METHODS:
            raise NotFound(f"Pages are only looked at: {request.method} changes nothing here.")
        names = Names.of(self._sources.projects.all())
        visit = Visit(self._sources, names, clock.now(), request.parameters, self._endpoint)
        segments = request.segments[1:] if request.path != "/" else ()
        match segments:
            case ("static", name) if name in _STATIC:
                content = resources.files(__package__).joinpath("static", name).read_bytes()
                return Answer(200, content, {"content-type": _STATIC[name]})
            case ("raw", bucket, name):
                return raw.answer(visit, bucket, name)
        # Late, for a server that is only called by clients does without it.
        from gcp_local.page import router

        return self._rendered(router.view(visit, segments))

    def _refusal(self, error: ApiError) -> Answer:
        title = "Not found" if error.code == HTTPStatus.NOT_FOUND else "This cannot be shown"
        note = Note(error.message, Tone.BAD)
        return self._rendered(View(title, [Link("gcp-local", "/")], [note], status=error.code))

    def _rendered(self, view: View) -> Answer:
        if self._templates is None:
            self._templates = _environment()
        template = self._templates.get_template("page.html.j2")
        text = template.render(view=view, endpoint=self._endpoint, root=ROOT)
        # Names may hold halves of surrogate pairs, which no page can.
        content = text.encode(errors="replace")
        return Answer(view.status, content, {"content-type": "text/html; charset=utf-8"})


def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    return Environment(
        loader=PackageLoader("gcp_local.page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
