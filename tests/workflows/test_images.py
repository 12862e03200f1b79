"""Dockerfile: what goes into an image is what its tag is computed from."""

import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
HADOLINT = shutil.which(
    "hadolint", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
)
UV = shutil.which("uv")
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")


def stages() -> dict[str, str]:
    """Return the text of each stage by its name, continued lines joined."""
    parts = re.split(r"^FROM \S+ AS (\S+)$", DOCKERFILE.replace("\\\n", " "), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def copied(stage: str) -> set[str]:
    """Return what a stage takes from the repository."""
    lines = re.findall(r"^COPY (?!--from)(.+) \S+$", stages()[stage], flags=re.MULTILINE)
    return {source for line in lines for source in line.split()}


def declared_images() -> dict[str, Any]:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    images = settings["tool"]["ecluse"]["images"]
    assert isinstance(images, dict)
    return images


def test_each_declared_image_has_its_stage() -> None:
    for image in declared_images().values():
        assert image["target"] in stages()


@pytest.mark.parametrize(
    ("image", "with_stages"),
    [("runtime", ["runtime"]), ("tool", ["tool", "tool-dependencies"])],
)
def test_an_image_holds_only_what_its_tag_is_computed_from(
    image: str, with_stages: list[str]
) -> None:
    sources = declared_images()[image]["sources"]
    for path in {path for stage in with_stages for path in copied(stage)}:
        assert any(path == source or path.startswith(f"{source}/") for source in sources), path


def test_docker_sees_only_what_goes_into_an_image() -> None:
    rules = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    let_in = {rule[1:] for rule in rules if rule.startswith("!")}
    assert "*" in rules
    assert let_in == {source for image in declared_images().values() for source in image["sources"]}


def test_the_base_is_pinned_by_digest() -> None:
    bases = re.findall(r"^FROM (\S+)", DOCKERFILE, flags=re.MULTILINE)
    outside = [base for base in bases if base not in stages()]
    assert outside
    for base in outside:
        assert re.fullmatch(r"[\w.:/-]+:[\w.-]+@sha256:[0-9a-f]{64}", base)


def test_the_runtime_image_runs_as_nobody_special_and_installs_by_hash() -> None:
    runtime = stages()["runtime"]
    assert re.search(r"^USER [1-9]\d*$", runtime, flags=re.MULTILINE)
    assert "--require-hashes" in runtime


def test_whatever_is_fetched_is_fixed_by_its_hash() -> None:
    for name, text in stages().items():
        for install in re.findall(r"pip install (.+?)(?: && |$)", text, flags=re.MULTILINE):
            assert "--require-hashes" in install, name
            # In isolation pip would fetch what builds a package by itself, and without a hash.
            assert ("--no-binary" in install) == ("--no-build-isolation" in install), name


def test_kfp_server_api_alone_has_to_be_built() -> None:
    lock = tomllib.loads((ROOT / "uv.lock").read_text(encoding="utf-8"))
    fetched = (package for package in lock["package"] if "registry" in package["source"])
    assert {package["name"] for package in fetched if "wheels" not in package} == {"kfp-server-api"}
    built = re.findall(r"--no-(?:binary=|build-isolation-package )(\S+)", DOCKERFILE)
    assert built == ["kfp-server-api"] * 2


def test_both_images_have_the_version_of_python_that_is_tested() -> None:
    (version,) = re.findall(r"^FROM python:(\d+\.\d+)", DOCKERFILE, flags=re.MULTILINE)
    setup = (ROOT / ".github/actions/setup/action.yaml").read_text(encoding="utf-8")
    assert f'default: "{version}"' in setup
    assert set(re.findall(r"lib/python(\d+\.\d+)", DOCKERFILE)) == {version}


def test_one_version_of_uv_is_used_everywhere() -> None:
    setup = (ROOT / ".github/actions/setup/action.yaml").read_text(encoding="utf-8")
    (in_image,) = re.findall(r"uv==(\S+)", DOCKERFILE)
    assert f"version: {in_image}\n" in setup


@pytest.mark.skipif(shutil.which("uv") is None, reason="uv is not installed")
def test_the_tool_images_dependencies_are_enough_for_ecluse(tmp_path: Path) -> None:
    """Install as the stage `tool-dependencies` does, and check this repository with no more."""
    (build_tools,) = re.findall(r'^ARG SETUPTOOLS="(.+)"$', DOCKERFILE, flags=re.MULTILINE)
    (tmp_path / "build-tools.txt").write_text(build_tools, encoding="utf-8")
    subprocess.run(
        ["uv", "pip", "install", "--require-hashes", "--no-deps", "--only-binary=:all:",
         f"--target={tmp_path / 'build-tools'}", "--requirement=build-tools.txt",
         f"--python={sys.executable}"],
        cwd=tmp_path, check=True,
    )  # fmt: skip
    (install,) = re.findall(
        r"^RUN (uv sync .+)$", stages()["tool-dependencies"], flags=re.MULTILINE
    )
    for name in copied("tool-dependencies"):
        shutil.copy(ROOT / name, tmp_path)
    environment = {
        **os.environ,
        "PYTHONDONTWRITEBYTECODE": "1",
        "UV_COMPILE_BYTECODE": "0",  # little of all that is installed is imported
        "PYTHONPATH": str(tmp_path / "build-tools"),
        "UV_PROJECT_ENVIRONMENT": str(tmp_path / "environment"),
        "UV_PYTHON": sys.executable,
    }
    subprocess.run(shlex.split(install), cwd=tmp_path, env=environment, check=True)
    shutil.copytree(ROOT / "src/ecluse", tmp_path / "installed/ecluse")
    done = subprocess.run(
        [tmp_path / "environment/bin/python", "-c", "from ecluse.cli import main; main()", "check"],
        cwd=ROOT,
        env={**environment, "PYTHONPATH": str(tmp_path / "installed")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    shutil.rmtree(tmp_path / "environment")


@pytest.mark.skipif(HADOLINT is None, reason="hadolint is not installed")
def test_hadolint_finds_nothing() -> None:
    done = subprocess.run(
        [str(HADOLINT), "Dockerfile"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


def test_the_runtime_images_requirements_are_the_locks() -> None:
    if UV is None:
        pytest.skip("there is no uv on the PATH, as `make test` puts it there")
    exported = subprocess.run(
        [UV, "export", "--quiet", "--frozen", "--only-group", "runtime", "--no-header"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    found = (ROOT / "src/churn/requirements.txt").read_text(encoding="utf-8")
    assert found == exported.stdout, "run `make lock`"
