"""A host indexes its catalogue, again, after changes, from other formats, from its own index, and through accidents."""

from __future__ import annotations

import json
import random
import signal
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest

from domain.items import ItemKey
from tests.journeys.catalogue import Document, cars, write_csv, write_jsonl, write_parquet
from tests.journeys.conftest import BROKEN_LINE, NORTH, SOUTH, FirstIndex, MakeHouse
from tests.journeys.house import KIND, House, faults, stored
from tests.journeys.processes import run, until
from tests.support.needs import require_module

pytestmark = [pytest.mark.training, pytest.mark.slow]


def newest(documents: list[Document], tenant: str) -> dict[ItemKey, int]:
    """The revision of each item."""
    return {ItemKey(tenant, KIND, one["listing_id"]): one["revision"] for one in documents}


def test_one_broken_line_of_a_thousand_is_told_with_its_place_and_the_rest_is_in(first_index: FirstIndex) -> None:
    done = first_index.done
    assert done.returncode == 3, done.stderr
    counts = json.loads(done.stdout)
    errors = counts.pop("errors")
    assert counts == {
        "read": NORTH,
        "written": NORTH - 1,
        "unchanged": 0,
        "stale": 0,
        "conflicting_revision": 0,
        "failed": 1,
        "vectors_computed": NORTH - 1,
        "vectors_kept": 0,
    }
    assert len(errors) == 1
    assert f"north.jsonl line {BROKEN_LINE}" in errors[0]
    parts = first_index.house.parts()
    assert faults(parts, newest(first_index.documents, "north")) == []


def test_second_run_touches_nothing_and_says_so_in_a_table(first_index: FirstIndex, tmp_path: Path) -> None:
    house = first_index.house.copy(tmp_path / "house")
    before = {key: one.written_at for key, one in stored(house.parts()).items()}
    done = house.run("index", "--file", "north.jsonl", "--tenant", "north")
    assert done.returncode == 3
    rows = dict(line.rsplit(maxsplit=1) for line in done.stdout.splitlines()[1:])
    assert {name.strip(): count for name, count in rows.items()} == {
        "read": f"{NORTH:,}",
        "written": "0",
        "unchanged": str(NORTH - 1),
        "stale": "0",
        "conflicting revision": "0",
        "failed": "1",
        "vectors computed": "0",
        "vectors kept": "0",
    }
    assert f"line {BROKEN_LINE}" in done.stderr
    assert {key: one.written_at for key, one in stored(house.parts()).items()} == before


def test_newer_revisions_embed_only_what_the_networks_read_anew(first_index: FirstIndex, tmp_path: Path) -> None:
    house = first_index.house.copy(tmp_path / "house")
    documents = [dict(one) for one in first_index.documents]
    for one in documents[:30]:
        one |= {"revision": 2, "title": f"{one['title']}, freshly serviced"}
    for one in documents[30:100]:
        one |= {"revision": 2, "views": one["views"] + 1}  # a signal: the item tower does not read it
    for one in documents[100:110]:
        one |= {"title": "Other content under the same revision"}
    path = write_jsonl(house.folder / "newer.jsonl", documents)
    done = house.run("index", "--file", str(path), "--tenant", "north", "--json")
    counts = json.loads(done.stdout)
    assert done.returncode == 3
    assert len(counts["errors"]) == 10
    assert (counts["vectors_computed"], counts["vectors_kept"], counts["written"]) == (30, 70, 30 + 70)
    assert (counts["conflicting_revision"], counts["unchanged"]) == (10, NORTH - 1 - 110)
    parts = house.parts()
    assert faults(parts, newest(documents, "north")) == []
    kept = stored(parts)[ItemKey("north", KIND, documents[100]["listing_id"])].item
    assert kept is not None
    assert kept.texts["title"] == first_index.documents[100]["title"]
    older = house.run("index", "--file", "north.jsonl", "--tenant", "north", "--json")
    assert json.loads(older.stdout)["stale"] == 30 + 70
    assert faults(house.parts(), newest(documents, "north")) == []


def test_lines_tables_and_columns_make_the_same_index(unfilled: MakeHouse, tmp_path: Path) -> None:
    require_module("pyarrow", "serve")
    documents = cars(120)
    del documents[7]["price"]
    documents[8]["description"] = 'Ein "Käfer", zwei;drei,\nund eine Zeile mehr'
    tabled = [{"price": None, **one} for one in documents]
    contents = []
    for path in (
        write_jsonl(tmp_path / "cars.jsonl", documents),
        write_csv(tmp_path / "cars.csv", tabled),
        write_parquet(tmp_path / "cars.parquet", tabled),
    ):
        house = unfilled(path.suffix[1:])
        assert house.index(path, "north")["written"] == len(documents)
        contents.append(stored(house.parts()))
    lines, *tables = contents
    assert len(lines) == len(documents)
    for table in tables:
        assert {key: one.change for key, one in table.items()} == {key: one.change for key, one in lines.items()}
        for key, one in table.items():
            np.testing.assert_array_equal(one.vector, lines[key].vector)


def test_equal_ids_of_two_tenants_never_meet(
    house_of_two: House, first_index: FirstIndex, south_documents: list[Document]
) -> None:
    told = newest(first_index.documents, "north") | newest(south_documents, "south")
    parts = house_of_two.parts()
    assert len(told) == NORTH - 1 + SOUTH
    assert faults(parts, told) == []
    both = stored(parts)
    titles = [both[ItemKey(tenant, KIND, "car-3")].item for tenant in ("north", "south")]
    assert [one.texts["title"] for one in titles if one] == [
        first_index.documents[3]["title"],
        south_documents[3]["title"],
    ]
    rows = house_of_two.json("status")["generations"]
    assert {row["tenant"]: row["items"] for row in rows} == {"north": NORTH - 1, "south": SOUTH}


@pytest.mark.opensearch
class TestHostIndex:
    """The host's own index on a real cluster is read, and never written."""

    @pytest.fixture
    def host(self, on_opensearch: House) -> Iterator[tuple[str, list[Document]]]:
        """Name and documents of the host's index."""
        client, name, documents = on_opensearch.parts().client, f"host-{uuid.uuid4().hex[:8]}", cars(700)
        lines = [line for one in documents for line in ({"index": {"_index": name, "_id": one["listing_id"]}}, one)]
        client.indices.create(index=name)
        client.bulk(body="".join(orjson.dumps(line).decode() + "\n" for line in lines), refresh=True)
        yield name, documents
        client.indices.delete(index=name)
        client.close()

    def test_is_copied_and_left_as_it_was(self, on_opensearch: House, host: tuple[str, list[Document]]) -> None:
        name, documents = host
        before = self.traces(on_opensearch, name)
        counts = on_opensearch.json("index", "--from-index", name, "--tenant", "north")
        assert (counts["read"], counts["written"], counts["failed"]) == (len(documents), len(documents), 0)
        assert self.traces(on_opensearch, name) == before
        assert faults(on_opensearch.parts(), newest(documents, "north")) == []
        again = on_opensearch.json("index", "--from-index", name, "--tenant", "north")
        assert (again["written"], again["unchanged"]) == (0, len(documents))

    def test_that_is_not_there_is_told(self, on_opensearch: House) -> None:
        done = on_opensearch.run("index", "--from-index", "host-nowhere", "--tenant", "north")
        assert done.returncode == 2
        assert "host-nowhere" in done.stderr
        assert "Traceback" not in done.stderr

    @staticmethod
    def traces(house: House, name: str) -> dict[str, Any]:
        """What any write would leave behind: sequence numbers, counters, mapping, settings, aliases."""
        client = house.parts().client
        client.indices.refresh(index=name)
        shards = client.indices.stats(index=name, level="shards")["indices"][name]
        written = {
            number: [(copy["seq_no"], copy["docs"], copy["indexing"]["index_total"]) for copy in copies]
            for number, copies in shards["shards"].items()
        }
        whole = client.indices.get(index=name)[name]
        client.close()
        return {"written": written, **whole}


class TestAccidents:
    """A run that is cut off leaves nothing behind that the next run does not put right."""

    #: Enough for thirty batches, so that a busy machine still meets a run in the middle; every tenth item stands a
    #: second time, newer.
    COUNT = 8_000

    @pytest.fixture
    def catalogue(self, tmp_path: Path) -> tuple[Path, dict[ItemKey, int]]:
        documents = cars(self.COUNT)
        again = [one | {"revision": 2, "title": f"{one['title']}, reduced"} for one in documents[::10]]
        everything = documents + again
        return write_jsonl(tmp_path / "many.jsonl", everything), newest(everything, "north")

    def test_ctrl_c_ends_with_130_and_the_next_run_finishes(
        self, unfilled: MakeHouse, catalogue: tuple[Path, dict[ItemKey, int]]
    ) -> None:
        path, told = catalogue
        house = unfilled("house")
        with house.background("index", "--file", str(path), "--tenant", "north") as indexing:
            self.await_items(house, 1)
            indexing.signal(signal.SIGINT)
            assert indexing.wait() == 130, indexing.told()
            assert "Traceback" not in indexing.told()
        assert 0 < len(stored(house.parts())) < self.COUNT
        house.index(path, "north")
        assert faults(house.parts(), told) == []

    @pytest.mark.parametrize("engine", ["embedded", pytest.param("opensearch", marks=pytest.mark.opensearch)])
    def test_three_kills_in_the_middle_lose_and_double_nothing(
        self,
        engine: str,
        unfilled: MakeHouse,
        catalogue: tuple[Path, dict[ItemKey, int]],
        request: pytest.FixtureRequest,
    ) -> None:
        path, told = catalogue
        house = unfilled("house") if engine == "embedded" else request.getfixturevalue("on_opensearch")
        chance = random.Random(5)
        for third in range(3):
            with house.background("index", "--file", str(path), "--tenant", "north") as indexing:
                self.await_items(house, third * self.COUNT // 4 + chance.randrange(1, self.COUNT // 6))
                time.sleep(chance.uniform(0, 0.15))
                indexing.kill()
                assert indexing.process.returncode == -signal.SIGKILL, indexing.told()
        house.index(path, "north")
        assert faults(house.parts(), told) == []
        assert house.index(path, "north")["written"] == 0
        assert house.json("status")["generations"][0]["state"] == "serving"

    @staticmethod
    def await_items(house: House, count: int) -> None:
        parts = house.parts()
        generation = parts.view.for_writing(KIND).default.generation

        def there() -> bool:
            parts.engine.refresh(generation)
            return sum(one.items for one in parts.generations.counts(generation)) >= count

        until(there, f"{count} items written")


@pytest.mark.parametrize(
    ("arguments", "status", "told"),
    [
        (["--file", "south.jsonl"], 2, ("--tenant", "whose items", "nothing", "--tenant NAME")),
        (["--tenant", "south"], 2, ("options", "--file or --from-index", "neither", "--file")),
        (
            ["--tenant", "south", "--file", "south.jsonl", "--from-index", "cars"],
            2,
            ("options", "--file or --from-index", "both", "--file"),
        ),
        (
            ["--tenant", "south", "--file", "south.jsonl", "--kind", "listings"],
            4,
            ("sidetower.toml", "listing", "listings", "Did you mean listing?"),
        ),
        (["--tenant", "south", "--from-index", "cars"], 2, ("sidetower.toml", "an OpenSearch", "none", "[engine]")),
        (["--tenant", "south", "--file", "none.jsonl"], 2, ("none.jsonl", "", "no such file", "")),
        (["--tenant", "south", "--file", "south.jsonl", "-c", "none.toml"], 2, ("none.toml", "", "no such", "init")),
        (["--tenant", "s" * 65, "--file", "south.jsonl"], 2, ("--tenant", "64 bytes", "sss", "--tenant")),
    ],
)
def test_wrong_usage_says_where_what_and_the_way_out(
    house_of_two: House, arguments: list[str], status: int, told: tuple[str, ...]
) -> None:
    done = house_of_two.run("index", *arguments, "--json")
    assert done.returncode == status, done.stderr
    assert done.stdout == ""
    error = json.loads(done.stderr)["error"]
    for part, words in zip(("place", "expected", "got", "fix"), told, strict=True):
        assert words in error[part], error
    plain = house_of_two.run("index", *arguments)
    assert plain.returncode == status
    assert [line.split()[0] for line in plain.stderr.splitlines()[1:4]] == ["expected", "got", "fix"]
    assert "Traceback" not in plain.stderr


def test_file_without_one_readable_item_builds_nothing(first_index: FirstIndex, tmp_path: Path) -> None:
    (tmp_path / "sidetower.toml").write_text((first_index.house.folder / "sidetower.toml").read_text())
    (tmp_path / "cars.jsonl").write_text("{half\n{another half\n")
    done = run(tmp_path, "index", "--file", "cars.jsonl", "--tenant", "north")
    assert done.returncode == 3
    assert "at least one readable item" in done.stderr
    assert "sidetower check" in done.stderr
    assert list((tmp_path / ".sidetower" / "bundles").glob("*")) == []


def test_roles_that_the_generation_was_not_made_with_are_refused(copied: House) -> None:
    config = copied.folder / "sidetower.toml"
    config.write_text(
        config.read_text().replace("title = 3.0", "title = 4.0").replace('number = ["', 'number = ["doors", "')
    )
    done = copied.run("index", "--tenant", "north", "--file", "south.jsonl", "--json")
    assert done.returncode == 2, done.stderr
    error = json.loads(done.stderr)["error"]
    assert error["expected"] == "the roles that listing-g1 was made with"
    assert "title = 4.0" in error["got"]
    assert "doors" in error["got"]
