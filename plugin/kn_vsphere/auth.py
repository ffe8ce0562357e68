"""`kn vsphere auth`: Secrets with a login, and a check of them."""

import base64
from typing import Any

from cluster.client import ClusterClient
from cluster.errors import ClusterError
from cluster.resources import SECRETS, Object
from kn_vsphere import address, passwords
from kn_vsphere.call import Call
from kn_vsphere.checks import require
from kn_vsphere.errors import CheckError, CommandError
from kn_vsphere.grammar import Invocation
from kn_vsphere.manage import delete_named
from kn_vsphere.site import Site, at_site, failing
from sources.kinds import VSPHERE_BINDINGS, VSPHERE_SOURCES

BASIC_AUTH = "kubernetes.io/basic-auth"

MISSING = (
    "'password' requires a nonempty password provided with the --password option or prompted later via the "
    "--password-std-in option"
)
CONTRADICTION = (
    "either set an explicit password with the --password option or set the --password-stdin option to get prompted "
    "for one, do not set both"
)


def create(call: Call) -> None:
    """Create a Secret with a login, which is used once first if `--verify-url` is set."""
    check_create(call.flags)
    password = read_password(call)
    with at_site(call) as site:
        if call.flags.text("verify-url"):
            verify(call, password)
        manifest = secret(call.flags, password, site.namespace)
        with failing("failed to create Secret", site.url):
            site.client.create(SECRETS, manifest)
    call.print("Created vSphere credentials")


def delete(call: Call) -> None:
    """Delete a Secret."""
    name = delete_named(call, SECRETS, "Secret")
    call.print(f'Deleted vSphere credentials "{name}"')


def check(call: Call) -> None:
    """Log in with the login of a Secret, and print the privileges that the account lacks."""
    from kn_vsphere import vcenter  # noqa: PLC0415 - pyVmomi, for this command only

    name = require(call.flags, "name", "name", "secret name")
    with at_site(call) as site:
        with failing("failed to get Secret", site.url):
            login = _login(site.client.get(SECRETS, site.namespace, name))
        targets = _targets(call.flags, site, name)
    report = vcenter.PrivilegeReport(call)
    for url, insecure in targets:
        report.print(url, insecure, *login)
    report.finish()


def check_create(flags: Invocation) -> None:
    """Raise `CheckError` for the first flag that is missing or contradicts another one."""
    require(flags, "username", "username", "username")
    explicit, prompted = flags.text("password"), flags.is_set("password-stdin")
    if not explicit and not prompted:
        raise CheckError(MISSING)
    if explicit and prompted:
        raise CheckError(CONTRADICTION)
    require(flags, "name", "name", "secret name")


def read_password(call: Call) -> str:
    """Return the password: the flag's, or what a person types, or the standard input without one line end."""
    if not call.flags.is_set("password-stdin"):
        return call.flags.text("password")
    try:
        password = passwords.typed(call) if call.stdin.isatty() else passwords.piped(call)
    except (OSError, EOFError, ValueError) as error:
        raise CommandError(f"failed to get password: {str(error) or 'the input has ended'}") from error
    if not password:
        raise CommandError("failed to get password: the standard input is empty")
    return password


def secret(flags: Invocation, password: str, namespace: str) -> Object:
    """Return the Secret of the flags of `auth create`."""
    data = {"username": flags.text("username"), "password": password, "domain": flags.text("domain")}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": flags.text("name"), "namespace": namespace},
        "type": BASIC_AUTH,
        "stringData": {key: value for key, value in data.items() if value},
    }


def verify(call: Call, password: str) -> None:
    """Log in to the vCenter of `--verify-url`, and out. Raises `CommandError`."""
    from kn_vsphere import vcenter  # noqa: PLC0415 - pyVmomi, for this flag only

    flags = call.flags
    login = (flags.text("username"), password)
    with vcenter.session(
        call, vcenter_url(flags.text("verify-url")), flags.is_set("verify-insecure"), *login, "--verify-insecure"
    ):
        pass


def vcenter_url(text: str) -> str:
    """Return the SDK's address that *text* means. Raises `CommandError`."""
    try:
        return address.of_vcenter(text)
    except ValueError as error:
        raise CommandError(f"failed to parse vCenter URL: {error}") from error


def _login(secret: Object) -> tuple[str, str]:
    data = secret.get("data") or {}
    try:
        username, password = (base64.b64decode(data[key]).decode() for key in ("username", "password"))
    except (KeyError, ValueError) as error:
        name = secret["metadata"]["name"]
        raise CommandError(f'Secret "{name}" has no username and password: it is not one of `auth create`') from error
    return username.rstrip("\r\n"), password.rstrip("\r\n")


def _targets(flags: Invocation, site: Site, name: str) -> list[tuple[str, bool]]:
    """Return the vCenters to log in to, and whether their certificates are accepted unseen."""
    if flags.text("vc-address"):
        return [(vcenter_url(flags.text("vc-address")), flags.is_set("skip-tls-verify"))]
    specs = [
        obj["spec"]
        for resource in (VSPHERE_SOURCES, VSPHERE_BINDINGS)
        for obj in _listed(site.client, resource, site)
        if obj["spec"]["secretRef"]["name"] == name
    ]
    targets = sorted({(vcenter_url(spec["address"]), bool(spec.get("skipTLSVerify"))) for spec in specs})
    if not targets:
        raise CheckError(
            f'no source or binding in namespace {site.namespace} uses the Secret "{name}": name the vCenter with the '
            "--vc-address option"
        )
    return targets


def _listed(client: ClusterClient, resource: Any, site: Site) -> list[Object]:
    with failing(f"failed to list {resource.plural}", site.url):
        try:
            return client.list(resource, site.namespace).items
        except ClusterError as error:
            if error.is_not_found:  # the kinds are not installed
                return []
            raise
