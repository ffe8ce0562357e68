"""The predecessor's cases of `kn vsphere`, C1 to C77, as one table.

A case is a command line that is run after others, and what it must print, create and delete. `AT_API_SERVER` are those
that need an API server with the kinds. Each has a namespace of its own, which is the context's. In a line, `NS` is
another new namespace, and `VCSIM` and `HOST` are the address and `host:port` of a simulated vCenter.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

CREATE_AUTH = "auth create --name creds --username user --password pass"
CREATE_SOURCE = "source create --name spring --vc-address https://my-vsphere.example.com --secret-ref street-creds"
CREATE_BINDING = "binding create --name spring --vc-address https://my-vsphere.example.com --secret-ref street-creds"
SINK = "--sink-uri https://sink.example.com"
JOB = "--subject-api-version batch/v1 --subject-kind Job"
BY_NAME = f"{JOB} --subject-name report"

NO_SINK = """\
sink requires an URI
and/or a nonempty API version --sink-api-version option,
with a nonempty kind --sink-kind option,
and with a nonempty name with the --sink-name"""
NO_SUBJECT = """\
subject requires a nonempty subject name provided with the --subject-name option,
or a nonempty subject selector with the --subject-selector option"""

Reference = tuple[str, str, str]
"""Kind, name, and `NS` or empty for the context's namespace."""

SPRING = ("VSphereSource", "spring", "")
SPRING_THERE = ("VSphereSource", "spring", "NS")
BOUND = ("VSphereBinding", "spring", "")
BOUND_THERE = ("VSphereBinding", "spring", "NS")
CREDS = ("Secret", "creds", "")


class Case(NamedTuple):
    """One command and its effect."""

    number: str
    line: str
    out: str = ""
    """The whole output."""
    err: str = ""
    """The error after `Error: `, or a part of it. If it is not empty, the exit status is 1."""
    before: tuple[str, ...] = ()
    """Commands that are run first, successfully."""
    stdin: str = ""
    created: Reference | None = None
    """An object that exists then."""
    fields: Mapping[str, Any] = MappingProxyType({})
    """The fields that it has: `spec`, or `type` and `data` of a Secret."""
    absent: Reference | None = None
    """An object that does not exist then."""
    table: tuple[tuple[str, ...], ...] = ()
    """The rows of a printed table, instead of `out`. The cell of an age is empty."""
    config: str = ""
    """The kubeconfig: empty for an administrator's, `powerless` without rights, or `broken`."""


def sinks(*combinations: str) -> list[str]:
    """Return the flags of *combinations* of a sink's apiVersion (a), kind (k), name (n) and URI (u)."""
    flags = {"a": "--sink-api-version v1", "k": "--sink-kind Service", "n": "--sink-name foo", "u": SINK}
    return [" ".join(flags[key] for key in combination) for combination in combinations]


def case(number: str, line: str, err: str) -> Case:
    """Return a case that fails before it needs a cluster."""
    return Case(number, line, err=err)


NO_NAME = "'name' requires a nonempty name provided with the --name option"
NO_ADDRESS = "'address' requires a nonempty address provided with the --vc-address option"
NO_SECRET = "'secret-ref' requires a nonempty secret reference provided with the --secret-ref option"
EXCLUSIVE = "'--namespace' and '--all-namespaces' options are mutually exclusive"
NAMESPACE_FAILS = "failed to get namespace: "

FLAWED = [
    case(
        "C4",
        "auth create --password pass --name creds",
        "'username' requires a nonempty username provided with the --username option",
    ),
    case(
        "C5",
        "auth create --username user --name creds",
        "'password' requires a nonempty password provided with the --password option or prompted later via the "
        "--password-std-in option",
    ),
    case(
        "C6",
        "auth create --username user --password pass --password-stdin --name creds",
        "either set an explicit password with the --password option or set the --password-stdin option to get prompted "
        "for one, do not set both",
    ),
    case(
        "C7",
        "auth create --username user --password pass",
        "'name' requires a nonempty secret name provided with the --name option",
    ),
    case("C18", "auth delete", "'name' requires a nonempty name provided with the --name option"),
    case("C23", f"source create --vc-address https://v.example --secret-ref s {SINK}", NO_NAME),
    case("C24", f"source create --name s --secret-ref s {SINK}", NO_ADDRESS),
    case("C25", f"source create --name s --vc-address https://v.example {SINK}", NO_SECRET),
    case("C26", f"{CREATE_SOURCE} {SINK} --encoding invalid", 'invalid encoding scheme "invalid"'),
    *(
        case("C27", f"{CREATE_SOURCE} {sink}", NO_SINK)
        for sink in sinks("", "kau", "nau", "knu", "ka", "na", "kn", "k", "n", "a")
    ),
    case("C36", "source delete", NO_NAME),
    case("C42", "source list --namespace ns --all-namespaces", EXCLUSIVE),
    case("C49", f"binding create --vc-address https://v.example --secret-ref s {BY_NAME}", NO_NAME),
    case("C50", f"binding create --name b --secret-ref s {BY_NAME}", NO_ADDRESS),
    case("C51", f"binding create --name b --vc-address https://v.example {BY_NAME}", NO_SECRET),
    case(
        "C52",
        f"{CREATE_BINDING} --subject-kind Job --subject-name report",
        "'subject-api-version' requires a nonempty subject API version provided with the --subject-api-version option",
    ),
    case(
        "C53",
        f"{CREATE_BINDING} --subject-api-version batch/v1 --subject-name report",
        "'subject-kind' requires a nonempty subject kind provided with the --subject-kind option",
    ),
    case("C54", f"{CREATE_BINDING} {JOB}", NO_SUBJECT),
    case(
        "C55",
        f"{CREATE_BINDING} {BY_NAME} --subject-selector foo=bar",
        "subject can optionally be configured with one of the following flags (but several were set):\n"
        "\t--subject-name, --subject-selector",
    ),
    case("C64", "binding delete", NO_NAME),
    case("C71", "binding list --namespace ns --all-namespaces", EXCLUSIVE),
    Case("C10", "auth create --username user --password-stdin --name creds", err="failed to get password: "),
]
"""The cases that fail before a cluster is needed."""

SECRET = {"type": "kubernetes.io/basic-auth", "data": {"username": "dXNlcg==", "password": "cGFzcw=="}}
CREATED_AUTH = "Created vSphere credentials\n"
SPEC = {
    "address": "https://my-vsphere.example.com",
    "secretRef": {"name": "street-creds"},
    "payloadEncoding": "application/xml",
    "checkpointConfig": {"maxAgeSeconds": 300, "periodSeconds": 10},
    "sink": {"uri": "https://sink.example.com"},
}
REF = {"apiVersion": "v1", "kind": "Service", "name": "the-service", "namespace": "NS"}
TO_SERVICE = "--sink-api-version v1 --sink-kind Service --sink-name the-service"
CONTROL = "more cow\x07"
URL_FAULT = 'parse "more cow\\a": net/url: invalid control character in URL'
SUBJECT = {"apiVersion": "batch/v1", "kind": "Job"}
NAMED_THERE = {**SUBJECT, "namespace": "NS", "name": "report"}
SELECTED = {**SUBJECT, "namespace": "CONTEXT", "selector": {"matchLabels": {"foo": "bar"}}}
BINDING = {"address": "https://my-vsphere.example.com", "secretRef": {"name": "street-creds"}}

AUTH = [
    Case("C8", CREATE_AUTH, CREATED_AUTH, created=CREDS, fields=SECRET),
    Case(
        "C9", "auth create --name creds -u user --password-stdin", CREATED_AUTH, stdin="pass\n",
        created=CREDS, fields=SECRET,
    ),
    Case("C11", f"{CREATE_AUTH} --namespace NS", CREATED_AUTH, created=("Secret", "creds", "NS")),
    Case("C12", CREATE_AUTH, err=NAMESPACE_FAILS, config="broken"),
    Case("C13", CREATE_AUTH, err="failed to create Secret: secrets is forbidden: ", config="powerless"),
    Case("C14", CREATE_AUTH, err='failed to create Secret: secrets "creds" already exists', before=(CREATE_AUTH,)),
    Case("C15", f"{CREATE_AUTH} --verify-url VCSIM", err="certificate", absent=CREDS),
    Case(
        "C16", "auth create --name creds --username user --password wrong --verify-url VCSIM --verify-insecure",
        err="failed to authenticate with vCenter: ServerFaultCode: Login failure", absent=CREDS,
    ),
    Case("C17", f"{CREATE_AUTH} --verify-url VCSIM --verify-insecure", CREATED_AUTH, created=CREDS),
    Case("C19", "auth delete --name not_exists", err='failed to delete Secret: secrets "not_exists" not found'),
    Case(
        "C20", "auth delete --name creds", 'Deleted vSphere credentials "creds"\n', before=(CREATE_AUTH,),
        absent=CREDS,
    ),
    Case("C21", "auth delete --name creds", err=NAMESPACE_FAILS, config="broken"),
    Case(
        "C77",
        "auth create --name vsphere-credentials --username user --password pass --verify-url HOST "
        "--verify-insecure=true",
        CREATED_AUTH, created=("Secret", "vsphere-credentials", ""), fields=SECRET,
    ),
]  # fmt: skip

SOURCES = [
    Case("C28", f"{CREATE_SOURCE} {SINK}", "Created source\n", created=SPRING, fields={"spec": SPEC}),
    Case(
        "C29", f"{CREATE_SOURCE} {SINK} --encoding JSON", "Created source\n", created=SPRING,
        fields={"spec": {**SPEC, "payloadEncoding": "application/json"}},
    ),
    Case(
        "C30", f"{CREATE_SOURCE} --namespace NS --skip-tls-verify true {TO_SERVICE} --sink-uri /relative/uri",
        "Created source\n", created=SPRING_THERE,
        fields={"spec": {**SPEC, "skipTLSVerify": True, "sink": {"uri": "/relative/uri", "ref": REF}}},
    ),
    Case("C31", f"{CREATE_SOURCE} {SINK}", err=NAMESPACE_FAILS, config="broken"),
    Case(
        "C32", f"source create --name spring --vc-address '{CONTROL}' --secret-ref s {SINK}",
        err=f"failed to parse source address: {URL_FAULT}",
    ),
    Case("C33", f"{CREATE_SOURCE} --sink-uri '{CONTROL}'", err=f"failed to parse sink address: {URL_FAULT}"),
    Case(
        "C34", f"{CREATE_SOURCE} {SINK}",
        err="failed to create source: vspheresources.sources.tanzu.vmware.com is forbidden", config="powerless",
    ),
    Case(
        "C35", f"{CREATE_SOURCE} {SINK}", before=(f"{CREATE_SOURCE} {SINK}",),
        err='failed to create source: vspheresources.sources.tanzu.vmware.com "spring" already exists',
    ),
]  # fmt: skip

BINDINGS = [
    Case(
        "C56", f"{CREATE_BINDING} {BY_NAME}", "Created binding\n", created=BOUND,
        fields={"spec": {**BINDING, "subject": {**SUBJECT, "namespace": "CONTEXT", "name": "report"}}},
    ),
    Case(
        "C57", f"{CREATE_BINDING} {BY_NAME} --namespace NS --skip-tls-verify true", "Created binding\n",
        created=BOUND_THERE,
        fields={"spec": {**BINDING, "skipTLSVerify": True, "subject": NAMED_THERE}},
    ),
    Case(
        "C58", f"{CREATE_BINDING} {JOB} --subject-selector foo=bar", "Created binding\n",
        created=BOUND,
        fields={"spec": {**BINDING, "subject": SELECTED}},
    ),
    Case("C59", f"{CREATE_BINDING} {BY_NAME}", err=NAMESPACE_FAILS, config="broken"),
    Case(
        "C60", f"binding create --name spring --vc-address '{CONTROL}' --secret-ref s {BY_NAME}",
        err=f"failed to parse binding address: {URL_FAULT}",
    ),
    Case(
        "C61", f"{CREATE_BINDING} {JOB} --subject-selector 'not a selector'",
        err="failed to parse subject selector: couldn't parse the selector string \"not a selector\": ",
    ),
    Case(
        "C62", f"{CREATE_BINDING} {BY_NAME}",
        err="failed to create Binding: vspherebindings.sources.tanzu.vmware.com is forbidden", config="powerless",
    ),
    Case(
        "C63", f"{CREATE_BINDING} {BY_NAME}", before=(f"{CREATE_BINDING} {BY_NAME}",),
        err='failed to create Binding: vspherebindings.sources.tanzu.vmware.com "spring" already exists',
    ),
]  # fmt: skip


def deletions(first: int, command: str, noun: str, plural: str) -> list[Case]:
    """Return the cases of `delete`, from number *first*. *command* creates the object `spring`."""
    delete, done, kind = f"{noun} delete --name spring", f"Deleted {noun}\n", f"VSphere{noun.title()}"
    qualified = f"{plural}.sources.tanzu.vmware.com"
    both = (command, f"{command} -n NS")
    here, there = (kind, "spring", ""), (kind, "spring", "NS")
    return [
        Case(f"C{first}", delete, done, before=both, absent=here, created=there),
        Case(
            f"C{first + 1}",
            f"{delete} -n NS",
            done,
            before=both,
            absent=there,
            created=here,
        ),
        Case(f"C{first + 2}", delete, err=NAMESPACE_FAILS, config="broken"),
        Case(f"C{first + 3}", delete, err=f'failed to delete {noun}: {qualified} "spring" not found'),
        Case("C69", delete, err=f"failed to delete {noun}: {qualified}", config="powerless"),
    ]


TITLES = ("NAME", "VCENTER", "INSECURE", "CREDENTIALS", "AGE", "CONDITIONS", "READY", "REASON")
ROW = ("https://my-vsphere.example.com", "false", "street-creds", "", "0 OK / 0", "<unknown>", "<unknown>")


def lists(first: int, command: str, noun: str) -> list[Case]:
    """Return the cases of `list`, from number *first*. *command* creates the object `spring`."""
    both = (command, f"{command} -n NS")
    everywhere = tuple((namespace, "spring", *ROW) for namespace in ("CONTEXT", "NS"))
    return [
        Case(f"C{first}", f"{noun} ls --all-namespaces=false", f"No {noun}s found.\n"),
        Case(f"C{first + 2}", f"{noun} list", before=both, table=(TITLES, ("spring", *ROW))),
        Case(f"C{first + 3}", f"{noun} list -n NS", before=both[1:], table=(TITLES, ("spring", *ROW))),
        Case(f"C{first + 4}", f"{noun} list -A", before=both, table=(("NAMESPACE", *TITLES), *everywhere)),
        Case(f"C{first + 6}", f"{noun} list", err=NAMESPACE_FAILS, config="broken"),
    ]


AT_API_SERVER = [
    *AUTH,
    *SOURCES,
    *deletions(37, f"{CREATE_SOURCE} {SINK}", "source", "vspheresources"),
    *lists(41, f"{CREATE_SOURCE} {SINK}", "source"),
    *BINDINGS,
    *deletions(65, f"{CREATE_BINDING} {BY_NAME}", "binding", "vspherebindings"),
    *lists(70, f"{CREATE_BINDING} {BY_NAME}", "binding"),
]
