"""A new index of a kind beside the running one, while the site is searched and changed."""

from __future__ import annotations

import contextlib
import signal
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from domain.errors import SidetowerError
from domain.items import ItemKey
from domain.versions import VectorState
from tests.journeys.catalogue import Document, cars, write_jsonl
from tests.journeys.conftest import NORTH, SOUTH, FirstIndex, remove_indexes
from tests.journeys.house import KIND, House, faults, states, stored
from tests.journeys.processes import until
from tests.journeys.site import Site, serving
from tests.support.redis_server import running_redis

pytestmark = [pytest.mark.training, pytest.mark.slow]

COUNT = 400


class Visitors:
    """Searches and changes in a thread of its own, for as long as a block lasts; every answer has to be one."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._visit, name="visitors")
        self.faults: list[str] = []
        self.degraded: set[str] = set()
        self.searches = 0
        #: The newest revision of each car that was told.
        self.told: dict[ItemKey, int] = {}

    def __enter__(self) -> Visitors:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(60)

    def _visit(self) -> None:
        number = 0
        while not self._over.is_set():
            number += 1
            try:
                self._once(number)
            except Exception as error:
                self.faults.append(repr(error))

    def _once(self, number: int) -> None:
        document = car(number % 100, revision=1 + number, title=f"Car number {number} with heated seats")
        self._site.put(document)
        self.told[key(document)] = document["revision"]
        answer = self._site.search("heated seats")
        if not answer["hits"]:
            self.faults.append("a search found nothing")
        self.degraded |= {str(answer["degraded"])}
        self.searches += 1


def car(number: int, **fields: Any) -> Document:
    return cars(number + 1)[number] | fields


def key(document: Document) -> ItemKey:
    return ItemKey("north", KIND, document["listing_id"])


def served_from(house: House) -> str:
    held = house.parts().releases.get(KIND)
    assert held is not None
    return held.release.default.generation


@pytest.fixture(
    params=[
        "embedded",
        pytest.param("embedded, redis", marks=pytest.mark.redis),
        pytest.param("opensearch", marks=pytest.mark.opensearch),
    ]
)
def site_house(first_index: FirstIndex, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[House]:
    """Four hundred cars on this engine; where there is a queue in Redis, a worker embeds."""
    with contextlib.ExitStack() as stack:
        url, prefix, redis = "", "", ""
        if "opensearch" in request.param:
            url, prefix = request.getfixturevalue("opensearch_url"), f"journey-{uuid.uuid4().hex[:8]}-"
        if "redis" in request.param:
            request.getfixturevalue("redis_url")
            redis = stack.enter_context(running_redis(tmp_path))
        house = first_index.house.unfilled(tmp_path / "site", opensearch=url, prefix=prefix, redis=redis)
        if url:
            stack.callback(remove_indexes, house, prefix)
        house.index(write_jsonl(tmp_path / "some.jsonl", cars(COUNT)), "north")
        if redis:
            stack.enter_context(house.background("work"))
        yield house


def test_no_request_fails_while_a_generation_takes_over_and_is_rolled_back(site_house: House) -> None:
    house = site_house
    with serving(house) as site:
        with Visitors(site) as visitors:
            until(lambda: visitors.searches > 3, "visitors come")
            told = house.json("rebuild", "--rate", "100")
            assert (told["generation"], told["previous"], told["promoted"]) == ("listing-g2", "listing-g1", True)
            assert told["fill"]["failed"] == 0
            before = visitors.searches
            until(lambda: visitors.searches > before + 10, "visitors stay")
            assert house.json("rebuild", "--roll-back")["generation"] == "listing-g1"
            assert house.json("rebuild", "--roll-back")["generation"] == "listing-g2"
            assert house.json("rebuild", "--retire") == {"dropped": ["listing-g1"]}
            before = visitors.searches
            until(lambda: visitors.searches > before + 5, "visitors stay")
        assert visitors.faults == []
        assert visitors.degraded == {"None"}
        until(lambda: states(house.parts())[VectorState.PENDING] == 0, "every vector follows")
    assert served_from(house) == "listing-g2"
    newest = {ItemKey("north", KIND, f"car-{number}"): 1 for number in range(COUNT)} | visitors.told
    assert faults(house.parts(), newest) == []


def test_another_encoder_takes_over_without_a_new_index_of_the_host(copied: House) -> None:
    with serving(copied) as site, Visitors(site) as visitors:
        until(lambda: visitors.searches > 3, "visitors come")
        told = copied.json("rebuild", "--encoder", "bootstrap")
        assert told["promoted"]
        assert told["bundle"] in copied.parts().bundles.ids()
        assert [row["bundle"] for row in copied.json("status")["generations"] if row["role"] == "served"] == [
            told["bundle"]
        ] * 2
        found = visitors.searches
        until(lambda: visitors.searches > found + 10, "visitors stay")
        assert visitors.faults == []
    copied.json("work", "--once")
    parts = copied.parts()
    assert served_from(copied) == "listing-g2"
    assert len(stored(parts)) == NORTH - 1 + SOUTH
    assert faults(parts, {one: held.change.revision for one, held in stored(parts).items()}) == []


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_ended_in_the_middle_it_goes_on_where_it_stopped(copied: House, how: signal.Signals) -> None:
    with copied.background("rebuild", "--rate", "50") as rebuild:
        until(lambda: filled(copied) > 100, "a part of it is there")
        rebuild.signal(how)
        assert rebuild.wait() == (128 + how if how != signal.SIGKILL else -how)
        assert "Traceback" not in rebuild.told()
    assert served_from(copied) == "listing-g1"
    refused = copied.run("rebuild", "--encoder", "bootstrap")
    assert (refused.returncode, "listing-g2 is under way" in refused.stderr) == (2, True)
    told = copied.json("rebuild")
    assert (told["generation"], told["promoted"], told["fill"]["complete"]) == ("listing-g2", True, True)
    assert told["fill"]["vectors_kept"] <= NORTH - 1 + SOUTH - 100
    parts = copied.parts()
    assert faults(parts, {one: held.change.revision for one, held in stored(parts).items()}) == []
    assert len(stored(parts)) == NORTH - 1 + SOUTH


def filled(house: House) -> int:
    """How many items the second generation holds by now."""
    parts = house.parts()
    try:
        return sum(one.items for one in parts.generations.counts("listing-g2"))
    except SidetowerError:
        return 0


def test_a_rebuild_that_is_given_up_leaves_everything_as_it_was(copied: House) -> None:
    with copied.background("rebuild", "--rate", "50") as rebuild:
        until(lambda: filled(copied) > 50, "a part of it is there")
        rebuild.kill()
    assert copied.json("rebuild", "--retire") == {"dropped": ["listing-g2"]}
    assert [row["generation"] for row in copied.json("status")["generations"]] == ["listing-g1"] * 2
    assert copied.run("rebuild", "--retire").stdout == "There is nothing to drop.\n"
    assert copied.run("rebuild", "--bundle", "bundle-none").returncode == 4
    assert copied.run("rebuild", "--retire", "--roll-back").returncode == 2


def test_from_its_own_index_missing_vectors_are_added(copied: House) -> None:
    parts = copied.parts()
    changed = [one | {"revision": 2, "title": f"{one['title']}, serviced"} for one in cars(60)]
    parts.live.apply([parts.config.kind().item(one, tenant="north") for one in changed])
    assert states(parts)[VectorState.PENDING] == 60
    told = copied.json("index", "--from-own-index", "--rate", "200")["generations"]["listing-g1"]
    assert (told["read"], told["vectors_computed"], told["complete"]) == (60, 60, True)
    assert states(copied.parts())[VectorState.PENDING] == 0
    assert faults(parts, {one: held.change.revision for one, held in stored(parts).items()}) == []
    assert copied.json("index", "--from-own-index")["generations"]["listing-g1"]["read"] == 0
    assert copied.run("index", "--from-own-index", "--file", "north.jsonl").returncode == 2
