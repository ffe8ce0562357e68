"""The how-to guides as their readers use them: their commands, pasted into a shell in a checkout."""

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import yaml

from tests.e2e.installation import ROOT, kustomize_image
from tests.support.documentation import command_with
from tests.support.image import image_files

INSTALL = "docs/how-to/install.md"
NAMESPACE = "vcenter-events"
IMAGE = "registry.example/team/vcenter-events:1.0"

CHECKOUT = ("config", "triggers", *image_files())
"""The files that the commands need."""

COMMAND_SECONDS = 300


def one_by_one(block: str) -> list[str]:
    """The commands of a block whose lines go on after a backslash only."""
    return re.split(r"(?<!\\)\n", block.strip())


class Shell:
    """A shell in a checkout."""

    def __init__(self, folder: Path, namespace: str, image: str, values: Mapping[str, str], *programs: Path) -> None:
        """Set the image there. *values* replace the page's examples. *programs* are on PATH."""
        self.checkout = folder / "checkout"
        self.namespace = namespace
        self._values = {IMAGE: image, **values}
        on_path = folder / "bin"
        on_path.mkdir()
        for program in programs:
            (on_path / ("kn-func" if program.name == "func" else program.name)).symlink_to(program)
        own = {name: value for name, value in os.environ.items() if not name.startswith(("FUNC_", "KN_", "XDG_"))}
        self._environ = {**own, "PATH": f"{on_path}:{own['PATH']}", "HOME": str(folder)}
        self.checkout.mkdir()
        for name in CHECKOUT:
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
            copy(ROOT / name, self.checkout / name)
        self._set_image(image)

    def paste(self, block: str) -> str:
        """Run *block*. Return its output, of both streams."""
        for example, value in self._values.items():
            block = block.replace(example, value)
        block = block.replace(f"-n {NAMESPACE}", f"-n {self.namespace}").replace(
            f".{NAMESPACE}.svc", f".{self.namespace}.svc"
        )
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", block], cwd=self.checkout, env=self._environ, timeout=COMMAND_SECONDS,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{block}\n{done.stdout}"
        return done.stdout

    def move(self) -> None:
        """Move the manifests to the namespace, as the page says."""
        rule = re.search(r"sed -E '([^']+)'", command_with(INSTALL, "sed -E"))
        assert rule, f"{INSTALL} says how to have another namespace"
        manifests = [file for folder in ("config", "triggers") for file in (self.checkout / folder).glob("*.yaml")]
        command = ["sed", "-i", "-E", rule[1].replace("mine", self.namespace), *manifests, self.checkout / "func.yaml"]
        subprocess.run(command, check=True)

    def _set_image(self, image: str) -> None:
        """As the command in the file does."""
        file = self.checkout / "config/image/kustomization.yaml"
        kustomization = yaml.safe_load(file.read_text())
        file.write_text(yaml.safe_dump({**kustomization, "images": [kustomize_image("vcenter-events", image)]}))
