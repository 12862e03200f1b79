"""What a promotion to an environment needs, as data: from its settings alone, nothing is asked.

A need says what it is, which resource, what for, which permissions on it (with the role that brings
them), and how the resource has to be.
"""

from collections.abc import Collection, Iterator

from ecluse.repository.settings import Environment
from ecluse.upkeep.doctor.grants import (
    ACT_AS,
    CREATE,
    FETCH,
    FILE,
    FOLLOW,
    READ,
    REGISTER,
    REPLACE,
    RUN,
    SIGN,
    VERIFY,
)
from ecluse.upkeep.doctor.kinds import (
    AccountNeed,
    BucketNeed,
    ClockNeed,
    KeyNeed,
    Need,
    ProjectNeed,
    ReadersNeed,
    RepositoryNeed,
    SettingNeed,
    TopicNeed,
    TriggerNeed,
    VertexNeed,
)

LEDGER_BUCKET = "the ledger's bucket"

BUILDING_TRIGGERS = ("ecluse-image", "ecluse-release", "ecluse-rollback")
"""What carries a merge to the first environment, which another one requires, and back."""
PROMOTING_TRIGGERS = ("ecluse-promote", "ecluse-rollback")
"""What carries a tag to an environment that requires another one, and back."""
WATCHING_TRIGGER = "ecluse-watch"
"""What rolls back by itself, where a pipeline's settings ask for it."""


def needs_of(
    environment: Environment,
    below: Environment | None,
    triggers: Collection[str] | None,
    topics: Collection[str] = (),
    *,
    models: bool = False,
) -> tuple[Need, ...]:
    """Return what a promotion to an environment needs.

    Args:
        environment: where to.
        below: the environment whose qualification it requires, if any.
        triggers: the builds that must be registered; none: builds start nothing here.
        topics: those whose messages start pipelines here.
        models: whether a pipeline's model goes with it.

    """
    return (
        ClockNeed("the clock", "this machine", "tokens and leases go by it"),
        *_settings(environment, below),
        *_running(environment),
        *_buckets(environment),
        *_registries(environment),
        KeyNeed(
            "the signing key",
            environment.signing_key,
            "signs what qualifies here",
            (SIGN,),
        ),
        *(_below(below) if below is not None else ()),
        *_builds(environment, triggers),
        *_triggers(environment, topics),
        *(_models(environment) if models else ()),
    )


def _running(environment: Environment) -> Iterator[Need]:
    place = f"projects/{environment.project}/locations/{environment.location}"
    yield VertexNeed("Vertex AI", place, "runs the pipelines")
    yield ProjectNeed("runs and schedules", environment.project, "are made by a promotion", (RUN,))
    yield AccountNeed(
        "the pipelines' account", environment.service_account, "is who pipelines run as", (ACT_AS,)
    )


def _buckets(environment: Environment) -> Iterator[Need]:
    project, location = environment.project, environment.location
    yield BucketNeed(
        "the pipelines' bucket",
        bucket_of(environment.bucket),
        "is where runs keep their files",
        project=project,
        location=location,
        near=True,
    )
    yield BucketNeed(
        LEDGER_BUCKET,
        bucket_of(environment.ledger),
        "says what is live, and who promotes",
        (REPLACE,),
        project=project,
        location=location,
        versioned=True,
        retained=False,
    )
    yield BucketNeed(
        "the evidence's bucket",
        bucket_of(environment.evidence),
        "keeps releases and qualifications",
        (READ, CREATE),
        project=project,
        location=location,
        retained=True,
    )


def _registries(environment: Environment) -> Iterator[Need]:
    templates, images = environment.template_repository, environment.image_repository
    yield RepositoryNeed(
        "the template repository", templates, "keeps compiled pipelines", (FILE,), format="KFP"
    )
    yield RepositoryNeed(
        "the image repository", images, "has what components run in", (FETCH,), format="DOCKER"
    )
    for what, repository in (("templates", templates), ("images", images)):
        yield ReadersNeed(
            f"Vertex AI's access to {what}",
            repository,
            f"fetches {what} for every run, as Vertex AI's own service agents",
            project=environment.project,
        )


def _below(below: Environment) -> Iterator[Need]:
    yield BucketNeed(
        f"{below.name}'s evidence",
        bucket_of(below.evidence),
        "proves what qualified there",
        (READ,),
        project=below.project,
        location=below.location,
        ours=False,
    )
    yield KeyNeed(
        f"{below.name}'s public key",
        below.signing_key,
        "verifies what qualified there",
        (VERIFY,),
    )


def _builds(environment: Environment, triggers: Collection[str] | None) -> Iterator[Need]:
    place = f"projects/{environment.project}/locations/{environment.location}"
    if triggers is None:
        yield SettingNeed(
            "the builds",
            place,
            "promote from outside",
            holds=None,
            said="not checked: on the embedded cloud a promotion is started by hand",
        )
        return
    for trigger in triggers:
        yield TriggerNeed(
            f"the trigger {trigger}",
            f"{place}/triggers/{trigger}",
            "rolls back what fails its first run by schedule"
            if trigger == WATCHING_TRIGGER
            else "promotes from outside",
        )


def _triggers(environment: Environment, topics: Collection[str]) -> Iterator[Need]:
    if not topics:
        return
    yield ProjectNeed(
        "pipelines' triggers", environment.project, "are made by a promotion", (REGISTER,)
    )
    yield AccountNeed(
        "the triggers' account",
        environment.trigger_account,
        "is who the builds run as that messages start",
        (ACT_AS,),
    )
    yield BucketNeed(
        "the builds' bucket",
        environment.build_logs,
        "has the logs of builds",
        project=environment.project,
        location=environment.location,
    )
    for topic in sorted(topics):
        name = f"projects/{environment.project}/topics/{topic}"
        yield TopicNeed(f"the topic {topic}", name, "has the messages that start pipelines")


def _models(environment: Environment) -> Iterator[Need]:
    yield ProjectNeed("models and endpoints", environment.project, "follow what is live", (FOLLOW,))


def _settings(environment: Environment, below: Environment | None) -> Iterator[Need]:
    file = f"environments/{environment.name}.yaml"
    yield SettingNeed(
        "ledger and evidence",
        file,
        "evidence must not be replaced, and the ledger must",
        holds=bucket_of(environment.ledger) != bucket_of(environment.evidence),
        good="are in two buckets",
        said="`ledger` and `evidence` are in one bucket",
        fix=f"give `evidence` a bucket of its own in {file}",
    )
    if environment.encryption_key is not None:
        where = environment.encryption_key.split("/locations/")[-1].split("/")[0]
        yield SettingNeed(
            "the encryption key",
            environment.encryption_key,
            "encrypts what runs write",
            holds=None if where == environment.location else False,
            said="not checked: whether Vertex AI's service agents may use it"
            if where == environment.location
            else f"it is in {where}, and runs are in {environment.location}",
            fix=""
            if where == environment.location
            else f"name a key in {environment.location} as `encryption_key` in {file}",
        )
    if environment.network is not None:
        yield SettingNeed(
            "the network",
            environment.network,
            "attaches runs to private addresses",
            holds=None,
            said="not checked: whether it is peered with Vertex AI's",
        )
    if below is None:
        return
    yield SettingNeed(
        "the same images",
        file,
        f"the digest that qualified in {below.name} runs here",
        holds=environment.images == below.images,
        good=f"`images` is that of {below.name}",
        said=f"`images` is not that of {below.name}",
        fix=f"write `images: {below.images}` in {file}",
    )
    yield SettingNeed(
        "a key of its own",
        file,
        f"who may sign here must not sign for {below.name}",
        holds=environment.signing_key != below.signing_key,
        good=f"`signing_key` is not that of {below.name}",
        said=f"`signing_key` is that of {below.name}, too",
        fix=f"make another key, and name it as `signing_key` in {file}",
        severe=False,
    )
    yield SettingNeed(
        "a project of its own",
        file,
        f"who may change {below.name} must not change this",
        holds=environment.project != below.project,
        good=f"`project` is not that of {below.name}",
        said=f"`project` is that of {below.name}, too",
        fix=f"make another project, and name it as `project` in {file}",
        severe=False,
    )


def bucket_of(address: str) -> str:
    """Return `gs://NAME` of an address in a bucket."""
    return "gs://" + address.removeprefix("gs://").partition("/")[0]


def triggers_of(environment: Environment, others: Collection[Environment]) -> tuple[str, ...]:
    """Return the builds that carry a release to an environment, by its place among the others."""
    if environment.requires is not None:
        return PROMOTING_TRIGGERS
    if any(other.requires == environment.name for other in others):
        return BUILDING_TRIGGERS
    return ()
