"""The demo, as a newcomer types it, in a copy of this repository."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from google.auth.credentials import AnonymousCredentials
from google.cloud import aiplatform_v1

from ecluse.local import embedded_cloud, stop_embedded_cloud
from ecluse.repository.catalog import Catalog
from ecluse.workplace import Workplace

ROOT = Path(__file__).parents[2]
SHARED_DATA = Path(
    os.environ.get("ECLUSE_CHURN_DATA", ROOT.parent / "shared" / "data" / "BankChurners.csv")
)
pytestmark = pytest.mark.timeout(600)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of what git would give a newcomer, and what is not committed yet."""
    files = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split("\0")
    for name in filter(None, files):
        if (ROOT / name).is_file():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, tmp_path / name)
    return tmp_path


def ecluse(copy: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    environment = {name: value for name, value in os.environ.items() if name != "ECLUSE_LOCAL"}
    return subprocess.run(
        [sys.executable, "-m", "ecluse", *arguments],
        cwd=copy,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_demo_tells_the_whole_story(copy: Path) -> None:
    told = ecluse(copy, "demo")
    assert told.returncode == 0, told.stdout + told.stderr
    for chapter in ("1 · An empty", "2 · A merge", "3 · A tag", "4 · A bad change", "5 · What is"):
        assert chapter in told.stdout
    qualified, downloaded = re.findall(r"(sha256:[0-9a-f]{64})", told.stdout)
    assert qualified == downloaded
    assert "the same bytes" in told.stdout
    assert re.search(r"✗ +evaluate-model\.roc_auc", told.stdout)
    assert re.search(r"stopped; [0-9a-f]{12} stays live in nonprod", told.stdout)

    page = (copy / ".ecluse/demo/report.html").read_text()
    assert page.count(qualified) >= 1
    assert "The gate said no" in page
    assert "<script" not in page
    assert "srcdoc=" in page
    assert not re.search(r"(src|href)=[\"']https?:", page), "nothing is loaded from elsewhere"

    # What the demo says to type next works.
    where = ".ecluse/demo/repository"
    status = ecluse(copy, "status", "--local", "--json", "--repository", where)
    stop_embedded_cloud(Workplace(Catalog(copy / where), local=True).state)
    rows = [row for each in json.loads(status.stdout) for row in each["pipelines"]]
    assert [(row["environment"], row["digest"]) for row in rows] == [
        ("nonprod", qualified),
        ("prod", qualified),
    ]
    assert not (copy / ".git").exists(), "the demo makes no commit in the user's own folder"


@pytest.mark.skipif(
    not SHARED_DATA.exists(), reason="the public churn file is not here; set ECLUSE_CHURN_DATA"
)
def test_a_run_on_the_public_file_registers_a_good_model(copy: Path) -> None:
    told = ecluse(copy, "run", "churn_xgboost", "--local", "--json", "--data", str(SHARED_DATA))
    workplace = Workplace(Catalog(copy), local=True)
    try:
        assert told.returncode == 0, told.stderr
        answer = json.loads(told.stdout)
        assert answer["metrics"]["evaluate-model.roc_auc"] >= 0.985
        assert all(verdict["passed"] for verdict in answer["verdicts"])
        dev = workplace.catalog.environment("dev")
        (model,) = aiplatform_v1.ModelServiceClient(
            credentials=AnonymousCredentials(),
            transport="rest",
            client_options={"api_endpoint": embedded_cloud(workplace.state)},
        ).list_models(parent=f"projects/{dev.project}/locations/{dev.location}")
        assert answer["run"].rsplit("/", 1)[1] in model.artifact_uri
        assert model.container_spec.image_uri.startswith(f"{dev.images}/runtime@sha256:")
    finally:
        stop_embedded_cloud(workplace.state)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("CLIENTNUM,Attrition_Flag\n1,Existing Customer\n", "missing"),
        ("", "empty|no rows|no columns"),
        (None, "there is no such file"),
    ],
)
def test_a_data_file_that_will_not_do_is_one_line_and_exit_code_2(
    copy: Path, content: str | None, complaint: str
) -> None:
    file = copy / "bad.csv"
    if content is not None:
        file.write_text(content)
    told = ecluse(copy, "demo", "--data", str(file))
    assert told.returncode == 2, told.stdout + told.stderr
    assert told.stderr.count("\n") == 1
    assert str(file) in told.stderr
    assert re.search(complaint, told.stderr), told.stderr
    assert not (copy / ".ecluse" / "demo").exists(), "nothing was started"


@pytest.mark.skipif(
    not SHARED_DATA.exists(), reason="the public churn file is not here; set ECLUSE_CHURN_DATA"
)
@pytest.mark.parametrize("spoil", ["wrong type", "no rows", "no column"])
def test_a_spoilt_public_file_is_refused(copy: Path, spoil: str) -> None:
    header, *rows = SHARED_DATA.read_text().splitlines()[:50]
    if spoil == "wrong type":
        rows[3] = rows[3].replace(rows[3].split(",")[2], "fifty", 1)
    elif spoil == "no rows":
        rows = []
    else:
        header = header.replace("Total_Trans_Ct", "Total_Trans")
    file = copy / "bad.csv"
    file.write_text("\n".join([header, *rows]) + "\n")
    told = ecluse(copy, "demo", "--data", str(file))
    assert told.returncode == 2, told.stdout + told.stderr
    assert told.stderr.count("\n") == 1
