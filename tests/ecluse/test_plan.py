"""The plan says why, and tells a pipeline's own change from one that moves many at once."""

import json
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ecluse.canonical import digest_of, digest_of_value
from ecluse.ledger.records import Entry, Head
from ecluse.promotion.plan import Plan, make_plan, read_plan
from ecluse.release.compiler import compile_pipelines
from ecluse.release.manifest import Release, ReleasedPipeline, make_draft, parse_release
from ecluse.repository.catalog import Catalog
from ecluse.repository.commit import head_commit
from ecluse.repository.settings import Environment
from tests.ecluse.conftest import Commands
from tests.ecluse.repositories import Repository, make_repository

IMAGE = "europe-west1-docker.pkg.dev/test-images/images/runtime@sha256:"
ENVIRONMENT = Environment.model_validate(
    {
        "name": "nonprod",
        "project": "test-nonprod",
        "location": "europe-west1",
        "bucket": "gs://nonprod-pipelines",
        "ledger": "gs://nonprod-ledger",
        "evidence": "gs://nonprod-evidence",
        "templates": "pipelines",
        "images": "europe-west1-docker.pkg.dev/test-images/images",
        "service_account": "pipelines@test.iam.gserviceaccount.com",
        "signing_key": "projects/p/locations/l/keyRings/r/cryptoKeys/k/cryptoKeyVersions/1",
    }
)


def released(
    name: str = "alpha",
    *,
    code: str = "code",
    sources: str | None = "sources",
    image: str | None = "0",
    settings: dict[str, Any] | None = None,
) -> ReleasedPipeline:
    written = {"owner": "tests@example.com", **(settings or {})}
    return ReleasedPipeline(
        name=name,
        package=name,
        digest=digest_of(f"{code} {image}".encode()),
        code_digest=digest_of(code.encode()),
        runtime_image=IMAGE + image * 64 if image is not None else None,
        parameters=("rounds", "run_key"),
        settings=written,
        settings_digest=digest_of_value(written),
        sources_digest=digest_of(sources.encode()) if sources is not None else None,
    )


def release(*pipelines: ReleasedPipeline, compiler: str = "kfp 2.17.0") -> Release:
    return Release(
        commit="a" * 40,
        committed_at="2026-11-22T12:00:00+00:00",
        subject="A change",
        compiler=compiler,
        pipelines={pipeline.name: pipeline for pipeline in pipelines},
    )


def live(pipeline: ReleasedPipeline, *, compiler: str = "kfp 2.17.0") -> Entry:
    return Entry(
        sequence=1,
        action="activate",
        package=pipeline.package,
        digest=pipeline.digest,
        code_digest=pipeline.code_digest,
        sources_digest=pipeline.sources_digest,
        runtime_image=pipeline.runtime_image,
        compiler=compiler,
        settings=pipeline.settings,
        settings_digest=pipeline.settings_digest,
        declared=pipeline.parameters,
        parameters={},
        release=digest_of(b""),
        commit="b" * 40,
        version=None,
        run="run",
        metrics={},
        qualification="gs://nonprod-evidence/x",
        at=datetime.now(UTC),
        by="tests@example.com",
    )


def planned(*now: ReleasedPipeline, was: dict[str, Entry], compiler: str = "kfp 2.17.0") -> Plan:
    head = Head(environment="nonprod", pipelines=was)
    return make_plan(release(*now, compiler=compiler), head, ENVIRONMENT)


NEWER = "kfp 2.18.0"
MOVED_COMPILER = "compiler (kfp 2.17.0 → kfp 2.18.0)"


@pytest.mark.parametrize(
    ("now", "compiler", "reasons", "is_mass_change"),
    [
        ({}, "kfp 2.17.0", (), False),
        ({}, NEWER, (), False),
        ({"sources": "a comment"}, "kfp 2.17.0", (), False),
        ({"code": "new", "sources": "new"}, "kfp 2.17.0", ("code",), False),
        ({"image": "1"}, "kfp 2.17.0", ("only the runtime image",), True),
        ({"image": "1"}, NEWER, ("only the runtime image",), True),
        ({"code": "new"}, NEWER, (f"only the {MOVED_COMPILER}",), True),
        (
            {"code": "new", "image": "1"},
            NEWER,
            (f"only the runtime image and the {MOVED_COMPILER}",),
            True,
        ),
        ({"code": "new", "sources": "new"}, NEWER, ("code", MOVED_COMPILER), False),
        (
            {"code": "new", "sources": "new", "image": "1"},
            NEWER,
            ("code", "runtime image", MOVED_COMPILER),
            False,
        ),
        ({"code": "new"}, "kfp 2.17.0", ("code from outside the repository",), False),
        ({"code": "new", "sources": None}, "kfp 2.17.0", ("code",), False),
        ({"code": "new", "sources": None}, NEWER, (f"code or the {MOVED_COMPILER}",), False),
        ({"image": "1", "sources": None}, NEWER, ("only the runtime image",), True),
        (
            {"image": "1", "settings": {"labels": {"a": "b"}}},
            "kfp 2.17.0",
            ("runtime image", "labels"),
            False,
        ),
        (
            {"image": "1", "settings": {"parameters": {"rounds": 3}}},
            "kfp 2.17.0",
            ("runtime image", "parameters"),
            False,
        ),
    ],
)
def test_a_plan_tells_what_moved(
    now: dict[str, Any], compiler: str, reasons: tuple[str, ...], is_mass_change: bool
) -> None:
    (action,) = planned(released(**now), was={"alpha": live(released())}, compiler=compiler).actions
    assert (action.reasons, action.mass_change) == (reasons, is_mass_change)
    assert action.kind == ("update" if reasons else "unchanged")
    assert action.qualification == ("full" if reasons else None)


SMOKE = {"requalify": "smoke", "smoke": {"parameters": {"rounds": 1}}}


def test_a_smoke_run_is_for_mass_changes_of_pipelines_that_allow_it() -> None:
    def qualification(now: dict[str, Any], before: dict[str, Any]) -> str | None:
        was = {"alpha": live(released(**before))}
        return planned(released(**now), was=was).actions[0].qualification

    assert qualification({"image": "1", "settings": SMOKE}, {"settings": SMOKE}) == "smoke"
    assert qualification({"image": "1"}, {}) == "full"
    assert qualification(
        {"code": "new", "sources": "new", "settings": SMOKE}, {"settings": SMOKE}
    ) == ("full")
    # Who allows it in the very change that would need it is not believed.
    assert qualification({"image": "1", "settings": SMOKE}, {}) == "full"
    assert planned(released(settings=SMOKE), was={}).actions[0].qualification == "full"


def test_a_plan_counts_what_moves_many_at_once(tmp_path: Path) -> None:
    names = [f"p{number}" for number in range(12)]
    was = {name: live(released(name)) for name in (*names, "own", "same", "gone")}
    plan = planned(
        *(released(name, image="1") for name in names),
        released("own", code="new", sources="new", image="1"),
        released("same"),
        was=was,
    )
    assert plan.mass_changes == ("12 pipelines only for the runtime image",)
    kinds = {action.pipeline: action.kind for action in plan.actions}
    assert (kinds["own"], kinds["same"], kinds["gone"]) == ("update", "unchanged", "retire")
    assert {action.pipeline for action in plan.actions if action.mass_change} == set(names)
    file = tmp_path / "plan.json"
    file.write_text(json.dumps(plan.as_json()))
    assert read_plan(file) == plan


def test_a_manifest_from_before_sources_were_noted_is_still_read() -> None:
    older = release(released(sources=None))
    assert b"sources_digest" not in older.content()
    assert parse_release(older.content(), where="x") == older
    newer = release(released())
    assert parse_release(newer.content(), where="x").pipelines["alpha"].sources_digest is not None


@pytest.fixture
def small(tmp_path: Path) -> Repository:
    return make_repository(tmp_path / "small", "plan", runtime_image=True)


def test_the_digest_of_the_sources_moves_with_what_is_behind_a_pipeline_and_nothing_else(
    small: Repository, tmp_path: Path
) -> None:
    def sources(repository: Repository = small) -> str | None:
        catalog = Catalog(repository.root)
        made, _ = make_draft(
            catalog,
            compile_pipelines(catalog),
            commit=head_commit(repository.root),
            ancestry=(),
            runtime_image=IMAGE + "0" * 64,
        )
        return made.pipelines["alpha"].sources_digest

    before = sources()
    small.replace("pipelines/alpha/pipeline.yaml", "min: 0.8", "min: 0.7")
    small.write("pipelines/other.py", "a = 1\n")
    small.write("README.md", "Words.")
    assert sources() == before
    # What git ignores is in no commit: it may be here, and not where the release is built.
    small.write(".gitignore", ".ecluse/\n__pycache__/\n*.log\n")
    small.write("pipelines/alpha/editor.log", "x")
    assert sources() == before
    clone = tmp_path / "clone"
    small.commit()
    subprocess.run(["git", "clone", "-q", str(small.root), str(clone)], check=True)
    assert sources(Repository(clone)) == before
    small.replace("pipelines/components/measure.py", "the data smell", "the data reek")
    moved = sources()
    assert moved != before
    small.write("pipelines/alpha/notes.sql", "SELECT 1")
    assert sources() not in {moved, before}


def test_a_plan_without_a_release_is_that_of_the_working_tree(
    ecluse: Commands, tmp_path: Path
) -> None:
    first = ecluse("plan", "nonprod", "--json")
    assert first.code == 0, first.err
    assert [action["kind"] for action in first.json["actions"]] == ["create"]
    assert first.json["notes"] == []
    release_folder = ecluse.build()
    target = first.json["actions"][0]["target"]
    assert ecluse.promote("nonprod", "--release", str(release_folder)).code == 0
    ecluse.repository.replace("src/business/__init__.py", "return value", "return value * 1.0")
    draft = ecluse("plan", "nonprod", "--json").json
    (action,) = draft["actions"]
    assert (action["kind"], action["live"]) == ("update", target)
    assert (action["reasons"], action["mass_change"]) == (["only the runtime image"], True)
    assert "the working tree as it is, with changes that commit" in draft["notes"][0]
    markdown = tmp_path / "plan.md"
    shown = ecluse("plan", "nonprod", "--markdown", str(markdown))
    for text in (shown.out, markdown.read_text()):
        assert "1 pipeline only for the runtime image" in text
        assert "the working tree as it is" in text
    kept = ecluse("plan", "nonprod", "--out", str(tmp_path / "plan.json"))
    assert kept.code == 2
    assert "a plan to be kept is that of a release" in kept.err
    assert not (tmp_path / "plan.json").exists()
    ecluse.repository.replace("pipelines/alpha/pipeline.yaml", "gates:", "gate:")
    wrong = ecluse("plan", "nonprod")
    assert wrong.code == 2
    assert "`gate`: there is no such field" in wrong.err
