"""What a promotion must be allowed, by the roles that bring it: Google's predefined ones."""

from ecluse.upkeep.doctor.kinds import Grant

READ = Grant(("storage.objects.get", "storage.objects.list"), "roles/storage.objectViewer")
CREATE = Grant(("storage.objects.create",), "roles/storage.objectCreator")
REPLACE = Grant(
    (
        "storage.objects.get",
        "storage.objects.list",
        "storage.objects.create",
        "storage.objects.delete",
    ),
    "roles/storage.objectUser",
)
FETCH = Grant(
    (
        "artifactregistry.repositories.get",
        "artifactregistry.repositories.downloadArtifacts",
        "artifactregistry.tags.get",
    ),
    "roles/artifactregistry.reader",
)
FILE = Grant(
    (
        "artifactregistry.repositories.get",
        "artifactregistry.repositories.downloadArtifacts",
        "artifactregistry.repositories.uploadArtifacts",
        "artifactregistry.versions.get",
        "artifactregistry.versions.list",
        "artifactregistry.tags.create",
        "artifactregistry.tags.delete",
        "artifactregistry.tags.get",
        "artifactregistry.tags.list",
        "artifactregistry.tags.update",
    ),
    "roles/artifactregistry.repoAdmin",
)
SIGN = Grant(
    ("cloudkms.cryptoKeyVersions.useToSign", "cloudkms.cryptoKeyVersions.viewPublicKey"),
    "roles/cloudkms.signerVerifier",
)
VERIFY = Grant(("cloudkms.cryptoKeyVersions.viewPublicKey",), "roles/cloudkms.publicKeyViewer")
RUN = Grant(
    (
        "aiplatform.pipelineJobs.cancel",
        "aiplatform.pipelineJobs.create",
        "aiplatform.pipelineJobs.get",
        "aiplatform.pipelineJobs.list",
        "aiplatform.schedules.create",
        "aiplatform.schedules.delete",
        "aiplatform.schedules.get",
        "aiplatform.schedules.list",
        "aiplatform.schedules.update",
    ),
    "roles/aiplatform.user",
)
FOLLOW = Grant(
    (
        "aiplatform.endpoints.get",
        "aiplatform.endpoints.list",
        "aiplatform.endpoints.update",
        "aiplatform.models.get",
        "aiplatform.models.update",
    ),
    "roles/aiplatform.user",
)
ACT_AS = Grant(("iam.serviceAccounts.actAs",), "roles/iam.serviceAccountUser")
REGISTER = Grant(
    (
        "cloudbuild.builds.create",
        "cloudbuild.builds.get",
        "cloudbuild.builds.list",
        "cloudbuild.builds.update",
    ),
    "roles/cloudbuild.builds.editor",
)
