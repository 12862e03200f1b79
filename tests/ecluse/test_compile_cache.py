"""What is kept of a compilation is taken only while everything behind it is as it was."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from ecluse.errors import CompilationError
from ecluse.release import compiler
from ecluse.release.compiler import compile_pipelines
from ecluse.repository.catalog import Catalog
from tests.ecluse.repositories import Repository, make_repository

PIPELINE = """
{before}
from kfp import dsl

from pipelines.components.measure import measure


@dsl.pipeline(name="alpha", description=str({expression}))
def pipeline(run_key: str, accuracy: float = 0.9, fail: bool = False) -> None:
    measure(run_key=run_key, accuracy=accuracy, fail=fail)
"""


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    repository = make_repository(tmp_path / "repository", "cache", runtime_image=True)
    repository.pipeline("beta")
    return repository


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
    compile_pipelines(Catalog(repository.root))
    return sorted(compiled)


def described(repository: Repository) -> str:
    spec = compile_pipelines(Catalog(repository.root))["alpha"].spec
    return str(spec["pipelineInfo"]["description"])


def alpha(
    repository: Repository, expression: str, before: str = "from pathlib import Path"
) -> None:
    repository.write(
        "pipelines/alpha/pipeline.py", PIPELINE.format(before=before, expression=expression)
    )


HERE = "Path(__file__).parents[2]"

# Where no rule about folders would look: only who sees a file being read can know.
READ = (
    "pipelines/beta/sql/a.sql",
    "pipelines/components/note.py",
    "docs/words.md",
    "src/business/table.json",
    "pipelines/alpha/pipeline.yaml",
)


def test_a_file_that_was_opened_is_behind_the_pipeline(
    repository: Repository, compiled: list[str]
) -> None:
    for path in READ[:-1]:
        repository.write(path, "first")
    alpha(repository, f"''.join(({HERE} / path).read_text() for path in {READ})")

    def content() -> str:
        return "".join((repository.root / path).read_text() for path in READ)

    assert described(repository) == content()
    assert compiled_anew(repository, compiled) == []
    for path in READ:
        file = repository.root / path
        file.write_text(f"{file.read_text()}\n# other")
        changed = compiled_anew(repository, compiled)
        assert changed == (["alpha", "beta"] if path == READ[0] else ["alpha"])
        assert described(repository) == content()


def test_a_file_or_module_that_was_looked_for_in_vain_is_behind_the_pipeline(
    repository: Repository, compiled: list[str]
) -> None:
    before = """
from pathlib import Path

try:
    import words
    TEXT = words.TEXT
except ImportError:
    TEXT = "none"

try:
    SQL = (Path(__file__).parents[2] / "docs/more.sql").read_text()
except FileNotFoundError:
    SQL = "none"
"""
    alpha(repository, "TEXT + SQL", before)
    assert described(repository) == "nonenone"
    assert compiled_anew(repository, compiled) == []
    repository.write("src/words.py", "TEXT = 'some'\n")
    assert compiled_anew(repository, compiled) == ["alpha"]
    repository.write("docs/more.sql", "more")
    assert compiled_anew(repository, compiled) == ["alpha"]
    assert described(repository) == "somemore"


def test_a_folder_that_was_listed_is_behind_the_pipeline(
    repository: Repository, compiled: list[str]
) -> None:
    repository.write("docs/a.md", "")
    alpha(repository, f"len(list(({HERE} / 'docs').glob('*.md')))")
    assert described(repository) == "1"
    assert compiled_anew(repository, compiled) == []
    repository.write("docs/b.md", "")
    assert compiled_anew(repository, compiled) == ["alpha"]
    assert described(repository) == "2"


def test_where_another_process_read_files_everything_under_pipelines_counts(
    repository: Repository, compiled: list[str]
) -> None:
    repository.write("pipelines/beta/sql/a.sql", "first")
    alpha(
        repository,
        f"subprocess.check_output(['cat', {HERE} / 'pipelines/beta/sql/a.sql'], text=True)",
        "import subprocess\nfrom pathlib import Path",
    )
    assert described(repository) == "first"
    assert compiled_anew(repository, compiled) == []
    repository.write("pipelines/beta/sql/a.sql", "other")
    assert compiled_anew(repository, compiled) == ["alpha", "beta"]
    assert described(repository) == "other"


def test_what_changes_behind_an_unseen_reader_is_a_change(
    repository: Repository, compiled: list[str]
) -> None:
    # Another process reads the file; then, before the compilation ends, the file changes.
    repository.write("pipelines/beta/words.py", "first")
    alpha(
        repository,
        "TEXT",
        "import subprocess\n"
        "from pathlib import Path\n"
        "FILE = Path(__file__).parents[1] / 'beta/words.py'\n"
        "TEXT = subprocess.check_output(['cat', FILE], text=True)\n"
        "if TEXT == 'first':\n"
        "    subprocess.check_call(['cp', __file__, FILE])\n",
    )
    assert described(repository) == "first"
    assert compiled_anew(repository, compiled) == ["alpha", "beta"]
    assert described(repository).startswith("import subprocess")


def test_an_edit_within_one_second_is_seen_although_bytecode_would_not_tell(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    repository.write("pipelines/components/words.py", "TEXT = 'first'\n")
    alpha(repository, "TEXT", "from pipelines.components.words import TEXT")
    then = time.time() - 100
    for text in ("first", "other"):
        file = repository.write("pipelines/components/words.py", f"TEXT = '{text}'\n")
        os.utime(file, (then, then))
        # As another tool may have left it, which imported the very file.
        subprocess.run([sys.executable, "-m", "compileall", "-q", str(file.parent)], check=True)
        assert described(repository) == text


def test_a_file_that_changes_while_it_compiles_is_compiled_again(
    repository: Repository, compiled: list[str]
) -> None:
    repository.write("pipelines/alpha/a.sql", "first")
    # It is another's hand that changes it: the write below stands for that.
    alpha(
        repository,
        "TEXT",
        "from pathlib import Path\n"
        "FILE = Path(__file__).with_name('a.sql')\n"
        "TEXT = FILE.read_text()\n"
        "if TEXT == 'first':\n"
        "    FILE.write_text('other')\n",
    )
    assert described(repository) == "first"
    assert compiled_anew(repository, compiled) == ["alpha"]
    assert described(repository) == "other"


def test_a_damaged_cache_is_made_anew(repository: Repository, compiled: list[str]) -> None:
    before = compile_pipelines(Catalog(repository.root))
    file = repository.root / ".ecluse/compiled/alpha.json"
    settings = repository.root / ".ecluse/settings.json"
    content = file.read_bytes()
    assert b"the data smell" in content
    for damaged in (
        b"",
        content[: len(content) // 2],
        content.replace(b"the data smell", b"the data reek"),
        json.dumps({"made_by": [], "spec": {}}).encode(),
    ):
        file.write_bytes(damaged)
        settings.write_bytes(damaged)
        compiled.clear()
        assert compile_pipelines(Catalog(repository.root)) == before
        assert compiled == ["alpha"]


def test_a_killed_compilation_keeps_what_is_done_and_breaks_nothing(
    repository: Repository, compiled: list[str]
) -> None:
    waits = "import time\nwhile True:\n    time.sleep(9)\n"
    kept = (repository.root / "pipelines/beta/pipeline.py").read_text()
    repository.write("pipelines/beta/pipeline.py", waits)
    command = [sys.executable, "-m", "ecluse", "compile", "--repository", str(repository.root)]
    process = subprocess.Popen(command, start_new_session=True, stdout=subprocess.DEVNULL)
    file = repository.root / ".ecluse/compiled/alpha.json"
    while not file.exists():
        assert process.poll() is None
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    repository.write("pipelines/beta/pipeline.py", kept)
    assert compiled_anew(repository, compiled) == ["beta"]
    assert compiled_anew(repository, compiled) == []


def test_two_who_compile_at_once_do_not_disturb_each_other(
    repository: Repository, compiled: list[str]
) -> None:
    def specs(_: int) -> dict[str, Any]:
        found = compile_pipelines(Catalog(repository.root))
        return {name: pipeline.spec for name, pipeline in found.items()}

    with ThreadPoolExecutor() as pool:
        first, second = pool.map(specs, range(2))
    assert first == second
    assert compiled_anew(repository, compiled) == []
    assert sorted(file.name for file in (repository.root / ".ecluse/compiled").iterdir()) == [
        "alpha.json",
        "beta.json",
    ]


def test_what_does_not_compile_costs_the_others_nothing(
    repository: Repository, compiled: list[str]
) -> None:
    for name in ("gamma", "delta"):
        repository.pipeline(name)
        repository.write(f"pipelines/{name}/pipeline.py", "1 / 0\n")
    with pytest.raises(CompilationError, match=r"pipelines/delta/pipeline.py:1"):
        compile_pipelines(Catalog(repository.root))
    compiled.clear()
    with pytest.raises(CompilationError):
        compile_pipelines(Catalog(repository.root))
    assert sorted(compiled) == ["delta", "gamma"]


def test_one_change_among_many_is_one_compilation(
    repository: Repository, compiled: list[str]
) -> None:
    for number in range(20):
        repository.pipeline(f"many_{number}")
    assert len(compiled_anew(repository, compiled)) == 22
    repository.replace("pipelines/many_7/pipeline.py", "= 0.9", "= 0.8")
    repository.replace("pipelines/many_8/pipeline.yaml", "min: 0.8", "min: 0.7")
    assert compiled_anew(repository, compiled) == ["many_7"]


def test_where_nothing_can_be_kept_it_compiles_all_the_same(repository: Repository) -> None:
    repository.write(".ecluse", "a file where the cache's folder would be")
    assert sorted(compile_pipelines(Catalog(repository.root))) == ["alpha", "beta"]
