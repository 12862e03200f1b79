"""How components start: the environment they get, and that a fork is no different."""

# mypy: disable-error-code="attr-defined, empty-body, misc, no-untyped-call, no-untyped-def"
# mypy: disable-error-code="name-match, type-arg, untyped-decorator"

import gc
import io
import os
import signal
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from kfp import dsl

from gcp_local.containers.processes import PlainLauncher
from gcp_local.containers.warm import WarmLauncher, lightweight
from gcp_local.orchestrator.container import last_error
from gcp_local.orchestrator.states import JobState, TaskState
from tests.gcp_local.orchestrator import components as c
from tests.gcp_local.orchestrator.harness import Cloud, compiled

REPOSITORY = "europe-west1-docker.pkg.dev/project/images/runtime"


def image(cloud: Cloud, files: dict[str, str]) -> str:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text.encode())
            tar.addfile(entry, io.BytesIO(text.encode()))
    packed.seek(0)
    return f"{REPOSITORY}@{cloud.images.add(REPOSITORY, packed)}"


def with_image(spec: dict[str, Any], image: str) -> dict[str, Any]:
    for executor in spec["deploymentSpec"]["executors"].values():
        executor["container"]["image"] = image
    return spec


def test_a_component_gets_a_clean_environment_of_its_own(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "/home/user/key.json")

    @dsl.pipeline(name="environment")
    def environment() -> None:
        c.show_environment().set_env_variable("OWN", "{{$.pipeline_task_name}}")

    shown = cloud.succeed(environment, labels={"team": "a"}).outputs("show-environment")["Output"]
    variables = shown["environment"]
    assert "GOOGLE_APPLICATION_CREDENTIALS" not in variables
    assert variables["OWN"] == "show-environment"
    assert variables["CLOUD_ML_REGION"] == "europe-west1"
    assert variables["VERTEX_AI_PIPELINES_RUN_LABELS"] == '{"team": "a"}'
    assert variables["_KFP_RUNTIME"] == "true"
    assert set(variables) <= {
        "CLOUD_ML_REGION", "GCP_LOCAL_MOUNT", "HOME", "LANG", "LC_CTYPE", "OLDPWD", "OWN", "PATH",
        "PWD", "PYTHONPATH", "SHLVL", "TMPDIR", "VERTEX_AI_PIPELINES_RUN_LABELS", "_",
        "_KFP_RUNTIME",
    }  # fmt: skip
    assert shown["cwd"] == variables["HOME"]
    assert not Path(shown["cwd"]).exists()
    assert shown["stdin"] == ""
    assert shown["group"]
    assert shown["open"] <= 5  # three, the folder being listed, and no socket of the server's
    assert shown["argv"][0].endswith("kfp/dsl/executor_main.py")
    assert shown["argv"][1:4:2] == ["--component_module_path", "--executor_input"]


def test_the_files_of_an_image_come_first(cloud: Cloud) -> None:
    @dsl.pipeline(name="images")
    def images() -> None:
        c.import_module(name="churn")
        c.import_module(name="tabnanny")

    ours = image(cloud, {"churn/__init__.py": "X = 1\n", "tabnanny.py": ""})
    result = cloud.succeed(with_image(compiled(images, cloud.folder), ours))
    for task, file in (("", "churn/__init__.py"), ("-2", "tabnanny.py")):
        shown = result.outputs(f"import-module{task}")["Output"]
        assert shown.startswith(str(cloud.work))
        assert shown.endswith(f"/image/{file}")


def test_the_sitecustomize_of_an_image_is_run(cloud: Cloud) -> None:
    @dsl.pipeline(name="site")
    def site() -> None:
        c.show_environment()

    ours = image(cloud, {"sitecustomize.py": "import os\nos.environ['SITE'] = 'ran'\n"})
    result = cloud.succeed(with_image(compiled(site, cloud.folder), ours))
    assert result.outputs("show-environment")["Output"]["environment"]["SITE"] == "ran"


def test_a_component_that_rewrites_its_own_module_changes_no_other_run(cloud: Cloud) -> None:
    @c.component
    def rewrite() -> str:
        from pathlib import Path

        import churn

        Path(churn.__file__).write_text("X = 'evil'\n")
        Path(churn.__file__).with_name("json.py").write_text("X = 'evil'\n")
        return str(churn.X)

    @dsl.pipeline(name="rewriting")
    def rewriting() -> None:
        rewrite().after(rewrite())

    ours = image(cloud, {"churn.py": "X = 'good'\n"})
    spec = with_image(compiled(rewriting, cloud.folder), ours)
    for _ in range(2):
        result = cloud.succeed(spec)
        assert [result.outputs(task) for task in result.states()] == [{"Output": "good"}] * 2


def test_an_image_that_is_not_in_the_store_fails_its_task_by_name(cloud: Cloud) -> None:
    @dsl.pipeline(name="unknown")
    def unknown() -> None:
        c.echo(text="a")

    spec = with_image(compiled(unknown, cloud.folder), "docker.io/acme/other:latest")
    result = cloud.run(spec)
    assert result.state is JobState.FAILED
    assert "'docker.io/acme/other:latest'" in result.tasks["echo"].error.message


def test_packages_that_are_there_are_not_installed_and_others_fail_the_task(cloud: Cloud) -> None:
    @dsl.component(base_image="python:3.11", packages_to_install=["pyyaml>=6", "numpy"])
    def there() -> str:
        import yaml

        return yaml.safe_dump({"a": 1})

    @dsl.component(base_image="python:3.11", packages_to_install=["no-such-package==1.0"])
    def missing() -> None:
        pass

    @dsl.pipeline(name="packages")
    def packages() -> None:
        there()
        missing()

    result = cloud.run(packages)
    assert result.outputs("there")["Output"] == "a: 1\n"
    assert "installs no-such-package==1.0 at run time" in result.tasks["missing"].error.message


@pytest.mark.parametrize(
    ("task", "expected"),
    [
        (lambda: c.exit_with(code=3), "exited with a non-zero status of 3."),
        (c.kill_itself, "exited with a non-zero status of 137."),
    ],
)
def test_an_exit_code_is_reported(cloud: Cloud, task: Any, expected: str) -> None:
    @dsl.pipeline(name="exits")
    def exits() -> None:
        task()

    result = cloud.run(exits)
    assert result.state is JobState.FAILED
    assert expected in result.error


@pytest.mark.parametrize("how", ["exits", "falls through"])
def test_a_child_that_a_component_forks_does_not_end_its_task(cloud: Cloud, how: str) -> None:
    @dsl.pipeline(name="forks")
    def forks(how: str) -> None:
        c.fork_and_fail(how=how)

    result = cloud.run(forks, {"how": how})
    assert result.state is JobState.FAILED
    assert "ValueError: the parent failed" in result.tasks["fork-and-fail"].error.message


def test_a_component_ends_as_python_ends(cloud: Cloud) -> None:
    @dsl.pipeline(name="endings")
    def endings() -> None:
        c.exit_with(code=0)
        c.spawn()
        c.leave_a_pool_open()

    result = cloud.succeed(endings)
    log = result.log("leave-a-pool-open")
    assert log.rstrip().endswith("at exit")
    assert "to stderr" in log
    assert result.outputs("spawn")["Output"] == 3


def test_random_numbers_differ_between_forks_of_a_loaded_numpy(tmp_path: Path) -> None:
    @dsl.pipeline(name="random")
    def random() -> None:
        c.draw().set_caching_options(False)
        c.draw().set_caching_options(False)

    cloud = loaded_cloud(tmp_path, "numpy")
    result = cloud.succeed(random)
    cloud.close()
    first, second = result.outputs("draw")["Output"], result.outputs("draw-2")["Output"]
    assert all(one != other for one, other in zip(first, second, strict=True))


def loaded_cloud(folder: Path, *preload: str) -> Cloud:
    """Give a cloud whose fork server has loaded those libraries."""
    launcher = WarmLauncher(preload)
    cloud = Cloud(folder, launcher)

    @dsl.pipeline(name="loading")
    def loading() -> None:
        light = c.echo(text="")
        heavy = c.draw().after(light)
        c.echo(text="again").after(heavy)

    name = cloud.submit(loading)
    cloud.wait(name, lambda job: _running(job, "draw"))
    assert not launcher._loaded
    assert cloud.wait(name).state is JobState.SUCCEEDED
    assert launcher._loaded
    deadline = time.monotonic() + 60
    while not all(zygote.ready for zygote in launcher._loaded.values()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return cloud


def test_models_are_trained_in_a_fork_as_in_a_process_of_its_own(tmp_path: Path) -> None:
    @dsl.pipeline(name="training")
    def training() -> None:
        c.fit_models()

    folders = [tmp_path / "plain", tmp_path / "warm"]
    for folder in folders:
        folder.mkdir()
    plain = Cloud(folders[0], PlainLauncher())
    warm = loaded_cloud(folders[1], "numpy", "xgboost")
    outputs = [cloud.succeed(training).outputs("fit-models")["Output"] for cloud in (plain, warm)]
    plain.close()
    warm.close()
    assert outputs[0]["xgboost"] > 0.9
    assert outputs[0] == outputs[1]


def test_a_fork_sees_what_an_image_brings_instead_of_a_loaded_library(tmp_path: Path) -> None:
    @dsl.pipeline(name="hiding")
    def hiding() -> None:
        c.import_module(name="numpy")

    cloud = loaded_cloud(tmp_path, "numpy")
    cloud.succeed(hiding)
    ours = image(cloud, {"numpy.py": ""})
    result = cloud.succeed(with_image(compiled(hiding, cloud.folder), ours))
    cloud.close()
    assert result.outputs("import-module")["Output"].startswith(str(tmp_path))


def test_a_fork_server_that_dies_fails_its_tasks_and_is_replaced(tmp_path: Path) -> None:
    @dsl.pipeline(name="dies")
    def dies(seconds: float) -> None:
        c.sleep(seconds=seconds)

    launcher = WarmLauncher(())
    cloud = Cloud(tmp_path, launcher)
    name = cloud.submit(dies, {"seconds": 600.0})
    cloud.wait(name, lambda job: _running(job, "sleep"))
    deadline = time.monotonic() + 20
    while not launcher._quick and time.monotonic() < deadline:
        time.sleep(0.02)
    (zygote,) = launcher._quick.values()
    while not zygote._processes or next(iter(zygote._processes.values())).pid is None:
        time.sleep(0.02)
    child = next(iter(zygote._processes.values())).pid
    os.kill(zygote.pid, signal.SIGKILL)
    assert cloud.wait(name).state is JobState.FAILED
    cloud.succeed(dies, {"seconds": 0.0})
    cloud.close()
    assert not _alive(child)


SERVER = """
import sys, time
from pathlib import Path
from kfp import dsl
from gcp_local.containers.warm import WarmLauncher
from tests.gcp_local.orchestrator import components as c
from tests.gcp_local.orchestrator.harness import Cloud

@dsl.container_component
def plain(marker: str):
    return dsl.ContainerSpec(image="python:3.11", command=["sleep"], args=[marker])

@dsl.pipeline(name="killed")
def killed(marker: str):
    c.sleep_with_child(seconds=600, marker=marker)
    c.leave_a_daemon(marker=marker, then="wait")
    plain(marker=f"700.{marker}")

Cloud(Path(sys.argv[1]), WarmLauncher(())).submit(killed, {"marker": sys.argv[2]})
time.sleep(600)
"""


def test_a_server_that_is_killed_leaves_no_process_behind(tmp_path: Path) -> None:
    marker = f"{os.getpid()}{time.monotonic_ns()}"
    root = Path(__file__).parents[3]
    command = [sys.executable, "-c", SERVER, str(tmp_path), marker]
    server = subprocess.Popen(command, cwd=root, env={**os.environ, "PYTHONPATH": str(root)})

    _wait_for(lambda: _sleepers(marker) == 4)
    server.kill()
    server.wait()
    _wait_for(lambda: _sleepers(marker) == 0)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets a process adopt")
@pytest.mark.parametrize("then", ["succeed", "fail", "wait"])
def test_a_process_in_a_session_of_its_own_ends_with_its_task(tmp_path: Path, then: str) -> None:
    @dsl.pipeline(name="daemons")
    def daemons(marker: str, then: str) -> None:
        c.leave_a_daemon(marker=marker, then=then)

    marker = f"{os.getpid()}{time.monotonic_ns()}"
    cloud = Cloud(tmp_path, WarmLauncher(()))
    name = cloud.submit(daemons, {"marker": marker, "then": then})
    if then == "wait":
        _wait_for(lambda: _sleepers(marker) == 2)
        cloud.orchestrator.cancel(name)
    cloud.wait(name)
    _wait_for(lambda: _sleepers(marker) == 0)
    cloud.close()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets a process adopt")
def test_a_process_in_a_session_of_its_own_ends_with_the_server(tmp_path: Path) -> None:
    @dsl.pipeline(name="daemons")
    def daemons(marker: str) -> None:
        c.leave_a_daemon(marker=marker, then="wait")

    marker = f"{os.getpid()}{time.monotonic_ns()}"
    cloud = Cloud(tmp_path, WarmLauncher(()))
    cloud.submit(daemons, {"marker": marker})
    _wait_for(lambda: _sleepers(marker) == 2)
    cloud.close()
    assert _sleepers(marker) == 0


def _sleepers(marker: str) -> int:
    command = ["pgrep", "-fc", f"^sleep [67]00.{marker}"]
    return int(subprocess.run(command, capture_output=True, text=True, check=False).stdout)


def _wait_for(reached: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not reached():
        assert time.monotonic() < deadline
        time.sleep(0.05)


RUNS = int(os.environ.get("GCP_LOCAL_RUNS", "30"))


def test_many_runs_leave_no_files_no_threads_and_no_processes(tmp_path: Path) -> None:
    """`GCP_LOCAL_RUNS=1000 pytest -s -k many_runs` runs a thousand, and tells the numbers."""

    @dsl.pipeline(name="many")
    def many() -> None:
        c.echo(text="a").set_caching_options(False)
        c.echo(text="b")
        c.fail(message="c")

    launcher = WarmLauncher(())
    cloud = Cloud(tmp_path, launcher)
    spec = compiled(many, tmp_path)
    counts = []
    for _ in range(3):
        for start in range(0, RUNS // 3, 10):
            names = [cloud.submit(spec) for _ in range(min(10, RUNS // 3 - start))]
            assert all(cloud.wait(name).state is JobState.FAILED for name in names)
            for name in names:
                del cloud.saved[name]
        own, its, left = _left(cloud, launcher)
        counts.append((own, its, threading.active_count(), left))
        print(  # noqa: T201
            f"open files {own} and {its}, threads {threading.active_count()}, files left {left},"
            f" {Path('/proc/self/statm').read_text().split()[1]} pages of memory"
        )
    cloud.close()
    assert counts[2][0] <= counts[0][0]
    assert counts[2][1:] == counts[0][1:]
    assert counts[2][3] == []


def _left(cloud: Cloud, launcher: WarmLauncher) -> tuple[int, int, list[str]]:
    """Count the open files of this process and of the fork server's; list what files are left."""
    _wait_for(lambda: not cloud.orchestrator._running)
    gc.collect()
    (zygote,) = launcher._quick.values()
    _wait_for(lambda: not zygote._processes)
    children = Path(f"/proc/{zygote.pid}/task/{zygote.pid}/children")
    _wait_for(lambda: len(children.read_text().split()) == 2)  # forks that wait for their task
    own, its = (len(list(Path(f"/proc/{pid}/fd").iterdir())) for pid in ("self", zygote.pid))
    return own, its, [path.name for path in cloud.work.iterdir()]


def _running(job: Any, task: str) -> bool:
    return any(
        t.task_name == task and t.state == TaskState.RUNNING for t in job.job_detail.task_details
    )


def _alive(pid: int | None) -> bool:
    status = Path(f"/proc/{pid}/status")
    return status.exists() and "(zombie)" not in status.read_text()


def test_only_the_exact_command_of_a_python_function_is_forked(tmp_path: Path) -> None:
    @dsl.pipeline(name="shape")
    def shape() -> None:
        c.echo(text="a")

    executor = compiled(shape, tmp_path)["deploymentSpec"]["executors"]["exec-echo"]
    words = [*executor["container"]["command"], *executor["container"]["args"]]
    recognised = lightweight(words)
    assert recognised is not None
    assert "def echo" in recognised.source
    for altered in (
        words[:-1],
        [*words, "--more"],
        ["sh", "-c", *words[2:]],
        [*words[:2], words[2] + "; curl example.com", *words[3:]],
    ):
        assert lightweight(altered) is None


def test_the_last_line_of_the_last_traceback_is_the_error(tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    log.write_text(
        "Traceback (most recent call last):\n  File x\nKeyError: 'first'\n\nDuring handling of the"
        " above exception, another exception occurred:\n\nTraceback (most recent call last):\n"
        '  File "y", line 1, in z\n    raise Error(\npackage.SecondError: two\nlines\nlater noise\n'
    )
    assert last_error(log) == "package.SecondError: two"
    log.write_bytes(b"sh: 1: nothing: not found\n\xff\n")
    assert last_error(log) == "\ufffd"
    log.write_text("")
    assert last_error(log) == ""
