"""Whether the figures of an evaluation may be believed."""

from __future__ import annotations

from sidetower.evaluating import doubts
from sidetower.search_evaluation import doubts as doubts_of_searches


def test_a_bundle_that_learnt_from_nobody_is_believed() -> None:
    assert doubts("bundle-0", {"sampled_items": 100}, None) == []


def test_a_bundle_that_learnt_from_queries_alone_is_believed_about_people() -> None:
    assert doubts("bundle-1", {"trained_from": "bundle-0", "relevance": {"queries": 100}}, None) == []


def test_a_bundle_that_learnt_from_who_is_asked_is_doubted() -> None:
    for metrics in ({"epochs": 3}, {"epochs": 3, "held_out_percent": 0}):
        [doubt] = doubts("bundle-1", metrics, None)
        assert "--hold-out" in doubt
    assert doubts("bundle-1", {"epochs": 3, "held_out_percent": 15}, None) == []


def test_a_bundle_that_learnt_up_to_the_moment_is_believed_about_what_came_later() -> None:
    metrics = {"epochs": 3, "held_out_percent": 0, "learnt_until": 100.0}
    assert doubts("bundle-1", metrics, since=100.5) == []
    assert len(doubts("bundle-1", metrics, since=100.0)) == 1


def test_a_bundle_that_learnt_from_the_queries_is_doubted() -> None:
    assert doubts_of_searches("bundle-0", {"epochs": 3}) == []
    assert len(doubts_of_searches("bundle-1", {"relevance": {"queries": 100}})) == 1
    assert doubts_of_searches("bundle-1", {"relevance": {"queries": 100}, "queries_held_out_percent": 15}) == []
