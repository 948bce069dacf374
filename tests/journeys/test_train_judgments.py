"""A host trains on judged queries: queries that nobody judged are answered better, and the items stay as they are."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from domain.search import Scope
from recommender.evaluation.metrics import judge
from rerank_service.deadline import Deadline
from rerank_service.request import SearchRequest
from tests.journeys.catalogue import MAKES, THEMES, Document, write_jsonl
from tests.journeys.conftest import FirstIndex
from tests.journeys.house import KIND, House

# The first index and the training share one time-out, whichever test comes first.
pytestmark = [pytest.mark.training, pytest.mark.slow, pytest.mark.timeout(900)]

#: What people who search want: a car of the make that has it and that others look at, too.
SEEN = 500
JUDGED = 25
QUERIES = [(make, praise) for make in MAKES for praises in THEMES.values() for praise in praises]


def text(query: tuple[str, str]) -> str:
    return " ".join(query)


def fits(car: Document, query: tuple[str, str]) -> bool:
    make, praise = query
    return car["make"] == make and praise in car["title"] + car["description"] and car["views"] >= SEEN


def judgments(cars: list[Document], queries: list[tuple[str, str]]) -> list[Document]:
    """Cars of the make or of the praise; how well they fit."""
    draw = random.Random(0)
    told = []
    for query in queries:
        near = [car for car in cars if query[0] == car["make"] or query[1] in car["title"] + car["description"]]
        some = draw.sample(near, JUDGED) + [car for car in cars if fits(car, query)][:5]
        told += [{"query": text(query), "item_id": car["listing_id"], "label": int(fits(car, query))} for car in some]
    return told


def quality(house: House, cars: list[Document], queries: list[tuple[str, str]]) -> float:
    """Mean NDCG@10 of searches as the service answers them."""
    searches = house.parts().searches
    public = [car for car in cars if car["visible_to"] == "*"]
    orders, wanted = [], []
    for query in queries:
        relevant = {car["listing_id"] for car in public if fits(car, query)}
        if relevant:
            request = SearchRequest(KIND, Scope("north"), text=text(query), deadline=Deadline(60.0))
            hits = [hit.item.key.id for hit in searches.search(request).hits]
            ids = list(dict.fromkeys([*hits, *relevant]))
            orders.append([ids.index(id_) for id_ in hits])
            wanted.append({ids.index(id_) for id_ in relevant})
    searches.close()
    return float(judge(orders, wanted).ndcg.mean())


@pytest.fixture(scope="module")
def trained(first_index: FirstIndex, tmp_path_factory: pytest.TempPathFactory) -> tuple[House, Document]:
    """A house that learnt from two thirds of the queries and serves it; one judgment names no item."""
    house = first_index.house.copy(tmp_path_factory.mktemp("judged") / "house")
    learnt = [query for number, query in enumerate(QUERIES) if number % 3]
    lines = judgments(first_index.documents, learnt)
    lines.insert(3, {"query": "a car", "label": 1})
    write_jsonl(house.folder / "judgments.jsonl", lines)
    done = house.run("train", "--judgments", "judgments.jsonl", "--tenant", "north", "--serve", "--json")
    assert done.returncode == 3, done.stderr
    return house, json.loads(done.stdout)


def test_judgments_are_learnt_from_and_the_broken_one_is_counted(trained: tuple[House, Document]) -> None:
    house, told = trained
    queries = sum(number % 3 > 0 for number in range(len(QUERIES)))
    assert (told["broken"], told["serving"], "events" in told) == (1, True, False)
    assert told["training"]["relevance"]["queries"] <= queries
    signals = house.parts().bundle(told["bundle"]).manifest.signals
    assert signals[-1] == "views"


def test_queries_that_nobody_judged_are_answered_better(
    trained: tuple[House, Document], first_index: FirstIndex
) -> None:
    house, _ = trained
    asked = QUERIES[::3]
    before, after = (quality(one, first_index.documents, asked) for one in (first_index.house, house))
    assert after > before + 0.1


def test_the_command_line_searches_with_it(trained: tuple[House, Document]) -> None:
    house, told = trained
    found = house.json("search", "Volvo ski rack", "--tenant", "north")
    assert found["ranked_by"] == told["bundle"]


def test_nothing_to_learn_from_is_told(first_index: FirstIndex, tmp_path: Path) -> None:
    house = first_index.house.copy(tmp_path / "house")
    assert json.loads(house.run("train", "--json").stderr)["error"]["expected"] == "--events or --judgments"
    write_jsonl(house.folder / "few.jsonl", judgments(first_index.documents, QUERIES[:5]))
    done = house.run("train", "--judgments", "few.jsonl", "--tenant", "north", "--json")
    assert done.returncode == 2
    assert "at least 30 queries" in json.loads(done.stderr)["error"]["expected"]
