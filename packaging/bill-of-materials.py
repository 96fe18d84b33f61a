"""Prints the image's software bill of materials, as SPDX 2.3 in JSON.

    bill-of-materials.py VERSION CREATED PACKAGE...

VERSION is bloblo's; CREATED is UTC, as 2026-11-26T12:00:00Z; each PACKAGE is one of Debian's whose files are in the
image, and is installed here. Source: <https://spdx.github.io/spdx-spec/v2.3/>
"""

import json
import pathlib
import re
import subprocess
import sys
import uuid


def debian(name):
    """A Debian package: its version, source and architecture, as dpkg knows them."""
    fields = "${Version}\t${Architecture}\t${source:Package}"
    query = subprocess.run(["dpkg-query", "-W", "-f", fields + "\n", name], check=True, capture_output=True, text=True)
    version, architecture, source = query.stdout.splitlines()[0].split("\t")
    return {
        "SPDXID": "SPDXRef-" + re.sub("[^A-Za-z0-9.-]", "-", name),
        "name": name,
        "versionInfo": version,
        "supplier": "Organization: Debian",
        "downloadLocation": "NOASSERTION",
        "filesAnalyzed": False,
        "externalRefs": [
            {
                "referenceCategory": "PACKAGE-MANAGER",
                "referenceType": "purl",
                "referenceLocator": f"pkg:deb/debian/{name}@{version}?arch={architecture}&upstream={source}",
            }
        ],
    }


def linked():
    """What is linked into the program: Swift's runtime, and the Swift packages that the last build resolved."""
    compiler = subprocess.run(["swift", "--version"], check=True, capture_output=True, text=True).stdout
    found = [("swift-runtime", re.search(r"Swift version (\S+)", compiler)[1], "pkg:generic/swift")]
    state = json.loads(pathlib.Path(".build/workspace-state.json").read_text())
    for dependency in state["object"]["dependencies"]:
        name = dependency["packageRef"]["name"]
        location = dependency["packageRef"]["location"].removeprefix("https://").removesuffix(".git")
        found.append((name, dependency["state"]["checkoutState"]["version"], "pkg:swift/" + location))
    return [
        {
            "SPDXID": "SPDXRef-" + name,
            "name": name,
            "versionInfo": version,
            "downloadLocation": "NOASSERTION",
            "filesAnalyzed": False,
            "externalRefs": [
                {
                    "referenceCategory": "PACKAGE-MANAGER",
                    "referenceType": "purl",
                    "referenceLocator": f"{locator}@{version}",
                }
            ],
        }
        for name, version, locator in found
    ]


def main(version, created, *names):
    bloblo = {
        "SPDXID": "SPDXRef-bloblo",
        "name": "bloblo",
        "versionInfo": version,
        "licenseDeclared": "Apache-2.0",
        "downloadLocation": "NOASSERTION",
        "filesAnalyzed": False,
    }
    packages = linked() + [debian(name) for name in sorted(set(names))]
    describes = [{"spdxElementId": "SPDXRef-DOCUMENT", "relationshipType": "DESCRIBES", "relatedSpdxElement": "SPDXRef-bloblo"}]
    depends = [
        {"spdxElementId": "SPDXRef-bloblo", "relationshipType": "DEPENDS_ON", "relatedSpdxElement": package["SPDXID"]}
        for package in packages
    ]
    document = {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": f"bloblo-{version}",
        "documentNamespace": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, json.dumps([version, created, packages]))}",
        "creationInfo": {"created": created, "creators": ["Tool: bloblo-bill-of-materials"]},
        "packages": [bloblo, *packages],
        "relationships": describes + depends,
    }
    json.dump(document, sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main(*sys.argv[1:])
