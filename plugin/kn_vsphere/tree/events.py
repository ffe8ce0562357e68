"""`kn vsphere events`."""

from kn_vsphere.grammar import Command, Flag, Kind

VCENTER = (
    Flag("vc-address", "URL of the vCenter (default: $VC_URL)", short="a"),
    Flag("skip-tls-verify", "disables certificate verification (default: $VC_INSECURE)", Kind.BOOL, short="k"),
    Flag("ca-bundle", "PEM file of the authorities to trust (default: $VC_CA_BUNDLE)", completes="files"),
    Flag("username", "user name (default: $VC_USERNAME)", short="u"),
    Flag("password", "password. Other users of the machine can see it, $VC_PASSWORD they cannot", short="p"),
    Flag("password-stdin", "read the password from standard input", Kind.BOOL, short="i"),
)
SELECTION = (
    Flag("type", "event classes or type ids, separated by commas", short="t", completes="eventTypes"),
    Flag("entity", "only events of this object and all below it, as Type/id, for example Folder/group-d1"),
)
SINCE = "a duration before now, such as 2h, or a time, such as 2026-11-25T08:00:00Z"

LIST_TYPES = Command(
    "list",
    "List event types, with category and title",
    run="events.types:list_",
    flags=(
        Flag("category", "only these, separated by commas: error, warning, info, user", short="c",
             values=("error", "warning", "info", "user")),
        Flag("search", "only types with all these words in name, title or description", short="s"),
        Flag("output", "Output format. One of: (json, name).", short="o", values=("json", "name")),
        Flag("no-headers", "print the table without its headers", Kind.BOOL),
        *VCENTER,
    ),
    aliases=("ls",),
    long="List the event types of the built-in catalogue, or of a vCenter if --vc-address or $VC_URL names one.",
    examples="""\
# All types that report an error of a VM
kn vsphere events list --category error --search vm

# The types that a vCenter knows, including those of its extensions
kn vsphere events list --vc-address https://vcenter.example --username reader@vsphere.local --password-stdin""",
)  # fmt: skip
SHOW = Command(
    "show",
    "Explain an event type: causes, remedies, an example and a Trigger",
    run="events.types:show",
    flags=(
        Flag("output", "Output format. One of: (json).", short="o", values=("json",)),
        Flag("broker", "Broker of the Trigger", default="default"),
        Flag("sink", "Service of the Trigger", default="display"),
        *VCENTER,
    ),
    arguments="TYPE",
    completes="eventTypes",
    examples="kn vsphere events show VmPoweredOffEvent",
)
TAIL = Command(
    "tail",
    "Follow the events of a vCenter",
    run="events.tail:run",
    flags=(
        *SELECTION,
        Flag("since", f"begin with earlier events: {SINCE}"),
        Flag("output", "Output format. One of: (json). Default: a readable line for each event", short="o",
             values=("json",)),
        *VCENTER,
    ),
    long="Follow the events of a vCenter until Ctrl-C. With -o json, each line is a CloudEvent.",
    examples="""\
# All events, from two hours ago
kn vsphere events tail --since 2h --vc-address https://vcenter.example --username reader@vsphere.local --password-stdin

# The names of VMs that are powered off
kn vsphere events tail --type VmPoweredOffEvent -o json | jq -r .data.Vm.Name""",
)  # fmt: skip
REPLAY = Command(
    "replay",
    "Send the events of a period again to a sink",
    run="events.replay:run",
    flags=(
        *SELECTION,
        Flag("since", f"first event: {SINCE}"),
        Flag("until", "end of the period, as --since (default: now)"),
        Flag("sink", "URL to send the events to"),
        Flag("resume", "continue the replay to this sink that was interrupted last", Kind.BOOL),
        Flag("skip-rejected", "report events that the sink rejects, and go on", Kind.BOOL),
        Flag("encoding", "CloudEvent data encoding scheme (xml or json)", default="json", values=("xml", "json")),
        *VCENTER,
    ),
    long="Send the events of a vCenter from --since until --until again to a sink, one after the other, oldest first. "
    "Each event has the id that it had before. An event that the sink does not take is retried.",
    examples="""\
# The morning, to a Broker behind a port-forward
kn vsphere events replay --since 2026-11-25T06:00:00Z --until 2026-11-25T12:00:00Z --sink http://127.0.0.1:8080/ns/default

# Continue after Ctrl-C
kn vsphere events replay --sink http://127.0.0.1:8080/ns/default --resume""",
)
GROUP = Command(
    "events",
    "Explain, follow and replay the events of a vCenter, without a cluster",
    commands=(LIST_TYPES, SHOW, TAIL, REPLAY),
)
