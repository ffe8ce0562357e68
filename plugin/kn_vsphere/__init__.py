"""`kn vsphere`: credentials, sources, bindings and events of vCenters, on the command line.

`tree` has the commands and their flags, `grammar` parses a command line by it, `program` runs the command. The modules
beside them do the work and are imported by the command that needs them, so that help and completion answer at once.
What belongs here: what a person types and reads. What never does: rules that a controller shares, which stand in
`sources/`, `cluster/` and `vsphere/`.
"""

import os
import sys

VENDORED = os.path.join(__path__[0], "_vendor")  # noqa: PTH118 - pathlib costs a tenth of the start
"""The packages of the repository that the build copied into the distribution. In the repository it does not exist."""


def main() -> None:
    """Run the command line of this process and exit with its status."""
    sys.path.insert(0, VENDORED)
    from kn_vsphere.program import main as run  # noqa: PLC0415 - after the path is set

    sys.exit(run())
