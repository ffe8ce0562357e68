"""`kn vsphere auth`."""

from kn_vsphere.grammar import Command, Flag, Kind
from kn_vsphere.tree.common import NAMESPACE, name_flag

CREATE = Command(
    "create",
    "Create vSphere credentials",
    run="auth:create",
    flags=(
        Flag("username", "username", short="u"),
        Flag("password", "password", short="p"),
        Flag("password-stdin", "read password from standard input", Kind.BOOL, short="i"),
        name_flag("name of the Secret created for the credentials"),
        Flag("domain", "domain of the user, for a HorizonSource"),
        Flag("verify-url", "vCenter URL to verify specified credentials (optional)"),
        Flag("verify-insecure", "ignore certificate errors during credential verification", Kind.BOOL),
    ),
    examples="""\
# Ask for the password, and log in once before the Secret is created
kn vsphere auth create --name vcsa-ro-creds --username events-reader@vsphere.local --password-stdin \\
    --verify-url https://vcenter.example

# Credentials of a Horizon server
kn vsphere auth create --name horizon-creds --domain corp --username reader --password-stdin""",
)
DELETE = Command(
    "delete",
    "Delete vSphere credentials",
    run="auth:delete",
    flags=(name_flag("name of the credentials Secret to delete", "secrets"),),
)
CHECK = Command(
    "check",
    "Log in to vCenter and list missing privileges",
    run="auth:check",
    flags=(
        name_flag("name of the credentials Secret to check", "secrets"),
        Flag("vc-address", "URL of the vCenter to log in to", short="a"),
        Flag("skip-tls-verify", "accept any certificate of the vCenter", Kind.BOOL, short="k"),
    ),
    long="Log in to vCenter with the credentials of a Secret, and list the privileges that the account lacks.",
    examples="kn vsphere auth check --name vcsa-ro-creds --vc-address https://vcenter.example",
)
GROUP = Command("auth", "Manage vSphere credentials", persistent=(NAMESPACE,), commands=(CREATE, DELETE, CHECK))
