"""docs/setting-up.md: makes what the other files rely on."""

import re
import subprocess
from pathlib import Path

import pytest

from ecluse.repository.catalog import Catalog
from tests.workflows import strict_yaml

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs/setting-up.md").read_text(encoding="utf-8")
COMMANDS = "\n".join(re.findall(r"^ *```bash\n(.*?)^ *```", GUIDE, flags=re.DOTALL | re.MULTILINE))


def test_the_commands_are_shell() -> None:
    done = subprocess.run(
        ["bash", "-n"], input=COMMANDS, capture_output=True, text=True, check=False
    )
    assert done.stderr == ""


def test_every_name_in_the_commands_is_given_a_value_first() -> None:
    given = set(re.findall(r"\b([A-Z_]+)=|\bfor ([A-Z_]+) in\b", COMMANDS))
    used = set(re.findall(r"\$\{?([A-Z_]+)", COMMANDS))
    assert "CONNECTION" in used
    assert used <= {name for pair in given for name in pair}


@pytest.mark.parametrize(
    "file", sorted((ROOT / "cloudbuild").iterdir()), ids=lambda file: file.stem
)
def test_every_build_is_registered_with_its_own_account(file: Path) -> None:
    build = strict_yaml.load(file.read_text(encoding="utf-8"))
    account = build["serviceAccount"].split("/")[-1].split("@")[0]
    trigger = build["tags"][0]
    assert re.search(
        rf"^trigger \S+ {trigger} {account} cloudbuild/{file.name}$", COMMANDS, re.MULTILINE
    )


@pytest.mark.parametrize("name", ["nonprod", "prod"])
def test_what_the_environment_names_is_made(name: str) -> None:
    settings = Catalog.find(ROOT).environment(name)
    for address in (settings.bucket, settings.ledger, settings.evidence):
        kind = address.removeprefix(f"gs://{settings.project}-")
        assert kind in {"pipelines", "ledger", "evidence"}
    assert "for NAME in pipelines ledger evidence;" in COMMANDS
    assert f"repositories create {settings.templates} " in COMMANDS
    assert f"repositories create {settings.images.rsplit('/', 1)[1]} " in COMMANDS
    ring, key = re.findall(r"(?:keyRings|cryptoKeys)/([^/]+)", settings.signing_key)
    assert f"keyrings create {ring} " in COMMANDS
    assert f"keys create {key} " in COMMANDS


def test_every_environment_of_the_workflows_is_made() -> None:
    for file in (ROOT / ".github/workflows").iterdir():
        for job in strict_yaml.load(file.read_text(encoding="utf-8"))["jobs"].values():
            if "environment" in job:
                assert f"| `{job['environment']}` |" in GUIDE


def test_the_checks_to_require_are_the_jobs_of_a_pull_request() -> None:
    workflow = strict_yaml.load((ROOT / ".github/workflows/pull-request.yaml").read_text("utf-8"))
    for job in workflow["jobs"].values():
        versions = job.get("strategy", {}).get("matrix", {}).get("python", [""])
        for version in versions:
            assert f"`{job['name'].replace('${{ matrix.python }}', version)}`" in GUIDE


@pytest.mark.parametrize("target", re.findall(r"\]\((?!http)([^)#]+)\)", GUIDE))
def test_a_link_leads_somewhere(target: str) -> None:
    assert (ROOT / "docs" / target).exists()
