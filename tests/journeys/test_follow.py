"""A host that cannot send events: `sidetower follow` finds its changes by their date, on its own."""

from __future__ import annotations

import json
import signal
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from domain.items import ItemKey
from domain.versions import VectorState
from plugin.opensearch.client import OpenSearch, connect, dumped
from tests.journeys.catalogue import Document, cars, write_jsonl
from tests.journeys.conftest import FirstIndex, MakeHouse
from tests.journeys.house import KIND, House, faults, states, stored
from tests.journeys.processes import Background, until
from tests.journeys.site import serving
from tests.support.redis_server import running_redis

pytestmark = [pytest.mark.training, pytest.mark.slow]

BEGAN = datetime(2026, 1, 5, 9, tzinfo=UTC)
#: Documents of the host's index, several pages.
MANY = 2_500


def key(name: str) -> ItemKey:
    return ItemKey("north", KIND, name)


def dated(document: Document, minutes: float, **fields: Any) -> Document:
    return document | {"updated_at": (BEGAN + timedelta(minutes=minutes)).isoformat()} | fields


def marking(house: House, source: str = "") -> House:
    """The house, where the host marks what it removed, and perhaps names its index."""
    file = house.folder / "sidetower.toml"
    file.write_text(file.read_text() + 'removed = "deleted"\n' + (f'source = "{source}"\n' if source else ""))
    return house


def rounds(process: Background) -> list[dict[str, Any]]:
    """The rounds that a `follow --json` has told so far."""
    return [json.loads(line) for line in process.told().splitlines() if line.startswith("{")]


class TestFile:
    """An export that is written anew now and then, on the embedded default."""

    @pytest.fixture
    def house(self, unfilled: MakeHouse) -> House:
        return marking(unfilled("followed"))

    def follow(self, house: House, documents: list[Document]) -> dict[str, Any]:
        path = write_jsonl(house.folder / "export.jsonl", documents)
        told: dict[str, Any] = house.json("follow", "--file", path.name, "--tenant", "north", "--once")
        return {name: told[name] for name in ("read", "written", "removed", "unchanged", "failed", "reached")}

    def test_each_round_takes_what_changed_with_its_vectors(self, house: House) -> None:
        documents = [dated(one, number) for number, one in enumerate(cars(60))]
        none = {"removed": 0, "unchanged": 0, "failed": 0}
        reached = {"reached": "2026-01-05T09:59:00.000+00:00"}
        assert self.follow(house, documents) == none | reached | {"read": 60, "written": 60}
        assert states(house.parts())[VectorState.READY] == 60
        # The last minute is the overlap, with both its ends.
        assert self.follow(house, documents) == none | reached | {"read": 2, "written": 0, "unchanged": 2}
        documents[3] = dated(documents[3], 61, title="Quagga with seven seats", revision=2)
        documents[4] = dated(documents[4], 62, deleted=True, revision=2)
        assert self.follow(house, documents) == none | {
            "read": 4,
            "written": 1,
            "removed": 1,
            "unchanged": 2,
            "reached": "2026-01-05T10:02:00.000+00:00",
        }
        parts = house.parts()
        found = stored(parts)
        assert found[key("car-4")].vector_state is VectorState.REMOVED
        newest = {key(one["listing_id"]): one["revision"] for one in documents if one["listing_id"] != "car-4"}
        assert [fault for fault in faults(parts, newest) if "car-4" not in fault] == []

    def test_indexing_the_same_file_agrees_about_what_is_removed(self, house: House) -> None:
        documents = [dated(one, number, deleted=number < 3) for number, one in enumerate(cars(20))]
        path = write_jsonl(house.folder / "export.jsonl", documents)
        for _ in range(2):
            counts = house.index(path, "north")
            assert (counts["read"], counts["marked_removed"], counts["failed"]) == (20, 3, 0)
            found = states(house.parts())
            assert (found[VectorState.READY], found[VectorState.REMOVED]) == (17, 3)
        told = self.follow(house, documents)
        assert (told["unchanged"], told["written"], told["removed"]) == (20, 0, 0)

    @pytest.mark.redis
    def test_with_redis_the_workers_embed(
        self, first_index: FirstIndex, redis_url: str, tmp_path: Path, house: House
    ) -> None:
        with running_redis(tmp_path) as redis:
            house = marking(first_index.house.unfilled(tmp_path / "with-redis", redis=redis))
            self.follow(house, [dated(one, number) for number, one in enumerate(cars(30))])
            status = house.json("status")
            assert status["queue"]["live"]["waiting"] == 30
            assert [(row["pending"], row["done"]) for row in status["generations"]] == [(30, "filling")]
            with house.background("work"):
                until(lambda: states(house.parts())[VectorState.READY] == 30, "the worker embeds them")

    def test_what_is_wrong_is_told_with_its_exit_status(self, house: House) -> None:
        path = write_jsonl(house.folder / "export.jsonl", [dated(cars(1)[0], 1, price="cheap"), dated(cars(2)[1], 2)])
        words = ("follow", "--file", path.name, "--tenant", "north", "--once")
        done = house.run(*words)
        assert (done.returncode, "export.jsonl line 1, field price" in done.stderr) == (3, True)
        assert "1 written, 1 failed; up to 2026-01-05T09:02" in done.stdout
        assert house.run("follow", "--tenant", "north", "--once").returncode == 2
        assert house.run(*words[:3]).returncode == 2


@dataclass
class HostIndex:
    """The host's own index, written as the host itself does."""

    client: OpenSearch
    name: str
    newest: dict[ItemKey, int] = field(default_factory=dict)

    def keep(self, *documents: Document, refresh: bool = True) -> None:
        lines = [
            line for one in documents for line in ({"index": {"_index": self.name, "_id": one["listing_id"]}}, one)
        ]
        self.client.bulk(body=b"".join(dumped("line", line) + b"\n" for line in lines), refresh=refresh)
        self.newest |= {key(one["listing_id"]): one["revision"] for one in documents}


@pytest.mark.opensearch
class TestIndex:
    """The host's own index in a real OpenSearch, Sidetower's beside it."""

    @pytest.fixture
    def host(self, opensearch_url: str) -> Iterator[HostIndex]:
        client = connect(opensearch_url)
        made = HostIndex(client, f"host-{uuid.uuid4().hex[:8]}")
        client.indices.create(index=made.name, body={"settings": {"number_of_shards": 2, "number_of_replicas": 0}})
        yield made
        client.indices.delete(index=made.name)
        client.close()

    def test_it_follows_until_told_to_stop(self, on_opensearch: House, host: HostIndex) -> None:
        house = marking(on_opensearch, host.name)
        host.keep(*(dated(one, number / 10) for number, one in enumerate(cars(300))))
        words = ("follow", "--tenant", "north", "--every", "0.5", "--json")
        with serving(house) as site, house.background(*words) as follow:
            until(lambda: sum(one["written"] for one in rounds(follow)) == 300, "everything is taken")
            host.keep(dated(cars(1)[0], 40, title="Quagga with a roof", revision=2))
            until(lambda: site.finds("quagga", "car-0"), "the edit is found by text")
            until(lambda: site.has_vector("car-0"), "its vector arrives")
            host.keep(dated(cars(2)[1], 41, deleted=True, revision=2))
            until(lambda: site.similar("car-1").status_code == 404, "what was marked is gone")
            follow.signal(signal.SIGTERM)
            assert follow.wait() == 0
            assert "Traceback" not in follow.told()
            assert all(one["failed"] == 0 for one in rounds(follow))
        del host.newest[key("car-1")]
        until(lambda: states(house.parts())[VectorState.PENDING] == 0, "nothing waits")
        assert [one for one in faults(house.parts(), host.newest) if "car-1 " not in one] == []

    def test_killed_in_the_middle_it_leaves_nothing_out(self, on_opensearch: House, host: HostIndex) -> None:
        house = marking(on_opensearch, host.name)
        # Twenty documents share each date, so that pages end in the midst of one.
        host.keep(*(dated(one, number // 20) for number, one in enumerate(cars(MANY))))
        parts = house.parts()
        words = ("follow", "--tenant", "north", "--every", "0.2", "--json")
        for turn in range(1, 4):
            with house.background(*words) as follow:
                until(lambda turn=turn: len(stored(parts)) >= turn * MANY // 5, f"some of it, {turn}")  # type: ignore[misc]
                follow.kill()
            some = [dated(one, MANY + turn, revision=turn + 1) for one in cars(MANY, seed=turn)[turn::50]]
            host.keep(*some)
        done = house.run("follow", "--tenant", "north", "--once")
        assert done.returncode == 0, done.stderr
        assert faults(parts, host.newest) == []
        assert house.json("follow", "--tenant", "north", "--once")["written"] == 0

    def test_a_field_that_is_no_date_is_told_with_those_there_are(self, on_opensearch: House, host: HostIndex) -> None:
        house = marking(on_opensearch, host.name)
        host.keep(dated(cars(1)[0], 1))
        done = house.run("follow", "--tenant", "north", "--field", "changed_at")
        assert done.returncode == 2
        assert "no such field" in done.stderr
        assert "Follow one of its dates: updated_at." in done.stderr


def test_what_was_indexed_before_costs_no_write(first_index: FirstIndex, tmp_path: Path) -> None:
    house = first_index.house.copy(tmp_path / "house")
    documents = [dated(one, number / 1_000) for number, one in enumerate(first_index.documents)]
    path = write_jsonl(house.folder / "export.jsonl", documents)
    told = house.json("follow", "--file", path.name, "--tenant", "north", "--once")
    assert (told["read"], told["unchanged"], told["written"]) == (len(documents), len(documents), 0)
