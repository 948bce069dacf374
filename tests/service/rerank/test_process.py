"""The service as a real process behind a socket."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.service.rerank.served_process import Served

HEADERS = {"X-Sidetower-Tenant": "north"}


@pytest.fixture
def address(served: Served) -> str:
    """Where a service process listens, on loopback."""
    return served.address


def test_it_answers_ranked_from_its_first_request_on(address: str) -> None:
    with httpx.Client(base_url=address, headers=HEADERS, timeout=10) as client:
        assert client.get("/readyz").json()["ready"] is True
        body = {"kind": "listing", "query": "red estate", "deadline_ms": 5000}
        answer = client.post("/v1/search", json=body).json()
        assert answer["ranked_by"] == "toy-1"
        assert answer["hits"]


def test_ids_survive_a_real_server(address: str) -> None:
    with httpx.Client(base_url=address, headers=HEADERS, timeout=10) as client:
        document = {"title": "odd", "version": 1, "visible_to": ["*"]}
        answer = client.put("/v1/items/listing/k%C3%B6ln%2F7%3F", json=document)
        assert answer.json()["id"] == "köln/7?"
        assert client.get("/v1/similar/listing/a%FF").status_code == 422
        assert client.put("/v1/items/listing/x", content=b"x" * 2_000_000).status_code == 413


def test_many_people_at_once_get_the_answers_of_one(address: str) -> None:
    with httpx.Client(base_url=address, headers=HEADERS, timeout=30) as client:

        def ask(text: str) -> list[tuple[str, float]]:
            body = {"kind": "listing", "query": text, "deadline_ms": 10_000}
            return [(hit["id"], hit["score"]) for hit in client.post("/v1/search", json=body).json()["hits"]]

        texts = ["red", "blue", "red estate", "petrol", "diesel van"] * 20
        alone = {text: ask(text) for text in texts[:5]}
        with ThreadPoolExecutor(8) as people:
            answers = list(people.map(ask, texts))
    assert answers == [alone[text] for text in texts]
