"""The commands and their flags. Parsing, help, completion and the reference come from this table.

To add a group of commands, write `tree/NAME.py` with a `GROUP` and put it into `ROOT` below. `Command.run` names the
function that does the work, `module:function` within `kn_vsphere`: a function that takes a `call.Call`, prints with
`call.print` and raises `errors.CommandError` if it fails. Its module is imported only when the command runs, so that a
module in `tree/` imports nothing but `grammar` and `tree.common`. Values for shell completion that have to be looked up
have a name in `candidates.LOOKUPS`.
"""

from kn_vsphere.grammar import Command
from kn_vsphere.tree import auth, binding, completion, events, horizon, source
from kn_vsphere.tree.common import CLUSTER, OF_KN, VERBOSE

VERSION = Command("version", "Prints the plugin version", run="version:show")
HELP = Command("help", "Help about any command", run="help:show", arguments="[command]")

ROOT = Command(
    "kn-vsphere",
    "Knative plugin to create Knative compatible Event Sources for VMware vSphere events,\n"
    "and Bindings to access the vSphere API",
    persistent=(*CLUSTER, VERBOSE, *OF_KN),
    commands=(
        auth.GROUP,
        source.GROUP,
        binding.GROUP,
        horizon.GROUP,
        events.GROUP,
        VERSION,
        completion.GROUP,
        HELP,
    ),
)
