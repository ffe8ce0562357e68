"""Flags that several commands share."""

from kn_vsphere.grammar import Flag, Kind

NAMESPACE = Flag(
    "namespace", "namespace to use (default: the namespace of the context)", short="n", completes="namespaces"
)
CLUSTER = (
    Flag("kubeconfig", "kubectl configuration file (default: $KUBECONFIG, or ~/.kube/config)", completes="files"),
    Flag("context", "name of the kubeconfig context to use", completes="contexts"),
)
OF_KN = (
    Flag("plugins-dir", "passed on by kn, without effect here", hidden=True),
    Flag("config", "passed on by kn, without effect here", hidden=True),
)
"""kn's own flags before the name of the plugin, which it hands on."""
VERBOSE = Flag("verbose", "report each request on standard error", Kind.BOOL)
WAIT = (
    Flag("wait", "wait until it is ready, and report why it is not", Kind.BOOL),
    Flag("wait-timeout", "maximum wait", Kind.DURATION, default="2m0s"),
)

OUTPUT_FORMATS = ("json", "yaml", "name", "jsonpath", "jsonpath-as-json", "jsonpath-file")
OUTPUT = Flag("output", f"Output format. One of: ({', '.join(OUTPUT_FORMATS)}).", short="o", values=OUTPUT_FORMATS)
LIST = (
    Flag("all-namespaces", "list objects in all namespaces", Kind.BOOL, short="A"),
    OUTPUT,
    Flag("template", "template, or file with it, for -o=jsonpath, -o=jsonpath-as-json and -o=jsonpath-file"),
    Flag("allow-missing-template-keys", "print nothing for a field that an object lacks", Kind.BOOL, default="true"),
    Flag("show-managed-fields", "keep managedFields in JSON and YAML", Kind.BOOL),
    Flag("no-headers", "print the table without its headers", Kind.BOOL),
)


def name_flag(help_text: str, completes: str = "") -> Flag:
    """Return the flag `--name`."""
    return Flag("name", help_text, completes=completes)
