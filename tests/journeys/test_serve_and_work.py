"""A site runs: changes come in over HTTP, workers come and go, processes are killed, and nothing is lost."""

from __future__ import annotations

import signal
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from domain.items import ItemKey
from domain.versions import Outcome, VectorState
from indexer.live import LiveWriter
from indexer.reconcile import PENDING_AGE
from plugin.queues.in_process import InProcessQueue
from tests.journeys.catalogue import Document, cars, write_jsonl
from tests.journeys.conftest import FirstIndex, remove_indexes
from tests.journeys.house import KIND, House, faults, states, stored
from tests.journeys.processes import until
from tests.journeys.site import serving
from tests.support.needs import require_module
from tests.support.redis_server import running_redis

pytestmark = [pytest.mark.training, pytest.mark.slow]

CHANGES = 200
#: Cars that are told to a service about to be killed.
NEW = [f"new-{number}" for number in range(30)]


def listing(name: str, word: str, revision: int = 1) -> Document:
    """A new car with a word that no other has."""
    return cars(1)[0] | {"listing_id": name, "title": f"{word} with heated seats", "revision": revision}


def key(name: str) -> ItemKey:
    return ItemKey("north", KIND, name)


class TestAlone:
    """The embedded default: one process, no server beside it."""

    def test_change_is_found_by_text_at_once_and_its_vector_follows(self, copied: House) -> None:
        with serving(copied) as site:
            site.put(listing("new-1", "Quagga"))
            assert site.finds("quagga", "new-1")
            until(lambda: site.has_vector("new-1"), "the vector arrives", seconds=20)
            site.put(listing("new-1", "Okapi", revision=2))
            assert site.finds("okapi", "new-1")
            assert not site.finds("quagga", "new-1")
            until(lambda: site.has_vector("new-1"), "the new vector arrives", seconds=20)
            neighbour = site.similar("new-1").json()["hits"][0]["id"]
            site.delete(neighbour, revision=2)
            assert neighbour not in {hit["id"] for hit in site.similar("new-1").json()["hits"]}
            assert site.similar(neighbour).status_code == 404
            site.delete("new-1", revision=3)
            assert not site.finds("okapi", "new-1")
        found = stored(copied.parts())
        assert [found[key(name)].vector_state for name in ("new-1", neighbour)] == [VectorState.REMOVED] * 2

    def test_what_was_told_outlives_kill_9_and_gets_its_vector_after_the_restart(self, copied: House) -> None:
        waiting = self.leave_pending(copied)
        with serving(copied) as site:
            assert {hit["id"] for hit in site.search("quagga", limit=100)["hits"]}.issuperset(NEW)
            until(lambda: all(site.has_vector(name) for name in waiting), "the forgotten vectors arrive")
        parts = copied.parts()
        assert faults(parts, {one: item.change.revision for one, item in stored(parts).items()}) == []

    def test_worker_of_its_own_embeds_what_a_dead_service_left(self, copied: House) -> None:
        self.leave_pending(copied)
        parts = copied.parts()
        with copied.background("work") as worker:
            until(lambda: states(parts)[VectorState.PENDING] == 0, "the worker embeds them")
            worker.signal(signal.SIGTERM)
            assert worker.wait() == 0
            assert "Traceback" not in worker.told()

    def test_once_embeds_what_is_pending_and_ends(self, copied: House) -> None:
        waiting = self.leave_pending(copied)
        for embedded in (len(waiting), 0):
            told = copied.json("work", "--once")
            assert (told["embedded"], told["failed"], told["parked"]) == (embedded, 0, 0)
        assert states(copied.parts())[VectorState.PENDING] == 0

    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
    def test_asked_to_end_it_ends_in_order(self, copied: House, number: signal.Signals) -> None:
        with serving(copied) as site:
            site.put(listing("new-1", "Quagga"))
            site.process.signal(number)
            assert site.process.wait() in (0, -number, 128 + number), site.process.told()
            assert "Traceback" not in site.process.told()

    @staticmethod
    def leave_pending(house: House) -> list[str]:
        """Tell 30 changes and kill the service at once; which of them wait for a vector, never none."""
        for revision in range(1, 6):
            with serving(house) as site:
                for name in NEW:
                    site.put(listing(name, "Quagga", revision))
                site.process.kill()
            found = stored(house.parts())
            assert [found[key(name)].change.revision for name in NEW] == [revision] * len(NEW)
            waiting = [name for name in NEW if found[key(name)].vector_state is VectorState.PENDING]
            if waiting:
                return waiting
        raise AssertionError("the service embedded everything before it could be killed, five times")


@pytest.mark.redis
class TestWithWorkers:
    """Redis, `sidetower serve` and `sidetower work` as three processes, on either engine."""

    @pytest.fixture
    def redis_alone(self, redis_url: str, tmp_path: Path) -> Iterator[str]:
        """A Redis that this test may empty."""
        require_module("celery", "serve")
        with running_redis(tmp_path) as url:
            yield url

    @pytest.fixture(params=["embedded", pytest.param("opensearch", marks=pytest.mark.opensearch)])
    def house(
        self, first_index: FirstIndex, redis_alone: str, tmp_path: Path, request: pytest.FixtureRequest
    ) -> Iterator[House]:
        """A hundred cars on this engine, and the queue in Redis."""
        url, prefix = "", ""
        if request.param == "opensearch":
            url, prefix = request.getfixturevalue("opensearch_url"), f"journey-{uuid.uuid4().hex[:8]}-"
        house = first_index.house.unfilled(tmp_path / "site", opensearch=url, prefix=prefix, redis=redis_alone)
        house.index(write_jsonl(tmp_path / "some.jsonl", cars(100)), "north")
        yield house
        if url:
            remove_indexes(house, prefix)

    def test_text_first_while_every_worker_is_down_then_the_vector(self, house: House) -> None:
        with serving(house) as site:
            site.put(listing("new-1", "Quagga"))
            until(lambda: site.finds("quagga", "new-1"), "found after one refresh", seconds=10)
            answer = site.similar("new-1").json()
            assert answer["degraded"] == "seed_pending"
            assert answer["hits"]
            status = house.json("status")
            assert [row["pending"] for row in status["generations"]] == [1]
            assert status["queue"]["live"] == {"waiting": 1, "in_flight": 0} | {
                "oldest_s": status["queue"]["live"]["oldest_s"]
            }
            with house.background("work") as worker:
                until(lambda: site.has_vector("new-1"), "the vector arrives with the worker", seconds=40)
                assert house.json("status")["queue"]["live"]["waiting"] == 0
                worker.signal(signal.SIGTERM)
                assert worker.wait() == 0, worker.told()
            assert faults(house.parts(), {key(f"car-{number}"): 1 for number in range(100)} | {key("new-1"): 1}) == []

    def test_killed_worker_and_emptied_redis_lose_no_vector(self, house: House, redis_alone: str) -> None:
        told = self.lose_everything(house, redis_alone)
        with house.background("work"):
            house.json("work", "--once")
            until(lambda: states(house.parts())[VectorState.PENDING] == 0, "nothing waits")
        assert faults(house.parts(), told) == []
        assert house.json("status")["parked"] == []

    def test_worker_finds_at_its_start_what_the_queue_lost_a_minute_ago(self, house: House) -> None:
        parts = house.parts()
        lost = LiveWriter(
            parts.engine, parts.view, InProcessQueue(), parts.embedder_of, clock=lambda: time.time() - 2 * PENDING_AGE
        )
        changed = [parts.config.kind().item(one | {"revision": 2}, tenant="north") for one in cars(100, seed=3)]
        assert {one.outcome for one in lost.apply(changed)} == {Outcome.WRITTEN}
        assert states(parts)[VectorState.PENDING] == 100
        with house.background("work"):
            until(lambda: states(parts)[VectorState.PENDING] == 0, "the worker finds them", seconds=40)
        assert faults(parts, {one.key: 2 for one in changed}) == []

    def lose_everything(self, house: House, redis_url: str) -> dict[ItemKey, int]:
        """Kill the worker in the middle of 200 changes and empty Redis at their end; the newest revisions."""
        parts = house.parts()
        generation = parts.view.for_writing(KIND).default.generation
        changed = [one | {"revision": 2} for one in cars(CHANGES, seed=3)]
        first = key(changed[0]["listing_id"])
        with serving(house) as site, house.background("work") as worker:
            for number, document in enumerate(changed):
                site.put(document)
                if number == CHANGES // 2:
                    until(lambda: parts.engine.read(generation, [first])[first].vector is not None, "the worker works")
                if number == CHANGES // 2 + 20:
                    worker.kill()
        with redis.Redis.from_url(redis_url, socket_timeout=5) as server:
            server.flushall()
        found = states(parts)
        assert found[VectorState.PENDING] >= CHANGES // 2 - 21
        assert found[VectorState.READY] > 0
        return {key(one["listing_id"]): one["revision"] for one in cars(100) + changed}
