"""The commands that mend: gcloud lines with the real names, quoted for a shell. Pure text."""

import shlex

_KEY_OPTIONS = ("--purpose=asymmetric-signing", "--default-algorithm=ec-sign-p256-sha256")
ROOT = "gcloud"


def enable_service(service: str, project: str) -> str:
    """Enable an API in a project."""
    return _line("services", "enable", service, f"--project={project}")


def create_bucket(bucket: str, project: str, location: str) -> str:
    """Make a bucket as it has to be."""
    return _line(
        *("storage", "buckets", "create", bucket),
        *(f"--project={project}", f"--location={location}"),
        *("--uniform-bucket-level-access", "--public-access-prevention"),
    )


def update_bucket(bucket: str, option: str) -> str:
    """Change one thing of a bucket, such as `--versioning`."""
    return _line("storage", "buckets", "update", bucket, option)


def grant_on_bucket(bucket: str, member: str, role: str) -> str:
    """Give somebody a role on a bucket."""
    return _line("storage", "buckets", "add-iam-policy-binding", bucket, *_role(member, role))


def create_repository(name: str, form: str) -> str:
    """Make a repository, by its resource name."""
    repository = _last(name)
    immutable = ["--immutable-tags"] if form == "DOCKER" else []
    return _line(
        *("artifacts", "repositories", "create", repository),
        *_place(name),
        f"--repository-format={form.lower()}",
        *immutable,
    )


def grant_on_repository(name: str, member: str, role: str) -> str:
    """Give somebody a role on a repository."""
    repository = _last(name)
    return _line(
        *("artifacts", "repositories", "add-iam-policy-binding", repository),
        *_place(name),
        *_role(member, role),
    )


def show_policy_of_repository(name: str) -> str:
    """Show who may do what with a repository."""
    repository = _last(name)
    return _line("artifacts", "repositories", "get-iam-policy", repository, *_place(name))


def create_key_ring(version: str) -> str:
    """Make a key ring, by the name of a key version in it."""
    return _line("kms", "keyrings", "create", version.split("/")[5], *_place(version))


def create_key(version: str) -> str:
    """Make a signing key with its first version."""
    return _line("kms", "keys", "create", version.split("/")[7], *_ring(version), *_KEY_OPTIONS)


def create_key_version(version: str) -> str:
    """Make the next version of a key."""
    return _line("kms", "keys", "versions", "create", *_key(version))


def enable_key_version(version: str) -> str:
    """Enable a key version."""
    return _line("kms", "keys", "versions", "enable", _last(version), *_key(version))


def grant_on_key(version: str, member: str, role: str) -> str:
    """Give somebody a role on a key, by the name of a version."""
    return _line(
        *("kms", "keys", "add-iam-policy-binding", version.split("/")[7]),
        *_ring(version),
        *_role(member, role),
    )


def create_account(email: str) -> str:
    """Make a service account, by its address."""
    name, project = _account(email)
    return _line("iam", "service-accounts", "create", name, f"--project={project}")


def enable_account(email: str) -> str:
    """Enable a service account."""
    _, project = _account(email)
    return _line("iam", "service-accounts", "enable", email, f"--project={project}")


def grant_on_account(email: str, member: str, role: str) -> str:
    """Give somebody a role on a service account."""
    _, project = _account(email)
    return _line(
        *("iam", "service-accounts", "add-iam-policy-binding", email),
        f"--project={project}",
        *_role(member, role),
    )


def grant_on_project(project: str, member: str, role: str) -> str:
    """Give somebody a role on a project."""
    return _line("projects", "add-iam-policy-binding", project, *_role(member, role))


def create_topic(name: str) -> str:
    """Make a Pub/Sub topic, by its resource name."""
    return _line("pubsub", "topics", "create", _last(name), f"--project={name.split('/')[1]}")


def create_trigger(name: str) -> str:
    """Register a build; the connection to the repository has names that only people know."""
    trigger = _last(name)
    place, project = name.partition("/triggers/")[0], name.split("/")[1]
    own = {"ecluse-image": "image-builder", "ecluse-watch": "watcher"}
    builder = own.get(trigger, "deployer")
    account = f"{builder}@{project}.iam.gserviceaccount.com"
    return _line(
        *("builds", "triggers", "create", "manual", f"--name={trigger}"),
        *_place(name, "region"),
        f"--inline-config=cloudbuild/{trigger.removeprefix('ecluse-')}.yaml",
        f"--service-account=projects/{project}/serviceAccounts/{account}",
        *(f"--repository={place}/connections/CONNECTION/repositories/OWNER-NAME", "--branch=main"),
    )


def export_trigger(name: str) -> str:
    """Write a registered build to a file, where it can be changed."""
    trigger = _last(name)
    return _line(
        *("builds", "triggers", "export", trigger),
        *_place(name, "region"),
        f"--destination={trigger}.yaml",
    )


def import_trigger(name: str) -> str:
    """Register what `export_trigger` wrote."""
    trigger = _last(name)
    return _line(
        "builds", "triggers", "import", *_place(name, "region"), f"--source={trigger}.yaml"
    )


def is_made_by_people(email: str) -> bool:
    """Whether a service account has an address of those that one makes."""
    return email.endswith(".iam.gserviceaccount.com")


def _account(email: str) -> tuple[str, str]:
    name, _, domain = email.partition("@")
    return name, domain.removesuffix(".iam.gserviceaccount.com")


def _last(name: str) -> str:
    return name.rsplit("/", maxsplit=1)[-1]


def _place(name: str, word: str = "location") -> tuple[str, str]:
    parts = name.split("/")
    return f"--project={parts[1]}", f"--{word}={parts[3]}"


def _ring(version: str) -> tuple[str, ...]:
    return (*_place(version), f"--keyring={version.split('/')[5]}")


def _key(version: str) -> tuple[str, ...]:
    return (*_ring(version), f"--key={version.split('/')[7]}")


def _role(member: str, role: str) -> tuple[str, str]:
    return f"--member={member}", f"--role={role}"


def _line(*words: str) -> str:
    return shlex.join([ROOT, *words])
