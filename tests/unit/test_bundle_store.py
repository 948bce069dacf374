"""Bundles in a folder: whole or not at all, and never changed."""

from __future__ import annotations

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from domain.errors import BundleRefused, NotFound, Unavailable
from plugin.bundle_store import FolderBundleStore

PARTS = {"encoder.onnx": b"encoder", "item_tower.onnx": b"item", "neighbours/north.json": b"[]"}


def bundle(folder: Path, name: str = "bundle-a", parts: dict[str, bytes] | None = None, **fields: Any) -> Path:
    """A bundle's folder."""
    parts = PARTS if parts is None else parts
    for part, content in parts.items():
        (folder / part).parent.mkdir(parents=True, exist_ok=True)
        (folder / part).write_bytes(content)
    sums = {part: hashlib.sha256(content).hexdigest() for part, content in parts.items()}
    document = {"bundle": name, "space": "space-one", "files": sums, "created_at": "2026-01-01"} | fields
    (folder / "manifest.json").write_text(json.dumps(document), encoding="utf-8")
    return folder


@pytest.fixture
def store(tmp_path: Path) -> FolderBundleStore:
    """An empty store, its folder not made yet."""
    return FolderBundleStore(tmp_path / "store" / "bundles")


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_bundle_is_stored_whole_under_its_id(store: FolderBundleStore, tmp_path: Path) -> None:
    built = bundle(tmp_path / "built")
    assert store.put(built) == "bundle-a"
    assert store.path("bundle-a").name == "bundle-a"
    assert contents(store.path("bundle-a")) == contents(built)


def test_only_what_the_manifest_names_is_stored(store: FolderBundleStore, tmp_path: Path) -> None:
    built = bundle(tmp_path / "built")
    (built / "notes.txt").write_text("mine")
    store.put(built)
    assert set(contents(store.path("bundle-a"))) == {*PARTS, "manifest.json"}


def test_an_empty_store_has_no_bundles(store: FolderBundleStore) -> None:
    assert store.ids() == []
    with pytest.raises(NotFound, match="bundle-a"):
        store.path("bundle-a")


def test_ids_are_sorted(store: FolderBundleStore, tmp_path: Path) -> None:
    for name in ("bundle-c", "bundle-a", "bundle-b"):
        store.put(bundle(tmp_path / name, name))
    assert store.ids() == ["bundle-a", "bundle-b", "bundle-c"]


@pytest.mark.parametrize("name", ["../bundle-a", "/", "", ".", "..", "bundle-a/encoder.onnx", "bundle-*"])
def test_an_unknown_id_is_not_found(store: FolderBundleStore, tmp_path: Path, name: str) -> None:
    store.put(bundle(tmp_path / "built"))
    with pytest.raises(NotFound):
        store.path(name)


def test_putting_the_same_again_changes_nothing(store: FolderBundleStore, tmp_path: Path) -> None:
    store.put(bundle(tmp_path / "built"))
    before = contents(store.path("bundle-a"))
    # The same networks, built again at another time.
    assert store.put(bundle(tmp_path / "again", created_at="2026-02-02", metrics={"ndcg": 0.4})) == "bundle-a"
    assert contents(store.path("bundle-a")) == before
    assert store.put(store.path("bundle-a")) == "bundle-a"
    assert contents(store.path("bundle-a")) == before


@pytest.mark.parametrize(
    "other",
    [{"parts": PARTS | {"item_tower.onnx": b"another"}}, {"parts": PARTS | {"more": b""}}, {"space": "space-two"}],
    ids=["content", "files", "space"],
)
def test_another_bundle_under_the_same_id_is_refused(
    store: FolderBundleStore, tmp_path: Path, other: dict[str, Any]
) -> None:
    store.put(bundle(tmp_path / "built"))
    before = contents(store.path("bundle-a"))
    with pytest.raises(BundleRefused, match="never changes"):
        store.put(bundle(tmp_path / "other", **other))
    assert contents(store.path("bundle-a")) == before


def test_a_damaged_file_is_refused(store: FolderBundleStore, tmp_path: Path) -> None:
    built = bundle(tmp_path / "built")
    (built / "encoder.onnx").write_bytes(b"encodes")
    with pytest.raises(BundleRefused, match=r"encoder\.onnx"):
        store.put(built)
    assert store.ids() == []


def test_a_missing_file_is_refused(store: FolderBundleStore, tmp_path: Path) -> None:
    built = bundle(tmp_path / "built")
    (built / "item_tower.onnx").unlink()
    with pytest.raises(BundleRefused, match=r"item_tower\.onnx.*no such file"):
        store.put(built)
    assert store.ids() == []


@pytest.mark.parametrize("text", [None, "", "{", "[]", "{}", '{"bundle": "a"}', '{"bundle": "../a", "files": {}}'])
def test_a_wrong_manifest_is_refused(store: FolderBundleStore, tmp_path: Path, text: str | None) -> None:
    built = bundle(tmp_path / "built")
    (built / "manifest.json").unlink()
    if text is not None:
        (built / "manifest.json").write_text(text)
    with pytest.raises(BundleRefused, match=r"manifest\.json"):
        store.put(built)


@pytest.mark.parametrize("name", ["../secret", "/etc/hostname", "a/../../secret"])
def test_a_file_outside_the_bundle_is_refused(store: FolderBundleStore, tmp_path: Path, name: str) -> None:
    (tmp_path / "secret").write_bytes(b"s")
    built = bundle(tmp_path / "built", files={name: hashlib.sha256(b"s").hexdigest()})
    with pytest.raises(BundleRefused, match="inside the bundle"):
        store.put(built)


def test_a_copy_that_was_killed_is_no_bundle(store: FolderBundleStore, tmp_path: Path) -> None:
    store.put(bundle(tmp_path / "built"))
    bundle(store.path("bundle-a").parent / ".incoming-1234", "bundle-b")
    assert store.ids() == ["bundle-a"]
    assert store.put(bundle(tmp_path / "other", "bundle-b")) == "bundle-b"


def test_many_may_put_the_same_bundle_at_once(store: FolderBundleStore, tmp_path: Path) -> None:
    built = bundle(tmp_path / "built", parts={"part": b"x" * 1_000_000})
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda _: store.put(built), range(16))) == ["bundle-a"] * 16
    assert [path.name for path in store.path("bundle-a").parent.iterdir()] == ["bundle-a"]
    assert contents(store.path("bundle-a")) == contents(built)


def test_a_store_that_cannot_be_written_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(Unavailable, match="bundle store"):
        FolderBundleStore(tmp_path / "file" / "bundles").put(bundle(tmp_path / "built"))
