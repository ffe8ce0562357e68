"""`kn vsphere binding`."""

from kn_vsphere.grammar import Command, Flag, Kind
from kn_vsphere.tree.common import LIST, NAMESPACE, WAIT, name_flag

CREATE = Command(
    "create",
    "Create a vSphere binding to call into the vSphere API",
    run="binding:create",
    flags=(
        name_flag("name of the binding to create"),
        Flag("vc-address", "URL of vCenter instance to associate the binding with", short="a"),
        Flag("skip-tls-verify", "disables certificate verification for the binding API address", Kind.BOOL, short="k"),
        Flag(
            "secret-ref",
            "reference to the Kubernetes secret for the vSphere credentials needed for the binding API address",
            short="s",
            completes="secrets",
        ),
        Flag("subject-api-version", "subject API version", values=("apps/v1", "batch/v1", "serving.knative.dev/v1")),
        Flag("subject-kind", "subject kind", values=("DaemonSet", "Deployment", "Job", "Service", "StatefulSet")),
        Flag("subject-name", "subject name (cannot be used with --subject-selector)"),
        Flag("subject-selector", "subject selector (cannot be used with --subject-name)"),
        *WAIT,
    ),
    examples="""\
# Give the credentials to every Job with a label
kn vsphere binding create --name reports --vc-address https://vcenter.example --secret-ref vcsa-ro-creds \\
    --subject-api-version batch/v1 --subject-kind Job --subject-selector app=report

# Give them to one Deployment
kn vsphere binding create --name inventory --vc-address https://vcenter.example --secret-ref vcsa-ro-creds \\
    --subject-api-version apps/v1 --subject-kind Deployment --subject-name inventory""",
)
DELETE = Command(
    "delete",
    "Delete a vSphere binding",
    run="binding:delete",
    flags=(name_flag("name of the binding to delete", "bindings"),),
)
LIST_BINDINGS = Command("list", "List vSphere bindings", run="binding:list_", flags=LIST, aliases=("ls",))
DESCRIBE = Command(
    "describe",
    "Show a vSphere binding: conditions, subjects, latest Events",
    run="describe:binding",
    flags=(name_flag("name of the binding to show", "bindings"),),
    arguments="[NAME]",
    completes="bindings",
    examples="kn vsphere binding describe reports",
)
GROUP = Command(
    "binding",
    "Manage vSphere API bindings",
    persistent=(NAMESPACE,),
    commands=(CREATE, DELETE, LIST_BINDINGS, DESCRIBE),
)
