"""OpenSearch's own search pipelines ask a real service: real plugins, real networks, the real command line."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from domain.errors import ConfigurationError, InvalidQuery, Unavailable
from plugin.opensearch.pipeline_installer import PipelineInstaller
from plugin.opensearch.pipelines import Recipe, names, pipelines
from tests.client.false_service import nobody
from tests.journeys.catalogue import THEMES, Document, cars, write_jsonl
from tests.journeys.conftest import FirstIndex
from tests.journeys.house import House
from tests.journeys.processes import until
from tests.journeys.site import Site, serving
from tests.support import opensearch_node
from tests.support.needs import require
from tests.support.opensearch_node import Node, NodeError

#: A cold machine fetches two plugins, starts a second node and trains before the first test.
pytestmark = [pytest.mark.opensearch, pytest.mark.training, pytest.mark.timeout(600)]

ADDONS = ("neural-search", "ml-commons")
COUNT, FACTOR, SIZE = 120, 5, 8
TEXTS, PERSON = "pipes-listing-north-texts", "pipes-listing-north-person"
#: Every title holds the first word.
QUERY = {"match": {"title": "with seats"}}


@dataclass(frozen=True)
class Host:
    """A host's cluster with its own index, and the service beside it."""

    node: Node
    house: House
    site: Site
    documents: list[Document]
    installer: PipelineInstaller

    def install(self, name: str, url: str) -> None:
        """Both pipelines for the north under this name, as ``sidetower pipelines install`` does."""
        kind = self.house.parts().config.kind()
        for one in pipelines(Recipe(name, url, "north", kind, FACTOR)):
            self.installer.install(one)

    def remove(self, name: str) -> list[str]:
        """What ``sidetower pipelines remove`` takes out."""
        return [one for one in names(name) if self.installer.remove(one)]

    def search(self, pipeline: str = "", **body: Any) -> list[tuple[str, float]]:
        """Ids and scores of the host's own search."""
        path = f"/cars/_search?search_pipeline={pipeline}" if pipeline else "/cars/_search"
        answer = self.node.request("POST", path, {"query": QUERY, "size": SIZE, **body})
        return [(hit["_id"], hit["_score"]) for hit in answer["hits"]["hits"]]

    def finds(self, pipeline: str, expected: Sequence[str], **body: Any) -> list[float]:
        """The scores of a search that finds these ids, once the machine is fast enough for the connector's second."""
        scores: list[float] = []

        def found() -> bool:
            hits = self.search(pipeline, **body)
            scores[:] = [score for _, score in hits]
            return [id_ for id_, _ in hits] == list(expected)

        until(found, f"{pipeline} finds {', '.join(expected)}")
        return scores

    def rerank(self, **body: Any) -> list[tuple[int, float]]:
        """Places and scores as the service tells them when it is asked without OpenSearch."""
        answer = httpx.post(
            f"{self.site.url}/v1/rerank",
            json={"kind": "listing", "query": "", "deadline_ms": 10_000, **body},
            headers={"X-Sidetower-Tenant": "north"},
            timeout=30,
            trust_env=False,
        )
        assert answer.status_code == 200, answer.text
        assert answer.json()["meta"]["degraded"] is None
        return [(one["index"], one["relevance_score"]) for one in answer.json()["results"]]

    def pipelines(self, action: str, *more: str) -> Any:
        """What ``sidetower pipelines`` answers for the north."""
        return self.house.json("pipelines", action, "--tenant", "north", "--url", self.site.url, *more)


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """OpenSearch with neural-search and ML Commons, which no other test needs."""
    how = "search pipelines need Maven (mvn) and a JDK (21 or newer for 3.x): apt-get install maven openjdk-21-jdk"
    require(shutil.which("mvn") is not None and any(opensearch_node.java_candidates()), how)
    version = os.environ.get("SIDETOWER_TEST_OPENSEARCH_VERSION", opensearch_node.DEFAULT_VERSION)
    try:
        opensearch_node.find_java(version)
        opensearch_node.assemble(version, ADDONS)
    except NodeError as error:
        require(False, f"{how}. {error}")
    folder = tmp_path_factory.mktemp("pipelines-node")
    with opensearch_node.running_node(folder, version=version, addons=ADDONS, fast=True) as running:
        yield running


@pytest.fixture(scope="module")
def host(first_index: FirstIndex, node: Node, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """The catalogue in an index of the host's own and in ours, the service, and both pipelines installed."""
    folder = tmp_path_factory.mktemp("pipelines") / "house"
    house = first_index.house.unfilled(folder, opensearch=node.url, prefix="pipes-")
    documents = cars(COUNT)
    house.index(write_jsonl(folder / "cars.jsonl", documents), "north")
    node.request("PUT", "/cars", {"settings": {"index": {"number_of_shards": 1, "number_of_replicas": 0}}})
    for one in documents:
        node.request("PUT", f"/cars/_doc/{one['listing_id']}", one)
    node.request("POST", "/cars/_refresh")
    with serving(house) as site:
        client = house.parts().client
        found = Host(node, house, site, documents, PipelineInstaller(client))
        told = found.pipelines("install", "--factor", str(FACTOR))
        assert told == {"installed": [TEXTS, PERSON]}
        yield found
        assert found.pipelines("remove") == {"removed": [TEXTS, PERSON]}
        assert left_of(node, "pipes-") == []
        client.close()


def person(**told: Any) -> dict[str, Any]:
    """What a search says of the person who asks."""
    return {"ext": {"ml_inference": told}}


def typed(text: str) -> dict[str, Any]:
    """What a search says of the query."""
    return {"ext": {"rerank": {"query_context": {"query_text": text}}}}


def seen(host: Host, theme: str) -> list[dict[str, Any]]:
    """A person who looks at cars of one theme."""
    liked = [one["listing_id"] for one in host.documents if one["theme"] == theme and one["visible_to"] == "*"][:4]
    return [{"kind": "listing", "id": id_, "action": "view", "timestamp": time.time() - 60} for id_ in liked]


def test_the_texts_pipeline_ranks_as_the_service_does(host: Host) -> None:
    offered = host.search(size=SIZE * FACTOR)
    texts = {one["listing_id"]: one["title"] + one["description"] for one in host.documents}
    query = 'a "quiet" \\ cabin\nfor holidays'
    ranked = host.rerank(query=query, documents=[texts[id_] for id_, _ in offered])
    expected = [offered[place][0] for place, _ in ranked[:SIZE]]
    assert host.finds(TEXTS, expected, **typed(query)) == pytest.approx([one for _, one in ranked[:SIZE]], abs=1e-6)
    assert expected != [id_ for id_, _ in offered[:SIZE]]


@pytest.mark.parametrize("theme", sorted(THEMES))
def test_the_person_pipeline_ranks_as_the_service_does(host: Host, theme: str) -> None:
    offered = [id_ for id_, _ in host.search(size=SIZE * FACTOR)]
    asked = {"query": "a car", "history": seen(host, theme), "user": 'u"1', "audiences": ["staff"]}
    ranked = host.rerank(documents=offered, item_ids=offered, person=asked)
    expected = [offered[place] for place, _ in ranked[:SIZE]]
    scores = host.finds(PERSON, expected, **person(**asked))
    assert scores == pytest.approx([1 - place / len(offered) for place in range(SIZE)])
    # Who has looked at cars of a theme sees more of them.
    themes = {one["listing_id"]: one["theme"] for one in host.documents}
    before = sum(themes[id_] == theme for id_ in offered[:SIZE])
    assert sum(themes[id_] == theme for id_ in expected) > before


def test_everything_of_a_person_may_be_left_out(host: Host) -> None:
    offered = [id_ for id_, _ in host.search(size=SIZE * FACTOR)]
    by_query = host.rerank(documents=offered, item_ids=offered, person={"query": "a ski rack"})
    host.finds(PERSON, [offered[place] for place, _ in by_query[:SIZE]], **person(query="a ski rack"))
    for cold in ({"query": "a ski rack", "weight": 0}, {"user": ""}):
        scores = host.finds(PERSON, offered[:SIZE], **person(**cold))
        # The service's scores, so it was asked.
        assert scores == pytest.approx([1 - place / len(offered) for place in range(SIZE)])


def test_what_goes_wrong_leaves_the_engines_order(host: Host) -> None:
    engine = host.search()
    assert host.search(PERSON) == engine, "nobody named"
    assert host.search(TEXTS) == engine, "no query named"
    assert host.search(PERSON, **person(query="x", colour="red")) == engine, "a misspelt key"
    assert host.search(PERSON, **person(history=[{"kind": "bicycle"}])) == engine, "a wrong event"
    assert host.search(PERSON, **person(query="a car"), _source=False) == engine, "documents without their ids"
    assert host.search(TEXTS, **typed('{"a query": "of JSON"}')) == engine, "what ML Commons cannot quote"
    for pipeline, asked in ((PERSON, person(query="a car")), (TEXTS, typed("a car"))):
        assert host.search(pipeline, **asked, size=0) == []
        assert host.search(pipeline, **asked, **{"from": COUNT}) == []
        assert host.search(pipeline, **asked, query={"match": {"title": "spaceship"}}) == []


def left_of(node: Node, name: str) -> list[str]:
    """Pipelines, models, connectors and groups whose name starts so."""
    left = [one for one in node.request("GET", "/_search/pipeline") if one.startswith(name)]
    for what in ("models", "connectors", "model_groups"):
        answer = node.request("POST", f"/_plugins/_ml/{what}/_search", {"query": {"match_all": {}}, "size": 1_000})
        found = [hit["_source"].get("name", "") for hit in answer["hits"]["hits"]]
        left += [f"{what} {one}" for one in found if one.startswith(name)]
    return left


def ski_racks(host: Host) -> list[str]:
    """What the service puts first for a query; not what the engine does."""
    offered = [id_ for id_, _ in host.search(size=SIZE * FACTOR)]
    ranked = host.rerank(documents=offered, item_ids=offered, person={"query": "a ski rack"})
    found = [offered[place] for place, _ in ranked[:SIZE]]
    assert found != offered[:SIZE]
    return found


def test_installing_again_replaces_and_removing_leaves_nothing(host: Host) -> None:
    asked = person(query="a ski rack")
    expected = ski_racks(host)
    for _ in range(2):
        host.install("twice", host.site.url)
        kinds = [one.partition(" ")[0] for one in left_of(host.node, "twice")]
        assert sorted(kinds) == sorted(["twice-person", "twice-texts", *2 * ["models", "connectors", "model_groups"]])
        host.finds("twice-person", expected, **asked)
    before = sorted(left_of(host.node, "twice"))
    with pytest.raises(Unavailable) as told:
        host.install("twice", nobody())
    assert told.value.fix.startswith("Start `sidetower serve`")
    # What was there goes on.
    assert sorted(left_of(host.node, "twice")) == before
    host.finds("twice-person", expected, **asked)
    assert host.remove("twice") == ["twice-texts", "twice-person"]
    assert left_of(host.node, "twice") == []
    assert host.remove("twice") == []


def test_a_pipeline_of_somebody_else_is_left_alone(host: Host) -> None:
    own = {"response_processors": [{"truncate_hits": {"target_size": 3}}]}
    host.node.request("PUT", "/_search/pipeline/own-texts", own)
    for change in (lambda: host.install("own", host.site.url), lambda: host.remove("own")):
        with pytest.raises(InvalidQuery, match="somebody else's"):
            change()
    assert host.node.request("GET", "/_search/pipeline/own-texts") == {"own-texts": own}
    assert left_of(host.node, "own") == ["own-texts"]


def test_a_cluster_that_does_not_trust_the_address_is_told_the_way_out(host: Host) -> None:
    with pytest.raises(ConfigurationError) as told:
        host.install("no", "http://192.0.2.1:8080")
    assert told.value.fix.endswith("send the first request of `sidetower pipelines print`.")
    assert left_of(host.node, "no") == []


def test_the_printed_requests_do_the_same(host: Host) -> None:
    requests = host.pipelines("print", "--name", "by-hand", "--factor", str(FACTOR))
    filled: dict[str, str] = {}
    for one in requests:
        body = json.dumps(one["body"])
        for name, value in filled.items():
            body = body.replace(name, value)
        answer = host.node.request(one["method"], one["path"], json.loads(body))
        filled |= {name.upper(): answer[name] for name in ("connector_id", "model_id") if name in answer}
    try:
        host.finds("by-hand-person", ski_racks(host), **person(query="a ski rack"))
        engine = host.search()
        until(lambda: host.search("by-hand-texts", **typed("a ski rack")) != engine, "the texts are ranked")
    finally:
        host.node.request("PUT", "/_cluster/settings", {"persistent": {"plugins.ml_commons.*": None}})
        host.remove("by-hand")
    assert left_of(host.node, "by-hand") == []


def test_a_service_that_is_gone_leaves_the_engines_order(host: Host) -> None:
    # The last test of this module: the service does not come back.
    engine = host.search()
    host.finds(PERSON, ski_racks(host), **person(query="a ski rack"))
    until(lambda: host.search(TEXTS, **typed("a ski rack")) != engine, "the texts are ranked")
    host.site.process.kill()
    assert host.search(PERSON, **person(query="a ski rack")) == engine
    assert host.search(TEXTS, **typed("a ski rack")) == engine
