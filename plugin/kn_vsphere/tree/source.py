"""`kn vsphere source`."""

from kn_vsphere.grammar import Command, Flag, Kind
from kn_vsphere.tree.common import LIST, NAMESPACE, WAIT, name_flag

SINK = (
    Flag("sink-uri", "sink URI (can be absolute, or relative to the referred sink resource)", short="u"),
    Flag("sink-api-version", "sink API version"),
    Flag("sink-kind", "sink kind"),
    Flag("sink-name", "sink name"),
)
CREATE = Command(
    "create",
    "Create a vSphere source to react to vSphere events",
    run="source:create",
    flags=(
        name_flag("name of the source to create"),
        Flag("vc-address", "URL of vCenter instance to connect to retrieve events", short="a"),
        Flag("skip-tls-verify", "disables certificate verification for the source address", Kind.BOOL, short="k"),
        Flag(
            "secret-ref",
            "reference to the Kubernetes secret for the vSphere credentials needed for the source address",
            short="s",
            completes="secrets",
        ),
        *SINK,
        Flag("service-account-name", "service account name", completes="serviceAccounts"),
        Flag("encoding", "CloudEvent data encoding scheme (xml or json)", default="xml", values=("xml", "json")),
        Flag(
            "checkpoint-age",
            "maximum allowed age for replaying events determined by last successful event in checkpoint",
            Kind.DURATION,
            default="5m0s",
        ),
        Flag("checkpoint-period", "period between saving checkpoints", Kind.DURATION, default="10s"),
        *WAIT,
    ),
    examples="""\
# Send the events of a vCenter to a Broker, and wait until the source is ready
kn vsphere source create --name vcsa-source --vc-address https://vcenter.example --secret-ref vcsa-ro-creds \\
    --encoding json --sink-api-version eventing.knative.dev/v1 --sink-kind Broker --sink-name default --wait

# Send them to an address
kn vsphere source create --name vcsa-source --vc-address https://vcenter.example --secret-ref vcsa-ro-creds \\
    --sink-uri http://display.default.svc.cluster.local""",
)
DELETE = Command(
    "delete",
    "Delete a vSphere source",
    run="source:delete",
    flags=(name_flag("name of the source to delete", "sources"),),
)
LIST_SOURCES = Command("list", "List vSphere sources", run="source:list_", flags=LIST, aliases=("ls",))
DESCRIBE = Command(
    "describe",
    "Show a vSphere source: conditions, checkpoint, latest Events",
    run="describe:source",
    flags=(name_flag("name of the source to show", "sources"),),
    arguments="[NAME]",
    completes="sources",
    examples="kn vsphere source describe vcsa-source",
)
GROUP = Command(
    "source",
    "Manage vSphere Event Sources",
    persistent=(NAMESPACE,),
    commands=(CREATE, DELETE, LIST_SOURCES, DESCRIBE),
)
