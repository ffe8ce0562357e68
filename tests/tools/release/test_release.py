"""The files of a release, built from the last commit."""

import hashlib
import json
import os
import tarfile
from pathlib import Path

import pytest
import yaml
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from runtime import VERSION
from tests.support.requirements import require
from tools.release import __main__ as release
from tools.release import manifests, sbom
from tools.release.archive import files_below, write_tar
from tools.release.errors import CannotRelease

ROOT = Path(__file__).parent.parent.parent.parent
IMAGE = "registry.example:5000/team/vcenter-events:1.0"
REQUIREMENTS = (ROOT / "requirements.txt").read_text()


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the files, whose bundle has no packages: those need the network."""
    require("kubectl")
    folder = tmp_path_factory.mktemp("release") / "dist"
    assert release.main(["--image", IMAGE, "--no-wheels", "--output", str(folder)]) == 0
    return folder


def test_every_variant_installs_the_image_of_the_release(built: Path) -> None:
    for name in manifests.VARIANTS:
        objects = list(yaml.safe_load_all((built / f"{name}.yaml").read_text()))
        containers = [
            container
            for content in objects
            for container in content.get("spec", {}).get("template", {}).get("spec", {}).get("containers", [])
        ]
        assert {container["image"] for container in containers if container.get("name") != "vcsim"} == {IMAGE}
        assert {
            variable["value"]
            for container in containers
            for variable in container.get("env", [])
            if variable["name"] == "ADAPTER_IMAGE"
        } <= {IMAGE}


def test_checksums_are_those_of_every_other_file(built: Path) -> None:
    lines = (built / "SHA256SUMS").read_text().splitlines()

    assert {line.partition("  ")[2] for line in lines} == {file.name for file in built.iterdir()} - {"SHA256SUMS"}
    for line in lines:
        digest, _, name = line.partition("  ")
        assert hashlib.sha256((built / name).read_bytes()).hexdigest() == digest


def test_function_archive_is_the_function_project(built: Path) -> None:
    with tarfile.open(built / f"vcenter-events-function-{VERSION}.tar.gz") as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}

    assert {"func.yaml", "func.py", "Procfile", "requirements.txt", "launcher.py", "LICENSE"} <= names
    assert not [name for name in names if name.startswith(("tests/", "docs/", ".git/", ".github", ".venv"))]


def test_bundle_has_the_other_files(built: Path) -> None:
    with tarfile.open(built / f"vcenter-events-air-gap-{VERSION}.tar") as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}

    assert names == {file.name for file in built.iterdir()} - {"SHA256SUMS", f"vcenter-events-air-gap-{VERSION}.tar"}


def test_bill_of_materials_lists_every_package() -> None:
    text = sbom.bill(REQUIREMENTS, VERSION, 1_700_000_000)

    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    components = json.loads(text)["components"]
    pinned = [line.split(" ")[0] for line in REQUIREMENTS.splitlines() if "==" in line and not line.startswith(" ")]
    assert sorted(f"{component['name']}=={component['version']}" for component in components) == sorted(pinned)
    assert all(component["hashes"] for component in components)
    assert sbom.bill(REQUIREMENTS, VERSION, 1_700_000_000) == text


def test_archive_depends_on_names_and_contents_alone(tmp_path: Path) -> None:
    for folder, seconds in (("first", 1_000_000_000), ("second", 1_500_000_000)):
        (tmp_path / folder / "in").mkdir(parents=True)
        for name in ("b", "in/a") if folder == "first" else ("in/a", "b"):
            file = tmp_path / folder / name
            file.write_text(name)
            file.chmod(0o600 if folder == "first" else 0o664)
            os.utime(file, (seconds, seconds))
        write_tar(tmp_path / f"{folder}.tar.gz", files_below(tmp_path / folder), "top", 1_700_000_000)

    assert (tmp_path / "first.tar.gz").read_bytes() == (tmp_path / "second.tar.gz").read_bytes()


def test_image_may_have_a_digest() -> None:
    entry = manifests.image_entry(f"registry.example:5000/vcenter-events@sha256:{'a' * 64}")

    assert f"newName: registry.example:5000/vcenter-events\n    digest: sha256:{'a' * 64}\n" in entry


@pytest.mark.parametrize(
    "image", ["", "registry.example/vcenter-events", "registry.example:5000/vcenter-events", "a b:1"]
)
def test_image_without_a_tag_is_rejected(image: str) -> None:
    with pytest.raises(CannotRelease, match="not an image with a tag or digest"):
        manifests.image_entry(image)
