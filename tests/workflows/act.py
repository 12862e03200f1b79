"""Runs a workflow's jobs on this machine, without docker and without GitHub, by act.

The actions of others cannot be fetched here; `stand_ins/` has what does their work locally.
`actions/checkout` is act's own. All that a run writes is below one folder.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.workflows.pins import ACTIONS

ROOT = Path(__file__).parents[2]
_STAND_INS = Path(__file__).parent / "stand_ins"
_SECONDS = 150


@dataclass(frozen=True)
class JobRun:
    """What a job did.

    Attributes:
        succeeded: whether the job did.
        steps: each step's result by its name, or by its command where it has no name.
        summary: what the job wrote to its summary.
        log: all that it printed.
    """

    succeeded: bool
    steps: Mapping[str, str]
    summary: str
    log: str


@dataclass(frozen=True)
class Repository:
    """A repository of its own that holds what git would hold of this one, and act's home.

    Attributes:
        home: the folder that all lies in.
    """

    home: Path

    @property
    def root(self) -> Path:
        """The working tree."""
        return self.home / "repository"

    @property
    def artifacts(self) -> Path:
        """Where the stand-in for upload-artifact puts things."""
        return self.home / "artifacts"

    @classmethod
    def create(cls, home: Path) -> "Repository":
        """Copy every file that is not ignored, and commit."""
        repository = cls(home)
        repository.root.mkdir(parents=True)
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT, capture_output=True, text=True, check=True,
        )  # fmt: skip
        for name in filter(None, listed.stdout.split("\0")):
            if (ROOT / name).is_file():
                target = repository.root / name
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes((ROOT / name).read_bytes())
        repository.git("init", "--quiet", "--initial-branch=main")
        # act names the repository after its remote; nothing is fetched from it.
        repository.git("remote", "add", "origin", "https://github.com/example/churn-pipelines")
        repository.commit("All of it")
        return repository

    def git(self, *arguments: str) -> None:
        """Run git in the repository."""
        subprocess.run(["git", *arguments], cwd=self.root, check=True, capture_output=True)

    def commit(self, message: str) -> None:
        """Commit the working tree."""
        self.git("add", "--all")
        identity = ["-c", "user.name=Test", "-c", "user.email=test@example.com"]
        self.git(*identity, "commit", "--quiet", "--message", message)

    def run_job(
        self,
        workflow: str,
        event: str,
        job: str,
        *,
        matrix: str | None = None,
        environment: Mapping[str, str],
    ) -> JobRun:
        """Run one job of a workflow, and end whatever it started and left behind.

        Args:
            workflow: the file's name without its ending.
            event: what GitHub would call the occasion.
            job: the job's key.
            matrix: `KEY:VALUE`, to run the job for this value alone.
            environment: variables for its steps, beside those of this process.
        """
        stand_ins = [
            f"--local-repository={action}@{commit}={folder}"
            for action, (_, commit) in ACTIONS.items()
            if (folder := _STAND_INS / action.split("/")[1]).is_dir()
        ]
        process = subprocess.Popen(
            [
                str(Path(sys.executable).parent / "act"), event, "--json", f"--job={job}",
                f"--workflows=.github/workflows/{workflow}.yaml", "--no-cache-server",
                "--platform=ubuntu-latest=-self-hosted", "--pull=false", *stand_ins,
                *([f"--matrix={matrix}"] if matrix else []),
            ],
            cwd=self.root,
            env={**os.environ, **self._environment(), **environment},
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            start_new_session=True,
        )  # fmt: skip
        try:
            output, errors = process.communicate(timeout=_SECONDS)
        finally:
            self._end(process)
        return _read(output, errors, succeeded=process.returncode == 0)

    def _environment(self) -> dict[str, str]:
        # uv's cache does not move with HOME: the packages are on this machine already.
        cache = subprocess.run(["uv", "cache", "dir"], capture_output=True, text=True, check=True)
        return {
            "HOME": str(self.home / "home"),
            "XDG_CACHE_HOME": str(self.home / "home/.cache"),
            "XDG_CONFIG_HOME": str(self.home / "home/.config"),
            "XDG_DATA_HOME": str(self.home / "home/.local/share"),
            "PYTHONDONTWRITEBYTECODE": "",
            "UV_CACHE_DIR": cache.stdout.strip(),
            "UV_PROJECT_ENVIRONMENT": str(self.home / "environment"),
            "UV_PYTHON": sys.executable,
            # What a job imports is compiled then, which is little of all that is installed.
            "UV_COMPILE_BYTECODE": "0",
            "VIRTUAL_ENV": "",
            "ARTIFACTS": str(self.artifacts),
        }

    def _end(self, process: subprocess.Popen[str]) -> None:
        """End act, and the job's embedded clouds, which outlive the command that started them.

        A runner of GitHub's is thrown away with them. act removes the job's folder, so that only
        their command lines, which name a path below our own folder, are left to know them by.
        """
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        for line in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                if str(self.home).encode() in line.read_bytes():
                    os.kill(int(line.parent.name), signal.SIGTERM)
            except (FileNotFoundError, ProcessLookupError):
                continue


def _read(output: str, errors: str, *, succeeded: bool) -> JobRun:
    events: list[dict[str, Any]] = [
        json.loads(line) for line in output.splitlines() if line.startswith("{")
    ]
    steps = {
        event["step"]: event["stepResult"]
        for event in events
        if event.get("stage") == "Main" and "stepResult" in event and len(event["stepID"]) == 1
    }
    summaries = [event["content"] for event in events if event.get("command") == "summary"]
    log = "".join(str(event.get("msg", "")) + "\n" for event in events) + errors
    return JobRun(succeeded, steps, "".join(summaries), log)
