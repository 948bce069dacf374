"""Whether the figures of an evaluation may be believed."""

from __future__ import annotations

from sidetower.evaluating import doubts


def test_a_bundle_that_learnt_from_nobody_is_believed() -> None:
    assert doubts("bundle-0", {"sampled_items": 100}, None) == []


def test_a_bundle_that_learnt_from_who_is_asked_is_doubted() -> None:
    for metrics in ({"trained_from": "bundle-0"}, {"trained_from": "bundle-0", "held_out_percent": 0}):
        [doubt] = doubts("bundle-1", metrics, None)
        assert "--hold-out" in doubt
    assert doubts("bundle-1", {"trained_from": "bundle-0", "held_out_percent": 15}, None) == []


def test_a_bundle_that_learnt_up_to_the_moment_is_believed_about_what_came_later() -> None:
    metrics = {"trained_from": "bundle-0", "held_out_percent": 0, "learnt_until": 100.0}
    assert doubts("bundle-1", metrics, since=100.0) == []
    assert len(doubts("bundle-1", metrics, since=99.0)) == 1
