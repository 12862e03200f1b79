"""The stand-in for docker: what of a context goes into an image, and what decides its digest."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from gcp_local.builds.builders import builder_of
from gcp_local.builds.docker.daemon import Daemon
from gcp_local.builds.docker.ignoring import files_of, read_patterns

ROOT = Path(__file__).parents[3]


def docker(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-I", "-m", "gcp_local.builds.docker", *words],
        cwd=folder,
        env={"GCP_LOCAL_DOCKER": str(folder.parent / "daemon"), "GCP_LOCAL": "http://127.0.0.1:9"},
        capture_output=True,
        text=True,
        check=False,
    )


def write(folder: Path, **files: str) -> Path:
    for name, content in files.items():
        path = folder / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return folder


def built(folder: Path, dockerfile: str, *words: str) -> dict[str, bytes]:
    """Build an image and give its files."""
    (folder / "Dockerfile").write_text(dockerfile)
    done = docker(folder, "build", "-t", "image", *words, ".")
    assert done.returncode == 0, done.stderr
    tar = Daemon(folder.parent / "daemon").find("image")
    assert tar is not None
    with tarfile.open(fileobj=io.BytesIO(tar.read_bytes())) as archive:
        found = {}
        for member in archive:
            file = archive.extractfile(member)
            assert file is not None
            found[member.name] = file.read()
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write(
        tmp_path / "context",
        app__main__txt="",
        **{"app__a.py": "A = 1\n", "app__sub__b.py": "B = 2\n", "notes.md": "no"},
    )


def test_what_python_finds_lies_where_it_looks_and_the_rest_below_the_root(folder: Path) -> None:
    found = built(
        folder,
        "FROM python:3.11 AS base\n"
        "FROM base\n"
        "COPY app /opt/lib/python3.11/site-packages/app\n"
        "COPY --chown=1:1 app/a.py notes.md /srv/\n"
        "ENV PYTHONPATH=/srv LEVEL=${LEVEL:-info}\n"
        "WORKDIR /work\n"
        "COPY app/sub .\n"
        "RUN pip install \\\n    # a comment between\n    everything\n"
        'ENTRYPOINT ["python3"]\nCMD ["-m", "app"]\n',
    )
    assert found["app/a.py"] == b"A = 1\n"
    assert found["app/sub/b.py"] == b"B = 2\n"
    assert found["a.py"] == b"A = 1\n"
    assert found["b.py"] == b"B = 2\n"
    config = json.loads(found[".image/config.json"])
    assert config["entryPoint"] == ["python3"]
    assert config["command"] == ["-m", "app"]
    assert config["env"] == {"PYTHONPATH": "/srv", "LEVEL": "info"}
    assert "notes.md" in found
    other = built(folder, "FROM scratch\nCOPY notes.md /etc/\n")
    assert set(other) == {".image/config.json", ".image/root/etc/notes.md"}


def test_the_same_context_gives_the_same_image_and_any_change_another(folder: Path) -> None:
    dockerfile = "FROM scratch\nARG LEVEL=1\nCOPY app /app\nRUN echo $LEVEL\n"
    daemon = Daemon(folder.parent / "daemon")

    def digest(*words: str, text: str = dockerfile) -> str:
        built(folder, text, *words)
        found = daemon.find("image")
        assert found is not None
        return found.name

    first = digest()
    (folder / "notes.md").write_text("not in the image")
    (folder / "app/a.py").touch()
    assert digest() == first
    assert digest("--build-arg", "LEVEL=1") == first
    others = {digest("--build-arg=LEVEL=2"), digest(text=dockerfile.replace("echo", "print"))}
    (folder / "app/a.py").write_text("A = 2\n")
    others.add(digest())
    (folder / "app/a.py").write_text("A = 1\n")
    (folder / "app/a.py").chmod(0o755)
    others.add(digest())
    assert len(others) == 4
    assert first not in others


def test_an_entry_point_leaves_the_stages_own_command_and_no_other(folder: Path) -> None:
    def config(dockerfile: str) -> tuple[list[str], list[str]]:
        found = json.loads(built(folder, dockerfile)[".image/config.json"])
        return found["entryPoint"], found["command"]

    own = 'FROM scratch AS one\nCMD ["x"]\nENTRYPOINT ["run"]\n'
    assert config(own) == (["run"], ["x"])
    assert config(f'{own}FROM one\nENTRYPOINT ["other"]\n') == (["other"], [])


def test_what_is_copied_has_the_mode_that_is_said(folder: Path) -> None:
    dockerfile = "FROM scratch\nCOPY --chmod=755 app/a.py /bin/\nCOPY --chmod=0644 notes.md /\n"
    assert ".image/root/bin/a.py" in built(folder, dockerfile)
    tar = Daemon(folder.parent / "daemon").find("image")
    assert tar is not None
    with tarfile.open(tar) as archive:
        modes = {member.name: member.mode for member in archive}
    assert modes[".image/root/bin/a.py"] == 0o755
    assert modes[".image/root/notes.md"] == 0o644
    for flag, said in (("--exclude=*.py", "--exclude is not done"), ("--chmod=u+x", "octal")):
        (folder / "Dockerfile").write_text(f"FROM scratch\nCOPY {flag} app /app/\n")
        assert said in docker(folder, "build", ".").stderr


def test_targets_are_stages_and_others_are_not_built(folder: Path) -> None:
    dockerfile = "FROM scratch AS one\nCOPY app/a.py /\nFROM scratch AS two\nCOPY missing /\n"
    assert ".image/root/a.py" in built(folder, dockerfile, "--target", "one")
    done = docker(folder, "build", ".")
    assert done.returncode == 1
    assert '"/missing": not found' in done.stderr
    done = docker(folder, "build", "--target=three", ".")
    assert "target stage 'three' could not be found" in done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["run", "x"], "no container engine"),
        (["build", "."], "unknown instruction: WHAT"),
        (["build", "--secret", "id=x", "."], "no such flag"),
        (["build", "-f", "none", "."], "no such file"),
        (["build", "-t", "UPPER", "."], "invalid reference format"),
        (["build", "a", "b"], "requires exactly 1 argument"),
        (["tag", "none", "x"], "No such image: none:latest"),
        (["push", "none"], "does not exist locally with the tag: none:latest"),
    ],
)
def test_what_cannot_be_done_is_refused(folder: Path, words: list[str], said: str) -> None:
    (folder / "Dockerfile").write_text("FROM scratch\nWHAT now\n")
    done = docker(folder, *words)
    assert done.returncode != 0
    assert said in done.stderr


def test_a_dockerignore_takes_files_out_and_back_in(folder: Path) -> None:
    write(folder, **{"app__sub__c.pyc": "", "app__sub__keep.pyc": "", "deep__x__app__b.py": ""})
    patterns = read_patterns("# all\n*\n!app\n**/*.pyc\n!app/sub/keep.pyc\n/app/main\n")
    names = [name for name, _ in files_of(folder, patterns)]
    assert names == ["app/a.py", "app/sub/b.py", "app/sub/keep.pyc"]


def test_the_repositorys_runtime_image_has_the_business_code_where_python_looks(
    tmp_path: Path,
) -> None:
    (tmp_path / "in").mkdir()
    done = docker(tmp_path / "in", "build", "--target", "runtime", "-t", "runtime", str(ROOT))
    assert done.returncode == 0, done.stderr
    tar = Daemon(tmp_path / "daemon").find("runtime")
    assert tar is not None
    with tarfile.open(tar) as archive:
        names = {name for name in archive.getnames() if not name.startswith(".image/")}
    source = ROOT / "src/churn"
    expected = {
        f"churn/{path.relative_to(source).as_posix()}"
        for path in source.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert names == expected


@pytest.mark.parametrize(
    ("image", "runs"),
    [
        ("gcr.io/cloud-builders/docker", ("docker",)),
        ("gcr.io/cloud-builders/docker@sha256:" + "a" * 64, ("docker",)),
        ("us.gcr.io/cloud-builders/git:latest", ("git",)),
        ("docker.io/library/ubuntu:24.04", ()),
        ("mirror.gcr.io/library/alpine", ()),
        ("python:3.12-slim", ()),
        ("gcr.io/google.com/cloudsdktool/google-cloud-cli:slim", ()),
        ("python:2.7", None),
        ("gcr.io/cloud-builders/kubectl", None),
        ("acme/ubuntu", None),
    ],
)
def test_common_builders_have_a_stand_in(image: str, runs: tuple[str, ...] | None) -> None:
    found = builder_of(image)
    assert (found.entry_point if found else None) == runs
