"""A newcomer's first minute: the demo, and the commands that it suggests afterwards."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.journeys.processes import PATIENCE, Background, run
from tests.journeys.site import serving_with
from tests.support.needs import require_module

pytestmark = [pytest.mark.training, pytest.mark.slow]


@pytest.fixture(scope="module")
def demos(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Background, Background]]:
    """The demo for people and the demo for scripts, run beside each other to their end."""
    for module, extra in (("tensorflow", "train"), ("onnxruntime", "serve")):
        require_module(module, extra)
    folder = tmp_path_factory.mktemp("demo")
    with (
        Background(folder, "demo", "--folder", "for-people") as people,
        Background(folder, "demo", "--folder", "for-scripts", "--json") as scripts,
    ):
        assert people.wait(PATIENCE) == 0, people.told()
        assert scripts.wait(PATIENCE) == 0, scripts.told()
        yield people, scripts


@pytest.fixture(scope="module")
def answers(demos: tuple[Background, Background]) -> dict[str, Any]:
    """All that the demo prints for scripts is one JSON document."""
    found: dict[str, Any] = json.loads(demos[1].told())
    return found


@pytest.fixture(scope="module")
def suggested(demos: tuple[Background, Background]) -> list[list[str]]:
    """The words of the commands that it prints last."""
    _, told = demos[0].told().split("How to go on:")
    return [shlex.split(line, comments=True) for line in told.splitlines() if line.startswith("  sidetower ")]


def test_every_search_is_answered_by_the_model(answers: dict[str, Any]) -> None:
    assert set(answers) == {"searches", "similar", "change", "seconds"}
    assert len(answers["searches"]) >= 4
    for search in answers["searches"]:
        assert search["degraded"] is None, search
        assert search["why"]
        assert len(search["sidetower"]) == len(search["text_ranks"]) == 5, search
        assert len(set(search["sidetower"])) == 5
        assert len(search["text_order"]) <= 5


def test_people_get_an_order_of_their_own(answers: dict[str, Any]) -> None:
    personal = [search for search in answers["searches"] if search["who"]]
    assert personal
    for search in personal:
        assert search["sidetower"] != search["text_order"], search
    orders: dict[tuple[str, str], set[tuple[str, ...]]] = {}
    for search in answers["searches"]:
        orders.setdefault((search["tenant"], search["text"]), set()).add(tuple(search["sidetower"]))
    assert max(len(order) for order in orders.values()) > 1, "the same words give different people the same order"


def test_similar_items_are_others(answers: dict[str, Any]) -> None:
    assert len(answers["similar"]) == 2
    for found in answers["similar"]:
        assert len(found["similar"]) == 5
        assert found["of"] not in found["similar"]


def test_change_is_acknowledged_found_and_embedded_in_this_order(answers: dict[str, Any]) -> None:
    moments = answers["change"]
    assert list(moments) == ["acknowledged", "found by text", "vector written"]
    assert 0 < moments["acknowledged"] < moments["found by text"] < moments["vector written"]


def test_table_form_shows_the_same_world(demos: tuple[Background, Background], answers: dict[str, Any]) -> None:
    told = demos[0].told()
    for search in answers["searches"]:
        assert f'{search["tenant"]}: "{search["text"]}"' in told
        assert search["sidetower"][0] in told
    assert "Traceback" not in told
    assert "\x1b" not in told


def test_suggested_searches_work(demos: tuple[Background, Background], suggested: list[list[str]]) -> None:
    asked = [words[1:] for words in suggested if words[1] in ("search", "similar")]
    assert len(asked) == 2
    for arguments in asked:
        done = run(demos[0].folder, *arguments, "--json")
        assert done.returncode == 0, done.stderr
        answer = json.loads(done.stdout)
        assert answer["degraded"] is None
        assert len(answer["hits"]) == 10


def test_suggested_service_serves(demos: tuple[Background, Background], suggested: list[list[str]]) -> None:
    [arguments] = [words[1:] for words in suggested if words[1] == "serve"]
    with serving_with(demos[0].folder, *arguments, tenant="autohaus") as site:
        assert len(site.search("family car with a tow bar")["hits"]) == 10


def test_suggested_proposal_reads_the_demos_own_documents(
    demos: tuple[Background, Background], suggested: list[list[str]], tmp_path: Path
) -> None:
    [arguments] = [words[1:] for words in suggested if words[1] == "init"]
    files = sorted((demos[0].folder / "for-people").glob("*.jsonl"))
    assert len(files) == 4
    for number, file in enumerate(files):
        folder = tmp_path / str(number)
        folder.mkdir()
        done = run(folder, *(word.replace("YOUR_DOCUMENTS.jsonl", str(file)) for word in arguments))
        assert done.returncode == 0, done.stderr


def test_suggested_pages_exist(demos: tuple[Background, Background]) -> None:
    _, told = demos[0].told().split("How to go on:")
    pages = [word for word in told.split() if word.startswith("docs/")]
    assert len(pages) == 2
    assert [page for page in pages if not (Path(__file__).parents[2] / page).is_file()] == []
