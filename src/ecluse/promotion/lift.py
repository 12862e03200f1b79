"""The lift of one pipeline into an environment: upload, run, gate, qualify, activate."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from threading import Event
from typing import Any

import yaml

from ecluse import clock, naming
from ecluse.canonical import short
from ecluse.cloud import Cloud
from ecluse.cloud.run import Run, RunRequest
from ecluse.errors import EcluseError, GateRefused, HeldBack, Interrupted, ReleaseAltered, RunFailed
from ecluse.labels import ENVIRONMENT, run_labels
from ecluse.ledger.attempts import Attempts
from ecluse.ledger.journal import Journal
from ecluse.ledger.qualification import Evidence, Qualifications
from ecluse.ledger.records import Entry
from ecluse.promotion import gates
from ecluse.promotion.freeze import refuse_frozen
from ecluse.promotion.gates import Verdict
from ecluse.promotion.outcome import Ending, Outcome, Watcher
from ecluse.promotion.plan import Action, standing_parameters
from ecluse.release.manifest import Release, ReleasedPipeline
from ecluse.release.resources import task_resources
from ecluse.repository.gate_settings import PlacedGate
from ecluse.upkeep.convergence.converging import Mended, Unchanged, converge

_STOPPED = "stopped before it went live; the run goes on, and the same command joins it"


@dataclass(frozen=True)
class Order:
    """What is promoted, and where.

    Attributes:
        release, files: the release and its compiled pipelines' bytes by file name.
        cloud: the environment.
        by: who promotes.
        version: the tag it is promoted as, if any.
        rerun: start a new attempt even where a finished run exists.
        detach: leave runs under way once they have started; a later promotion joins them.
        override: the reason for going on without a qualification or in a freeze, where somebody
            gave one.
        tool_image: what this promotion runs in, by digest, for triggers to run in, too; none where
            that is not known.

    """

    release: Release
    files: Mapping[str, bytes]
    cloud: Cloud
    by: str
    version: str | None = None
    rerun: bool = False
    detach: bool = False
    override: str = ""
    tool_image: str | None = None


class Lift:
    """One pipeline's way through a promotion; remembers how far it came, for its outcome."""

    def __init__(
        self,
        order: Order,
        action: Action,
        journal: Journal,
        watcher: Watcher,
        stop: Event,
        unchanged: Unchanged,
        *,
        override: str = "",
    ) -> None:
        self._order = order
        self._cloud = order.cloud
        self._action = action
        self._journal = journal
        # As it was when the plan was made.
        self._last = journal.head.pipelines.get(action.pipeline)
        self._champion = journal.head.live(action.pipeline)
        self._watcher = watcher
        self._stop = stop
        self._unchanged = unchanged
        self._override = override
        self._smoke = action.qualification == "smoke"
        self._live = action.live
        self._name = action.pipeline
        self._run: Run | None = None
        self._verdicts: tuple[Verdict, ...] = ()

    def ended(self, ending: Ending, error: EcluseError) -> Outcome:
        """Return the outcome of a way that was not gone to its end: what was live stays live."""
        action = self._action
        return Outcome(
            self._name, ending, self._live, action.target, self._run, self._verdicts, error
        )

    def converge(self) -> Outcome:
        """Make the cloud again as the ledger says, where it is not; nothing else is touched."""
        self._tell(self._unchanged.mended(self._name))
        live = self._champion
        return Outcome(
            self._name,
            "unchanged",
            self._action.live,
            self._action.target,
            exceptions=live.exceptions if live is not None else (),
        )

    def retire(self) -> Outcome:
        """Take a pipeline that left the repository out of service, keeping its history."""
        live = self._champion
        assert live is not None, "only what is live is retired"
        override, freeze = self._admitted()
        entry = live.model_copy(
            update={
                "action": "retire",
                "release": self._order.release.digest,
                "commit": self._order.release.commit,
                "version": self._order.version,
                "at": clock.now(),
                "by": self._order.by,
                "reason": "",
                "override": override,
                "break_glass": "",
                "freeze": freeze,
                "restores": None,
            }
        )
        head = self._journal.add({self._name: entry})
        self._live = None
        self._watcher.step(self._name, "retired")
        self._tell(converge(self._cloud, head, [self._name], allowed=self._journal.check))
        return Outcome(self._name, "retired", None, None, exceptions=entry.exceptions)

    def promote(self) -> Outcome:
        """Upload, run, gate, activate."""
        pipeline = self._order.release.pipelines[self._name]
        gates.require_judges(
            self._gates(pipeline),
            self._cloud.environment.prices,
            environment=self._cloud.environment.name,
            where=f"pipelines/{self._name}/pipeline.yaml",
        )
        self._upload(pipeline)
        run = self._run = self._qualifying_run(pipeline)
        if not run.finished:
            self._watcher.step(self._name, "left to run: the same command joins it")
            return Outcome(self._name, "running", self._live, pipeline.digest, run)
        self._proven(pipeline, run)
        self._judge(pipeline, run)
        qualification = self._qualify(pipeline, run)
        entry = self._activate(pipeline, run, qualification)
        return Outcome(
            self._name,
            "activated",
            pipeline.digest,
            pipeline.digest,
            run,
            self._verdicts,
            exceptions=entry.exceptions,
        )

    def _upload(self, pipeline: ReleasedPipeline) -> None:
        registry = self._cloud.registry
        if registry.has(pipeline.package, pipeline.digest):
            registry.verify(pipeline.package, pipeline.digest)
            self._watcher.step(self._name, f"{short(pipeline.digest)} is in the registry")
        else:
            registry.upload(pipeline.package, self._order.files[pipeline.file])
            self._watcher.step(
                self._name, f"uploaded {short(pipeline.digest)}, downloaded it, same digest"
            )

    def _qualifying_run(self, pipeline: ReleasedPipeline) -> Run:
        environment = self._cloud.environment
        parameters = run_parameters(
            pipeline, self._cloud, self._order.release.commit, smoke=self._smoke
        )
        attempts = Attempts(self._cloud, pipeline, parameters)
        number = attempts.last()
        run = self._cloud.pipelines.get(attempts.run_id(number)) if number else None
        if number == 0 or self._order.rerun or (run is not None and self._is_spent(pipeline, run)):
            number += 1
            attempts.begin(number)
        run_id = attempts.run_id(number)
        request = RunRequest(
            run_id=run_id,
            display_name=f"{self._name} {environment.name} {short(pipeline.digest)}",
            template=environment.template_uri(pipeline.package, pipeline.digest),
            parameters={**parameters, "run_key": run_id},
            labels=run_labels(
                environment,
                pipeline.parsed_settings(),
                pipeline=self._name,
                digest=pipeline.digest,
                commit=self._order.release.commit,
            ),
        )
        # A run that was begun before has its place in the budget already: it is only joined.
        begun = run is not None and run.id == run_id and not run.finished
        if self._order.detach:
            return self._started(request, begun=begun)
        with self._cloud.run_slots.taken(self._stop):
            if not begun:
                # Earlier promotions may have left runs under way, detached or interrupted.
                self._cloud.pipelines.wait_for_room(
                    self._cloud.run_slots.number, self._ours, self._stop
                )
            return self._cloud.pipelines.wait(
                self._created(request),
                lambda seen: self._watcher.running(self._name, seen),
                self._stop,
            )

    def _created(self, request: RunRequest) -> Run:
        run = self._run = self._cloud.pipelines.create(request)
        self._watcher.step(self._name, f"run {run.id}")
        return run

    @property
    def _ours(self) -> dict[str, str]:
        """The labels of every run that was started for this environment."""
        return {ENVIRONMENT: naming.label(self._cloud.environment.name)}

    def _started(self, request: RunRequest, *, begun: bool) -> Run:
        """Create a run that nobody waits for, if the environment's budget has room for it."""
        slots = self._cloud.run_slots
        if begun:
            return self._created(request)
        if not self._cloud.pipelines.has_room(slots.number, self._ours) or not slots.keep():
            raise HeldBack(
                f"as many runs are under way as the budget allows: {slots.number}",
                where=self._name,
                fix="run the same command again once some of them have ended",
            )
        return self._created(request)

    def _proven(self, pipeline: ReleasedPipeline, run: Run) -> None:
        """Check that a finished run succeeded, and that it ran these very bytes."""
        if run.state != "succeeded":
            raise RunFailed(
                run.failure, where=run.name, fix="mend it; the next attempt is a new run"
            )
        if run.template != pipeline.digest:
            raise ReleaseAltered(
                f"the run took {run.template or 'an unknown template'}, not {pipeline.digest}",
                where=run.name,
                fix="find out who changed the registry; nothing went live",
            )

    def _is_spent(self, pipeline: ReleasedPipeline, run: Run) -> bool:
        """Whether a run can say nothing new, so that another attempt is due.

        It failed, or its data kept a gate's task from running, or it made something live already
        that was replaced since.
        """
        if not run.finished:
            return False
        return (
            run.state != "succeeded"
            or gates.unreached(self._gates(pipeline), self._findings(pipeline, run))
            or self._made_live(run)
        )

    def _made_live(self, run: Run) -> bool:
        history = self._cloud.ledger.history(self._name, head=self._journal.head)
        return any(entry.run == run.name for entry in history)

    def _judge(self, pipeline: ReleasedPipeline, run: Run) -> None:
        champion = self._champion.metrics if self._champion is not None else None
        self._verdicts = gates.judge(
            self._gates(pipeline),
            self._findings(pipeline, run),
            champion,
            pipeline=self._name,
            environment=self._cloud.environment.name,
            where=f"pipelines/{self._name}/pipeline.yaml",
        )
        self._watcher.judged(self._name, self._verdicts)
        refused = gates.refusing(self._verdicts)
        if refused:
            raise GateRefused(
                gates.refusal(refused),
                where=run.name,
                fix="what was live stays live; mend the pipeline",
            )

    def _gates(self, pipeline: ReleasedPipeline) -> tuple[PlacedGate, ...]:
        """Return the rules for the run; none for a quick one, whose sample data measure nothing."""
        if self._smoke:
            return ()
        return pipeline.parsed_settings().gates_in(self._cloud.environment.name)

    def _findings(self, pipeline: ReleasedPipeline, run: Run) -> gates.Findings:
        return gates.findings_of(
            run,
            prices=self._cloud.environment.prices,
            resources=lambda: task_resources(yaml.safe_load(self._order.files[pipeline.file])),
        )

    def _qualify(self, pipeline: ReleasedPipeline, run: Run) -> str:
        evidence = Evidence(
            environment=self._cloud.environment.name,
            subject=pipeline.subject,
            pipeline=self._name,
            digest=pipeline.digest,
            settings_digest=pipeline.settings_digest,
            runtime_image=pipeline.runtime_image,
            release=self._order.release.digest,
            commit=self._order.release.commit,
            run=run.name,
            metrics=run.metrics,
            verdicts=tuple(verdict.as_json() for verdict in self._verdicts),
            smoke=self._smoke,
            at=clock.now(),
            by=self._order.by,
        )
        address = Qualifications(self._cloud).record(pipeline, evidence)
        how = "qualified by a quick run on sample data" if self._smoke else "qualified"
        self._watcher.step(self._name, f"{how}: the evidence is signed and kept")
        return address

    def _activate(self, pipeline: ReleasedPipeline, run: Run, qualification: str) -> Entry:
        override, freeze = self._admitted()
        entry = Entry(
            action="activate",
            package=pipeline.package,
            digest=pipeline.digest,
            code_digest=pipeline.code_digest,
            sources_digest=pipeline.sources_digest,
            runtime_image=pipeline.runtime_image,
            compiler=self._order.release.compiler,
            settings=pipeline.settings,
            settings_digest=pipeline.settings_digest,
            declared=pipeline.parameters,
            parameters=standing_parameters(pipeline, self._cloud.environment),
            release=self._order.release.digest,
            commit=self._order.release.commit,
            version=self._order.version,
            run=run.name,
            metrics=self._metrics(run),
            models=self._models(run),
            smoke=self._smoke,
            qualification=qualification,
            at=clock.now(),
            by=self._order.by,
            override=override,
            freeze=freeze,
        )
        if self._stop.is_set():
            raise Interrupted(_STOPPED, where=run.name)
        head = self._journal.add({self._name: entry})
        self._live = pipeline.digest
        self._watcher.step(self._name, f"live in {self._cloud.environment.name}")
        self._tell(converge(self._cloud, head, [self._name], allowed=self._journal.check))
        return entry

    def _metrics(self, run: Run) -> dict[str, float]:
        """Return what the next run is compared with: of a quick one, what held before it."""
        if self._smoke and self._champion is not None:
            return self._champion.metrics
        return run.metrics

    def _models(self, run: Run) -> tuple[str, ...]:
        """Return the model versions that are live with a run.

        A quick run learns from sample data: what it registered is nothing to serve.
        """
        if not self._smoke:
            return run.models
        return self._champion.models if self._champion is not None else ()

    def _admitted(self) -> tuple[str, str]:
        """Check that something may go live now: a freeze may have begun since the run did.

        Returns:
            The override and the freeze to note in the entry.

        Raises:
            Frozen: it may not. The run stays, and the same command takes it as it ended.

        """
        window = refuse_frozen(self._cloud.environment, clock.now(), override=self._order.override)
        if window is None:
            return self._override, ""
        self._watcher.step(self._name, f"OVERRIDDEN ({self._order.override}): {window.words}")
        return self._order.override, window.words

    def _tell(self, mended: Iterable[Mended]) -> None:
        for each in mended:
            self._watcher.step(self._name, f"{each.difference.kind}: {each.done}")


def run_parameters(
    pipeline: ReleasedPipeline, cloud: Cloud, commit: str, *, smoke: bool
) -> dict[str, Any]:
    """Return the parameters of a pipeline's run in an environment, but for its run key.

    Args:
        pipeline: what runs.
        cloud: where.
        commit: the release's.
        smoke: whether it is the quick run that a mass change is proved by.

    """
    return pipeline.parsed_settings().parameters_in(
        cloud.environment,
        pipeline.parameters,
        runtime_image=pipeline.runtime_image or "",
        commit=commit,
        smoke=smoke,
    )
