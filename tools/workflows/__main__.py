"""`python -m tools.workflows`: check the workflows with actionlint, and the other files in `.github/` by their schemas.

actionlint checks syntax, expressions, the names of jobs and outputs, and the shell scripts inside, with shellcheck if
that is on PATH. It is built once (`tools/workflows/actionlint/go.mod` pins it). The schemas come with check-jsonschema,
so nothing is downloaded. The exit status is 1 if there is a finding.
"""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from demo import golang

FOLDER = Path(__file__).parent.parent.parent / ".github"
ACTIONLINT = Path(__file__).parent / "actionlint"

SCHEMAS = {
    "vendor.github-workflows": "workflows/*.yml",
    "vendor.github-issue-config": "ISSUE_TEMPLATE/config.yml",
    "vendor.github-issue-forms": "ISSUE_TEMPLATE/[!c]*.yml",
    "vendor.dependabot": "dependabot.yml",
}
"""Schema of check-jsonschema → the files in `.github/` that it describes."""


def commands(folder: Path) -> list[list[str]]:
    """Return the commands that check the files in *folder*. Raises `NotBuilt` if actionlint cannot be built."""
    checks = [
        [sys.executable, "-m", "check_jsonschema", "--quiet", "--builtin-schema", schema, *map(str, files)]
        for schema, pattern in SCHEMAS.items()
        if (files := sorted(folder.glob(pattern)))
    ]
    workflows = sorted(map(str, (folder / "workflows").glob("*.yml")))
    return [*checks, [str(golang.build(ACTIONLINT)), *workflows]] if workflows else checks


def main(arguments: Sequence[str]) -> int:
    """Check the folder in *arguments*, or `.github`. Return 1 if a check reports something."""
    folder = Path(arguments[0]) if arguments else FOLDER
    failed = [command for command in commands(folder) if subprocess.run(command, check=False).returncode]
    return 1 if failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except golang.NotBuilt as error:
        sys.exit(str(error))
