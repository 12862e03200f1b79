"""How a thing has to be, against how it is: sentences, and the commands that mend. Pure."""

from collections.abc import Iterator

from ecluse.cloud.answers import (
    AGENTS,
    AccountFacts,
    BucketFacts,
    ClockFacts,
    KeyFacts,
    ReaderFacts,
    RepositoryFacts,
    TriggerFacts,
)
from ecluse.upkeep.doctor import commands
from ecluse.upkeep.doctor.findings import Finding, Verdict
from ecluse.upkeep.doctor.kinds import (
    ALGORITHM,
    AccountNeed,
    BucketNeed,
    ClockNeed,
    KeyNeed,
    Need,
    ProjectNeed,
    ReadersNeed,
    RepositoryNeed,
    TopicNeed,
    TriggerNeed,
    VertexNeed,
)

Facts = (
    BucketFacts
    | RepositoryFacts
    | ReaderFacts
    | KeyFacts
    | AccountFacts
    | TriggerFacts
    | ClockFacts
    | None
)
_DAY_SECONDS = 86_400
# Google refuses tokens of a clock that is five minutes off.
_FEW_SECONDS, _TOO_MANY_SECONDS = 30, 300
_RETENTION = "--retention-period=P5Y"
_READER = "roles/artifactregistry.reader"


def finding_on(need: Need, verdict: Verdict, said: str, fix: str = "") -> Finding:
    """Return a finding on a need."""
    return Finding(need.what, need.resource, verdict, said, need.why, fix)


def wrongs(need: Need, facts: Facts, settings: str) -> Iterator[Finding]:
    """Yield what of a thing is other than it has to be."""
    match need, facts:
        case BucketNeed(), BucketFacts():
            yield from _bucket_not_so(need, facts, settings)
        case RepositoryNeed(), RepositoryFacts() if facts.format != need.format:
            fix = f"name one of format {need.format} in {settings}"
            yield finding_on(need, "failed", f"is of format {facts.format}, not {need.format}", fix)
        case KeyNeed(), KeyFacts() if facts.algorithm != ALGORITHM:
            said = f"is of algorithm {facts.algorithm}, not {ALGORITHM}"
            fix = f"name a key of that algorithm in {settings}"
            yield finding_on(need, "failed", said, fix)
        case AccountNeed(), AccountFacts(disabled=True):
            yield finding_on(need, "failed", "is disabled", commands.enable_account(need.resource))
        case TriggerNeed(), TriggerFacts():
            yield from _trigger_not_so(need, facts)
        case ReadersNeed(), ReaderFacts():
            yield from _agents_not_readers(need, facts)
        case ClockNeed(), ClockFacts() if abs(facts.ahead) > _FEW_SECONDS:
            off = f"{abs(facts.ahead):.0f} s {'ahead of' if facts.ahead > 0 else 'behind'} Google's"
            verdict: Verdict = "failed" if abs(facts.ahead) > _TOO_MANY_SECONDS else "warning"
            yield finding_on(need, verdict, f"is {off}", "sudo timedatectl set-ntp true")


def _bucket_not_so(need: BucketNeed, facts: BucketFacts, settings: str) -> Iterator[Finding]:
    name = need.resource
    if facts.location != need.location:
        elsewhere = commands.create_bucket(f"{name}-{need.location}", need.project, need.location)
        yield finding_on(
            need,
            "failed" if need.near else "warning",
            f"is in {facts.location}, not in {need.location}: a bucket cannot move, so make "
            f"another and name it in {settings}",
            elsewhere,
        )
    if not facts.uniform:
        fix = commands.update_bucket(name, "--uniform-bucket-level-access")
        yield finding_on(need, "warning", "lets single objects have access rules of their own", fix)
    if not facts.private:
        fix = commands.update_bucket(name, "--public-access-prevention")
        yield finding_on(need, "warning", "could be made public by a slip", fix)
    if need.versioned and not facts.versioned:
        fix = commands.update_bucket(name, "--versioning")
        yield finding_on(need, "warning", "keeps nothing of what was replaced by mistake", fix)
    if need.retained is False and facts.retention:
        fix = commands.update_bucket(name, "--clear-retention-period")
        yield finding_on(need, "failed", "has a retention policy: nothing in it can change", fix)
    if need.retained and not facts.retention:
        fix = commands.update_bucket(name, _RETENTION)
        yield finding_on(need, "warning", "has no retention policy: proof could be replaced", fix)


def _trigger_not_so(need: TriggerNeed, facts: TriggerFacts) -> Iterator[Finding]:
    exported = commands.export_trigger(need.resource)
    imported = commands.import_trigger(need.resource)
    if facts.disabled:
        edited = f"# take `disabled: true` out of it\n{imported}"
        yield finding_on(need, "failed", "is disabled", f"{exported}\n{edited}")
    if not facts.account:
        edited = f"# write `serviceAccount:` into it\n{imported}"
        said = "names no account: its builds run as the project's default one"
        yield finding_on(need, "failed", said, f"{exported}\n{edited}")


def _agents_not_readers(need: ReadersNeed, facts: ReaderFacts) -> Iterator[Finding]:
    wanted = [
        f"serviceAccount:service-{facts.project_number}@{agent}.iam.gserviceaccount.com"
        for agent in AGENTS
    ]
    lacking = [member for member in wanted if member not in facts.readers]
    if lacking:
        names = " and ".join(member.partition("@")[2].partition(".")[0] for member in lacking)
        fix = "\n".join(
            commands.grant_on_repository(need.resource, member, _READER) for member in lacking
        )
        said = f"its own policy does not let {names} read (one of the project above may)"
        yield finding_on(need, "warning", said, fix)


def praise(need: Need, facts: Facts) -> str:
    """Return the sentence on a thing that is as it has to be."""
    said = "as it has to be"
    match need, facts:
        case BucketNeed(ours=False), _:
            said = "may be read"
        case BucketNeed(), BucketFacts():
            kept = ", versioned" if facts.versioned else ""
            kept += f", kept for {facts.retention // _DAY_SECONDS} days" if facts.retention else ""
            used = ", with all permissions" if need.grants else ""
            said = f"is there, in {facts.location}{kept}{used}"
        case RepositoryNeed(), RepositoryFacts():
            said = f"is there, of format {facts.format}, with all permissions"
        case KeyNeed(), KeyFacts():
            said = f"is there, enabled, {facts.algorithm}, with all permissions"
        case AccountNeed(), _:
            said = "is there, and may be acted as"
        case ProjectNeed(), _:
            said = "all permissions"
        case VertexNeed(), _:
            said = "answers"
        case TriggerNeed(), TriggerFacts():
            said = f"is registered, runs as {facts.account}"
        case TopicNeed(), _:
            said = "is there"
        case ReadersNeed(), _:
            said = "both service agents may read"
        case ClockNeed(), ClockFacts():
            said = "agrees with Google's"
    return said
