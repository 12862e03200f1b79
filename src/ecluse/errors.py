"""What can go wrong, as a tree. Catch exactly what you mean.

    EcluseError
    ├── InvalidInput                exit code 2: the command or a file is wrong; nothing went live
    │   ├── SettingsError           a field of an environments/*.yaml or pipeline.yaml
    │   ├── UnknownEnvironment
    │   ├── UnknownPipeline
    │   ├── CompilationError        a pipeline that does not compile, or to what Vertex AI refuses
    │   ├── UnusableData            a data file that the pipeline's own check refuses
    │   ├── UnknownMetric           a gate on a metric that no task of the run produced
    │   ├── BrokenGate              a gate written in Python is missing, raises, or makes no sense
    │   └── NoToolImage             a trigger is wanted, and no image that its builds could run in
    └── Refused                     exit code 1: a check, a gate, a run or the cloud said no
        ├── ReleaseAltered          bytes, settings or manifest differ from what was built
        ├── NotQualified            no valid signed evidence from the environment below
        ├── RunFailed
        ├── GateRefused
        ├── LedgerMoved             somebody else changed what is live in the meantime
        ├── LeaseHeld               somebody else is at work in this environment
        ├── LeaseLost               ours ran out, and somebody else took over
        ├── PlanMoved               the world is not as it was when the plan was made
        ├── NotDescendant           the release is older than what is live, or beside it
        ├── Frozen                  nothing may go live here now
        ├── NoWayBack               a rollback finds nothing older that it could make live
        ├── NotLive                 nothing of the pipeline is live, so nothing can be started
        ├── HeldBack                a pipeline that waits for another one, which did not go live
        ├── CloudError              Google Cloud answered with an error
        └── Interrupted             the user stopped it

Every error says what was wrong, where (file and line, field, or resource name) and what to do. What
each class says of itself here becomes the page docs/errors.md.
"""

from typing import ClassVar, NamedTuple


class Example(NamedTuple):
    """An error as a user may meet it."""

    what: str
    where: str = ""
    fix: str = ""


class EcluseError(Exception):
    """Something a user can understand and mend.

    Attributes:
        what: one sentence on what is wrong.
        where: `file:line`, a field or a resource name; empty where the command line is meant.
        fix: what to do now, ideally the next command to type.

    """

    exit_code: ClassVar[int] = 1

    # For the page: when it happens, beyond what the class's docstring says.
    when: ClassVar[str] = ""
    example: ClassVar[Example | None] = None

    # What to do where whoever raises it knows nothing better. Only the kinds that have kinds of
    # their own are without: they are too general for one answer.
    usual_fix: ClassVar[str] = ""

    # Whether a command that answers in JSON has said it in its answer already.
    answered = False

    def __init__(self, what: str, *, where: str = "", fix: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.fix = fix or self.usual_fix

    def as_json(self) -> dict[str, str]:
        """Return the error as plain values; its kind is its heading in docs/errors.md."""
        return {
            "kind": type(self).__name__,
            "what": self.what,
            "where": self.where,
            "fix": self.fix,
        }

    def __str__(self) -> str:
        """One line: where, what, and what to do."""
        line = f"{self.where}: {self.what}" if self.where else self.what
        return f"{line} → {self.fix}" if self.fix else line


class InvalidInput(EcluseError):
    """The command line or a file that the user wrote is wrong. Nothing went live."""

    when = (
        "Options that do not go together, a file that cannot be written, a value that no option"
        " takes. Every error below with exit code 2 is one of these."
    )
    example = Example("`1.4 beta` is no version", where="--version", fix="write it like v1.4.0")

    exit_code = 2


class SettingsError(InvalidInput):
    """A field of a settings file is misspelt, missing, wrongly typed or contradictory."""

    when = (
        "Whatever command reads the file first finds it; `ecluse check` reads them all and "
        "touches no cloud."
    )
    example = Example(
        "`locaton`: there is no such field",
        where="environments/prod.yaml:7",
        fix="did you mean `location`?",
    )
    usual_fix = "mend the file, then run `ecluse check`"


class UnknownEnvironment(InvalidInput):
    """There is no such file under environments/."""

    example = Example(
        "there is no environment `prd`", where="environments/", fix="did you mean `prod`?"
    )
    usual_fix = "name a file of environments/, without its .yaml"


class UnknownPipeline(InvalidInput):
    """There is no such folder under pipelines/."""

    when = "Also where a release or a ledger has no pipeline of that name."
    example = Example(
        "there is no pipeline `churn_xgbost`",
        where="pipelines/",
        fix="did you mean `churn_xgboost`?",
    )
    usual_fix = "name a folder of pipelines/"


class CompilationError(InvalidInput):
    """A pipeline does not compile, or compiles to something that Vertex AI refuses."""

    when = (
        "Pipelines are compiled by `ecluse check`, `compile`, `run` and `build`, always in the "
        "same way."
    )
    example = Example(
        "pipeline `alpha` does not compile: NameError: name 'measure' is not defined",
        where="pipelines/alpha/pipeline.py:8",
    )
    usual_fix = "mend pipeline.py, then run `ecluse check`"


class UnusableData(InvalidInput):
    """A data file that the pipeline's own check refuses."""

    when = "A file that `ecluse run --local --data FILE` or `ecluse demo --data FILE` was given."
    example = Example("there is no such file", where="customers.csv")
    usual_fix = "give another file with --data, or none: then sample data is generated"


class UnknownMetric(InvalidInput):
    """A gate names a metric that the finished task did not produce."""

    when = "Nothing can be judged then, so nothing goes live."
    example = Example(
        "`gates[0].metric`: the run has no metric `evaluate.roc`",
        where="pipelines/alpha/pipeline.yaml:9",
        fix="it has: evaluate.roc_auc",
    )
    usual_fix = "name a metric that `ecluse run PIPELINE --local` shows"


class BrokenGate(InvalidInput):
    """A gate written in Python is not installed, raises, or returns no verdict."""

    example = Example(
        "no installed package has a gate `fairness`",
        where="pipelines/alpha/pipeline.yaml:9",
        fix="install the package whose entry points, group `ecluse.gates`, name it",
    )
    usual_fix = "mend the gate's function, and try it with `ecluse run PIPELINE --local`"


class NoToolImage(InvalidInput):
    """Triggers are wanted here, and nobody has said which image their builds run `ecluse` in."""

    when = "A pipeline's `triggers:` become builds, and every build runs in an image."
    example = Example(
        "triggers are wanted, and no image is known that their builds could run `ecluse` in",
        where="environments/prod.yaml",
        fix='export ECLUSE_TOOL_IMAGE="$(ecluse image prod tool)", then promote again',
    )
    usual_fix = "find or build it with `ecluse image ENVIRONMENT tool`"


class Refused(EcluseError):
    """A check, a gate, a run or the cloud said no."""

    when = "Every error below with exit code 1 is one of these."
    example = Example(
        "a run of this id exists, and it runs something else",
        where="projects/acme-ml-prod/locations/europe-west1/pipelineJobs/alpha-prod-0f3a-1",
        fix="promote with --rerun for a new attempt",
    )


class ReleaseAltered(Refused):
    """A release's bytes, settings or manifest are not what was built."""

    when = (
        "What prod takes must be byte for byte what nonprod qualified. Somebody, or something, "
        "changed it in between."
    )
    example = Example(
        "the signature is for another release",
        where="gs://acme-ml-nonprod-evidence/releases/4f1c…/release.json.sig",
    )
    usual_fix = (
        "find out who changed it; then make the release of its commit anew and promote it to "
        "the first environment: `ecluse promote nonprod --rerun`"
    )


class NotQualified(Refused):
    """There is no valid evidence that the environment below qualified this."""

    when = (
        "The environment says `requires:`. Its evidence is looked for, and its signature, "
        "digest, settings and image are checked, before anything happens."
    )
    example = Example(
        "`alpha` (1f9e0c2b7a44, with these settings and image) did not qualify in nonprod",
        where="gs://acme-ml-nonprod-evidence/qualifications/alpha/9c2f…",
        fix="promote its release to nonprod first",
    )
    usual_fix = "promote its release to the environment below first: `ecluse promote nonprod`"


class RunFailed(Refused):
    """A pipeline run did not succeed."""

    when = "What was live stays live."
    example = Example(
        "the data smell",
        where="projects/acme-ml-prod/locations/europe-west1/pipelineJobs/alpha-prod-0f3a-1",
        fix="mend it; the next attempt is a new run",
    )
    usual_fix = "mend the pipeline, and try it with `ecluse run PIPELINE --local`"


class GateRefused(Refused):
    """A run succeeded, but its metrics do not pass the gates."""

    when = "What was live stays live."
    example = Example(
        "evaluate.roc_auc is 0.8512, at least 0.9 was asked",
        where="projects/acme-ml-prod/locations/europe-west1/pipelineJobs/alpha-prod-0f3a-1",
        fix="what was live stays live; mend the pipeline",
    )
    usual_fix = (
        "mend the pipeline, or the gate in its pipeline.yaml, and try it with `ecluse run "
        "PIPELINE --local`"
    )


class LedgerMoved(Refused):
    """The ledger changed between reading and writing: another promotion was quicker."""

    when = (
        "The lease keeps two promotions apart; this is what holds where somebody writes without"
        " one. Nothing was written."
    )
    example = Example(
        "the ledger was changed by somebody else in the meantime",
        where="gs://acme-ml-prod-ledger/head.json",
        fix="look with `ecluse status prod`, then run the same again",
    )
    usual_fix = "look at what is live with `ecluse status`, then run the same command again"


class LeaseHeld(Refused):
    """Somebody else is changing this environment right now."""

    when = "One promotion or rollback at a time changes an environment."
    example = Example(
        "ann@example.com holds the lease since 12 min: promote 4f1c2ab",
        where="gs://acme-ml-prod-ledger/lease.json",
        fix="wait for it with --wait 30m; a holder that died is taken over after 60 s",
    )
    usual_fix = "wait for it with --wait 30m"


class LeaseLost(Refused):
    """The lease ran out or was taken over: nothing more may be changed under it."""

    when = (
        "A machine that slept, or lost its network, for longer than the lease lasts. What it "
        "had begun is found by the next one."
    )
    example = Example(
        "the lease was not renewed in time, and somebody else may have it now",
        where="gs://acme-ml-prod-ledger/lease.json",
        fix="run the same command again: it joins what was begun",
    )
    usual_fix = "run the same command again: it joins what was begun"


class PlanMoved(Refused):
    """The plan that was made is not what a promotion would do now."""

    when = "`ecluse promote --plan FILE` does exactly what the plan says, or nothing."
    example = Example(
        "the world has moved: `alpha` was update, and is unchanged",
        where="--plan",
        fix="plan again: `ecluse plan prod --out plan.json`",
    )
    usual_fix = "plan again: `ecluse plan ENVIRONMENT --out plan.json`"


class NotDescendant(Refused):
    """The release does not descend from what is live: promoting it would go backwards."""

    when = "A branch that was cut before the last promotion, or an older tag."
    example = Example(
        (
            "`alpha` was last changed here by commit 4f1c2ab90d11 (v1.4.0), which 0d9e1f2a3b4c "
            "does not descend from"
        ),
        where="prod, alpha",
        fix=(
            "to go back: `ecluse rollback prod alpha`; else merge that commit in, and promote "
            "the merge"
        ),
    )
    usual_fix = "to go back, use `ecluse rollback ENVIRONMENT`"


class Frozen(Refused):
    """A freeze window of the environment's settings holds: nothing may go live."""

    when = (
        "Nothing new is begun then, and what is under way does not go live. A rollback is always "
        "possible."
    )
    example = Example(
        "prod is frozen until 2027-01-04T08:00:00Z: the year's end (for another 9 d)",
        where="environments/prod.yaml, freezes",
        fix="run the same command again after that; or now, for the ledger and every report to "
        'say so, with --override "why"',
    )
    usual_fix = "run the same command again after that"


class NoWayBack(Refused):
    """There is nothing older that a rollback could make live again."""

    example = Example(
        "nothing was ever live in prod",
        where="prod",
        fix="promote a release: `ecluse promote prod`",
    )
    usual_fix = "see what was live with `ecluse history ENVIRONMENT PIPELINE`"


class NotLive(Refused):
    """Nothing of the pipeline is live in the environment, so nothing can be started."""

    example = Example(
        "`alpha` is not live in prod, so nothing starts; live is: beta",
        where="gs://acme-ml-prod-ledger/head.json",
        fix="look with `ecluse status prod`",
    )
    usual_fix = "look at what is live with `ecluse status ENVIRONMENT`"


class HeldBack(Refused):
    """A pipeline was not tried, because one that it waits for did not go live."""

    when = (
        "`after:` in pipeline.yaml puts pipelines in an order; the budget of an environment "
        "says how many run at once."
    )
    example = Example(
        "it comes after `features`, which did not go live",
        where="alpha",
        fix="run the same command again once that is mended",
    )
    usual_fix = "run the same command again once that is mended"


class CloudError(Refused):
    """Google Cloud answered with an error that écluse cannot mend."""

    when = "Calls that fail in passing were repeated before this is said."
    example = Example(
        "permission denied: Permission 'cloudkms.cryptoKeyVersions.useToSign' denied",
        where=(
            "projects/acme-ml-prod/locations/europe-"
            "west1/keyRings/ecluse/cryptoKeys/qualification/cryptoKeyVersions/1"
        ),
        fix="`ecluse doctor ENVIRONMENT` tells what is missing, and the command that gives it",
    )
    usual_fix = (
        "look at everything that a promotion needs with `ecluse doctor ENVIRONMENT`, then run "
        "the same command again"
    )


class Interrupted(Refused):
    """The user stopped the command; what runs in the cloud goes on."""

    when = "By Ctrl-C."
    example = Example(
        "no longer followed; it goes on",
        where="projects/acme-ml-prod/locations/europe-west1/pipelineJobs/alpha-prod-0f3a-1",
    )
    usual_fix = "run the same command again: it joins what was begun"

    exit_code = 130
