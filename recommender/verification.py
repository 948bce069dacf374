"""Verification: everything that is wrong with a bundle on disk, told part by part."""

from __future__ import annotations

from pathlib import Path

from domain.errors import BundleRefused
from recommender.bundle import check_file
from recommender.golden import golden_faults
from recommender.manifest import COPY_AGAIN, MANIFEST_FILE, Manifest


def bundle_faults(folder: Path) -> list[BundleRefused]:
    """One error for each thing that is wrong, none for a sound bundle.

    The manifest is compared with itself and with the folder's name, every file with its SHA-256; when all of that is
    right, the networks run and each number of the golden file is computed anew.

    Args:
        folder: of the bundle, named by its id.
    """
    try:
        manifest = Manifest.read(folder)
    except BundleRefused as error:
        return [error]
    told = [_file_fault(folder, name, expected) for name, expected in manifest.files.items()]
    found = [fault for fault in told if fault]
    if manifest.bundle != folder.name:
        place = f"bundle {folder.name}, {MANIFEST_FILE}"
        found.append(BundleRefused(place, expected=f"bundle {folder.name}", got=manifest.bundle, fix=COPY_AGAIN))
    if found:
        return found
    try:
        return list(golden_faults(folder))
    except BundleRefused as error:
        return [error]


def _file_fault(folder: Path, name: str, expected: str) -> BundleRefused | None:
    try:
        check_file(folder, name, expected)
    except BundleRefused as error:
        return error
    return None
