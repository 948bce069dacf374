"""A bundle gets its calibration, and with it another id, and stays whole."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from domain.items import Item
from domain.search import Candidate
from recommender.bundle import Bundle, load_bundle
from recommender.evaluation.splits import QUERIES_HELD_OUT, REPORTED_PERCENT, id_hash
from recommender.training.relevance import JudgedQuery
from recommender.verification import bundle_faults
from sidetower.calibrating import calibrated
from tests.unit.recommender.mini import TOPICS

pytestmark = pytest.mark.training


def judged(bundle: Bundle, catalogue: list[Item], queries: int) -> list[JudgedQuery]:
    """Questions about a topic, each with all articles, of which those on the topic fit."""
    articles = [item for item in catalogue if item.key.kind == "article"]
    vectors = bundle.embedder.embed(articles)
    candidates = tuple(
        Candidate(item, 0.0, 4, vector, bundle.space) for item, vector in zip(articles, vectors, strict=True)
    )
    draw = random.Random(0)
    found: list[JudgedQuery] = []
    for number in range(queries):
        topic = draw.choice(sorted(TOPICS))
        labels = tuple(float(topic in item.texts["title"]) for item in articles)
        found.append(JudgedQuery(f"about my {topic} {number}", candidates, (0.0,) * len(articles), labels))
    return found


def test_what_fits_is_told_apart_by_its_probability(
    bundle: Bundle, own_folder: Path, mini_catalogue: list[Item]
) -> None:
    queries = judged(bundle, mini_catalogue, 200)
    folder = calibrated(own_folder, queries, 0.8, hold_out=True)
    assert bundle_faults(folder) == []
    found = load_bundle(folder)
    assert found.id == folder.name != bundle.id
    assert found.manifest.metrics[QUERIES_HELD_OUT] == REPORTED_PERCENT
    calibration = found.manifest.calibration
    assert calibration is not None
    assert calibration.slope > 0
    assert 0 < calibration.threshold < 1


def test_too_few_held_out_pairs_leave_it_without_one(
    bundle: Bundle, own_folder: Path, mini_catalogue: list[Item]
) -> None:
    few = [one for one in judged(bundle, mini_catalogue, 200) if id_hash("validation", one.text) % 100 >= 12]
    folder = calibrated(own_folder, few, 0.8)
    assert load_bundle(folder).manifest.calibration is None
    assert load_bundle(folder).manifest.metrics[QUERIES_HELD_OUT] == 0
