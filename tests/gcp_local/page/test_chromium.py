"""The page in a real browser: what its DOM holds when its own script has run."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.gcp_local.emulators import Emulator
from tests.gcp_local.page.reading import parsed
from tests.gcp_local.page.runs import HOSTILE, Runs, drawing_spec
from tests.gcp_local.pipelines import compiled

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
BROWSER = next(filter(None, map(shutil.which, NAMES)), None)
pytestmark = pytest.mark.skipif(
    BROWSER is None, reason=f"there is none of {', '.join(NAMES)} on this machine"
)


def dom(address: str, folder: Path, *, milliseconds: int) -> str:
    """Load a page, let so much time pass in it, and give what it has become."""
    assert BROWSER is not None
    done = subprocess.run(
        [
            BROWSER,
            *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
            *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
            *("--disable-extensions", "--disable-dev-shm-usage", "--no-default-browser-check"),
            *(f"--user-data-dir={folder}", f"--virtual-time-budget={milliseconds}"),
            *("--window-size=390,844", "--dump-dom", address),
        ],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def test_hostile_names_are_inert_and_documents_stay_in_their_frames(
    emulator: Emulator, runs: Runs, tmp_path: Path
) -> None:
    evil = f"{HOSTILE}<img src=x onerror=\"document.title='taken'\">"
    own = runs.ended("hostile", drawing_spec(), evil[:120], text=evil)
    root = parsed(dom(f"{emulator.endpoint}{own}", tmp_path, milliseconds=500))
    assert root.all("title")[0].text == f"{evil[:120]} · gcp-local"
    assert [script.attributes.get("src") for script in root.all("script")] == [
        "/page/static/page.js"
    ]
    assert root.all("h1")[0].text == evil[:120]
    assert not [image for image in root.all("img") if image.attributes.get("src") == "x"]
    assert len(root.all("iframe")) == 1
    assert root.all("svg", role="group")


def test_a_page_under_way_becomes_what_the_run_becomes_and_then_rests(
    emulator: Emulator, runs: Runs, tmp_path: Path
) -> None:
    own = runs.submit("short", compiled("sleeping"), seconds=2.5)
    before = emulator.call("GET", own).text
    assert "data-live" in before
    # Time in the page flies while it waits for nothing but its own clock: each look takes a moment.
    after = dom(f"{emulator.endpoint}{own}", tmp_path, milliseconds=4_000_000)
    root = parsed(after)
    assert "data-live" not in root.all("main")[0].attributes
    assert "Succeeded" in root.all("div", **{"data-part": "head"})[0].text
    assert "sleep: Succeeded" in " ".join(title.text for title in root.all("title"))
