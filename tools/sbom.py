"""Write a software bill of materials (CycloneDX 1.6, JSON) beside each file of a release: FILE.cdx.json.

A zipapp needs nothing but Python. The wheel and the sdist need what the package declares; the versions named are those
that are installed here, with which the release was made. SOURCE_DATE_EPOCH is the time of the document, and its serial
number comes from the file, so that the same file always gets the same document.

Usage: python -m tools.sbom FILE...
"""

import hashlib
import os
import sys
import uuid
from collections.abc import Iterable
from datetime import datetime, timezone
from importlib.metadata import distribution
from pathlib import Path

from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import DisjunctiveLicense
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL
from packaging.requirements import Requirement

from pyinit import __version__


def main(files: "Iterable[str]") -> None:
    for file in map(Path, files):
        document = JsonV1Dot6(bill(file)).output_as_string(indent=2)
        if error := JsonStrictValidator(SchemaVersion.V1_6).validate_str(document):
            sys.exit(f"tools/sbom.py: {file}: not as the schema wants it: {error}")
        file.with_name(f"{file.name}.cdx.json").write_text(document + "\n")


def bill(file: Path) -> Bom:
    """The file as the one thing described, and what it needs."""
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
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
        register(document, described, needed_by("pyinit"))
    else:
        document.register_dependency(described)
    return document


def register(document: Bom, dependent: Component, names: "list[str]") -> None:
    """Add the distributions, and what they need in turn, as that on which `dependent` depends."""
    found = []
    for name in names:
        version = distribution(name).version
        purl = PackageURL("pypi", name=name, version=version)
        component = Component(
            name=name, version=version, type=ComponentType.LIBRARY, bom_ref=purl.to_string(), purl=purl
        )
        document.components.add(component)
        register(document, component, needed_by(name))
        found.append(component)
    document.register_dependency(dependent, found)


def needed_by(name: str) -> "list[str]":
    """What a distribution declares to need here, without extras."""
    requirements = map(Requirement, distribution(name).requires or ())
    return [each.name for each in requirements if not each.marker or each.marker.evaluate({"extra": ""})]


if __name__ == "__main__":
    main(sys.argv[1:])
