"""POST /v1/rerank in Cohere's shape: the answer that its clients read, in Java above all."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rerank_service.relevance import by_place, by_text
from rerank_service.rerank_bodies import DOCUMENT_CHARACTERS, document_text
from tests.service.rerank.faults import FailingEncoder
from tests.service.rerank.test_errors import error_of
from tests.service.rerank.world import KINDS, World, seen
from tests.support.service_client import ServiceClient
from tests.support.toy_bundle import ToyBundle

CARS = ["blue van diesel", "red estate petrol", "red estate diesel", "?!", "red roadster petrol"]

_RESULT = re.compile(r'\{"index":([^,}]*),"relevance_score":([^,}]*)[,}]')


def read_as_java_does(raw: bytes, documents: int) -> list[float]:
    """The scores by document, as ML Commons' `CohereRerankPostProcessFunction` reads them out of the text.

    It makes an array as long as the results, and casts ``(Integer) index`` and ``(Double) relevance_score``. json-smart
    makes an Integer of digits alone, a Double of a number with a decimal point or exponent, and a BigDecimal of one
    of more than 18 characters; each other type fails the cast.
    """
    found = _RESULT.findall(raw.decode("ascii"))
    assert raw.count(b'"relevance_score"') == len(found) == documents
    scores: list[float] = [-1.0] * len(found)
    for index, score in found:
        assert re.fullmatch(r"0|[1-9][0-9]{0,8}", index)
        assert re.fullmatch(r"[0-9]+\.[0-9]+", score)
        assert len(score) <= 18
        assert len(score.replace(".", "").lstrip("0")) <= 15
        assert 0 <= float(score) <= 1
        scores[int(index)] = float(score)
    assert min(scores) >= 0, "an index is missing"
    return scores


def raw_answer(client: ServiceClient, **body: Any) -> bytes:
    answer = client.ask("POST", "/v1/rerank", json={"kind": "listing", "deadline_ms": 10_000, **body})
    assert answer.status_code == 200, answer.text
    return answer.content


@pytest.fixture
def client(world: World) -> ServiceClient:
    """The service as Cohere's clients ask it: without a tenant."""
    return ServiceClient(world.app(), None)


def test_texts_are_ranked_by_the_query(client: ServiceClient) -> None:
    answer = client.rerank_documents("red estate diesel", CARS)
    assert set(answer) == {"id", "results", "meta"}
    assert [one["index"] for one in answer["results"]] == [2, 1, 0, 4, 3]
    assert answer["results"][0]["relevance_score"] == pytest.approx((1 + 1) / 2)
    # Two of three words in common: cosine 2 / 3.
    assert answer["results"][1]["relevance_score"] == pytest.approx((1 + 2 / 3) / 2)
    assert answer["results"][4]["relevance_score"] == 0
    assert set(answer["results"][0]) == {"index", "relevance_score"}
    assert answer["meta"]["ranked_by"] == "toy-1"
    assert answer["meta"]["degraded"] is None


@pytest.mark.parametrize(
    "body",
    [
        {"query": "red estate diesel", "documents": CARS},
        {"query": "red estate diesel", "documents": CARS, "top_n": 5, "model": "m", "return_documents": True},
        {"query": "red", "documents": ["red"]},
        {"query": "", "documents": CARS},
        {"query": "?!", "documents": CARS},
        {"query": "red", "documents": ["same"] * 1_000},
        {"query": "red", "documents": [f"red car {number} of many" for number in range(1_000)]},
        {"query": "red", "documents": CARS, "deadline_ms": 1},
    ],
    ids=["plain", "full", "one", "no query", "no word", "all equal", "a thousand", "too late"],
)
def test_the_bytes_pass_the_casts_of_java(client: ServiceClient, body: dict[str, Any]) -> None:
    raw = raw_answer(client, **body)
    if body.get("return_documents"):
        raw = re.sub(rb',"document":\{"text":"[^"]*"\}', b"", raw)
    scores = read_as_java_does(raw, len(body["documents"]))
    order = [int(index) for index, _ in _RESULT.findall(raw.decode())]
    assert order == sorted(range(len(scores)), key=lambda index: (-scores[index], index))


def test_the_bytes_pass_the_casts_of_java_with_items_and_with_faults(world: World) -> None:
    ids = ["n5", "nowhere", "n4", "n1", "n2"]
    body = {"query": "red", "documents": CARS, "item_ids": ids, "history": seen("n4")}
    assert len(set(read_as_java_does(raw_answer(ServiceClient(world.app()), **body), 5))) == 5
    world.bundles["toy-1"] = ToyBundle(encoder=FailingEncoder())
    scores = read_as_java_does(raw_answer(ServiceClient(world.app()), query="red", documents=CARS), 5)
    assert scores == [1.0, 0.8, 0.6, 0.4, 0.2]


UNITS = st.lists(
    st.one_of(st.floats(-1, 1), st.sampled_from([0.0, 1.0, -1.0, 1e-12, -1e-12, 1 / 3])), min_size=1, max_size=20
)


@settings(deadline=None)
@given(cosines=UNITS)
def test_any_cosine_makes_a_number_that_java_reads(cosines: list[float]) -> None:
    rows = [[cosine, np.sqrt(max(0.0, 1 - cosine * cosine))] for cosine in cosines]
    documents = np.array(rows, dtype=np.float32)
    found = by_text(np.array([1, 0], dtype=np.float32), documents)
    assert sorted(one.index for one in found) == list(range(len(cosines)))
    told = ",".join(f'{{"index":{one.index},"relevance_score":{one.number}}}' for one in found)
    scores = read_as_java_does(told.encode(), len(cosines))
    assert [(-one.score, one.index) for one in found] == sorted((-one.score, one.index) for one in found)
    for score, cosine in zip(scores, cosines, strict=True):
        assert score == pytest.approx((1 + cosine) / 2, abs=1e-6)


def test_unit_vectors_that_are_rounded_up_stay_within_0_and_1() -> None:
    long = np.array([1.0001, 0], dtype=np.float32)
    found = by_text(long, np.stack([long, -long]))
    assert [(one.index, one.number) for one in found] == [(0, "1.000000000"), (1, "0.000000000")]


@given(order=st.permutations(range(8)))
def test_scores_by_place_fall_with_the_place(order: list[int]) -> None:
    found = by_place(order)
    assert [one.index for one in found] == order
    assert [one.score for one in found] == [1.0, 0.875, 0.75, 0.625, 0.5, 0.375, 0.25, 0.125]


def test_ties_are_in_order_of_index(client: ServiceClient) -> None:
    answer = client.rerank_documents("red", ["blue", "red car", "green", "car red", "red car"])
    assert [one["index"] for one in answer["results"]] == [1, 3, 4, 0, 2]


def test_top_n_cuts_what_is_told(client: ServiceClient) -> None:
    for top_n, told in ((1, 1), (5, 5), (50, 5), (None, 5)):
        assert len(client.rerank_documents("red", CARS, top_n=top_n)["results"]) == told


def test_documents_are_told_again_on_request(client: ServiceClient) -> None:
    documents = ["blue", {"title": "red", "price": 5}]
    answer = client.rerank_documents("red", documents, return_documents=True)
    assert [one["document"] for one in answer["results"]] == [{"title": "red", "price": 5}, {"text": "blue"}]


def test_what_is_read_of_a_document() -> None:
    assert document_text("x" * 5_000) == "x" * DOCUMENT_CHARACTERS
    assert document_text({"text": "red", "title": "blue"}) == "red"
    assert document_text({"title": "red", "price": 5, "sold": True, "tags": ["a"], "none": None}) == "red\n5"
    assert document_text({"text": "red", "title": "blue", "make": "mg"}, ["make", "title", "no"]) == "mg\nblue"
    assert document_text({}) == ""


def test_object_documents_are_ranked_by_the_fields_named(client: ServiceClient) -> None:
    documents = [{"title": "blue", "note": "red"}, {"title": "red", "note": "blue"}]
    by_title = client.rerank_documents("red", documents, rank_fields=["title"])
    assert [one["index"] for one in by_title["results"]] == [1, 0]


def test_items_are_ranked_as_candidates_are(north: ServiceClient) -> None:
    ids = ["n1", "nowhere", "n2", "n3", "n4"]
    asked: dict[str, Any] = {"query": "petrol", "history": seen("n4"), "user": "u1", "weight": 0.9}
    as_candidates = north.rerank(*ids, **asked)
    as_documents = north.rerank_documents(documents=CARS, item_ids=ids, **asked)
    assert [one["index"] for one in as_documents["results"]] == [one["index"] for one in as_candidates["results"]]
    assert [one["relevance_score"] for one in as_documents["results"]] == [1.0, 0.8, 0.6, 0.4, 0.2]
    assert as_documents["meta"]["history_used"] == 1


def test_audiences_reach_the_items(north: ServiceClient) -> None:
    asked: dict[str, Any] = {"query": "auction", "documents": ["a", "b"], "item_ids": ["n1", "dealer"], "weight": 1}
    closed = north.rerank_documents(**asked)
    assert [one["index"] for one in closed["results"]] == [0, 1]
    assert north.rerank_documents(**asked, audiences=["dealers"])["meta"]["ranked_by"] == "toy-1"


def test_the_only_kind_need_not_be_named(world: World) -> None:
    body = {"query": "red", "documents": ["blue", "red"], "deadline_ms": 10_000}
    alone = ServiceClient(world.app(kinds={"listing": KINDS["listing"]}), None).ask("POST", "/v1/rerank", json=body)
    assert [one["index"] for one in alone.json()["results"]] == [1, 0]
    several = ServiceClient(world.app(), None).ask("POST", "/v1/rerank", json=body)
    assert (several.status_code, error_of(several)["place"]) == (422, "body.kind")


@pytest.mark.parametrize(
    ("change", "place", "expected"),
    [
        ({"documents": []}, "body.documents", "at least 1"),
        ({"documents": ["x"] * 1_001}, "body.documents", "at most 1000"),
        ({"documents": "red"}, "body.documents", "a valid list"),
        ({"documents": ["red", 5]}, "body.documents[1]", "text, or a JSON object"),
        ({"documents": [None]}, "body.documents[0]", "text, or a JSON object"),
        ({"query": None}, "body.query", "a valid string"),
        ({"query": "x" * 10_001}, "body.query", "at most 10000 characters"),
        ({"top_n": 0}, "body.top_n", "greater than or equal to 1"),
        ({"top_n": "3"}, "body.top_n", "a valid integer"),
        ({"topn": 3}, "body.topn", "no such field"),
        ({"candidates": []}, "body.candidates", "no such field"),
        ({"user": "u1"}, "body.user", "item_ids beside it"),
        ({"history": seen("n1")}, "body.history", "item_ids beside it"),
        ({"audiences": ["dealers"]}, "body.audiences", "item_ids beside it"),
        ({"weight": 0}, "body.weight", "item_ids beside it"),
        ({"item_ids": ["n1"]}, "body.item_ids", "one id for each document: 2"),
        ({"item_ids": ["n1", "n1"]}, "body.item_ids[1]", "every id once"),
        ({"item_ids": ["n1", None]}, "body.item_ids[1]", "text or a whole number"),
    ],
)
def test_wrong_documents_are_told(north: ServiceClient, change: dict[str, Any], place: str, expected: str) -> None:
    body = {"kind": "listing", "query": "red", "documents": ["red", "blue"], **change}
    answer = north.ask("POST", "/v1/rerank", json=body)
    error = error_of(answer)
    assert (answer.status_code, error["place"]) == (422, place)
    assert expected in error["expected"]


def test_items_need_their_tenant(client: ServiceClient) -> None:
    body = {"kind": "listing", "query": "red", "documents": ["a"], "item_ids": ["n1"]}
    answer = client.ask("POST", "/v1/rerank", json=body)
    assert (answer.status_code, error_of(answer)["place"]) == (422, "header X-Sidetower-Tenant")
