"""The report: everything that was found, in one file that loads nothing and runs nothing."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from sidetower.report.page import page
from sidetower.report.svg import Bar, bars, curve
from tests.support.evaluation import HOSTILE, evaluation

#: Elements that have no end.
VOID = {"meta"}


class Reader(HTMLParser):
    """The elements of a page, each closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.names: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def text() -> str:
    return page(evaluation())


def test_the_page_loads_and_runs_nothing(text: str) -> None:
    found = Reader(text)
    assert not {"script", "link", "img", "iframe", "object"} & set(found.names)
    assert not [name for name, _ in found.attributes if name in {"src", "href"} or name.startswith("on")]
    assert "url(" not in text
    assert "@import" not in text


def test_what_items_and_tenants_are_called_is_text(text: str) -> None:
    assert HOSTILE not in text
    assert HOSTILE in Reader(text).text


def test_every_figure_verdict_and_doubt_is_told(text: str) -> None:
    found, told = evaluation(), Reader(text).text
    assert found.people is not None
    assert found.searches is not None
    for part in (found.people, found.searches):
        for one in part.comparisons:
            assert one.verdict()[1:] in told
            assert all(str(figures["NDCG@10"]) in told for figures in one.methods.values())
        assert all(str(gain["NDCG@10"]) in told for gain in part.comparisons[0].gains.values())
        assert all(doubt in told for doubt in part.doubts)
    assert str(found.searches.reliability) in told
    assert "Training loss" in told


def test_what_nobody_asked_is_not_told() -> None:
    told = Reader(page(replace(evaluation(), people=None))).text
    assert "Searches" in told
    assert "Everybody" not in told
    told = Reader(page(replace(evaluation(), searches=None))).text
    assert "Searches" not in told


def test_a_bundle_that_was_never_trained_has_no_curves() -> None:
    assert "Training loss" not in page(replace(evaluation(), training={"sampled_items": 40}))


def test_bars_are_as_long_as_their_figures() -> None:
    found = bars([Bar("a", 0.4, 0.3, 0.5), Bar("b", 0.2, 0.1, 0.3)], "test")
    long, short = (float(one) for one in re.findall(r'<rect [^>]*width="([\d.]+)"', found))
    assert long / short == pytest.approx(0.4 / 0.2, rel=1e-2)
    below = bars([Bar("a", -0.2, -0.3, -0.1), Bar("b", 0.2, 0.1, 0.3)], "test")
    left, right = (float(one) for one in re.findall(r'<rect [^>]* x="([\d.]+)"', below))
    assert left < right


def test_a_curve_of_one_step_or_of_equal_ones_has_a_place() -> None:
    for values in ([2.0], [1.0, 1.0, 1.0]):
        assert "nan" not in curve(values, "test", 0)
