"""Service, workers and searches run where neither TensorFlow nor torch is installed (promise 10)."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from domain.versions import VectorState
from tests.journeys.catalogue import cars, write_jsonl
from tests.journeys.conftest import FirstIndex, MakeHouse
from tests.journeys.house import KIND, House, faults, states, stored
from tests.journeys.processes import environment, run, until
from tests.journeys.site import serving
from tests.support.needs import require_module
from tests.support.redis_server import running_redis

pytestmark = [pytest.mark.training, pytest.mark.slow]

#: What a machine that only serves does not have.
ABSENT = ("tensorflow", "keras", "tf2onnx", "torch", "sentence_transformers", "transformers")
# Python imports a module of this name by itself, before anything of ours.
_SHIM = f"""
from importlib.machinery import PathFinder

_installed = PathFinder.find_spec


def _found(name, path=None, target=None):
    return None if name.partition(".")[0] in {ABSENT!r} else _installed(name, path, target)


PathFinder.find_spec = _found
"""


@pytest.fixture(scope="module")
def light(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment in which the training side cannot be imported."""
    folder = tmp_path_factory.mktemp("light")
    (folder / "sitecustomize.py").write_text(_SHIM)
    return {"PYTHONPATH": str(folder)}


@pytest.mark.parametrize("name", ABSENT)
def test_they_really_are_absent(light: dict[str, str], name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", f"import {name}"],
        env=environment(light),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert f"No module named '{name}'" in done.stderr


def test_command_line_searches_and_fills(unfilled: MakeHouse, light: dict[str, str]) -> None:
    house = unfilled("house")
    documents = cars(50)
    path = write_jsonl(house.folder / "cars.jsonl", documents)
    counts = house.json("index", "--file", str(path), "--tenant", "north", environ=light)
    assert counts["vectors_computed"] == len(documents)
    for arguments in (("search", "volvo with heated seats"), ("similar", "car-3")):
        answer = house.json(*arguments, "--tenant", "north", environ=light)
        assert answer["degraded"] is None
        assert len(answer["hits"]) == 10
    assert house.json("status", environ=light)["generations"][0]["items"] == len(documents)


def test_service_ranks_and_embeds(copied: House, light: dict[str, str]) -> None:
    with serving(copied, light) as site:
        answer = site.search("volvo with heated seats")
        assert answer["degraded"] is None
        assert answer["ranked_by"].startswith("bundle-")
        site.put(cars(1)[0] | {"listing_id": "new-1"})
        until(lambda: site.has_vector("new-1"), "the vector arrives")


@pytest.fixture
def house_with_redis(first_index: FirstIndex, redis_url: str, tmp_path: Path) -> Iterator[House]:
    require_module("celery", "serve")
    with running_redis(tmp_path) as url:
        yield first_index.house.unfilled(tmp_path / "site", redis=url)


@pytest.mark.redis
def test_worker_embeds(house_with_redis: House, light: dict[str, str]) -> None:
    house, documents = house_with_redis, cars(50)
    parts = house.parts()
    with serving(house, light) as site, house.background("work", environ=light) as worker:
        for one in documents:
            site.put(one)
        until(lambda: states(parts)[VectorState.READY] == len(documents), "the worker embeds them")
        worker.signal(signal.SIGTERM)
        assert worker.wait() == 0, worker.told()
    kind = parts.config.kind(KIND)
    assert faults(parts, {kind.item(one, tenant="north").key: 1 for one in documents}) == []
    assert len(stored(parts)) == len(documents)


def test_only_the_first_index_needs_them_and_says_which_extra_to_install(
    first_index: FirstIndex, tmp_path: Path, light: dict[str, str]
) -> None:
    (tmp_path / "sidetower.toml").write_text((first_index.house.folder / "sidetower.toml").read_text())
    done = run(tmp_path, "index", "--file", str(first_index.file), "--tenant", "north", environ=light)
    assert done.returncode == 2
    assert "sidetower[train]" in done.stderr
    assert "Traceback" not in done.stderr
