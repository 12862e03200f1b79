"""The compiler: the same pipeline is the same bytes; other code elsewhere does not matter."""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from ecluse.canonical import digest_of
from ecluse.errors import CompilationError, InvalidInput
from ecluse.release import compiler
from ecluse.release.canonical_yaml import canonical_yaml
from ecluse.release.compiler import CompiledPipeline, compile_pipelines
from ecluse.release.template import RUNTIME_IMAGE
from ecluse.repository.catalog import Catalog
from ecluse.repository.check import check_settings
from ecluse.repository.image import image_source
from tests.ecluse.repositories import Repository, make_repository

ROOT = Path(__file__).parents[2]
IMAGE = "europe-west1-docker.pkg.dev/test-images/images/runtime@sha256:" + "0" * 64
OTHER_IMAGE = IMAGE.replace("sha256:0", "sha256:1")


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    repository = make_repository(tmp_path / "repository", "compiler", runtime_image=True)
    repository.pipeline("beta")
    return repository


def digests(repository: Repository, image: str = IMAGE) -> dict[str, str]:
    compiled = compile_pipelines(Catalog(repository.root))
    return {name: digest_of(pipeline.content(image)) for name, pipeline in compiled.items()}


def refused(repository: Repository) -> str:
    catalog = Catalog(repository.root)
    with pytest.raises(InvalidInput) as error:
        check_settings(catalog, compile_pipelines(catalog))
    assert "\n" not in str(error.value)
    return str(error.value)


def test_the_same_pipeline_is_the_same_bytes_in_another_folder_and_with_another_hash_seed(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository.replace(
        "pipelines/alpha/pipeline.py",
        "fail: bool = False)",
        "fail: bool = False, options: dict[str, int] = {'b': 1, 'a': 2, 'c': 3})",
    )
    here = digests(repository)
    copy = Repository(tmp_path / "elsewhere" / "copy")
    shutil.copytree(repository.root, copy.root, ignore=shutil.ignore_patterns(".ecluse"))
    there = digests(copy)
    assert here == there
    for seed in ("1", "2", "3"):
        monkeypatch.setattr(compiler, "_HASH_SEED", seed)
        shutil.rmtree(copy.root / ".ecluse")
        assert digests(copy) == here


@pytest.mark.parametrize("python", ["python3.11", "python3.12", "python3.13", "python3.14"])
def test_the_same_pipeline_is_the_same_bytes_under_another_python(
    python: str, tmp_path: Path
) -> None:
    interpreter = _interpreter(python)
    if interpreter is None:
        pytest.skip(f"there is no {python} on this machine")
    environment = tmp_path / "venv"
    uv = shutil.which("uv") or str(ROOT / ".uv/bin/uv")
    # Only what compiling needs, in the locked versions, from this machine's cache where it can.
    made = subprocess.run(
        [uv, "sync", "--frozen", "--quiet", "--no-default-groups", "--python", interpreter],
        cwd=ROOT,
        env={
            **os.environ,
            "UV_COMPILE_BYTECODE": "0",  # little of all that is installed is imported
            "UV_PROJECT_ENVIRONMENT": str(environment),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode:
        pytest.skip(f"{python} cannot have the locked packages here: {made.stderr.strip()[-200:]}")
    done = subprocess.run(
        [
            *(environment / "bin" / "python", "-m", "ecluse", "compile"),
            *("--output", str(tmp_path / "compiled"), "--repository", str(_copy_of_us(tmp_path))),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for name, pipeline in compile_pipelines(Catalog(ROOT)).items():
        there = (tmp_path / "compiled" / f"{name}.yaml").read_bytes()
        assert there == pipeline.content(RUNTIME_IMAGE)


def _interpreter(python: str) -> str | None:
    """Find an interpreter as uv does, or among pyenv's, whose shims hide all but one."""
    wanted = python.removeprefix("python")
    uv = shutil.which("uv") or str(ROOT / ".uv/bin/uv")
    found = subprocess.run(
        [uv, "python", "find", "--no-python-downloads", "--no-project", wanted],
        capture_output=True,
        text=True,
        check=False,
    )
    if found.returncode == 0:
        return found.stdout.strip()
    versions = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    return next((str(path) for path in versions.glob(f"{wanted}.*/bin/{python}")), None)


def _copy_of_us(tmp_path: Path) -> Path:
    """Copy what this repository's pipelines are compiled from, without its cache."""
    copy = tmp_path / "ours"
    for folder in ("pipelines", "environments", "src/churn"):
        shutil.copytree(ROOT / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__"))
    return copy


def test_code_in_a_pipelines_folder_changes_that_pipelines_digest_only(
    repository: Repository,
) -> None:
    before = digests(repository)
    repository.replace(
        "pipelines/alpha/pipeline.py", "accuracy: float = 0.9", "accuracy: float = 0.8"
    )
    after = digests(repository)
    assert after["alpha"] != before["alpha"]
    assert after["beta"] == before["beta"]


def test_a_shared_component_changes_exactly_the_pipelines_that_use_it(
    repository: Repository,
) -> None:
    repository.write(
        "pipelines/components/other.py",
        """
        from kfp import dsl

        PINNED = "docker.io/python@sha256:" + "a" * 64

        @dsl.component(base_image=PINNED, install_kfp_package=False)
        def other(run_key: str) -> str:
            return run_key
        """,
    )
    repository.write(
        "pipelines/beta/pipeline.py",
        """
        from kfp import dsl
        from pipelines.components.other import other

        @dsl.pipeline(name="beta")
        def beta(run_key: str) -> None:
            other(run_key=run_key)
        """,
    )
    before = digests(repository)
    repository.replace("pipelines/components/measure.py", "the data smell", "the data reek")
    after = digests(repository)
    assert after["alpha"] != before["alpha"]
    assert after["beta"] == before["beta"]


def test_the_runtime_image_changes_exactly_the_pipelines_that_run_in_it(
    repository: Repository,
) -> None:
    repository.write(
        "pipelines/beta/pipeline.py",
        """
        from kfp import dsl

        PINNED = "docker.io/python@sha256:" + "a" * 64

        @dsl.component(base_image=PINNED, install_kfp_package=False)
        def other(run_key: str) -> str:
            return run_key

        @dsl.pipeline(name="beta")
        def beta(run_key: str) -> None:
            other(run_key=run_key)
        """,
    )
    catalog = Catalog(repository.root)
    before, tag = digests(repository), image_source(catalog, "runtime").tag
    repository.replace("src/business/__init__.py", "return value", "return value * 1.0")
    assert image_source(catalog, "runtime").tag != tag
    assert digests(repository) == before, "the code of the image is not in the pipeline"
    after = digests(repository, OTHER_IMAGE)
    assert after["alpha"] != before["alpha"]
    assert after["beta"] == before["beta"]


@pytest.mark.parametrize(
    "path", ["src/ecluse/plan.py", "src/gcp_local/cli.py", "docs/x.md", "tests/test_x.py"]
)
def test_the_engine_and_the_embedded_cloud_change_no_digest_and_no_image(
    repository: Repository, path: str
) -> None:
    catalog = Catalog(repository.root)
    before = (digests(repository), image_source(catalog, "runtime").tag)
    repository.write(path, "a = 1\n")
    assert (digests(repository), image_source(catalog, "runtime").tag) == before


@pytest.mark.parametrize(
    ("old", "new", "changes"),
    [
        ("RUN echo tool", "RUN echo other", False),
        ("COPY src/business /app", "COPY src/business /b", True),
    ],
)
def test_only_the_stages_behind_an_image_change_its_tag(
    repository: Repository, old: str, new: str, changes: bool
) -> None:
    catalog = Catalog(repository.root)
    before = image_source(catalog, "runtime").tag
    repository.replace("Dockerfile", old, new)
    assert (image_source(catalog, "runtime").tag != before) is changes


def test_an_unchanged_pipeline_is_not_compiled_again(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = digests(repository)

    def no_worker(root: Path, names: Sequence[str], take: object) -> None:
        pytest.fail(f"the worker was asked for {names}")

    monkeypatch.setattr(compiler, "_ask_worker", no_worker)
    assert digests(repository) == before


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list of what was compiled, which grows."""
    names: list[str] = []
    ask = compiler._ask_worker

    def counting(root: Path, asked: Sequence[str], take: Any) -> None:
        names.extend(asked)
        ask(root, asked, take)

    monkeypatch.setattr(compiler, "_ask_worker", counting)
    return names


def compiled_anew(repository: Repository, compiled: list[str]) -> list[str]:
    """Return what has to be compiled now."""
    compiled.clear()
    digests(repository)
    return sorted(compiled)


def test_a_file_in_a_pipelines_folder_invalidates_that_pipeline_alone(
    repository: Repository, compiled: list[str]
) -> None:
    assert compiled_anew(repository, compiled) == ["alpha", "beta"]
    repository.write("pipelines/alpha/helper.py", "a = 1\n")
    assert compiled_anew(repository, compiled) == ["alpha"]
    repository.write("pipelines/alpha/sql/features.sql", "SELECT 1")
    assert compiled_anew(repository, compiled) == ["alpha"]
    repository.write("pipelines/components/shared.sql", "SELECT 1")
    assert compiled_anew(repository, compiled) == ["alpha", "beta"], "either may read it"
    assert compiled_anew(repository, compiled) == []


def test_the_canonical_form_reads_back_as_the_same_values() -> None:
    spec = {
        "text": "1e3",
        "no": "no",
        "lines": "a\n  b: c\n",
        "é": "→",
        "n": 5.0,
        "list": [None, {}],
    }
    assert yaml.safe_load(canonical_yaml(spec)) == spec
    assert b'"1e3"' in canonical_yaml(spec)


def test_the_compiled_bytes_name_the_image_by_digest_and_nothing_else_changes(
    repository: Repository,
) -> None:
    pipeline = compile_pipelines(Catalog(repository.root))["alpha"]
    assert pipeline.uses_runtime_image
    content = pipeline.content(IMAGE)
    assert IMAGE.encode() in content
    assert content.replace(IMAGE.encode(), b"runtime") == canonical_yaml(pipeline.spec)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (
            "def broken(:\n",
            "pipelines/alpha/pipeline.py:1: pipeline `alpha` does not compile: ",
        ),
        (
            "x = 1\nimport nothing_of_the_kind\n",
            "pipelines/alpha/pipeline.py:2: pipeline `alpha` does not compile: "
            "ModuleNotFoundError: No module named 'nothing_of_the_kind'",
        ),
        (
            "raise SystemExit(3)\n",
            "pipelines/alpha/pipeline.py:1: pipeline `alpha` does not compile: SystemExit: 3",
        ),
        (
            "x = 1\n",
            "pipelines/alpha/pipeline.py:1: pipeline `alpha` does not compile: "
            "the file defines no @dsl.pipeline",
        ),
        (
            "import os\nos._exit(3)\n",
            "pipelines/alpha/pipeline.py: the compiler ended early (exit code 3)",
        ),
        (
            """
            from kfp import dsl

            PINNED = "docker.io/python@sha256:" + "a" * 64

            @dsl.component(base_image=PINNED, install_kfp_package=False)
            def other() -> str:
                return ""

            @dsl.pipeline(name="alpha")
            def alpha() -> None:
                other()
            """,
            "pipelines/alpha/pipeline.py: pipeline `alpha` has no parameter `run_key`",
        ),
    ],
)
def test_a_pipeline_that_does_not_compile_is_named_with_its_line(
    repository: Repository, content: str, expected: str
) -> None:
    repository.write("pipelines/alpha/pipeline.py", content)
    assert expected in refused(repository)


def test_what_a_pipeline_prints_while_it_is_loaded_disturbs_nothing(
    repository: Repository,
) -> None:
    before = digests(repository)
    file = repository.root / "pipelines/alpha/pipeline.py"
    file.write_text(file.read_text() + 'print(\'{"name": "alpha"}\')\n')
    assert digests(repository) == before


def test_two_pipelines_of_one_name_are_refused(repository: Repository) -> None:
    repository.pipeline("gamma", package="alpha")
    assert refused(repository) == (
        "pipelines/gamma/pipeline.py: pipelines `alpha` and `gamma` are both named `alpha` in the "
        "registry → give one of them another name in @dsl.pipeline"
    )


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ("parameters: {acuracy: 1}", ":6: the pipeline has no parameter `acuracy` → did you mean"),
        ("parameters: {accuracy: high}", ":6: `accuracy` must be a number, found `high`"),
        ("parameters: {fail: 1}", ":6: `fail` must be true or false, found `1`"),
        ("parameters: {run_key: x}", ":6: `run_key` is set by ecluse"),
        (
            "environments: {prod: {parameters: {fail: perhaps}}}",
            ":6: `fail` must be true or false, found `perhaps`",
        ),
        (
            "sample_data: {parameter: data, generate: [make, '{path}']}",
            ":6: `sample_data.parameter`: the pipeline has no parameter `data`",
        ),
        (
            "smoke: {parameters: {acuracy: 1}}",
            ":6: the pipeline has no parameter `acuracy` → did you mean",
        ),
        ("smoke: {parameters: {fail: 1}}", ":6: `fail` must be true or false, found `1`"),
        ("smoke: {parameters: {run_key: x}}", ":6: `run_key` is set by ecluse"),
        ("bad_change: none.patch", ":6: `bad_change`: there is no file none.patch"),
    ],
)
def test_settings_that_do_not_fit_the_compiled_pipeline_are_named_with_their_line(
    repository: Repository, settings: str, expected: str
) -> None:
    file = repository.root / "pipelines/alpha/pipeline.yaml"
    file.write_text(file.read_text() + settings + "\n")
    complaint = refused(repository)
    assert complaint.startswith("pipelines/alpha/pipeline.yaml")
    assert expected in complaint


def test_an_image_by_tag_is_refused(repository: Repository) -> None:
    repository.replace("pipelines/components/measure.py", '"runtime"', '"python:3.11-slim"')
    assert refused(repository) == (
        "pipelines/alpha/pipeline.py: a component runs in `python:3.11-slim`, and a tag can move "
        'between nonprod and prod → use base_image="runtime", or an image by digest'
    )


@pytest.mark.parametrize(
    "options",
    [
        'base_image="runtime"',
        'base_image="runtime", install_kfp_package=False, packages_to_install=["six"]',
    ],
)
def test_packages_that_are_fetched_at_run_time_are_refused(
    repository: Repository, options: str
) -> None:
    repository.replace(
        "pipelines/components/measure.py",
        'base_image="runtime", install_kfp_package=False',
        options,
    )
    assert "a component installs packages when it starts" in refused(repository)


def test_a_pipeline_that_prints_more_than_a_pipe_holds_compiles(repository: Repository) -> None:
    file = repository.root / "pipelines/alpha/pipeline.py"
    file.write_text(file.read_text() + "print('x' * 300_000)\n")
    assert sorted(digests(repository)) == ["alpha", "beta"]


def test_a_file_anywhere_under_pipelines_may_be_read_by_any_pipeline(
    repository: Repository,
) -> None:
    repository.write("pipelines/shared.sql", "SELECT 1")
    repository.replace(
        "pipelines/alpha/pipeline.py",
        "@dsl.pipeline(",
        "import pathlib\nSQL = pathlib.Path(__file__).parents[1] / 'shared.sql'\n\n\n"
        "@dsl.pipeline(description=SQL.read_text(), ",
    )
    before = digests(repository)
    repository.write("pipelines/shared.sql", "SELECT 2")
    after = digests(repository)
    assert after["alpha"] != before["alpha"]
    assert after["beta"] == before["beta"]


def test_a_file_that_git_ignores_goes_into_no_image(repository: Repository) -> None:
    tag = image_source(Catalog(repository.root), "runtime").tag
    repository.write(".gitignore", ".ecluse/\n__pycache__/\nsecret.py\n")
    repository.write("src/business/secret.py", "a = 1")
    assert image_source(Catalog(repository.root), "runtime").tag == tag
    repository.write("src/business/other.py", "a = 1")
    assert image_source(Catalog(repository.root), "runtime").tag != tag


@pytest.mark.parametrize("name", ["a b", "ä", "1st", "a.b"])
def test_a_folder_whose_name_is_no_name_is_refused(repository: Repository, name: str) -> None:
    repository.pipeline(name, package="other")
    assert f"`{name}` is no name for a pipeline" in refused(repository)


def test_a_gate_on_a_task_that_does_not_exist_is_named_with_its_line(
    repository: Repository,
) -> None:
    repository.replace(
        "pipelines/alpha/pipeline.yaml", "measure.accuracy, min", "mesure.accuracy, min"
    )
    assert refused(repository) == (
        "pipelines/alpha/pipeline.yaml:4: `gates.0.metric`: the pipeline has no task `mesure` → "
        "did you mean `measure`?"
    )


def test_a_parameter_without_value_or_default_is_named(repository: Repository) -> None:
    repository.replace("pipelines/alpha/pipeline.py", "accuracy: float = 0.9", "accuracy: float")
    assert "the parameter `accuracy` has no value in dev and no default" in refused(repository)


def test_prod_must_take_its_images_from_where_nonprod_does(repository: Repository) -> None:
    repository.replace("environments/prod.yaml", "test-images", "other-images")
    assert "`images` is not that of `nonprod`" in refused(repository)


def test_a_pipeline_in_the_runtime_image_needs_its_digest(repository: Repository) -> None:
    pipeline = compile_pipelines(Catalog(repository.root))["alpha"]
    with pytest.raises(CompilationError, match="--runtime-image"):
        pipeline.content(None)


@pytest.mark.parametrize("field", sorted(compiler._UNPROVEN_FIELDS))
def test_what_is_unproven_on_vertex_is_refused_but_not_a_parameter_of_that_name(field: str) -> None:
    spec = {
        "root": {"dag": {"tasks": {"t": {"cachingOptions": {field: "x"}}}}},
        "components": {"c": {"inputDefinitions": {"parameters": {field: {}}}}},
    }
    assert field in compiler._keys(spec["root"])
    assert field not in compiler._keys(spec["components"])


def test_our_own_pipelines_compile_and_their_settings_fit() -> None:
    catalog = Catalog(ROOT)
    compiled = compile_pipelines(catalog)
    check_settings(catalog, compiled)
    assert all(isinstance(pipeline, CompiledPipeline) for pipeline in compiled.values())
    assert sys.modules.get("pipelines.churn_xgboost.pipeline") is None, "compiled in a child"
