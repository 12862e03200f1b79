"""The run that is to qualify a pipeline: begun once, joined wherever it is found."""

from collections.abc import Mapping
from datetime import timedelta
from threading import Event
from typing import Any

import yaml

from ecluse import naming
from ecluse.canonical import short
from ecluse.cloud.run import Run, RunRequest
from ecluse.errors import EcluseError, HeldBack, Interrupted, ReleaseAltered, RunFailed
from ecluse.labels import ENVIRONMENT, run_labels
from ecluse.ledger.attempts import Attempts
from ecluse.ledger.records import Head
from ecluse.promotion import gates
from ecluse.promotion.gates import Verdict
from ecluse.promotion.order import Order
from ecluse.promotion.outcome import Watcher
from ecluse.release.manifest import ReleasedPipeline
from ecluse.release.resources import task_resources
from ecluse.repository.gate_settings import PlacedGate

_SKEW = timedelta(hours=1)  # how far our clock and the service's may be apart


class QualifyingRun:
    """One pipeline's run in a promotion.

    Each attempt is counted in the evidence before its run is created under the id that the count
    gives. So whoever comes after a promotion that was ended finds the attempt, and its run.

    Attributes:
        run: the run as it was last seen; none as long as there is none.

    """

    def __init__(
        self,
        order: Order,
        pipeline: ReleasedPipeline,
        head: Head,
        watcher: Watcher,
        stop: Event,
        *,
        smoke: bool,
    ) -> None:
        self._order = order
        self._cloud = order.cloud
        self._pipeline = pipeline
        self._head = head
        self._watcher = watcher
        self._stop = stop
        self._smoke = smoke
        self._parameters = self._run_parameters()
        self._attempts = Attempts(order.cloud, pipeline, self._parameters)
        self.run: Run | None = None

    def require_judges(self) -> None:
        """Check, before anything runs, that every gate can be judged.

        Raises:
            BrokenGate: one cannot.

        """
        gates.require_judges(
            self._gates,
            self._cloud.environment.prices,
            environment=self._cloud.environment.name,
            where=self._settings_file,
        )

    def to_its_end(self) -> Run:
        """Begin the run or join it, and return it: ended, or under way if the order detaches it.

        Raises:
            HeldBack: it would be detached, and the environment's budget has no room for it.
            Interrupted: the promotion was stopped. A run that was begun goes on.

        """
        number = self._attempts.last()
        found = self._cloud.pipelines.get(self._attempts.run_id(number)) if number else None
        if number == 0 or (found is not None and self._is_over(number, found)):
            number, found = number + 1, None
            self._attempts.begin(number, rerun_of=self._sequence if self._order.rerun else None)
        request = self._request(self._attempts.run_id(number))
        # A run that was begun before has its place in the budget already: it is only joined.
        begun = found is not None and not found.finished
        if self._order.detach:
            return self._detached(request, begun=begun)
        with self._cloud.run_slots.taken(self._stop):
            if not begun:
                # Earlier promotions may have left runs under way, detached or interrupted.
                self._cloud.pipelines.wait_for_room(
                    self._cloud.run_slots.number, self._ours, self._stop
                )
            return self._cloud.pipelines.wait(self._created(request), self._seen, self._stop)

    def refuse_unproven(self, run: Run) -> None:
        """Check that a finished run succeeded, and that it ran these very bytes.

        Raises:
            RunFailed: it did not succeed.
            ReleaseAltered: it ran other bytes.

        """
        if run.state != "succeeded":
            raise RunFailed(
                run.failure, where=run.name, fix="mend it; the next attempt is a new run"
            )
        if run.template != self._pipeline.digest:
            raise ReleaseAltered(
                f"the run took {run.template or 'an unknown template'}, "
                f"not {self._pipeline.digest}",
                where=run.name,
                fix="find out who changed the registry; nothing went live",
            )

    def verdicts(self, run: Run) -> tuple[Verdict, ...]:
        """Return what the gates say of a run that succeeded, beside the champion as it was."""
        champion = self._head.live(self._pipeline.name)
        return gates.judge(
            self._gates,
            self._findings(run),
            champion.metrics if champion is not None else None,
            pipeline=self._pipeline.name,
            environment=self._cloud.environment.name,
            where=self._settings_file,
        )

    @property
    def _sequence(self) -> int:
        last = self._head.pipelines.get(self._pipeline.name)
        return last.sequence if last is not None else 0

    @property
    def _settings_file(self) -> str:
        return f"pipelines/{self._pipeline.name}/pipeline.yaml"

    @property
    def _ours(self) -> Mapping[str, str]:
        """The labels of every run that was started for this environment."""
        return {ENVIRONMENT: naming.label(self._cloud.environment.name)}

    @property
    def _gates(self) -> tuple[PlacedGate, ...]:
        """The rules for the run; none for a quick one, whose sample data measure nothing."""
        if self._smoke:
            return ()
        return self._pipeline.parsed_settings().gates_in(self._cloud.environment.name)

    def _findings(self, run: Run) -> gates.Findings:
        file = self._order.files[self._pipeline.file]
        return gates.findings_of(
            run,
            prices=self._cloud.environment.prices,
            resources=lambda: task_resources(yaml.safe_load(file)),
        )

    def _run_parameters(self) -> dict[str, Any]:
        """Return the run's parameters, but for its run key."""
        return self._pipeline.parsed_settings().parameters_in(
            self._cloud.environment,
            self._pipeline.parameters,
            runtime_image=self._pipeline.runtime_image or "",
            commit=self._order.release.commit,
            smoke=self._smoke,
        )

    def _request(self, run_id: str) -> RunRequest:
        environment = self._cloud.environment
        pipeline = self._pipeline
        return RunRequest(
            run_id=run_id,
            display_name=f"{pipeline.name} {environment.name} {short(pipeline.digest)}",
            template=environment.template_uri(pipeline.package, pipeline.digest),
            parameters={**self._parameters, "run_key": run_id},
            labels=run_labels(
                environment,
                pipeline.parsed_settings(),
                pipeline=pipeline.name,
                digest=pipeline.digest,
                commit=self._order.release.commit,
            ),
        )

    def _is_over(self, number: int, run: Run) -> bool:
        """Whether another attempt is due: the last one's run has nothing more to say.

        It failed, or its data kept a gate's task from running, or it made something live already
        that was replaced since; or somebody asks for a new one.
        """
        if not run.finished:
            return False
        if (
            run.state != "succeeded"
            or gates.unreached(self._gates, self._findings(run))
            or self._made_live(run)
        ):
            return True
        return self._order.rerun and not self._is_the_one_asked_for(number, run)

    def _is_the_one_asked_for(self, number: int, run: Run) -> bool:
        """Whether a run is what the same request began before it was ended; so it is to be used.

        Once something went live, or the gates refused it, a request for a new run means another.
        """
        if self._attempts.rerun_of(number) != self._sequence:
            return False
        try:
            return not gates.refusing(self.verdicts(run))
        except EcluseError:
            return False

    def _made_live(self, run: Run) -> bool:
        """Whether the ledger has an entry of a run. An entry is never older than its run."""
        for entry in self._cloud.ledger.history(self._pipeline.name, head=self._head):
            if entry.run == run.name:
                return True
            if run.created is not None and entry.at < run.created - _SKEW:
                return False
        return False

    def _detached(self, request: RunRequest, *, begun: bool) -> Run:
        """Create a run that nobody waits for, if the environment's budget has room for it."""
        slots = self._cloud.run_slots
        if begun:
            return self._created(request)
        if not self._cloud.pipelines.has_room(slots.number, self._ours) or not slots.keep():
            raise HeldBack(
                f"as many runs are under way as the budget allows: {slots.number}",
                where=self._pipeline.name,
                fix="run the same command again once some of them have ended",
            )
        return self._created(request)

    def _created(self, request: RunRequest) -> Run:
        if self._stop.is_set():
            raise Interrupted("stopped before its run began", where=self._pipeline.name)
        run = self.run = self._cloud.pipelines.create(request)
        self._watcher.step(self._pipeline.name, f"run {run.id}")
        return run

    def _seen(self, run: Run) -> None:
        self.run = run
        self._watcher.running(self._pipeline.name, run)
