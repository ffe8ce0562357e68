"""The software bill of materials: every package of `requirements.txt`, as CycloneDX."""

import importlib.metadata
import re
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import NamedTuple

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

_PINNED = re.compile(r"^([A-Za-z0-9_.-]+)==([^\s;\\]+)", re.MULTILINE)


class Package(NamedTuple):
    """A pinned package, and the SHA-256 of each file that pip may install for it."""

    name: str
    version: str
    hashes: tuple[str, ...]


def packages(requirements: str) -> Iterator[Package]:
    """Yield the packages of the text of a `requirements.txt` with hashes, in its order."""
    starts = list(_PINNED.finditer(requirements))
    for match, following in zip(starts, [*starts[1:], None], strict=True):
        block = requirements[match.end() : following.start() if following else None]
        yield Package(match[1], match[2], tuple(re.findall(r"--hash=sha256:([0-9a-f]{64})", block)))


def bill(requirements: str, version: str, seconds: int) -> str:
    """Return the bill of materials of *version* as JSON, with the time *seconds* since 1970.

    A license is the one that the metadata of the installed package names. A package that is not installed has none.
    """
    root = Component(
        name="vcenter-events",
        version=version,
        type=ComponentType.APPLICATION,
        bom_ref="vcenter-events",
        licenses=[LicenseFactory().make_from_string("Apache-2.0")],
    )
    bom = Bom(serial_number=uuid.uuid5(uuid.NAMESPACE_URL, f"vcenter-events {version} {seconds}"))
    bom.metadata.component = root
    bom.metadata.timestamp = datetime.fromtimestamp(seconds, UTC)
    components = {package.name: _component(package) for package in packages(requirements)}
    for component in components.values():
        bom.components.add(component)
        bom.register_dependency(component, [components[name] for name in _needs(component.name) if name in components])
    bom.register_dependency(root, components.values())
    return JsonV1Dot6(bom).output_as_string(indent=2) + "\n"


def _component(package: Package) -> Component:
    url = PackageURL("pypi", name=package.name, version=package.version)
    expression = _license(package.name)
    return Component(
        name=package.name,
        version=package.version,
        type=ComponentType.LIBRARY,
        purl=url,
        bom_ref=str(url),
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=content) for content in package.hashes],
        licenses=[LicenseFactory().make_from_string(expression)] if expression else [],
    )


def _license(name: str) -> str:
    """The license in one line, or "" if the package does not name one so."""
    try:
        metadata = importlib.metadata.metadata(name)
    except importlib.metadata.PackageNotFoundError:
        return ""
    for field in ("License-Expression", "License"):
        for text in metadata.get_all(field) or []:
            if "\n" not in text:
                return str(text)
    classifiers = [str(value) for value in metadata.get_all("Classifier") or [] if value.startswith("License ::")]
    return classifiers[0].rpartition(" :: ")[2] if classifiers else ""


def _needs(name: str) -> Iterator[str]:
    """Yield the names of the packages that *name* requires, without its extras."""
    try:
        requirements = importlib.metadata.requires(name) or []
    except importlib.metadata.PackageNotFoundError:
        return
    for requirement in requirements:
        if "extra ==" not in requirement:
            yield re.sub(r"[-_.]+", "-", re.split(r"[^\w.-]", requirement)[0]).lower()
