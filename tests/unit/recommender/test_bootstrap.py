from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from domain.items import Item
from domain.vectors import Array, unit
from recommender.bundle import Bundle
from recommender.schema import FeatureSchema
from recommender.text_encoder import OnnxTextEncoder
from recommender.training.static_encoder import StaticEncoder
from tests.support.needs import require_module
from tests.unit.recommender.mini import ARTICLE, KINDS, LISTING, catalogue, run_python

pytestmark = pytest.mark.training


@pytest.fixture(autouse=True)
def _tensorflow() -> None:
    require_module("tensorflow", "train")


def train(items: list[Item], steps: int = 30, seed: int = 0, seconds: float = 60.0) -> StaticEncoder:
    from recommender.training.bootstrap import Budget, train_bootstrap
    from recommender.training.pairs import text_pairs

    texts = [text for item in items for text in item.texts.values()]
    pairs = text_pairs(items, FeatureSchema.of(KINDS, {}))
    return train_bootstrap(texts, pairs, Budget(steps, seconds), seed)


def encode(encoder: StaticEncoder, texts: list[str]) -> Array:
    """The definition: the mean of the tokens' vectors, unit length."""
    return unit(np.stack([encoder.weights[one.ids].sum(axis=0) for one in encoder.tokenizer.encode_batch(texts)]))


def found_again(encoder: StaticEncoder, items: list[Item]) -> float:
    """How often a body is nearest to a title of its own topic."""
    titles = encode(encoder, [item.texts["title"] for item in items])
    bodies = encode(encoder, [item.texts["body"] for item in items])
    best = (titles @ bodies.T).argmax(axis=1)
    topics = [item.texts["title"].split()[2] for item in items]
    return float(np.mean([topics[row] == topics[other] for row, other in enumerate(best)]))


def distant(articles: int) -> list[Item]:
    """Articles whose title shares no word with the body."""
    words = {
        "alpha,": "red green blue",
        "beta,": "north south west",
        "gamma,": "iron gold zinc",
        "delta,": "oak elm ash",
    }
    topics = sorted(words)
    return [
        ARTICLE.item(
            {"id": str(row), "title": f"About your {topics[row % 4]} part {row}", "body": words[topics[row % 4]]},
            tenant="north",
            revision=1,
        )
        for row in range(articles)
    ]


def test_titles_learn_to_find_bodies_that_share_no_word() -> None:
    items = distant(60)
    assert found_again(train(items, steps=0), items) < 0.7
    assert found_again(train(items, steps=60), items) == 1


def test_letters_that_are_rare_and_marks_of_word_pieces_are_plain_text() -> None:
    from recommender.training.tokenizer import train_tokenizer

    tokenizer = train_tokenizer(["##a issue", "alpha alpha beta"])
    assert tokenizer.encode("##a").tokens == ["#", "#", "a"]
    assert tokenizer.encode("alpha beta").tokens == ["alpha", "beta"]


def test_the_same_seed_gives_the_same_weights_and_another_seed_others() -> None:
    items = catalogue(30, 12)
    one, two, other = train(items), train(items), train(items, seed=1)
    assert one.tokenizer.to_str() == two.tokenizer.to_str()
    np.testing.assert_array_equal(one.weights, two.weights)
    assert not np.array_equal(one.weights, other.weights)


def test_padding_and_unknown_have_no_vector() -> None:
    encoder = train(catalogue(10, 10))
    assert encoder.tokenizer.token_to_id("[PAD]") == 0
    assert encoder.tokenizer.token_to_id("[UNK]") == 1
    assert not encoder.weights[:2].any()
    assert encoder.weights[2:].any()


def test_training_stops_when_its_time_is_over() -> None:
    started = time.monotonic()
    train(catalogue(30, 12), steps=1_000_000, seconds=0.5)
    assert time.monotonic() - started < 20


def test_equal_titles_are_never_each_others_negatives() -> None:
    from recommender.training.bootstrap import _batches
    from recommender.training.pairs import TextPairs

    pairs = TextPairs(("a", "b", "a"), (("1", "2"), ("3",), ("4",)))
    batches = _batches(pairs, np.random.default_rng(0))
    for _ in range(5):
        rows, chosen, same = next(batches)
        np.testing.assert_array_equal(
            same, [[row != other and {row, other} == {0, 2} for other in rows] for row in rows]
        )
        assert all(place in ({0, 1}, {2}, {3})[row] for row, place in zip(rows, chosen, strict=True))


def test_pairs_come_from_bodies_else_from_categories_else_not_at_all() -> None:
    from recommender.training.pairs import text_pairs

    document = {"id": "1", "title": "Red car", "description": "One owner.", "make": "volvo", "fuel": ["gas", "petrol"]}
    whole = LISTING.item(document, tenant="north", revision=1)
    bare = LISTING.item({**document, "description": ""}, tenant="north", revision=1)
    alone = LISTING.item({"id": "1", "title": "Red car"}, tenant="north", revision=1)
    nameless = LISTING.item({**document, "title": ""}, tenant="north", revision=1)
    found = text_pairs([whole, bare, alone, nameless], FeatureSchema.of(KINDS, {}))
    assert found.titles == ("Red car", "Red car")
    assert found.passages == (("One owner.",), ("gas petrol volvo",))


@pytest.mark.parametrize("text", ["tyres", "Charge the battery, please", "", "zzz"])
def test_the_exported_network_is_the_mean_of_token_vectors(tmp_path: Path, text: str) -> None:
    encoder = train(catalogue(10, 10))
    settings = encoder.save(tmp_path)
    found = OnnxTextEncoder(tmp_path, settings, "").encode([text, "longer text beside it, for padding"])[0]
    np.testing.assert_allclose(found, encode(encoder, [text])[0], atol=1e-5)


STATIC_EMBEDDING = """
import sys
import numpy as np
from sentence_transformers.models import StaticEmbedding
module = StaticEmbedding.load(sys.argv[1])
inputs = module.tokenize(sys.argv[3:]) if hasattr(module, "tokenize") else module.preprocess(sys.argv[3:])
np.save(sys.argv[2], module(inputs)["sentence_embedding"].detach().numpy())
"""


@pytest.mark.text
def test_sentence_transformers_reads_the_same_encoder(bundle_folder: Path, bundle: Bundle, tmp_path: Path) -> None:
    require_module("sentence_transformers", "text")
    texts = ["volvo v60 petrol", "charge the battery of an electric car"]
    run_python(STATIC_EMBEDDING, bundle_folder, tmp_path / "theirs.npy", *texts)
    np.testing.assert_allclose(bundle.encoder.encode(texts), unit(np.load(tmp_path / "theirs.npy")), atol=1e-5)
