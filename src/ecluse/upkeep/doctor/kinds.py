"""The kinds of things that a promotion needs: what each is, and how it has to be."""

from dataclasses import dataclass

ALGORITHM = "EC_SIGN_P256_SHA256"
"""How qualifications are signed."""


@dataclass(frozen=True)
class Grant:
    """Permissions, and the role that brings them."""

    permissions: tuple[str, ...]
    role: str


@dataclass(frozen=True)
class Need:
    """One thing that a promotion needs.

    Attributes:
        what: in words, such as `the ledger's bucket`.
        resource: its name.
        why: what it is needed for.
        grants: what the caller must be allowed on it.

    """

    what: str
    resource: str
    why: str
    grants: tuple[Grant, ...] = ()

    @property
    def permissions(self) -> tuple[str, ...]:
        """Every permission that is needed on the resource."""
        return tuple(each for grant in self.grants for each in grant.permissions)


@dataclass(frozen=True)
class BucketNeed(Need):
    """A bucket; `resource` is `gs://NAME`.

    Attributes:
        project, location: where it is, or has to be made.
        near: whether it must be in that very location.
        versioned: whether it must keep what was replaced.
        retained: whether it must keep what it has (True), or be free of such a policy (False).
        ours: whether it is this environment's own; of another's only the content matters.

    """

    project: str = ""
    location: str = ""
    near: bool = False
    versioned: bool = False
    retained: bool | None = None
    ours: bool = True


@dataclass(frozen=True)
class RepositoryNeed(Need):
    """A repository of Artifact Registry, of a format."""

    format: str = ""


@dataclass(frozen=True)
class ReadersNeed(Need):
    """A repository from which Vertex AI's own service agents of a project can fetch."""

    project: str = ""


@dataclass(frozen=True)
class KeyNeed(Need):
    """A key version for signing, or for verifying what another environment signed."""


@dataclass(frozen=True)
class AccountNeed(Need):
    """A service account; `resource` is its address."""


@dataclass(frozen=True)
class ProjectNeed(Need):
    """Permissions on a project; `resource` is its id."""


@dataclass(frozen=True)
class VertexNeed(Need):
    """Vertex AI in a project's location: `projects/P/locations/L`."""


@dataclass(frozen=True)
class TriggerNeed(Need):
    """A registered build: `projects/P/locations/L/triggers/NAME`."""


@dataclass(frozen=True)
class TopicNeed(Need):
    """A Pub/Sub topic whose messages start runs: `projects/P/topics/T`."""


@dataclass(frozen=True)
class ClockNeed(Need):
    """A clock that agrees with Google's."""


@dataclass(frozen=True)
class SettingNeed(Need):
    """Something that the settings alone tell.

    Attributes:
        holds: whether it is so; none: nobody looks.
        good: the sentence if it is so.
        said: the sentence if it is not, or if nobody looks.
        fix: what to write.
        severe: whether a promotion would fail without it.

    """

    holds: bool | None = True
    good: str = ""
    said: str = ""
    fix: str = ""
    severe: bool = True
