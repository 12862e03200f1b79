"""Runs the training of a model in a process of its own."""

from __future__ import annotations

import shutil
import signal
import sys
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import gcp_local
from gcp_local.bigquery.errors import BigQueryError
from gcp_local.bigquery.ml.order import DATA_FILE, INPUTS_FILE, MODEL_FILE, ORDER_FILE, REFUSAL_FILE
from gcp_local.containers.processes import Command, ProcessGroup, StoppedError
from gcp_local.containers.slots import Slots

if TYPE_CHECKING:
    import pyarrow as pa

    from gcp_local.bigquery.engine import Cancellation
    from gcp_local.bigquery.ml.order import Order
    from gcp_local.containers.processes import Launcher

_PACKAGES = Path(gcp_local.__file__).parents[1]
_TAIL = 2000
# Each training takes a core; more at a time would only wait for one another.
_slots = Slots(2)


class Trainer:
    """Trains models.

    Args:
        launcher: starts the processes.
        work: a folder for what is needed only meanwhile.

    """

    def __init__(self, launcher: Launcher, work: Path) -> None:
        self._launcher = launcher
        self._work = work

    @contextmanager
    def trained(
        self, order: Order, data: pa.Table, inputs: pa.Table | None, cancellation: Cancellation
    ) -> Iterator[Path]:
        """Train a model, and give the folder with its files, which goes afterwards.

        Args:
            order: what is asked for.
            data: the rows.
            inputs: the same before TRANSFORM, if there is one.
            cancellation: asked for, the process ends.

        Raises:
            BigQueryError: the data or the order are at fault; `stopped`.

        """
        folder = self._work / uuid.uuid4().hex
        folder.mkdir(parents=True)
        try:
            order.save(folder / ORDER_FILE)
            _write(data, folder / DATA_FILE)
            if inputs is not None:
                _write(inputs, folder / INPUTS_FILE)
            self._run(folder, cancellation)
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _run(self, folder: Path, cancellation: Cancellation) -> None:
        group, stopped = ProcessGroup(self._launcher), threading.Event()

        def stop() -> None:
            stopped.set()
            _slots.wake()
            group.stop()

        log = folder / "log.txt"
        with cancellation.telling(stop):
            try:
                with _slots.one(stopped):
                    code = group.start(_command(folder, log)).wait()
            except StoppedError:
                code = -1
        cancellation.check()
        refusal = folder / REFUSAL_FILE
        if refusal.exists():
            raise BigQueryError("invalidQuery", refusal.read_text(), location="query")
        if code == -signal.SIGKILL:
            message = "Resources exceeded: the training was killed, most likely for want of memory."
            raise BigQueryError("resourcesExceeded", message, location="query")
        if code or not (folder / MODEL_FILE).exists():
            tail = log.read_text(errors="replace")[-_TAIL:].strip() if log.exists() else ""
            # No `internalError`: clients repeat those for ten minutes, and it would fail again.
            raise BigQueryError.lacking(
                f"what this training needs; it ended with code {code}: {tail}", location="query"
            )


def _command(folder: Path, log: Path) -> Command:
    variables = {
        "PATH": "/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "PYTHONPATH": str(_PACKAGES),
        # One thread: the same data give the same model, to the last bit.
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }
    words = (sys.executable, "-m", "gcp_local.bigquery.ml.train", str(folder))
    return Command(words, variables, folder, log)


def _write(rows: pa.Table, path: Path) -> None:
    import pyarrow as pa

    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, rows.schema) as writer:
        writer.write_table(rows)
