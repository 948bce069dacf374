from __future__ import annotations

import pytest

from domain.errors import InvalidQuery
from domain.items import ItemKey
from domain.search import Exists, Filter, Not, Query, QueryVector, Range, Scope, Term, Terms
from domain.versions import VectorState
from plugin.opensearch.query import counts_body, filter_leg, inner_product, scan_body, text_leg, vector_leg
from tests import tiny_world as tiny

GENERATION = tiny.generation("listing-g1")
SCOPE = Scope("north", frozenset({"staff"}))
WALLS = [{"term": {"tenant": "north"}}, {"terms": {"audience": ["*", "staff"]}}]
NO_TOMBSTONE = {"term": {"vector_state": "removed"}}
FRAME = {"version": True, "track_total_hits": False}


def test_the_text_leg() -> None:
    query = Query("red car", filters=(Term("make", "fiat"),), exclude=("car-9",))
    match = {
        "query": "red car",
        "type": "most_fields",
        "operator": "or",
        "fields": ["text.title^3", "text.body^1"],
    }
    assert text_leg(GENERATION, SCOPE, query, 7) == {
        "query": {
            "bool": {
                "must": [{"multi_match": match}],
                "filter": [*WALLS, {"term": {"filter.make": "fiat"}}],
                "must_not": [NO_TOMBSTONE, {"terms": {"id": ["car-9"]}}],
            }
        },
        "size": 7,
        "sort": [{"_score": "desc"}, {"id": "asc"}],
        **FRAME,
    }


@pytest.mark.parametrize(("size", "k"), [(7, 100), (300, 300)])
def test_the_vector_leg_is_filtered_inside(size: int, k: int) -> None:
    vector = QueryVector(tiny.axis(3), "space-one")
    query = Query(vector=vector, filters=(Term("make", "fiat"),), exclude=("car-9",))
    body = vector_leg(GENERATION, SCOPE, query, vector, size)
    nearest = body["query"]["knn"]["vector"]
    assert nearest.pop("vector") is vector.values
    assert nearest == {
        "k": k,
        "filter": {
            "bool": {
                "filter": [
                    *WALLS,
                    {"term": {"filter.make": "fiat"}},
                    {"term": {"vector_state": "ready"}},
                    {"term": {"space": "space-one"}},
                ],
                "must_not": [NO_TOMBSTONE, {"terms": {"id": ["car-9"]}}],
            }
        },
    }
    assert (body["size"], body["sort"]) == (size, [{"_score": "desc"}, {"id": "asc"}])


def test_everything_that_passes_comes_by_id() -> None:
    assert filter_leg(GENERATION, SCOPE, Query(), 7) == {
        "query": {"bool": {"filter": WALLS, "must_not": [NO_TOMBSTONE]}},
        "size": 7,
        "sort": [{"id": "asc"}],
        **FRAME,
    }


@pytest.mark.parametrize(
    ("asked", "clause"),
    [
        (Term("price", 9), {"term": {"filter.price": 9}}),
        (Terms("electric", (True, False)), {"terms": {"filter.electric": [True, False]}}),
        (Range("price", gte=1, lt=2.5), {"range": {"filter.price": {"gte": 1, "lt": 2.5}}}),
        (Range("listed", gt=0.0, lte=9.0), {"range": {"filter.listed": {"gt": 0.0, "lte": 9.0}}}),
        (Exists("make"), {"exists": {"field": "filter.make"}}),
        (
            Not(Not(Term("make", "mg"))),
            {"bool": {"must_not": [{"bool": {"must_not": [{"term": {"filter.make": "mg"}}]}}]}},
        ),
    ],
)
def test_filters(asked: Filter, clause: dict[str, object]) -> None:
    body = filter_leg(GENERATION, SCOPE, Query(filters=(asked,)), 7)
    assert body["query"]["bool"]["filter"] == [*WALLS, clause]


@pytest.mark.parametrize(
    "wrong",
    [
        Term("nowhere", "x"),
        Term("price", True),
        Term("price", "9"),
        Term("make", 9.0),
        Terms("electric", (True, "no")),
        Range("make", gte=1),
        Range("price"),
        Not(Exists("nowhere")),
    ],
)
def test_a_filter_that_does_not_fit_its_field_is_refused(wrong: Filter) -> None:
    with pytest.raises(InvalidQuery):
        filter_leg(GENERATION, SCOPE, Query(filters=(wrong,)), 7)


def sent(text: str) -> str:
    body = text_leg(GENERATION, SCOPE, Query(text), 7)
    sent_text: str = body["query"]["bool"]["must"][0]["multi_match"]["query"]
    return sent_text


def test_a_long_text_is_cut_at_what_the_engine_takes() -> None:
    # Two fields: 1,000 clauses are 500 words.
    words = [f"w{number}" for number in range(600)]
    assert sent(" ".join(words)) == " ".join(words[:500])
    assert sent("!!! " + ", ".join(words[:500]) + "?") == "!!! " + ", ".join(words[:500])
    assert sent("!?" * 900) == "!?" * 900


def test_half_an_emoji_is_left_out() -> None:
    assert sent("red car \ud83d") == "red car "


def test_a_scan_goes_on_after_a_key() -> None:
    assert scan_body(None, 5, None, "") == {
        "query": {"match_all": {}},
        "size": 5,
        "sort": [{"tenant": "asc"}, {"id": "asc"}],
        **FRAME,
    }
    resumed = scan_body(ItemKey("north", "listing", "car-3"), 5, VectorState.PENDING, "")
    assert resumed["search_after"] == ["north", "car-3"]
    assert resumed["query"] == {"bool": {"filter": [{"term": {"vector_state": "pending"}}]}}
    outside = [{"exists": {"field": "space"}}, {"bool": {"must_not": [{"term": {"space": "space-one"}}]}}]
    assert scan_body(None, 5, None, "space-one")["query"] == {"bool": {"filter": outside}}


def test_counts_are_paged_by_tenant() -> None:
    tenants = {"size": 2, "sources": [{"tenant": {"terms": {"field": "tenant"}}}], "after": {"tenant": "north"}}
    assert counts_body({"tenant": "north"}, 2)["aggs"]["tenants"] == {
        "composite": tenants,
        "aggs": {
            "pending": {
                "filter": {"term": {"vector_state": "pending"}},
                "aggs": {"oldest": {"min": {"field": "written_at"}}},
            },
            "removed": {"filter": {"term": {"vector_state": "removed"}}},
        },
    }


@pytest.mark.parametrize("product", [1.0, 0.5, 0.0, -0.25, -1.0])
def test_scores_become_inner_products(product: float) -> None:
    score = 1 + product if product >= 0 else 1 / (1 - product)
    assert inner_product(score) == pytest.approx(product, abs=1e-12)
