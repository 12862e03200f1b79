"""The REST bindings that Google's clients leave out: which method is asked for where.

Sources: https://cloud.google.com/iam/docs/reference/rest/v1/projects.serviceAccounts and, of Cloud
Build's operations, where its client's `operations_client` asks.
"""

_IAM, _OPERATIONS = "google.iam.admin.v1.IAM", "google.longrunning.Operations"
_ALL = "/v1/{name=projects/*}/serviceAccounts"
_ONE = "/v1/{name=projects/*/serviceAccounts/*}"
_POLICY = "/v1/{resource=projects/*/serviceAccounts/*}"
_KEY = "/v1/{name=projects/*/serviceAccounts/*/keys/*}"
_OPERATION = "/v1/{name=operations/**}"

BINDINGS = {
    f"{_IAM}.ListServiceAccounts": ("GET", _ALL),
    f"{_IAM}.CreateServiceAccount": ("POST", _ALL),
    f"{_IAM}.GetServiceAccount": ("GET", _ONE),
    f"{_IAM}.UpdateServiceAccount": ("PUT", _ONE),
    f"{_IAM}.PatchServiceAccount": (
        "PATCH",
        "/v1/{service_account.name=projects/*/serviceAccounts/*}",
    ),
    f"{_IAM}.DeleteServiceAccount": ("DELETE", _ONE),
    f"{_IAM}.UndeleteServiceAccount": ("POST", f"{_ONE}:undelete"),
    f"{_IAM}.EnableServiceAccount": ("POST", f"{_ONE}:enable"),
    f"{_IAM}.DisableServiceAccount": ("POST", f"{_ONE}:disable"),
    f"{_IAM}.GetIamPolicy": ("POST", f"{_POLICY}:getIamPolicy"),
    f"{_IAM}.SetIamPolicy": ("POST", f"{_POLICY}:setIamPolicy"),
    f"{_IAM}.TestIamPermissions": ("POST", f"{_POLICY}:testIamPermissions"),
    f"{_IAM}.ListServiceAccountKeys": ("GET", f"{_ONE}/keys"),
    f"{_IAM}.CreateServiceAccountKey": ("POST", f"{_ONE}/keys"),
    f"{_IAM}.UploadServiceAccountKey": ("POST", f"{_ONE}/keys:upload"),
    f"{_IAM}.GetServiceAccountKey": ("GET", _KEY),
    f"{_IAM}.DeleteServiceAccountKey": ("DELETE", _KEY),
    f"{_IAM}.EnableServiceAccountKey": ("POST", f"{_KEY}:enable"),
    f"{_IAM}.DisableServiceAccountKey": ("POST", f"{_KEY}:disable"),
    f"{_OPERATIONS}.GetOperation": ("GET", _OPERATION),
    f"{_OPERATIONS}.CancelOperation": ("POST", f"{_OPERATION}:cancel"),
}
"""By a method's full name: the verb, and the URL's template. Those with a body have no other field
for it than the request itself."""
