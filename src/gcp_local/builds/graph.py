"""In which order steps run: each waits for those that it names, or else for all before it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from gcp_local.builds.messages import Status
from gcp_local.builds.step_checks import AT_ONCE

if TYPE_CHECKING:
    from gcp_local.builds.steps import StepEnd
    from gcp_local.rpc.protos import Message


def waits(steps: Sequence[Message]) -> list[frozenset[int]]:
    """Tell for each step which others it waits for, by their numbers."""
    numbers = {step.id: index for index, step in enumerate(steps) if step.id}
    found = []
    for index, step in enumerate(steps):
        if not step.wait_for:
            found.append(frozenset(range(index)))
        else:
            found.append(frozenset(numbers[each] for each in step.wait_for if each != AT_ONCE))
    return found


def run_all(
    steps: Sequence[Message],
    run: Callable[[int], StepEnd],
    stop: Callable[[], object],
    stopping: threading.Event,
) -> dict[int, StepEnd]:
    """Run steps, side by side where they may be.

    After a failure that is not allowed no more are started, and `stop` ends those that run.

    Args:
        steps: the build's.
        run: runs one to its end.
        stop: asks all that run to end.
        stopping: set when the build was asked to end.

    Returns:
        How each step that was started ended, in the order of their ends.

    """
    waiting = waits(steps)
    ends: dict[int, StepEnd] = {}
    started: set[int] = set()
    changed = threading.Condition()
    threads: list[threading.Thread] = []

    faults: list[Exception] = []

    def follow(index: int) -> None:
        try:
            end = run(index)
        except Exception as error:  # noqa: BLE001  (raised again where it is waited for)
            with changed:
                faults.append(error)
                changed.notify_all()
            return
        with changed:
            ends[index] = end
            changed.notify_all()

    with changed:
        while True:
            failed = any(not passes(steps[index], end) for index, end in ends.items())
            if failed or faults:
                stop()
            elif not stopping.is_set():
                for index, others in enumerate(waiting):
                    if index not in started and others <= set(ends):
                        started.add(index)
                        thread = threading.Thread(target=follow, args=(index,), daemon=True)
                        threads.append(thread)
                        thread.start()
            if len(ends) + len(faults) == len(started):
                break
            changed.wait()
    for thread in threads:
        thread.join()
    if faults:
        raise faults[0]
    return ends


def passes(step: Message, end: StepEnd) -> bool:
    """Tell whether the build may go on after this end of a step."""
    if end.good:
        return True
    if end.status != Status.FAILURE:
        return False
    if step.allow_exit_codes:  # which count more than `allow_failure`
        return end.code in step.allow_exit_codes
    return bool(step.allow_failure)
