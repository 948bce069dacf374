from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from domain.errors import BundleRefused
from domain.items import Item
from recommender.bundle import Bundle, load_bundle
from recommender.golden import verify_bundle
from recommender.manifest import MANIFEST_FILE, PART_FILES, Manifest
from recommender.training.static_encoder import WEIGHTS_FILE

pytestmark = pytest.mark.training


def test_the_folder_is_named_by_the_bundle(bundle_folder: Path, bundle: Bundle) -> None:
    assert bundle.id == bundle_folder.name
    assert bundle.space == bundle.embedder.space == bundle.manifest.space
    assert len(bundle.space) == 16


def test_loading_again_changes_nothing(bundle_folder: Path, bundle: Bundle, mini_catalogue: list[Item]) -> None:
    again = load_bundle(bundle_folder)
    assert again.manifest == bundle.manifest
    np.testing.assert_array_equal(again.embedder.embed(mini_catalogue[:20]), bundle.embedder.embed(mini_catalogue[:20]))
    assert [again.embedder.inputs_hash(item) for item in mini_catalogue[:20]] == [
        bundle.embedder.inputs_hash(item) for item in mini_catalogue[:20]
    ]


def test_the_manifest_survives_being_written(bundle: Bundle, tmp_path: Path) -> None:
    bundle.manifest.write(tmp_path)
    assert Manifest.read(tmp_path) == bundle.manifest


def test_a_batch_of_mixed_kinds_equals_singles(bundle: Bundle, mini_catalogue: list[Item]) -> None:
    mixed = [*mini_catalogue[:5], *mini_catalogue[-5:], *mini_catalogue[5:8]]
    batch = bundle.embedder.embed(mixed)
    assert batch.shape == (13, 128)
    np.testing.assert_allclose(np.linalg.norm(batch, axis=1), np.ones(13), atol=1e-5)
    for item, vector in zip(mixed, batch, strict=True):
        np.testing.assert_allclose(bundle.embedder.embed([item])[0], vector, atol=1e-5)


def test_like_items_and_queries_meet(bundle: Bundle, mini_catalogue: list[Item]) -> None:
    vectors = bundle.embedder.embed(mini_catalogue)
    first = mini_catalogue[0]
    near = [mini_catalogue[row] for row in np.argsort(-vectors @ vectors[0], kind="stable")[1:4]]
    assert all(item.categories["model"] == first.categories["model"] for item in near)
    query = bundle.embed_query("my password")
    assert query is not None
    best = mini_catalogue[int(np.argmax(vectors @ query))]
    assert "password" in best.texts["title"]


def test_a_query_without_a_known_token_has_no_vector(bundle: Bundle) -> None:
    assert bundle.embed_query("") is None
    assert bundle.embed_query("\N{SNOWMAN} \N{COMET}") is None


def test_a_history_of_one_kind_of_car_prefers_it(bundle: Bundle, mini_catalogue: list[Item]) -> None:
    cars = [item for item in mini_catalogue if item.key.kind == "listing"]
    liked = [item for item in cars if item.categories["model"] == ("panda",)][:3]
    history = bundle.history(bundle.embedder.embed(liked), ["view"] * 3, [60.0, 3_600.0, 86_400.0])
    user = bundle.user_tower.embed(history, None)
    scores = bundle.scorer.score(None, user, bundle.embedder.embed(cars), np.zeros((len(cars), 0), np.float32))
    best = np.argsort(-scores.personal, kind="stable")[:5]
    assert {cars[row].categories["model"] for row in best} == {("panda",)}


def test_golden_numbers_come_out_again(bundle_folder: Path) -> None:
    verify_bundle(bundle_folder)


@pytest.mark.parametrize("name", [*PART_FILES, WEIGHTS_FILE, MANIFEST_FILE])
@pytest.mark.parametrize("damage", ["flip", "cut", "remove"])
def test_a_damaged_file_is_refused_by_name(own_folder: Path, name: str, damage: str) -> None:
    path = own_folder / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    if damage == "remove":
        path.unlink()
    else:
        path.write_bytes(content if damage == "flip" else content[: len(content) // 2])
    with pytest.raises(BundleRefused, match=name.replace(".", r"\.")):
        load_bundle(own_folder)


def rewrite(folder: Path, change: Callable[[Manifest], Manifest]) -> None:
    change(Manifest.read(folder)).write(folder)


@pytest.mark.parametrize("part", ["user_tower_space", "scorer_space"])
def test_a_network_made_for_another_space_is_refused(own_folder: Path, part: str) -> None:
    rewrite(own_folder, lambda manifest: replace(manifest, **{part: "0123456789abcdef"}))  # type: ignore[arg-type]
    with pytest.raises(BundleRefused, match=part.removesuffix("_space")):
        load_bundle(own_folder)


def test_another_item_tower_makes_the_old_user_tower_and_scorer_refused(own_folder: Path) -> None:
    rewrite(
        own_folder,
        lambda manifest: replace(manifest, files={**manifest.files, "item_tower.onnx": "0" * 64}),
    )
    with pytest.raises(BundleRefused, match="user_tower"):
        load_bundle(own_folder)


def test_a_manifest_of_another_format_is_refused(own_folder: Path) -> None:
    document = json.loads((own_folder / MANIFEST_FILE).read_text(encoding="utf-8"))
    (own_folder / MANIFEST_FILE).write_text(json.dumps(document | {"format": 99}), encoding="utf-8")
    with pytest.raises(BundleRefused, match="format 1"):
        load_bundle(own_folder)


def test_a_network_that_computes_other_numbers_is_found_by_the_golden_file(own_folder: Path) -> None:
    golden = json.loads((own_folder / "golden.json").read_text(encoding="utf-8"))
    golden["computed"]["item_vectors"][0][0] += 2e-4
    (own_folder / "golden.json").write_text(json.dumps(golden), encoding="utf-8")
    from recommender.manifest import file_hash

    rewrite(
        own_folder,
        lambda manifest: replace(
            manifest, files={**manifest.files, "golden.json": file_hash(own_folder / "golden.json")}
        ),
    )
    with pytest.raises(BundleRefused, match="item_vectors"):
        verify_bundle(own_folder)


def test_the_golden_file_shows_nothing_that_only_some_may_see(bundle_folder: Path) -> None:
    golden = json.loads((bundle_folder / "golden.json").read_text(encoding="utf-8"))
    assert {item["kind"] for item in golden["items"]} == {"article", "listing"}
    assert not any("audience" in item or "signals" in item for item in golden["items"])


def test_space_differs_when_a_part_of_it_differs(bundle: Bundle) -> None:
    manifest = bundle.manifest
    changed = [
        replace(manifest, files={**manifest.files, name: "0" * 64})
        for name in ("encoder.onnx", "tokenizer.json", "item_tower.onnx")
    ]
    changed += [
        replace(manifest, encoder=replace(manifest.encoder, precision="int8")),
        replace(manifest, encoder=replace(manifest.encoder, max_tokens=7)),
        replace(manifest, schema=replace(manifest.schema, passage_words=7)),
        replace(manifest, schema=replace(manifest.schema, scalers={})),
    ]
    spaces = {one.space for one in changed}
    assert len(spaces) == len(changed)
    assert manifest.space not in spaces


def test_space_stays_when_only_user_tower_scorer_or_tenant_statistics_differ(bundle: Bundle) -> None:
    manifest = bundle.manifest
    for changed in (
        replace(manifest, files={**manifest.files, "user_tower.onnx": "0" * 64, "scorer.onnx": "1" * 64}),
        replace(manifest, tenant_scalers={}),
        replace(manifest, encoder=replace(manifest.encoder, name="another name")),
    ):
        assert changed.space == manifest.space
        assert changed.bundle != manifest.bundle


def test_a_bundle_may_lie_in_a_folder_of_any_name(bundle_folder: Path, bundle: Bundle, tmp_path: Path) -> None:
    shutil.copytree(bundle_folder, tmp_path / "elsewhere")
    assert load_bundle(tmp_path / "elsewhere").id == bundle.id


def test_serving_imports_neither_tensorflow_nor_torch(bundle_folder: Path) -> None:
    code = (
        "import sys\n"
        "import recommender.bundle, recommender.golden\n"
        "heavy = {'tensorflow', 'keras', 'torch', 'onnxruntime', 'tokenizers'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "from pathlib import Path\n"
        "recommender.golden.verify_bundle(Path(sys.argv[1]))\n"
        "heavy = {'tensorflow', 'keras', 'tf2onnx', 'torch', 'recommender.training'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, str(bundle_folder)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
