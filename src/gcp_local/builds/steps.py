"""One step of a build: its image, its command, its process."""

from __future__ import annotations

import os
import shlex
import shutil
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from gcp_local import clock
from gcp_local.builds.docker.daemon import Daemon
from gcp_local.builds.images import PullError, StepImage, laid_out
from gcp_local.builds.log import StepLog
from gcp_local.builds.messages import Status
from gcp_local.builds.rooms import WORKSPACE, Room, StepRoom, placed
from gcp_local.builds.step_checks import seconds_of
from gcp_local.containers.processes import Command, StoppedError

if TYPE_CHECKING:
    from gcp_local.builds.log import BuildLog
    from gcp_local.builds.stopping import Stopper
    from gcp_local.builds.workshop import Workshop
    from gcp_local.rpc.protos import Message

_MOST_OUTPUT = 50 * 1024
_NOT_FOUND = 127
_PIPE_SECONDS = 2.0


@dataclass(frozen=True)
class StepEnd:
    """How a step ended.

    Attributes:
        status: SUCCESS, FAILURE, TIMEOUT or CANCELLED.
        why: what failed, in Cloud Build's words.
        code: the exit code, 0 if there is none.
        span: when it began and ended.
        pulled: when its image was there.
        output: what it left in `$BUILDER_OUTPUT/output`.
        digest: its image's, where it has one.

    """

    status: int
    why: str
    code: int
    span: tuple[datetime, datetime]
    pulled: datetime
    output: bytes
    digest: str

    @property
    def good(self) -> bool:
        """Whether those who wait for it may begin."""
        return self.status == Status.SUCCESS


@dataclass(frozen=True)
class StepRunner:
    """Runs the steps of one build.

    Attributes:
        shop: the stores and the host.
        room: the build's folders.
        log: the build's log.
        stopper: starts the build's processes, and ends them.
        base: the folder that relative directories are in.
        env: the variables of every step.
        secrets: the values of the build's secrets, by variable.
        mapped: all substitutions, for the steps that take them as variables.

    """

    shop: Workshop
    room: Room
    log: BuildLog
    stopper: Stopper
    base: Path
    env: Mapping[str, str]
    secrets: Mapping[str, str]
    mapped: Mapping[str, str]

    def run(self, build: Message, index: int) -> StepEnd:
        """Run a step to its end."""
        step = build.steps[index]
        # Cloud Build says which step a line is of only where there are several.
        several = len(build.steps) > 1
        named = f"Step #{index}" + (f' - "{step.id}"' if step.id else "")
        began = clock.now()
        log = StepLog(self.log, f"{named}: " if several else "")
        if several:
            self.log.say(f"Starting {named}")
        room = self.room.of_step(index)
        image, pulled, why, code, status = None, began, "", 0, int(Status.SUCCESS)
        try:
            image = self._pulled(step.name, room, log)
            pulled = clock.now()
            code, timed_out = self._process(build, step, room, image, log)
        except PullError as error:
            log.say(f"Error response from daemon: {error}")
            why, status = f'error pulling build step {index} "{step.name}"', int(Status.FAILURE)
        except (OSError, ValueError) as error:
            log.say(str(error))
            why, status, code = f"starting step container failed: {error}", Status.FAILURE, 127
        except StoppedError:
            status = Status.CANCELLED
        else:
            why = f"step exited with non-zero status: {code}" if code else ""
            status = Status.FAILURE if code else Status.SUCCESS
            if timed_out:
                why, status = "step timed out", Status.TIMEOUT
            elif code and self.stopper.halted.is_set():
                status = Status.CANCELLED
        if several:
            self.log.say(f"Finished {named}")
        output = _output(room)
        digest = image.digest if image else ""
        return StepEnd(status, why, code, (began, clock.now()), pulled, output, digest)

    def _pulled(self, name: str, room: StepRoom, log: StepLog) -> StepImage:
        room.folder.mkdir(parents=True, exist_ok=True)
        try:
            image = laid_out(name, room.image, Daemon(self.room.daemon), self.shop.host)
        except PullError:
            log.say(f"Pulling image: {name}")
            raise
        if image.cached:
            log.say(f"Already have image (with digest): {name}")
        else:
            log.say(f"Pulling image: {name}")
            if image.digest:
                log.say(f"Digest: {image.digest}")
        return image

    def _process(
        self, build: Message, step: Message, room: StepRoom, image: StepImage, log: StepLog
    ) -> tuple[int, bool]:
        """Run the step's process; give its exit code, and whether its time was up."""
        command = self._command(build, step, room, image)
        os.mkfifo(command.log)
        pipe = os.open(command.log, os.O_RDONLY | os.O_NONBLOCK)
        try:
            process = self.stopper.group.start(command)
        except BaseException:
            os.close(pipe)
            raise
        os.set_blocking(pipe, True)
        reader = threading.Thread(target=log.copy, args=(pipe,), name="step-log", daemon=True)
        reader.start()
        up = threading.Event()

        def end() -> None:
            up.set()
            process.stop()

        limit = seconds_of(step.timeout) if step.HasField("timeout") else None
        alarm = None
        if limit is not None:
            alarm = self.shop.alarms.set(clock.now() + timedelta(seconds=limit), end)
        code = process.wait()
        if alarm is not None:
            alarm.call_off()
        # What left the process group may hold the pipe still; nobody waits for that.
        reader.join(_PIPE_SECONDS)
        return (128 - code if code < 0 else code), up.is_set()

    def _command(self, build: Message, step: Message, room: StepRoom, image: StepImage) -> Command:
        """Compose the command, with this machine's folders where it names a container's.

        Raises:
            OSError: there is nothing to run, or nowhere to run it.

        """
        places = room.places([*build.options.volumes, *step.volumes])
        folder = self._folder(placed(step.dir_, places))
        env = self._environment(build, step, room, image, places)
        if step.script:
            words = _script(placed(step.script, places), room.folder / "script")
        elif step.entrypoint:
            words = [step.entrypoint, *step.args]
        elif image.entry_point is None:
            raise FileNotFoundError(
                f"the entry point of {step.name!r} is not known here: name one in the step's"
                " `entrypoint`, or start the server with --image 'PATTERN=COMMAND'"
            )
        else:
            words = [*image.entry_point, *(step.args or image.command)]
        if not words:
            raise FileNotFoundError("no command specified")
        words = [placed(word, places) for word in words]
        if words[0].startswith("-") and image.command and not image.entry_point:
            words = [*image.command, *words]
        program = words[0] if words[0].startswith("/") else os.path.join(folder, words[0])  # noqa: PTH118
        found = program if "/" in words[0] else shutil.which(words[0], path=env["PATH"])
        if found is None or not os.access(found, os.X_OK):
            raise FileNotFoundError(
                f'exec: "{words[0]}": executable file not found in $PATH: unknown'
            )
        return Command((found, *words[1:]), env, folder, room.folder / "log")

    def _folder(self, said: str) -> Path:
        """Find the folder that a step runs in; docker makes it if it is missing."""
        folder = Path(os.path.normpath(self.base / said))
        if not folder.is_relative_to(self.room.folder):
            raise NotADirectoryError(
                f"the embedded cloud runs steps below {WORKSPACE} and their volumes, not in {said}"
            )
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _environment(
        self,
        build: Message,
        step: Message,
        room: StepRoom,
        image: StepImage,
        places: Mapping[str, Path],
    ) -> dict[str, str]:
        env = {**self.env, **image.env, "BUILDER_OUTPUT": str(room.outputs)}
        env |= {"TMPDIR": str(room.scratch), "HOME": str(self.room.home)}
        mapped = build.options.automap_substitutions
        if step.HasField("automap_substitutions"):
            mapped = step.automap_substitutions
        own = dict(self.mapped) if mapped else {}
        for entry in (*build.options.env, *step.env):
            name, _, value = entry.partition("=")
            own[name] = placed(value, places)
        own |= {name: self.secrets[name] for name in (*build.options.secret_env, *step.secret_env)}
        path = [str(room.image), *filter(None, [own.pop("PYTHONPATH", "")])]
        return {**env, **own, "PYTHONPATH": ":".join(path)}


def _script(text: str, path: Path) -> list[str]:
    """Write a script into a file; give the command that its first line names, or `/bin/sh`."""
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)
    first = text.split("\n", 1)[0]
    if not first.startswith("#!"):
        return ["/bin/sh", str(path)]
    program, _, argument = first[2:].strip().partition(" ")
    if not program:
        raise FileNotFoundError(f"{first!r} names no program")
    # The kernel passes all that follows the program as one word; env -S takes it apart again.
    extra = shlex.split(argument) if program.endswith("/env") else [argument.strip()]
    return [program, *filter(None, extra), str(path)]


def _output(room: StepRoom) -> bytes:
    path = room.outputs / "output"
    if path.is_symlink() or not path.is_file():
        return b""
    with path.open("rb") as file:
        return file.read(_MOST_OUTPUT)
