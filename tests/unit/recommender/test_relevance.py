"""Relevance learnt from judgments in a world where only title words and views decide."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

from domain.errors import ConfigurationError
from domain.items import Item
from domain.search import Candidate
from domain.vectors import Array
from recommender.bundle import Bundle, load_bundle
from recommender.golden import verify_bundle
from recommender.neighbours import SIGNALS
from recommender.training.relevance import JudgedQuery
from recommender.words import QUERY_SIGNALS
from tests.support.needs import require_module
from tests.unit.recommender.mini import MODELS
from tests.unit.recommender.test_release import two_tastes

pytestmark = pytest.mark.training

CANDIDATES = 12


def judged(bundle: Bundle, catalogue: list[Item], queries: int, seed: int = 0) -> list[JudgedQuery]:
    """Of some cars those fit that the query names and that were seen often; the engine knows nothing."""
    draw = random.Random(seed)
    cars = [item for item in catalogue if item.key.kind == "listing" and item.key.tenant == "north"]
    vectors = dict(zip([item.key.id for item in cars], bundle.embedder.embed(cars), strict=True))
    found = []
    for number in range(queries):
        model = draw.choice([model for models in MODELS.values() for model in models])
        some = draw.sample(cars, CANDIDATES)
        labels = [float(model in item.texts["title"] and item.signals["views"] > 30) for item in some]
        given = tuple(Candidate(item, 0.0, 4, vectors[item.key.id], bundle.space) for item in some)
        text = f"{model} number {seed}{number}"
        found.append(JudgedQuery(text, given, tuple(draw.random() for _ in some), tuple(labels)))
    return found


@pytest.fixture(scope="module")
def released(
    bundle: Bundle, bundle_folder: Path, mini_catalogue: list[Item], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    require_module("tensorflow", "train")
    from recommender.training.release import train_release

    out = tmp_path_factory.mktemp("judged")
    return train_release(bundle_folder, mini_catalogue, [], out, judged=judged(bundle, mini_catalogue, 150))


@pytest.fixture(scope="module")
def trained(released: Path) -> Bundle:
    return load_bundle(released)


def scores(bundle: Bundle, query: JudgedQuery) -> Array:
    """Relevance as the service computes it."""
    vectors = np.stack([one.vector for one in query.candidates if one.vector is not None])
    signals = bundle.signals(query.candidates, (), query.text)
    return bundle.scorer.score(bundle.embed_query(query.text), None, vectors, signals).relevance


def test_the_space_stays_and_the_bundle_is_a_new_and_whole_one(bundle: Bundle, trained: Bundle, released: Path) -> None:
    assert trained.space == bundle.space
    assert trained.id == released.name != bundle.id
    assert trained.manifest.signals == (*QUERY_SIGNALS, "views")
    assert trained.manifest.metrics["trained_from"] == bundle.id
    verify_bundle(released)


def test_what_fits_stands_before_what_does_not(bundle: Bundle, trained: Bundle, mini_catalogue: list[Item]) -> None:
    def ahead(of: Bundle) -> float:
        pairs = []
        for query in judged(bundle, mini_catalogue, 60, seed=1):
            total = scores(of, query) + np.array(query.engine)
            fits = np.array(query.labels) > 0
            pairs += (total[fits][:, np.newaxis] > total[~fits]).ravel().tolist()
        return float(np.mean(pairs))

    assert ahead(trained) > 0.9 > ahead(bundle) + 0.05


def test_the_exported_network_computes_what_keras_does_on_real_candidates(
    bundle: Bundle, mini_catalogue: list[Item], tmp_path: Path
) -> None:
    require_module("tensorflow", "train")
    from recommender.sessions import OnnxSession
    from recommender.training.relevance import train_relevance
    from recommender.words import QueryWords

    given = judged(bundle, mini_catalogue, 60)
    made = train_relevance(bundle, mini_catalogue, given, 0, lambda *_: None)
    made.write(tmp_path)
    session = OnnxSession(tmp_path / "relevance.onnx")
    words = QueryWords(made.words)
    for query in given[:20]:
        vectors = np.stack([one.vector for one in query.candidates if one.vector is not None])
        vector = bundle.embed_query(query.text)
        assert vector is not None
        own = [[one.item.signals["views"]] for one in query.candidates]
        columns = np.hstack([words.columns(query.text, query.candidates, "title"), own]).astype(np.float32)
        keras = np.asarray(made.network.relevance(np.hstack([vectors @ vector[:, np.newaxis], columns])))
        found = session.run(query=vector, items=vectors, signals=columns)["relevance"]
        np.testing.assert_allclose(found, keras, atol=1e-4)


def test_without_a_query_relevance_is_exactly_nothing(trained: Bundle, mini_catalogue: list[Item]) -> None:
    items = mini_catalogue[:9]
    vectors = trained.embedder.embed(items)
    signals = np.ones((9, len(trained.manifest.signals)), np.float32)
    for query in (None, np.zeros(128, np.float32)):
        assert not trained.scorer.score(query, None, vectors, signals).relevance.any()


def test_the_personal_part_stays_as_it_was(bundle: Bundle, trained: Bundle, mini_catalogue: list[Item]) -> None:
    items = mini_catalogue[:9]
    vectors = trained.embedder.embed(items)
    user = bundle.user_tower.embed(bundle.history(vectors[:3], ["view"] * 3, [60.0] * 3), None)
    signals = np.ones((9, len(trained.manifest.signals)), np.float32)
    for query in (None, vectors[4]):
        before = bundle.scorer.score(query, user, vectors, signals[:, :0])
        after = trained.scorer.score(query, user, vectors, signals)
        assert after.gate == before.gate
        np.testing.assert_array_equal(after.personal, before.personal)


def test_a_batch_equals_singles(bundle: Bundle, trained: Bundle, mini_catalogue: list[Item]) -> None:
    query = judged(bundle, mini_catalogue, 1)[0]
    batch = scores(trained, query)
    for row, one in enumerate(query.candidates):
        single = JudgedQuery(query.text, (one,), (0.0,), (1.0,))
        np.testing.assert_allclose(scores(trained, single), [batch[row]], atol=1e-4)


def test_the_same_judgments_make_the_same_bundle(
    bundle: Bundle, bundle_folder: Path, mini_catalogue: list[Item], released: Path, tmp_path: Path
) -> None:
    from recommender.training.release import train_release

    again = train_release(bundle_folder, mini_catalogue, [], tmp_path, judged=judged(bundle, mini_catalogue, 150))
    assert again.name == released.name


def test_too_few_queries_teach_nothing(
    bundle: Bundle, bundle_folder: Path, mini_catalogue: list[Item], tmp_path: Path
) -> None:
    require_module("tensorflow", "train")
    from recommender.training.release import train_release

    given = [query for query in judged(bundle, mini_catalogue, 100) if query.tells][:29]
    alike = [JudgedQuery(one.text, one.candidates, one.engine, (1.0,) * CANDIDATES) for one in given]
    with pytest.raises(ConfigurationError, match="at least 30 queries"):
        train_release(bundle_folder, mini_catalogue, [], tmp_path, judged=[*given, *alike])
    assert list(tmp_path.iterdir()) == []


def test_events_that_come_later_leave_relevance_as_it_is(
    released: Path, trained: Bundle, mini_catalogue: list[Item], bundle: Bundle, tmp_path: Path
) -> None:
    require_module("tensorflow", "train")
    from recommender.training.release import Settings, train_release

    events = two_tastes(mini_catalogue)
    later = load_bundle(train_release(released, mini_catalogue, events, tmp_path, settings=Settings(epochs=1)))
    assert later.manifest.signals == (*SIGNALS, *QUERY_SIGNALS, "views")
    assert later.manifest.metrics["relevance"] == trained.manifest.metrics["relevance"]
    for query in judged(bundle, mini_catalogue, 5):
        np.testing.assert_array_equal(scores(later, query), scores(trained, query))
    items = mini_catalogue[:9]
    vectors = later.embedder.embed(items)
    user = later.user_tower.embed(later.history(vectors[:3], ["view"] * 3, [60.0] * 3), None)
    signals = later.signals([Candidate(item, 0.0, 4) for item in items], [item.key.id for item in items[:3]], "v60")
    assert later.scorer.score(None, user, vectors, signals).personal.any()
