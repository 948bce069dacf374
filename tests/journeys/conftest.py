"""Houses to live in: the first one is indexed and trained once for each run, the others start from its bundle."""

from __future__ import annotations

import subprocess
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.journeys.catalogue import CONFIG, Document, cars, write_jsonl
from tests.journeys.house import House
from tests.support.needs import require_module

#: Documents of the first file, one of which is broken, and of the second tenant's, which has ids of the first.
NORTH, SOUTH, BROKEN_LINE = 1_000, 60, 500

MakeHouse = Callable[[str], House]


@dataclass(frozen=True)
class FirstIndex:
    """The house after its very first index, for one tenant; nobody may change it."""

    house: House
    done: subprocess.CompletedProcess[str]
    documents: list[Document]
    file: Path


@pytest.fixture(scope="session")
def first_index(tmp_path_factory: pytest.TempPathFactory) -> FirstIndex:
    """The real command line on 1,000 lines, one of them broken."""
    for module, extra in (("tensorflow", "train"), ("onnxruntime", "serve")):
        require_module(module, extra)
    folder = tmp_path_factory.mktemp("house")
    (folder / "sidetower.toml").write_text(CONFIG)
    documents = cars(NORTH)
    file = write_jsonl(folder / "north.jsonl", documents)
    lines = file.read_text().splitlines(keepends=True)
    lines[BROKEN_LINE - 1] = lines[BROKEN_LINE - 1][:40] + "\n"
    file.write_text("".join(lines))
    del documents[BROKEN_LINE - 1]
    house = House(folder)
    done = house.run("index", "--file", file.name, "--tenant", "north", "--json")
    return FirstIndex(house, done, documents, file)


@pytest.fixture(scope="session")
def south_documents() -> list[Document]:
    """Other cars under ids that the first tenant has, too."""
    return cars(SOUTH, seed=2)


@pytest.fixture(scope="session")
def house_of_two(
    first_index: FirstIndex, south_documents: list[Document], tmp_path_factory: pytest.TempPathFactory
) -> House:
    """The first index and a second tenant in it, embedded; nobody may change it."""
    house = first_index.house.copy(tmp_path_factory.mktemp("two") / "house")
    house.index(write_jsonl(house.folder / "south.jsonl", south_documents), "south")
    return house


@pytest.fixture
def copied(house_of_two: House, tmp_path: Path) -> House:
    """A house of two tenants for this test to change."""
    return house_of_two.copy(tmp_path / "house")


@pytest.fixture
def unfilled(first_index: FirstIndex, tmp_path: Path) -> MakeHouse:
    """Makes houses without items, embedded, by folder name."""
    return lambda name: first_index.house.unfilled(tmp_path / name)


@pytest.fixture
def on_opensearch(first_index: FirstIndex, tmp_path: Path, opensearch_url: str) -> Iterator[House]:
    """A house without items on a real OpenSearch, under a prefix that is removed at the end."""
    prefix = f"journey-{uuid.uuid4().hex[:8]}-"
    house = first_index.house.unfilled(tmp_path / "on-opensearch", opensearch=opensearch_url, prefix=prefix)
    yield house
    remove_indexes(house, prefix)


def remove_indexes(house: House, prefix: str) -> None:
    """Drop every index of the prefix."""
    client = house.parts().client
    client.indices.delete(index=f"{prefix}*", ignore=[404])
    client.close()
