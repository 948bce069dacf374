"""Everything that is wrong with a bundle is told, part by part."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from recommender.manifest import MANIFEST_FILE, Manifest, file_hash
from recommender.verification import bundle_faults

pytestmark = pytest.mark.training


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_a_whole_bundle_has_no_faults(bundle_folder: Path) -> None:
    assert bundle_faults(bundle_folder) == []


def test_every_damaged_part_is_told_with_what_was_expected_and_what_came(own_folder: Path) -> None:
    expected = Manifest.read(own_folder).files
    flip(own_folder / "scorer.onnx")
    (own_folder / "tokenizer.json").unlink()
    scorer, tokenizer = sorted(bundle_faults(own_folder), key=lambda fault: fault.place)
    assert scorer.place.endswith("scorer.onnx")
    assert expected["scorer.onnx"].startswith(scorer.expected.removeprefix("checksum "))
    assert file_hash(own_folder / "scorer.onnx").startswith(scorer.got)
    assert (tokenizer.place.endswith("tokenizer.json"), tokenizer.got) == (True, "no such file")
    assert scorer.fix == tokenizer.fix != ""


def test_a_damaged_manifest_is_told(own_folder: Path) -> None:
    flip(own_folder / MANIFEST_FILE)
    [fault] = bundle_faults(own_folder)
    assert MANIFEST_FILE in fault.place


def test_parts_of_two_bundles_are_told(own_folder: Path) -> None:
    manifest = Manifest.read(own_folder)
    replace(manifest, scorer_space="0123456789abcdef").write(own_folder)
    [fault] = bundle_faults(own_folder)
    assert (fault.place.endswith("scorer"), fault.got) == (True, "0123456789abcdef")


def test_a_bundle_under_another_ones_name_is_told(own_folder: Path) -> None:
    renamed = own_folder.rename(own_folder.with_name("bundle-0123456789abcdef"))
    [fault] = bundle_faults(renamed)
    assert (fault.expected, fault.got) == ("bundle bundle-0123456789abcdef", own_folder.name)


def test_every_golden_number_that_comes_out_otherwise_is_told(own_folder: Path) -> None:
    path = own_folder / "golden.json"
    golden = json.loads(path.read_text(encoding="utf-8"))
    golden["computed"]["item_vectors"][0][0] += 2e-4
    golden["computed"]["relevance"].append(0.0)
    path.write_text(json.dumps(golden), encoding="utf-8")
    manifest = Manifest.read(own_folder)
    manifest = replace(manifest, files={**manifest.files, path.name: file_hash(path)})
    manifest.write(own_folder)
    faults = bundle_faults(own_folder.rename(own_folder.with_name(manifest.bundle)))
    assert [fault.place.rpartition(", ")[2] for fault in faults] == ["item_vectors", "relevance"]
