"""`python -m tools.release --image IMAGE`: write the files of a release into `dist/`, from the last commit.

With `--tag v1.2.3` the changelog, the version and the tag must agree, and the checkout must be clean. Without it the
files are a draft. `make release` runs this.
"""

import argparse
import hashlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from pathlib import Path

from runtime import VERSION
from tools import plugin
from tools.release import changelog, manifests, sbom
from tools.release.archive import files_below, write_tar
from tools.release.errors import CannotRelease

ROOT = Path(__file__).resolve().parents[2]

WHEELS_FOR = ("--python-version", "3.12", "--platform", "manylinux2014_x86_64", "--platform", "manylinux_2_28_x86_64")
"""The image's Python and platform, for which the air-gap bundle has packages."""


def run(*command: str | Path, folder: Path = ROOT) -> str:
    """Return the output of *command*. Raises `CannotRelease` with the end of what it printed if it fails."""
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    except OSError as error:
        raise CannotRelease(f"{command[0]} cannot be started: {error.strerror}") from error
    if done.returncode:
        raise CannotRelease(f"`{' '.join(map(str, command))}` failed: …{(done.stderr or done.stdout)[-600:].strip()}")
    return done.stdout


def check_out(target: Path) -> int:
    """Write the files of the last commit into *target*, and return its time in seconds since 1970."""
    archive = target.with_suffix(".tar")
    run("git", "archive", "--format", "tar", "--output", archive, "HEAD")
    with tarfile.open(archive) as files:
        files.extractall(target, filter="data")
    archive.unlink()
    return int(run("git", "log", "-1", "--format=%ct"))


def write_function(target: Path, source: Path, seconds: int) -> None:
    """Write the function project: the files that `.funcignore` leaves, and those that `kn func` reads."""
    with tempfile.TemporaryDirectory() as folder:
        everything = Path(folder) / "all.tar"
        run("tar", "--create", "--exclude-from", ".funcignore", "--file", everything, ".", folder=source)
        with tarfile.open(everything) as files:
            files.extractall(Path(folder) / "kept", filter="data")
        write_tar(target, files_below(Path(folder) / "kept"), target.name.removesuffix(".tar.gz"), seconds)


def fetch_wheels(source: Path, target: Path) -> None:
    """Fetch the packages of requirements.txt for the image's platform into *target*, checked by their hashes."""
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    only = ["--require-hashes", "--no-deps", "--only-binary", ":all:", *WHEELS_FOR]
    run(*pip, *only, "--dest", target, "--requirement", source / "requirements.txt")


def write_plugin(target: Path) -> None:
    """Build `kn vsphere` from the checkout into the folder *target*: a wheel, and a program of one file."""
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check", "--no-deps"]
    run(*pip, "--wheel-dir", target, ROOT / "plugin")
    [wheel] = target.glob("kn_vsphere-*.whl")
    plugin.write(wheel, target / "kn-vsphere")


def write_bundle(target: Path, files: Path, extra: Sequence[Path], seconds: int) -> None:
    """Write everything that a site without internet needs: the release's *files*, and *extra* files and folders."""
    content = files_below(files)
    for path in extra:
        content |= {f"{path.name}/{name}": file for name, file in files_below(path).items()}
        if path.is_file():
            content[path.name] = path
    write_tar(target, content, target.name.removesuffix(".tar"), seconds)


def write_checksums(folder: Path) -> None:
    """Write the SHA-256 of every file in *folder* into `SHA256SUMS`, for `sha256sum --check`."""
    lines = []
    for file in sorted(folder.iterdir()):
        with file.open("rb") as opened:
            lines.append(f"{hashlib.file_digest(opened, 'sha256').hexdigest()}  {file.name}\n")
    (folder / "SHA256SUMS").write_text("".join(lines), encoding="utf-8")


def build(target: Path, options: argparse.Namespace) -> None:
    """Write all files of the release into the new folder *target*. Raises `CannotRelease`."""
    with tempfile.TemporaryDirectory() as folder:
        source, wheels = Path(folder) / "source", Path(folder) / "wheels"
        seconds = check_out(source)
        text = (source / "CHANGELOG.md").read_text(encoding="utf-8")
        if options.tag:
            changelog.check(text, VERSION, options.tag)
        target.mkdir(parents=True)
        (target / "CHANGES.md").write_text(changelog.notes(text, VERSION) + "\n", encoding="utf-8")
        write_function(target / f"vcenter-events-function-{VERSION}.tar.gz", source, seconds)
        requirements = (source / "requirements.txt").read_text(encoding="utf-8")
        (target / "sbom.cdx.json").write_text(sbom.bill(requirements, VERSION, seconds), encoding="utf-8")
        manifests.set_image(source, options.image)
        for name in manifests.VARIANTS:
            (target / f"{name}.yaml").write_text(manifests.render(source, name, VERSION), encoding="utf-8")
        extra = [options.image_archive] if options.image_archive else []
        if options.wheels:
            write_plugin(target)
            fetch_wheels(source, wheels)
            extra.append(wheels)
        write_bundle(target / f"vcenter-events-air-gap-{VERSION}.tar", target, extra, seconds)
        write_checksums(target)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line, and return the exit code."""
    parser = argparse.ArgumentParser(
        prog="make release", description="Write the files of a release, from the last commit."
    )
    parser.add_argument("--image", required=True, help="the image that the manifests name, with a tag or digest")
    parser.add_argument("--tag", default="", help="the tag of the release, with which version and changelog must agree")
    parser.add_argument("--image-archive", type=Path, help="a file with the image, to put into the air-gap bundle")
    parser.add_argument(
        "--no-wheels",
        dest="wheels",
        action="store_false",
        help="leave out what needs the network: packages, the plugin",
    )
    parser.add_argument("--output", type=Path, default=ROOT / "dist", help="the folder to write, which is replaced")
    options = parser.parse_args(arguments)
    try:
        if options.tag and run("git", "status", "--porcelain").strip():
            raise CannotRelease("the checkout has changes that are not committed")
        shutil.rmtree(options.output, ignore_errors=True)
        build(options.output, options)
    except CannotRelease as error:
        print(f"make release: {error}", file=sys.stderr)
        return 2
    print((options.output / "SHA256SUMS").read_text(encoding="utf-8"), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
