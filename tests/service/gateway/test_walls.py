"""Promise 8 for the gateway: a caller gets what the cluster gave to that caller, and nothing else."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

from sidetower.config import load_config
from sidetower.parts import Parts
from tests.service.gateway.asking import SCORES, Asking, cars, ids, outcome
from tests.service.gateway.stand_in import Answered, Sent, StandIn, found
from tests.service.rerank.world import seen

#: What each caller may see of the cluster's documents.
ALLOWED = {"Basic all": list(SCORES), "Basic few": ["n4", "n1"], "Basic none": []}


def with_rights(sent: Sent) -> Answered:
    """A cluster that shows every caller other documents, as document-level security does."""
    rights = sent.header("authorization")
    if rights not in ALLOWED:
        return Answered(401, b'{"error":"who are you?"}')
    return found(sent, {id_: SCORES[id_] for id_ in ALLOWED[rights]} or {"": 0.0}) if ALLOWED[rights] else nothing()


def nothing() -> Answered:
    return Answered(content=b'{"hits":{"total":{"value":0,"relation":"eq"},"max_score":null,"hits":[]}}')


def test_every_caller_sees_what_the_cluster_shows_to_that_caller(gateway: Asking, cluster: StandIn) -> None:
    cluster.answer = with_rights
    for rights, allowed in ALLOWED.items():
        answer = gateway.search(headers={"Authorization": rights})
        assert sorted(ids(answer)) == sorted(allowed)
        assert answer.json()["hits"]["total"]["value"] == len(allowed)
    for headers in ({}, {"Authorization": "Basic stranger"}):
        answer = gateway.search(headers=headers)
        assert (answer.status_code, answer.content) == (401, b'{"error":"who are you?"}')


def test_what_the_page_holds_beyond_the_ranking_is_not_shown(gateway: Asking, cluster: StandIn) -> None:
    def more(sent: Sent) -> Answered:
        told = json.loads(cars(sent).content)
        if sent.is_page:
            told["hits"]["hits"] += [{"_index": index, "_id": id_, "_score": 9.0} for index, id_ in OTHERS]
        return Answered(content=json.dumps(told).encode())

    cluster.answer = more
    answer = gateway.search()
    assert outcome(answer) == {"ranked-by": "toy-1"}
    assert sorted(ids(answer)) == sorted(SCORES)
    assert {hit["_index"] for hit in answer.json()["hits"]["hits"]} == {"cars"}


#: An item that our index holds and the window did not, and a document of another index under an id of the window.
OTHERS = [("cars", "dealer"), ("cars-of-others", "n1")]


def test_another_tenants_item_is_as_one_that_nobody_has(gateway: Asking) -> None:
    for tenant, strangers in (("south", set(SCORES) - {"shared"}), ("north", {"nowhere"})):
        person = {"tenant": tenant, "history": seen("n1"), "deadline_ms": 10_000, "explain": True}
        hits = gateway.search("any", person=person).json()["hits"]["hits"]
        assert {hit["_id"] for hit in hits if set(hit["_sidetower"]["parts"]) == {"engine"}} == strangers


def test_an_item_outside_the_audience_is_as_one_that_nobody_has(gateway: Asking, cluster: StandIn) -> None:
    cluster.answer = lambda sent: found(sent, {"dealer": 9.0, **SCORES})
    for audiences in ([], ["dealers"]):
        person = {"audiences": audiences, "history": seen("n1"), "deadline_ms": 10_000, "explain": True}
        hits = gateway.search(person=person).json()["hits"]["hits"]
        [dealer] = [hit for hit in hits if hit["_id"] == "dealer"]
        assert ("relevance" in dealer["_sidetower"]["parts"]) == bool(audiences)


def test_the_services_own_credentials_stay_at_home(tmp_path: Path, cluster: StandIn) -> None:
    (tmp_path / "sidetower.toml").write_text(
        f'[engine]\nopensearch = "{cluster.address}"\n[gateway.indexes.cars]\n'
        '[kinds.listing]\nid = "listing_id"\ntext = { title = 1.0 }\n'
    )
    secrets = {"SIDETOWER_OPENSEARCH_USER": "sidetower", "SIDETOWER_OPENSEARCH_PASSWORD": "secret"}
    parts = Parts(load_config(tmp_path / "sidetower.toml", secrets)).gateway
    assert parts is not None

    async def ask(headers: Any) -> None:
        async with parts.cluster.send("GET", b"/cars/_search", headers, b"") as answer:
            assert answer.status == 200

    async def asks() -> None:
        await ask([])
        await ask([(b"authorization", b"Basic mine")])
        await parts.cluster.close()

    asyncio.run(asks())
    assert [sent.header("authorization") for sent in cluster.sent] == [None, "Basic mine"]
    assert "sidetower:secret" not in str(cluster.sent)
