"""Cloud Build's messages, raw."""

from __future__ import annotations

from google.cloud.devtools.cloudbuild_v1.types import cloudbuild as types

from gcp_local.rpc.protos import raw

Build = raw(types.Build)
BuildTrigger = raw(types.BuildTrigger)
BuildOperationMetadata = raw(types.BuildOperationMetadata)
CreateBuildRequest = raw(types.CreateBuildRequest)
RepoSource = raw(types.RepoSource)
FileHashes = raw(types.FileHashes)
TimeSpan = raw(types.TimeSpan)
ArtifactResult = raw(types.ArtifactResult)
BuiltImage = raw(types.BuiltImage)
DefaultServiceAccount = raw(types.DefaultServiceAccount)
ListBuildsResponse = raw(types.ListBuildsResponse)
ListBuildTriggersResponse = raw(types.ListBuildTriggersResponse)

Status = types.Build.Status
SubscriptionState = types.PubsubConfig.State
FailureType = types.Build.FailureInfo.FailureType
Approval = types.BuildApproval.State
Decision = types.ApprovalResult.Decision
Logging = types.BuildOptions.LoggingMode
LogsBucket = types.BuildOptions.DefaultLogsBucketBehavior
Streaming = types.BuildOptions.LogStreamingOption
Substitution = types.BuildOptions.SubstitutionOption
Verify = types.BuildOptions.VerifyOption
HashType = types.Hash.HashType

TERMINAL = frozenset(
    {
        Status.SUCCESS,
        Status.FAILURE,
        Status.INTERNAL_ERROR,
        Status.TIMEOUT,
        Status.CANCELLED,
        Status.EXPIRED,
    }
)
