"""`install*.yaml`: what `kubectl apply -k` would apply, rendered with one image."""

import re
import subprocess
from pathlib import Path

from tools.release.errors import CannotRelease

VARIANTS = {
    "install": "config",
    "install-demo": "overlays/demo",
    "install-deployment": "overlays/deployment",
    "install-kafka": "overlays/kafka",
    "install-reactions": "config/reactions",
    "install-sources": "config/sources",
    "install-sources-admission-policy": "overlays/admission-policy",
}
"""The file's name → the kustomization that it holds."""

_IMAGE = re.compile(r"(?P<repository>[^@\s]+?)(?::(?P<tag>[\w.-]+))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?")


def image_entry(image: str) -> str:
    """Return the lines of a kustomization that replace the image `vcenter-events` by *image*.

    Raises `CannotRelease` if *image* has neither a tag nor a digest: it would change below an installation.
    """
    match = _IMAGE.fullmatch(image)
    if not match or not (match["tag"] or match["digest"]):
        example = "registry.example/team/vcenter-events:1.0"
        raise CannotRelease(f"IMAGE is {image!r}, not an image with a tag or digest. Example: {example}")
    chosen = f"digest: {match['digest']}" if match["digest"] else f'newTag: "{match["tag"]}"'
    return f"  - name: vcenter-events\n    newName: {match['repository']}\n    {chosen}\n"


def set_image(source: Path, image: str) -> None:
    """Set *image* in the checkout *source*, in the one file that has it."""
    file = source / "config/image/kustomization.yaml"
    head, _, _ = file.read_text(encoding="utf-8").partition("images:\n")
    file.write_text(f"{head}images:\n{image_entry(image)}", encoding="utf-8")


def render(source: Path, name: str, version: str) -> str:
    """Return the manifests of the variant *name* from the checkout *source*. Raises `CannotRelease`."""
    folder = VARIANTS[name]
    done = subprocess.run(["kubectl", "kustomize", source / folder], capture_output=True, text=True, check=False)
    if done.returncode:
        raise CannotRelease(f"render {folder}: kubectl kustomize failed: {done.stderr.strip()}")
    return f"# vcenter-events {version}: {folder}. Apply it with `kubectl apply -f {name}.yaml`.\n{done.stdout}"
