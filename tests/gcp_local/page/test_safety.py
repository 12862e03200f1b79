"""What was put into the cloud does nothing in the browser of whoever looks at it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from google.cloud.storage import Bucket

from tests.gcp_local.emulators import Emulator
from tests.gcp_local.page.reading import Element, look
from tests.gcp_local.page.runs import HOSTILE, Runs, drawing_spec

EVIL = "<!doctype html><script>document.title = 'taken'</script><p>a report</p>"


def test_hostile_names_stay_text(emulator: Emulator, runs: Runs) -> None:
    own = runs.ended("hostile", drawing_spec(), f"{HOSTILE}{HOSTILE}", text=HOSTILE)
    seen = look(emulator, own)
    task = look(emulator, seen.links("Tasks")["Draw <b>everything</b>"])
    front = look(emulator, "/")
    pages = [seen, task, front, look(emulator, f"{runs.page}/pipelines/drawing")]
    for page in pages:
        assert [script.attributes for script in page.root.all("script")] == [
            {"src": "/page/static/page.js", "defer": ""}
        ]
        assert "<b>everything" not in page.source
        assert not any(
            name.startswith("on") or name == "style"
            for element in every(page.root)
            for name in element.attributes
        )
    assert HOSTILE in seen.text
    assert HOSTILE in task.text


def every(root: Element) -> Iterator[Element]:
    for child in root.children:
        if not isinstance(child, str):
            yield child
            yield from every(child)


@pytest.mark.parametrize("address", ["/", "/page/nowhere", "/page/static/page.css"])
def test_every_page_forbids_what_it_does_not_need(emulator: Emulator, address: str) -> None:
    headers = emulator.call("GET", address).headers
    policy = headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'self'; script-src 'self'")
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"


def test_a_document_comes_in_a_sandbox_or_as_text(emulator: Emulator, bucket: Bucket) -> None:
    bucket.blob("a/report.html").upload_from_string(EVIL, content_type="text/html")
    bucket.blob("a/picture.svg").upload_from_string(EVIL, content_type="image/svg+xml")
    seen = look(emulator, f"/page/buckets/{bucket.name}/objects/a%2Freport.html")
    [frame] = seen.root.all("iframe")
    assert frame.attributes["sandbox"] == ""
    inner = emulator.call("GET", frame.attributes["src"])
    assert inner.text == EVIL
    for form in ("text", "html", "image", "download"):
        for name in ("report.html", "picture.svg"):
            answer = emulator.call("GET", f"/page/raw/{bucket.name}/a%2F{name}?as={form}")
            assert answer.headers["content-security-policy"].startswith("sandbox; default-src")
            assert answer.headers["x-content-type-options"] == "nosniff"
            kind = answer.headers["content-type"]
            assert kind.startswith("text/html") == (form == "html"), (form, name, kind)
    assert emulator.call("GET", f"/page/raw/{bucket.name}/a%2Freport.html?as=me").status_code == 400


def test_looking_changes_nothing(emulator: Emulator, runs: Runs) -> None:
    heard = look(emulator, "/page/projects/never-named")
    assert heard.status == 404
    assert "never-named" not in look(emulator, "/").text
    own = runs.doubled("still")
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        assert emulator.call(method, own).status_code == 404
    before = emulator.faults.calls
    look(emulator, own)
    assert emulator.faults.calls == before


def test_the_door_stays_shut(emulator: Emulator) -> None:
    rebound = emulator.call("GET", "/", headers={"Host": "evil.example"})
    assert rebound.status_code == 403
    crossed = emulator.call("GET", "/", headers={"Sec-Fetch-Site": "cross-site"})
    assert crossed.status_code == 403


def test_google_auth_still_finds_its_metadata_server(emulator: Emulator) -> None:
    answer = emulator.call("GET", "/", headers={"Metadata-Flavor": "Google"})
    assert answer.text == "computeMetadata/\n"
    assert answer.headers["Metadata-Flavor"] == "Google"
    assert look(emulator, "/").title == "The embedded Google Cloud"


def test_a_bucket_may_be_called_page(emulator: Emulator, project: str) -> None:
    emulator.call("POST", f"/storage/v1/b?project={project}", json={"name": "page"})
    begun = emulator.call("POST", "/page/parts?uploads")
    assert begun.status_code == 200
    assert "<UploadId>" in begun.text
