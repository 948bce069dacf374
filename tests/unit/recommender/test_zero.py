from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from domain.catalogue import Kind
from domain.errors import ConfigurationError
from domain.items import Item
from recommender.bundle import load_bundle
from recommender.golden import verify_bundle
from tests.support.needs import require_module
from tests.unit.recommender.mini import KINDS, catalogue

pytestmark = pytest.mark.training


@pytest.fixture(autouse=True)
def _tensorflow() -> None:
    require_module("tensorflow", "train")


def build(kinds: tuple[Kind, ...], items: list[Item], out: Path, encoder: str = "bootstrap") -> Path:
    from recommender.training.bootstrap import Budget
    from recommender.training.zero import build_bundle_zero

    return build_bundle_zero(kinds, items, encoder, out, budget=Budget(steps=5))


def test_the_same_catalogue_gives_the_same_bundle_and_leaves_nothing_else(tmp_path: Path) -> None:
    items = catalogue(40, 12)
    first, second = build(KINDS, items, tmp_path), build(KINDS, items, tmp_path)
    assert first == second
    assert [path.name for path in tmp_path.iterdir()] == [first.name]
    assert build(KINDS, catalogue(40, 12, seed=1), tmp_path) != first


def test_progress_is_told_to_its_end(tmp_path: Path) -> None:
    from recommender.training.bootstrap import Budget
    from recommender.training.zero import build_bundle_zero

    told: dict[str, tuple[int, int]] = {}
    items = catalogue(20, 8)
    build_bundle_zero(
        KINDS,
        iter(items),
        "bootstrap",
        tmp_path,
        lambda stage, done, total: told.update({stage: (done, total)}),
        budget=Budget(steps=3),
    )
    assert told == {
        "reading items": (28, 28),
        "training the text encoder": (3, 3),
        "embedding a sample": (28, 28),
        "exporting the networks": (3, 3),
    }


NOTE = Kind("note", "id", {"text": 1.0})


def notes(texts: list[str]) -> list[Item]:
    return [NOTE.item({"id": str(row), "text": text}, tenant="t", revision=1) for row, text in enumerate(texts)]


@pytest.mark.parametrize(
    "texts",
    [
        ["red wine", "white wine", "brown bread", "rye bread", "green tea"],
        ["one note"],
        ["same", "same", "same"],
        ["\N{SNOWMAN}"],
        ["", ""],
    ],
)
def test_a_tiny_catalogue_of_one_field_gives_a_whole_bundle(tmp_path: Path, texts: list[str]) -> None:
    folder = build((NOTE,), notes(texts), tmp_path)
    verify_bundle(folder)
    vectors = load_bundle(folder).embedder.embed(notes(texts))
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), np.ones(len(texts)), atol=1e-5)


def test_five_notes_already_find_each_other(tmp_path: Path) -> None:
    texts = ["red wine", "white wine", "brown bread", "rye bread", "green tea"]
    bundle = load_bundle(build((NOTE,), notes(texts), tmp_path))
    vectors = bundle.embedder.embed(notes(texts))
    query = bundle.embed_query("bread")
    assert query is not None
    assert {texts[row] for row in np.argsort(-vectors @ query)[:2]} == {"brown bread", "rye bread"}


def test_a_kind_without_items_can_be_embedded_later(tmp_path: Path) -> None:
    folder = build((*KINDS, NOTE), catalogue(20, 8), tmp_path)
    assert load_bundle(folder).embedder.embed(notes(["volvo panda"])).shape == (1, 128)


def test_an_empty_catalogue_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="at least one item"):
        build(KINDS, [], tmp_path)


def test_a_large_catalogue_is_sampled_evenly_and_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    from recommender.training.zero import SAMPLE, _sample

    items = notes([f"text {row}" for row in range(2 * SAMPLE)])
    kept = _sample(iter(items), 0, lambda _stage, _done, _total: None)
    places = [int(item.key.id) for item in kept]
    assert len(kept) == SAMPLE
    assert places == sorted(places)
    assert np.mean(places) == pytest.approx(SAMPLE, rel=0.03)


@pytest.mark.slow
@pytest.mark.text
def test_a_pretrained_encoder_makes_a_whole_bundle(tmp_path: Path, minilm: Path) -> None:
    items = catalogue(12, 8)
    folder = build(KINDS, items, tmp_path, encoder=str(minilm))
    verify_bundle(folder)
    bundle = load_bundle(folder)
    assert bundle.manifest.encoder.max_tokens == 256
    assert bundle.encoder.dimension == 384
    vectors = bundle.embedder.embed(items)
    query = bundle.embed_query("I cannot log in any more")
    assert query is not None
    assert "password" in items[int(np.argmax(vectors @ query))].texts["title"]
