"""An engineer asks whether a bundle may stand beside the search tonight."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from tests.journeys.catalogue import MAKES, THEMES, write_jsonl
from tests.journeys.conftest import FirstIndex
from tests.journeys.house import House

pytestmark = [pytest.mark.training, pytest.mark.slow, pytest.mark.timeout(900)]

#: People who like every second one of the first cars.
CARS, PEOPLE, LIKED = 60, 300, 10
START = 1_700_000_000_000


def clicks(first_index: FirstIndex, people: int = PEOPLE) -> list[dict[str, object]]:
    """Events that have nothing to do with what the cars are."""
    draw = random.Random(0)
    ids = [one["listing_id"] for one in first_index.documents[:CARS]]
    return [
        {"user_id": f"u{person}", "action_name": "click", "object_id": id_, "timestamp": START + 1_000 * number}
        for person in range(people)
        for number, id_ in enumerate(draw.sample(ids[person % 2 :: 2], LIKED))
    ]


@pytest.fixture(scope="module")
def asked(first_index: FirstIndex, tmp_path_factory: pytest.TempPathFactory) -> House:
    """A house with a file of events."""
    house = first_index.house.copy(tmp_path_factory.mktemp("asked") / "house")
    write_jsonl(house.folder / "events.jsonl", clicks(first_index))
    return house


@pytest.fixture(scope="module")
def told(asked: House) -> dict[str, Any]:
    """What it answers about the bundle that serves, which learnt from nobody."""
    document: dict[str, Any] = asked.json(
        "evaluate", "--events", "events.jsonl", "--tenant", "north", "--out", "figures.json", "--report", "report.html"
    )
    return document


def test_a_baseline_that_is_better_is_named(told: dict[str, Any]) -> None:
    everybody = told["people"]["slices"][0]
    assert everybody["slice"] == "all"
    assert everybody["winner"] == everybody["best_baseline"] in {"EASE", "ItemKNN"}
    assert f"{everybody['winner']} is better than the bundle" in everybody["verdict"]
    assert everybody["gains"][everybody["winner"]]["NDCG@10"]["high"] < 0
    assert told["people"]["doubts"] == []
    assert told["searches"] is None


def test_every_item_was_ranked_and_the_figures_are_in_the_file(
    told: dict[str, Any], asked: House, first_index: FirstIndex
) -> None:
    assert told["items"] == len(first_index.documents)
    assert json.loads((asked.folder / "figures.json").read_text()) == told


def test_the_report_is_a_page_about_this_bundle(told: dict[str, Any], asked: House) -> None:
    text = (asked.folder / "report.html").read_text()
    assert text.startswith("<!doctype html>")
    assert f"<h1>{told['bundle']}</h1>" in text
    assert "coloured by make" in text


def test_people_read_a_table_and_a_sentence_for_each_slice(asked: House) -> None:
    done = asked.run("evaluate", "--events", "events.jsonl", "--tenant", "north", "--since", "2023-11-14T22:13:28Z")
    assert done.returncode == 0, done.stderr
    assert "popularity" in done.stdout
    assert "all: " in done.stdout + done.stderr


def test_searches_are_laid_beside_bm25_and_the_engines_order(asked: House, first_index: FirstIndex) -> None:
    cars = [car for car in first_index.documents if car["visible_to"] == "*"]
    queries = [
        (f"{words[0]} {words[1]}", make, praise)
        for make in MAKES
        for praises in THEMES.values()
        for praise in praises
        for words in ((make, praise), (praise, make))
    ]
    draw = random.Random(0)
    told = []
    for text, make, praise in queries:
        for car in draw.sample(cars, 20) + [one for one in cars if one["make"] == make][:10]:
            fits = (car["make"] == make) + (praise in car["title"] + car["description"])
            told.append({"query": text, "item_id": car["listing_id"], "label": fits})
    write_jsonl(asked.folder / "judgments.jsonl", told)
    document = asked.json(
        "evaluate", "--judgments", "judgments.jsonl", "--tenant", "north", "--report", "searches.html"
    )
    assert document["people"] is None
    [searches] = document["searches"]["slices"]
    assert set(searches["methods"]) == {"bundle", "engine order", "BM25"}
    assert 20 <= searches["cases"] <= 0.3 * len(queries)
    assert all(one["NDCG@10"]["value"] > 0.5 for one in searches["methods"].values())
    assert (document["searches"]["reliability"], document["searches"]["doubts"]) == (None, [])
    assert "Searches" in (asked.folder / "searches.html").read_text()


def test_nothing_to_ask_about_is_told(asked: House) -> None:
    done = asked.run("evaluate", "--tenant", "north", "--json")
    assert done.returncode == 2
    assert json.loads(done.stderr)["error"]["expected"] == "--events or --judgments"


def test_too_few_people_are_no_answer(asked: House, first_index: FirstIndex) -> None:
    write_jsonl(asked.folder / "few.jsonl", clicks(first_index, people=40))
    done = asked.run("evaluate", "--events", "few.jsonl", "--tenant", "north", "--json")
    assert done.returncode == 2
    assert json.loads(done.stderr)["error"]["expected"].startswith("at least 20 people")


def test_a_wrong_date_and_a_broken_event_are_told(asked: House) -> None:
    done = asked.run("evaluate", "--events", "events.jsonl", "--tenant", "north", "--since", "soon", "--json")
    assert done.returncode == 2
    assert json.loads(done.stderr)["error"]["place"] == "--since"
    lines = (asked.folder / "events.jsonl").read_text()
    (asked.folder / "broken.jsonl").write_text(lines + '{"user_id": "u1"}\n')
    done = asked.run("evaluate", "--events", "broken.jsonl", "--tenant", "north", "--json")
    assert done.returncode == 3
    assert json.loads(done.stdout)["broken"] == 1
