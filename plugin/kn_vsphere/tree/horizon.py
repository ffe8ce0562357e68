"""`kn vsphere horizon`."""

from kn_vsphere.grammar import Command, Flag, Kind
from kn_vsphere.tree.common import LIST, NAMESPACE, WAIT, name_flag
from kn_vsphere.tree.source import SINK

CREATE = Command(
    "create",
    "Create a Horizon source to react to events of a Horizon server",
    run="horizon:create",
    flags=(
        name_flag("name of the source to create"),
        Flag("address", "URL of the Horizon Connection Server", short="a"),
        Flag("skip-tls-verify", "disables certificate verification for the source address", Kind.BOOL, short="k"),
        Flag(
            "secret-ref",
            "reference to the Kubernetes secret with domain, username and password",
            short="s",
            completes="secrets",
        ),
        *SINK,
        Flag("service-account-name", "service account name", completes="serviceAccounts"),
        *WAIT,
    ),
    examples="""\
kn vsphere auth create --name horizon-creds --domain corp --username reader --password-stdin
kn vsphere horizon create --name horizon --address https://horizon.example --secret-ref horizon-creds \\
    --sink-api-version eventing.knative.dev/v1 --sink-kind Broker --sink-name default""",
)
DELETE = Command(
    "delete",
    "Delete a Horizon source",
    run="horizon:delete",
    flags=(name_flag("name of the source to delete", "horizonSources"),),
)
LIST_SOURCES = Command("list", "List Horizon sources", run="horizon:list_", flags=LIST, aliases=("ls",))
DESCRIBE = Command(
    "describe",
    "Show a Horizon source: conditions, checkpoint, latest Events",
    run="describe:horizon_source",
    flags=(name_flag("name of the source to show", "horizonSources"),),
    arguments="[NAME]",
    completes="horizonSources",
    examples="kn vsphere horizon describe horizon",
)
GROUP = Command(
    "horizon",
    "Manage Horizon Event Sources",
    persistent=(NAMESPACE,),
    commands=(CREATE, DELETE, LIST_SOURCES, DESCRIBE),
)
