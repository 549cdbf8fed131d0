"""Write a software bill of materials (CycloneDX 1.6, JSON) beside each file of a release: FILE.cdx.json.

A zipapp needs nothing but Python. A standalone file has in it what its last line says: Python, the C library, and the
compiler's own. No other library is named to the linker, so there is no zlib and no expat. The wheel and the sdist need
what the package declares; the versions named are those that are installed here, with which the release was made. What
pyinitctl.pyz needs is in it. SOURCE_DATE_EPOCH is the time of the document, and its serial number comes from the file,
so that the same file always gets the same document.

Usage: python -m tools.sbom FILE...
"""

import hashlib
import os
import sys
import uuid
import zipfile
from collections.abc import Iterable, Iterator
from datetime import datetime, timezone
from email import message_from_string
from importlib.metadata import distribution
from pathlib import Path

from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import DisjunctiveLicense, License, LicenseExpression
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL
from packaging.requirements import Requirement

from pyinit import __version__
from pyinit.ctl import standalone


def main(files: "Iterable[str]") -> None:
    for file in map(Path, files):
        document = JsonV1Dot6(bill(file)).output_as_string(indent=2)
        if error := JsonStrictValidator(SchemaVersion.V1_6).validate_str(document):
            sys.exit(f"tools/sbom.py: {file}: not as the schema wants it: {error}")
        file.with_name(f"{file.name}.cdx.json").write_text(document + "\n")


def bill(file: Path) -> Bom:
    """The file as the one thing described, and what it needs."""
    content = file.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    described = Component(
        name="pyinit",
        version=__version__,
        type=ComponentType.APPLICATION,
        bom_ref=file.name,
        description=file.name,
        licenses=[DisjunctiveLicense(id="MIT")],
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=digest)],
    )
    document = Bom(serial_number=uuid.uuid5(uuid.NAMESPACE_OID, digest))
    document.metadata.component = described
    document.metadata.timestamp = datetime.fromtimestamp(int(os.environ["SOURCE_DATE_EPOCH"]), timezone.utc)
    if file.suffix in (".whl", ".gz"):
        register(document, described, needed_by("pyinit-container"))
    elif made_of := standalone.read_mark(content):
        contained = list(linked(made_of))
        document.components.update(contained)
        document.register_dependency(described, contained)
    else:
        document.register_dependency(described, [library(document, *each) for each in inside(file)])
    return document


def linked(made_of: "dict[str, str]") -> "Iterable[Component]":
    """What a standalone file has in it besides pyinit."""
    yield part("cpython", made_of["python"], DisjunctiveLicense(id="Python-2.0.1"))
    name, _, version = made_of["c_library"].partition(" ")
    yield part(name, version, DisjunctiveLicense(id="LGPL-2.1-or-later" if name == "glibc" else "MIT"))
    version = made_of["compiler"].rpartition(" ")[2]
    yield part("libgcc", version, LicenseExpression("GPL-3.0-or-later WITH GCC-exception-3.1"))


def part(name: str, version: str, terms: License) -> Component:
    """A library of no package registry; musl's headers do not tell its version."""
    purl = PackageURL("generic", name=name, version=version or None)
    return Component(
        name=name,
        version=version or None,
        type=ComponentType.LIBRARY,
        bom_ref=purl.to_string(),
        purl=purl,
        licenses=[terms],
    )


def register(document: Bom, dependent: Component, names: "list[str]") -> None:
    """Add the distributions, and what they need in turn, as that on which `dependent` depends."""
    found = []
    for name in names:
        component = library(document, name, distribution(name).version)
        register(document, component, needed_by(name))
        found.append(component)
    document.register_dependency(dependent, found)


def library(document: Bom, name: str, version: str) -> Component:
    """A distribution, added to the document."""
    purl = PackageURL("pypi", name=name, version=version)
    component = Component(name=name, version=version, type=ComponentType.LIBRARY, bom_ref=purl.to_string(), purl=purl)
    document.components.add(component)
    return component


def inside(file: Path) -> "Iterator[tuple[str, str]]":
    """The names and versions of the distributions that are in an archive."""
    for each in zipfile.Path(file).iterdir():
        if each.name.endswith(".dist-info"):
            metadata = message_from_string((each / "METADATA").read_text("utf-8"))
            yield metadata["Name"].lower(), metadata["Version"]


def needed_by(name: str) -> "list[str]":
    """What a distribution declares to need here, without extras."""
    requirements = map(Requirement, distribution(name).requires or ())
    return [each.name for each in requirements if not each.marker or each.marker.evaluate({"extra": ""})]


if __name__ == "__main__":
    main(sys.argv[1:])
