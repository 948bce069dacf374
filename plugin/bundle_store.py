"""Bundles in a folder: put once, never changed."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any, Final

from domain.errors import BundleRefused, NotFound, Unavailable

_MANIFEST: Final = "manifest.json"
#: Folders that are being copied; a killed copy leaves one behind, and nobody reads it.
_INCOMING: Final = ".incoming-"
#: What two manifests of one bundle may tell differently: when and how well, not what.
_CIRCUMSTANCES: Final = ("created_at", "metrics", "checksum")
_COPY_AGAIN: Final = "Copy the bundle again from where it was built, or build it anew."


class FolderBundleStore:
    """Write-once bundles, each in the folder of its id.

    Args:
        root: holds one folder for each bundle; made at the first `put`.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def put(self, folder: Path) -> str:
        """Copy a bundle in; its id. It appears whole or not at all; putting the same again changes nothing.

        Args:
            folder: holds manifest.json and the files that it names with their SHA-256.

        Raises:
            BundleRefused: a file is missing or damaged, or another bundle has the same id.
            Unavailable: the store cannot be written.
        """
        manifest = _checked_manifest(folder)
        name = str(manifest["bundle"])
        target = self._root / name
        with _writable(self._root):
            self._root.mkdir(parents=True, exist_ok=True)
            if not target.exists():
                self._copy(folder, manifest, target)
        _check_same(_read_manifest(target), manifest, name)
        return name

    def path(self, bundle: str) -> Path:
        """The folder of the bundle.

        Raises:
            NotFound: no such bundle.
        """
        known = self.ids()
        if bundle not in known:
            raise NotFound(
                f"bundle {bundle}",
                expected=f"one of {', '.join(known)}" if known else f"a bundle in {self._root}",
                got="none of that id",
                fix="Put the bundle into the store, or name one that is there.",
            )
        return self._root / bundle

    def ids(self) -> list[str]:
        """Every bundle's id, sorted."""
        return sorted(found.parent.name for found in self._root.glob(f"*/{_MANIFEST}") if _is_id(found.parent.name))

    def _copy(self, folder: Path, manifest: dict[str, Any], target: Path) -> None:
        incoming = self._root / f"{_INCOMING}{uuid.uuid4().hex}"
        try:
            # The manifest comes last: without it a folder is no bundle.
            for name in (*manifest["files"], _MANIFEST):
                _copy_file(folder / name, incoming / name)
            _rename(incoming, target)
        finally:
            shutil.rmtree(incoming, ignore_errors=True)


def _checked_manifest(folder: Path) -> dict[str, Any]:
    manifest = _read_manifest(folder)
    place = f"bundle {folder.name}"
    if not _is_id(str(manifest.get("bundle", ""))) or not isinstance(manifest.get("files"), dict):
        got = f"bundle {manifest.get('bundle')!r}"
        raise BundleRefused(f"{place}, {_MANIFEST}", expected="an id and its files", got=got, fix=_COPY_AGAIN)
    for name, expected in manifest["files"].items():
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts:
            raise BundleRefused(f"{place}, {name}", expected="a file inside the bundle", got=name, fix=_COPY_AGAIN)
        found = _hash(folder / name)
        if found != expected:
            got = found or "no such file"
            raise BundleRefused(f"{place}, {name}", expected=f"SHA-256 {expected}", got=got, fix=_COPY_AGAIN)
    return manifest


def _read_manifest(folder: Path) -> dict[str, Any]:
    place = f"bundle {folder.name}, {_MANIFEST}"
    try:
        manifest = json.loads((folder / _MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BundleRefused(place, expected="a JSON document", got=str(error)[:200], fix=_COPY_AGAIN) from error
    if not isinstance(manifest, dict):
        raise BundleRefused(place, expected="a JSON object", got=type(manifest).__name__, fix=_COPY_AGAIN)
    return manifest


def _check_same(stored: dict[str, Any], manifest: dict[str, Any], name: str) -> None:
    names = sorted({*stored, *manifest} - set(_CIRCUMSTANCES))
    other = [part for part in names if stored.get(part) != manifest.get(part)]
    if other:
        raise BundleRefused(
            f"bundle {name}",
            expected="the same content as the stored bundle of this id",
            got=f"another {', '.join(other)}",
            fix="A stored bundle never changes: build a new one, it gets an id of its own.",
        )


def _is_id(name: str) -> bool:
    return bool(name) and not name.startswith(".") and "/" not in name and "\\" not in name and name.isprintable()


def _copy_file(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    with target.open("rb") as file:
        os.fsync(file.fileno())


def _rename(incoming: Path, target: Path) -> None:
    try:
        incoming.rename(target)
    except OSError:
        # Somebody else was first; `put` compares.
        if not target.exists():
            raise


def _hash(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None


@contextlib.contextmanager
def _writable(root: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        fix = "Check that the folder may be written and the disk has room."
        raise Unavailable(f"bundle store {root}", expected="a writable folder", got=str(error), fix=fix) from error
