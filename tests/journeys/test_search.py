"""A person tries the index out from the command line: search, similar items, status."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.journeys.catalogue import CONFIG, THEMES, Document
from tests.journeys.conftest import NORTH, SOUTH, FirstIndex
from tests.journeys.house import House
from tests.journeys.processes import run

pytestmark = [pytest.mark.training, pytest.mark.slow]


def found(house: House, *arguments: str, tenant: str = "north", limit: int = 100) -> list[dict[str, Any]]:
    """The hits of a search or similar command that succeeds, and is not degraded."""
    answer = house.json(*arguments, "--tenant", tenant, "--limit", str(limit))
    assert answer["degraded"] is None
    assert answer["ranked_by"]
    hits: list[dict[str, Any]] = answer["hits"]
    return hits


@pytest.fixture(scope="module")
def by_id(first_index: FirstIndex) -> dict[str, Document]:
    return {one["listing_id"]: one for one in first_index.documents}


def test_search_finds_by_words_and_shows_the_same_as_table_and_as_json(house_of_two: House) -> None:
    hits = found(house_of_two, "search", "volvo with heated seats", limit=5)
    assert len(hits) == 5
    assert [hit["score"] for hit in hits] == sorted((hit["score"] for hit in hits), reverse=True)
    assert all(hit["fields"]["make"] == "Volvo" or hit["fields"]["theme"] == "winter" for hit in hits)
    done = house_of_two.run("search", "volvo with heated seats", "--tenant", "north", "--limit", "5")
    assert (done.returncode, done.stderr) == (0, "")
    head, *rows = done.stdout.splitlines()
    assert head.split() == ["id", "title", "make", "price", "score", "engine", "rank"]
    assert [row.split()[:2] for row in rows] == [[str(n), hit["id"]] for n, hit in enumerate(hits, start=1)]


@pytest.mark.parametrize(
    ("written", "holds"),
    [
        (["make=Volvo"], lambda car: car["make"] == "Volvo"),
        (["make!=Volvo"], lambda car: car["make"] != "Volvo"),
        (["price<=9000"], lambda car: car["price"] <= 9_000),
        (["price>=30000"], lambda car: car["price"] >= 30_000),
        (["price>20000", "price<25000"], lambda car: 20_000 < car["price"] < 25_000),
        (["sold=true"], lambda car: car["sold"]),
        (
            ["theme=sport", "sold!=true", "make=Opel"],
            lambda c: (c["theme"], c["sold"], c["make"]) == ("sport", False, "Opel"),
        ),
    ],
)
def test_filters_keep_exactly_what_they_say(
    house_of_two: House, by_id: dict[str, Document], written: list[str], holds: Any
) -> None:
    options = [part for one in written for part in ("--filter", one)]
    hits = found(house_of_two, "search", "", *options)
    right = sorted(id_ for id_, car in by_id.items() if car["visible_to"] == "*" and holds(car))
    assert [hit["id"] for hit in hits] == right[:100]
    assert 0 < len(right) < NORTH


def test_nobody_sees_what_is_for_another_audience(house_of_two: House, by_id: dict[str, Document]) -> None:
    for_staff = {id_ for id_, car in by_id.items() if car["visible_to"] == "staff"}
    options = ("search", "volvo", "--filter", "theme=winter")
    assert not for_staff & {hit["id"] for hit in found(house_of_two, *options)}
    seen = {hit["id"] for hit in found(house_of_two, *options, "--audience", "staff")}
    assert for_staff & seen
    assert seen - for_staff
    hidden = sorted(for_staff)[0]
    done = house_of_two.run("similar", hidden, "--tenant", "north")
    assert done.returncode == 4
    assert found(house_of_two, "similar", hidden, "--audience", "staff")


def test_tenants_are_walls(house_of_two: House, south_documents: list[Document]) -> None:
    visible = {one["listing_id"]: one["title"] for one in south_documents if one["visible_to"] == "*"}
    everything = found(house_of_two, "search", "", tenant="south")
    assert {hit["id"]: hit["fields"]["title"] for hit in everything} == visible
    for arguments in (("search", "volvo with heated seats"), ("similar", "car-3")):
        hits = found(house_of_two, *arguments, tenant="south")
        assert hits
        assert {hit["id"]: hit["fields"]["title"] for hit in hits}.items() <= visible.items()
    nobody = house_of_two.run("search", "volvo", "--tenant", "nobody")
    assert (nobody.returncode, nobody.stdout.strip()) == (0, "Nothing found.")
    assert house_of_two.run("similar", f"car-{SOUTH}", "--tenant", "south").returncode == 4


def test_similar_items_are_of_the_same_theme_and_never_the_item_itself(
    house_of_two: House, by_id: dict[str, Document]
) -> None:
    same = 0
    for theme in THEMES:
        seed = next(id_ for id_, car in by_id.items() if car["theme"] == theme and car["visible_to"] == "*")
        hits = found(house_of_two, "similar", seed, limit=10)
        assert seed not in {hit["id"] for hit in hits}
        same += sum(hit["fields"]["theme"] == theme for hit in hits)
    assert same > 0.8 * 4 * 10
    done = house_of_two.run("similar", seed, "--tenant", "north", "--filter", f"theme!={theme}", "--json")
    assert theme not in {hit["fields"]["theme"] for hit in json.loads(done.stdout)["hits"]}


def test_status_tells_what_is_served_and_that_nothing_waits(house_of_two: House) -> None:
    told = house_of_two.json("status")
    assert told["queue"] is None
    assert told["parked"] == []
    first, second = told["generations"]
    assert first["bundle"].startswith("bundle-")
    assert {name: first[name] for name in ("kind", "tenant", "items", "pending", "removed", "done", "state")} == {
        "kind": "listing",
        "tenant": "north",
        "items": NORTH - 1,
        "pending": 0,
        "removed": 0,
        "done": "yes",
        "state": "serving",
    }
    assert (second["tenant"], second["items"]) == ("south", SOUTH)
    table = house_of_two.run("status").stdout
    assert f"{NORTH - 1}" in table
    assert "embedded" in table


@pytest.mark.parametrize(
    ("arguments", "status", "told"),
    [
        (["similar", "car-nowhere", "-t", "north"], 4, ("car-nowhere", "", "", "")),
        (["search", "volvo", "-t", "north", "-f", "colour=red"], 2, ("filters[0]", "make", "colour", "")),
        (["search", "volvo", "-t", "north", "-f", "make"], 2, ("--filter", "FIELD", "make", "--filter make=BMW")),
        (["search", "volvo", "-t", "north", "-f", "price=cheap"], 2, ("price", "number", "cheap", "")),
        (["search", "volvo", "-t", "north", "-f", "make<=Opel"], 2, ("make", "price", "keyword", "")),
        (["search", "volvo"], 2, ("--tenant", "who asks", "nothing", "--tenant NAME")),
        (
            ["search", "volvo", "-t", "north", "--kind", "lsting"],
            4,
            ("sidetower.toml", "listing", "lsting", "listing?"),
        ),
        (["similar", "car-3"], 2, ("--tenant", "who asks", "nothing", "--tenant NAME")),
    ],
)
def test_what_cannot_be_asked_says_why_and_the_way_out(
    house_of_two: House, arguments: list[str], status: int, told: tuple[str, ...]
) -> None:
    done = house_of_two.run(*arguments, "--json")
    assert done.returncode == status, done.stderr
    assert done.stdout == ""
    error = json.loads(done.stderr)["error"]
    for part, words in zip(("place", "expected", "got", "fix"), told, strict=True):
        assert error[part]
        assert words in error[part], error


def test_before_the_first_index_everything_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "sidetower.toml").write_text(CONFIG)
    done = run(tmp_path, "search", "volvo", "--tenant", "north")
    assert done.returncode == 7
    assert "index" in done.stderr
    done = run(tmp_path, "similar", "car-3", "--tenant", "north")
    assert done.returncode == 7
    done = run(tmp_path, "status")
    assert (done.returncode, done.stdout.splitlines()[1]) == (0, "Nothing is indexed yet: run sidetower index.")
    assert run(tmp_path, "work", "--once", "--json").returncode == 0


def test_damaged_bundle_degrades_and_says_so(copied: House) -> None:
    [encoder] = (copied.folder / ".sidetower" / "bundles").glob("*/scorer.onnx")
    encoder.write_bytes(encoder.read_bytes()[:-1])
    done = copied.run("search", "volvo", "--tenant", "north", "--json")
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert (answer["degraded"], answer["ranked_by"]) == ("bundle_refused", None)
    assert [hit["engine_rank"] for hit in answer["hits"]] == list(range(1, 11))
