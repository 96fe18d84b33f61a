#!/usr/bin/env python3
"""An image made of nothing: an OCI layout with layers of exact sizes, of data that does not compress.

    oci_image.py FOLDER SIZE…

Prints the facts as JSON: {"manifest": digest, "config": digest, "layers": [digest…], "sizes": {digest: size}}.
Layouts are what skopeo calls oci:FOLDER:latest. Different at each call, so that nothing has it already.

Source: <https://github.com/opencontainers/image-spec/blob/v1.1.0/image-layout.md>
"""

import hashlib
import json
import os
import pathlib
import sys
import tarfile


def layer(number, size):
    """An uncompressed tar of one file and exactly `size` bytes, a multiple of 512 from 1024 up."""
    data_and_end = size - 512
    # Two blocks of zeros end an archive; 1 KiB has no room for them, and readers take its end for one.
    end = 1024 if data_and_end > 1024 else 0
    entry = tarfile.TarInfo(f"layer-{number}")
    entry.size = data_and_end - end
    return entry.tobuf(tarfile.USTAR_FORMAT) + os.urandom(entry.size) + bytes(end)


def make(folder, sizes):
    folder = pathlib.Path(folder)
    blobs = folder / "blobs/sha256"
    blobs.mkdir(parents=True)
    lengths = {}

    def store(content, media_type):
        encoded = hashlib.sha256(content).hexdigest()
        (blobs / encoded).write_bytes(content)
        lengths[f"sha256:{encoded}"] = len(content)
        return {"mediaType": media_type, "digest": f"sha256:{encoded}", "size": len(content)}

    def store_json(value, media_type):
        return store(json.dumps(value).encode(), media_type)

    oci = "application/vnd.oci.image"
    layers = [store(layer(number, size), f"{oci}.layer.v1.tar") for number, size in enumerate(sizes)]
    config = store_json({
        "architecture": "amd64", "os": "linux", "config": {},
        "rootfs": {"type": "layers", "diff_ids": [each["digest"] for each in layers]},
    }, f"{oci}.config.v1+json")
    manifest = store_json({
        "schemaVersion": 2, "mediaType": f"{oci}.manifest.v1+json", "config": config, "layers": layers,
    }, f"{oci}.manifest.v1+json")
    (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [
        {**manifest, "annotations": {"org.opencontainers.image.ref.name": "latest"}}]}))
    return {"manifest": manifest["digest"], "config": config["digest"],
            "layers": [each["digest"] for each in layers], "sizes": lengths}


if __name__ == "__main__":
    print(json.dumps(make(sys.argv[1], [int(size) for size in sys.argv[2:]])))
