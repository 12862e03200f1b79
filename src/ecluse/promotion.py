"""A promotion: takes a release into an environment. Upload, run, gate, activate.

Every step is a create with a derived name, so a promotion that was ended anywhere is simply run
again: each step finds its own work done, or does it. What is live stays live until the ledger's
compare-and-swap, the last step, has made something else live.
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from ecluse import clock, gates, naming
from ecluse.canonical import digest_of_value, short
from ecluse.cloud import Cloud
from ecluse.errors import EcluseError, GateRefused, ReleaseAltered, RunFailed
from ecluse.gates import TaskOutcome, Verdict
from ecluse.ledger import Entry, Record
from ecluse.plan import Action, Plan, make_plan
from ecluse.qualification import Evidence, Qualifications
from ecluse.release import Release, ReleasedPipeline
from ecluse.release_store import publish_release
from ecluse.run import Run, RunRequest

Ending = Literal["activated", "unchanged", "retired", "refused", "failed"]


class Watcher(Protocol):
    """Who is told how a promotion goes. Called from several threads."""

    def step(self, pipeline: str, text: str) -> None:
        """Take note of a step that was done."""

    def running(self, pipeline: str, run: Run) -> None:
        """Take note of how a run does."""

    def judged(self, pipeline: str, verdicts: tuple[Verdict, ...]) -> None:
        """Take note of what the gates said."""


@dataclass(frozen=True)
class Outcome:
    """How a promotion ended for one pipeline.

    Attributes:
        pipeline: its name.
        ending: what happened.
        digest: the digest that is live now.
        tried: the digest that was to go live.
        run: the qualifying run, if there was one.
        verdicts: what its gates said.
        error: why it was refused or failed.

    """

    pipeline: str
    ending: Ending
    digest: str | None
    tried: str | None
    run: Run | None = None
    verdicts: tuple[Verdict, ...] = ()
    error: EcluseError | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the outcome as plain values."""
        return {
            "pipeline": self.pipeline,
            "ending": self.ending,
            "digest": self.digest,
            "tried": self.tried,
            "run": self.run.name if self.run else None,
            "metrics": self.run.metrics if self.run else {},
            "verdicts": [verdict.as_json() for verdict in self.verdicts],
            "error": str(self.error) if self.error else None,
        }


@dataclass(frozen=True)
class Promotion:
    """What is promoted, and where.

    Attributes:
        release, files: the release and its compiled pipelines' bytes by file name.
        cloud: the environment.
        below: the environment that must have qualified it; none if none must.
        by: who promotes.
        version: the tag it is promoted as, if any.
        rerun: start a new attempt even where a finished run exists.

    """

    release: Release
    files: Mapping[str, bytes]
    cloud: Cloud
    below: Cloud | None
    by: str
    version: str | None = None
    rerun: bool = False
    parallel: int = 4
    records: Mapping[str, Record] = field(default_factory=dict)

    def verify(self, plan: Plan) -> None:
        """Check that the environment below qualified all that the plan would make live.

        Raises:
            NotQualified: naming the first pipeline that has no valid evidence.

        """
        if self.below is None:
            return
        qualifications = Qualifications(self.below)
        for action in plan.changes:
            if action.target is not None:
                qualifications.verified(self.release.pipelines[action.pipeline])

    def execute(self, plan: Plan, watcher: Watcher) -> tuple[Outcome, ...]:
        """Do what a plan says, pipelines side by side; one that fails stops no other.

        Raises:
            NotQualified: the environment below did not qualify something; nothing was done.
            Refused: the release cannot be kept; nothing was done.

        """
        self.verify(plan)
        if plan.changes:
            publish_release(self.cloud, self.release, self.files)
        with ThreadPoolExecutor(max_workers=max(1, self.parallel)) as pool:
            return tuple(pool.map(lambda action: self._done(action, watcher), plan.actions))

    def _done(self, action: Action, watcher: Watcher) -> Outcome:
        if action.kind == "unchanged":
            return Outcome(action.pipeline, "unchanged", action.live, action.target)
        attempt = _Attempt(self, action, watcher)
        try:
            return attempt.retire() if action.kind == "retire" else attempt.promote()
        except GateRefused as error:
            return attempt.ended("refused", error)
        except EcluseError as error:
            return attempt.ended("failed", error)


def prepare(
    release: Release,
    files: Mapping[str, bytes],
    *,
    cloud: Cloud,
    below: Cloud | None,
    by: str,
    version: str | None = None,
    rerun: bool = False,
    parallel: int = 4,
    only: Sequence[str] = (),
) -> tuple[Promotion, Plan]:
    """Read the ledger once, and return the plan with the promotion that can execute it."""
    records = cloud.ledger.read_all()
    plan = make_plan(release, records, cloud.environment.name, only=only)
    promotion = Promotion(
        release=release,
        files=files,
        cloud=cloud,
        below=below,
        by=by,
        version=version,
        rerun=rerun,
        parallel=parallel,
        records=records,
    )
    return promotion, plan


class _Attempt:
    """One pipeline's way through a promotion; remembers how far it came, for its outcome."""

    def __init__(self, promotion: Promotion, action: Action, watcher: Watcher) -> None:
        self._promotion = promotion
        self._cloud = promotion.cloud
        self._action = action
        self._watcher = watcher
        self._name = action.pipeline
        self._run: Run | None = None
        self._verdicts: tuple[Verdict, ...] = ()

    def ended(self, ending: Ending, error: EcluseError) -> Outcome:
        """Return the outcome of a way that was not gone to its end: what was live stays live."""
        action = self._action
        return Outcome(
            self._name, ending, action.live, action.target, self._run, self._verdicts, error
        )

    def retire(self) -> Outcome:
        """Take a pipeline that left the repository out of service, keeping its history."""
        record = self._record()
        live = record.live
        assert live is not None, "only what is live is retired"
        entry = live.model_copy(
            update={
                "sequence": record.next_sequence,
                "action": "retire",
                "commit": self._promotion.release.commit,
                "version": self._promotion.version,
                "at": clock.now(),
                "by": self._promotion.by,
            }
        )
        self._cloud.ledger.append(record, entry)
        self._cloud.registry.untag_live(live.package)
        self._watcher.step(self._name, "retired")
        return Outcome(self._name, "retired", None, None)

    def promote(self) -> Outcome:
        """Upload, run, gate, activate."""
        pipeline = self._promotion.release.pipelines[self._name]
        self._upload(pipeline)
        run = self._run = self._qualifying_run(pipeline)
        record = self._record()
        self._judge(pipeline, run, record)
        qualification = self._qualify(pipeline, run)
        self._activate(pipeline, run, record, qualification)
        return Outcome(
            self._name, "activated", pipeline.digest, pipeline.digest, run, self._verdicts
        )

    def _record(self) -> Record:
        """Return the record that the plan was made from: the swap fails if it changed since."""
        known = self._promotion.records.get(self._name)
        return (
            known
            if known is not None
            else Record(environment=self._cloud.environment.name, pipeline=self._name)
        )

    def _upload(self, pipeline: ReleasedPipeline) -> None:
        registry = self._cloud.registry
        if registry.has(pipeline.package, pipeline.digest):
            registry.verify(pipeline.package, pipeline.digest)
            self._watcher.step(self._name, f"{short(pipeline.digest)} is in the registry")
        else:
            registry.upload(pipeline.package, self._promotion.files[pipeline.file])
            self._watcher.step(
                self._name, f"uploaded {short(pipeline.digest)}, downloaded it, same digest"
            )

    def _qualifying_run(self, pipeline: ReleasedPipeline) -> Run:
        environment = self._cloud.environment
        parameters = run_parameters(pipeline, self._cloud, self._promotion.release.commit)
        attempts = _Attempts(self._cloud, pipeline, parameters)
        number = attempts.last()
        run = self._cloud.pipelines.get(attempts.run_id(number)) if number else None
        tried_in_vain = run is not None and run.finished and run.state != "succeeded"
        if number == 0 or tried_in_vain or self._promotion.rerun:
            number += 1
            attempts.begin(number)
        run_id = attempts.run_id(number)
        request = RunRequest(
            run_id=run_id,
            display_name=f"{self._name} {environment.name} {short(pipeline.digest)}",
            template=environment.template_uri(pipeline.package, pipeline.digest),
            parameters={**parameters, "run_key": run_id},
            labels=run_labels(pipeline, self._cloud, self._promotion.release.commit),
        )
        run = self._cloud.pipelines.create(request)
        self._watcher.step(self._name, f"run {run.id}")
        run = self._cloud.pipelines.wait(run, lambda seen: self._watcher.running(self._name, seen))
        self._run = run
        if run.state != "succeeded":
            raise RunFailed(
                run.failure, where=run.name, fix="mend it; the next attempt is a new run"
            )
        if run.template != pipeline.digest:
            raise ReleaseAltered(
                f"the run took {run.template or 'an unknown template'}, not {pipeline.digest}",
                where=run.name,
            )
        return run

    def _judge(self, pipeline: ReleasedPipeline, run: Run, record: Record) -> None:
        champion = record.live.metrics if record.live is not None else None
        self._verdicts = gates.judge(
            pipeline.parsed_settings().gates,
            run.metrics,
            [TaskOutcome(task.name, task.state) for task in run.tasks],
            champion,
            where=f"pipelines/{self._name}/pipeline.yaml",
        )
        self._watcher.judged(self._name, self._verdicts)
        refused = [verdict for verdict in self._verdicts if not verdict.passed]
        if refused:
            raise GateRefused(
                refusal(refused), where=run.name, fix="what was live stays live; mend the pipeline"
            )

    def _qualify(self, pipeline: ReleasedPipeline, run: Run) -> str:
        evidence = Evidence(
            environment=self._cloud.environment.name,
            subject=pipeline.subject,
            pipeline=self._name,
            digest=pipeline.digest,
            settings_digest=pipeline.settings_digest,
            runtime_image=pipeline.runtime_image,
            release=self._promotion.release.digest,
            commit=self._promotion.release.commit,
            run=run.name,
            metrics=run.metrics,
            verdicts=tuple(verdict.as_json() for verdict in self._verdicts),
            at=clock.now(),
            by=self._promotion.by,
        )
        address = Qualifications(self._cloud).record(pipeline, evidence)
        self._watcher.step(self._name, "qualified: the evidence is signed and kept")
        return address

    def _activate(
        self, pipeline: ReleasedPipeline, run: Run, record: Record, qualification: str
    ) -> None:
        entry = Entry(
            sequence=record.next_sequence,
            action="activate",
            package=pipeline.package,
            digest=pipeline.digest,
            code_digest=pipeline.code_digest,
            runtime_image=pipeline.runtime_image,
            compiler=self._promotion.release.compiler,
            settings=pipeline.settings,
            settings_digest=pipeline.settings_digest,
            commit=self._promotion.release.commit,
            version=self._promotion.version,
            run=run.name,
            metrics=run.metrics,
            qualification=qualification,
            at=clock.now(),
            by=self._promotion.by,
        )
        self._cloud.ledger.append(record, entry)
        self._cloud.registry.tag_live(pipeline.package, pipeline.digest)
        self._watcher.step(self._name, f"live in {self._cloud.environment.name}")
        schedule = pipeline.parsed_settings().schedule_in(self._cloud.environment.name)
        if schedule is not None:
            self._watcher.step(
                self._name,
                f"its schedule ({schedule.cron}, {schedule.time_zone}) stands in the ledger; "
                "this version of écluse does not create it yet",
            )


class _Attempts:
    """The tries of one thing in one environment, counted in the evidence before each run.

    The thing is the compiled bytes with these parameters: the same again is the same run, which a
    promotion joins or takes as it ended, instead of paying for another.
    """

    def __init__(
        self, cloud: Cloud, pipeline: ReleasedPipeline, parameters: Mapping[str, Any]
    ) -> None:
        self._cloud = cloud
        self._pipeline = pipeline
        self._subject = digest_of_value(
            {"subject": pipeline.subject, "parameters": dict(parameters)}
        )
        self._folder = (
            f"{cloud.environment.evidence}/attempts/{pipeline.name}"
            f"/{self._subject.removeprefix('sha256:')}"
        )

    def last(self) -> int:
        """Return the number of the last attempt; 0 if there was none."""
        numbers = [
            int(address.rsplit("/", 1)[1].removesuffix(".json"))
            for address in self._cloud.storage.list(f"{self._folder}/")
        ]
        return max(numbers, default=0)

    def begin(self, number: int) -> None:
        """Note an attempt. Whoever notes the same one at the same time joins its run."""
        self._cloud.storage.write_json_once(
            f"{self._folder}/{number:04d}.json", {"run": self.run_id(number)}
        )

    def run_id(self, number: int) -> str:
        """Return the id of an attempt's run."""
        return naming.run_id(
            package=self._pipeline.package,
            environment=self._cloud.environment.name,
            subject=self._subject,
            attempt=number,
        )


def run_parameters(pipeline: ReleasedPipeline, cloud: Cloud, commit: str) -> dict[str, Any]:
    """Return the parameters of a pipeline's run in an environment, but for its run key."""
    return pipeline.parsed_settings().parameters_in(
        cloud.environment,
        pipeline.parameters,
        runtime_image=pipeline.runtime_image or "",
        commit=commit,
    )


def run_labels(pipeline: ReleasedPipeline, cloud: Cloud, commit: str) -> dict[str, str]:
    """Return the labels of a pipeline's run in an environment."""
    settings = pipeline.parsed_settings()
    ours = {
        "ecluse-environment": cloud.environment.name,
        "ecluse-pipeline": pipeline.name,
        "ecluse-digest": pipeline.digest,
        "ecluse-commit": commit,
        "ecluse-owner": settings.owner,
    }
    theirs = {**cloud.environment.labels, **settings.labels}
    return {key: naming.label(value) for key, value in {**theirs, **ours}.items()}


def refusal(refused: list[Verdict]) -> str:
    """Say which gates refused, and by what."""
    said = []
    for verdict in refused:
        measured = f"{verdict.value:.4g}" if verdict.value is not None else "no value"
        note = f" ({verdict.note})" if verdict.note else ""
        said.append(f"{verdict.metric} is {measured}, {verdict.rule} was asked{note}")
    return "; ".join(said)
