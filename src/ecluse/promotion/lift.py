"""The lift of one pipeline into an environment: upload, run, gate, qualify, activate."""

from collections.abc import Iterable
from threading import Event

from ecluse import clock
from ecluse.canonical import short
from ecluse.cloud.run import Run
from ecluse.errors import EcluseError, GateRefused, Interrupted
from ecluse.ledger.journal import Journal
from ecluse.ledger.qualification import Evidence, Qualifications
from ecluse.ledger.records import Entry
from ecluse.promotion import gates
from ecluse.promotion.freeze import refuse_frozen
from ecluse.promotion.gates import Verdict
from ecluse.promotion.order import Order
from ecluse.promotion.outcome import Ending, Outcome, Watcher
from ecluse.promotion.plan import Action, standing_parameters
from ecluse.promotion.qualifying import QualifyingRun
from ecluse.release.manifest import ReleasedPipeline
from ecluse.upkeep.convergence.converging import Mended, Unchanged, converge

_STOPPED = "stopped before it went live; the run goes on, and the same command joins it"


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
        self._head = journal.head
        self._champion = self._head.live(action.pipeline)
        self._watcher = watcher
        self._stop = stop
        self._unchanged = unchanged
        self._override = override
        self._smoke = action.qualification == "smoke"
        self._live = action.live
        self._name = action.pipeline
        self._qualifying: QualifyingRun | None = None
        self._verdicts: tuple[Verdict, ...] = ()

    def ended(self, ending: Ending, error: EcluseError) -> Outcome:
        """Return the outcome of a way that was not gone to its end: what was live stays live."""
        run = self._qualifying.run if self._qualifying is not None else None
        return Outcome(
            self._name, ending, self._live, self._action.target, run, self._verdicts, error
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
        qualifying = self._qualifying = QualifyingRun(
            self._order,
            pipeline,
            self._head,
            self._watcher,
            self._stop,
            smoke=self._smoke,
        )
        qualifying.require_judges()
        self._upload(pipeline)
        run = qualifying.to_its_end()
        if not run.finished:
            self._watcher.step(self._name, "left to run: the same command joins it")
            return Outcome(self._name, "running", self._live, pipeline.digest, run)
        qualifying.refuse_unproven(run)
        self._judge(qualifying.verdicts(run), run)
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

    def _judge(self, verdicts: tuple[Verdict, ...], run: Run) -> None:
        self._verdicts = verdicts
        self._watcher.judged(self._name, verdicts)
        refused = gates.refusing(verdicts)
        if refused:
            raise GateRefused(
                gates.refusal(refused),
                where=run.name,
                fix="what was live stays live; mend the pipeline",
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
