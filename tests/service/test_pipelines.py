"""What search pipelines ask: the shape of the requests that are made for them, and of those that they make."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from domain.catalogue import Kind
from domain.errors import InvalidQuery
from plugin.opensearch.pipelines import Recipe, cluster_settings, pipelines
from tests.journeys.processes import run
from tests.service.rerank.test_documents import CARS
from tests.service.rerank.test_errors import error_of
from tests.service.rerank.world import LISTING, World, fill, seen
from tests.support.service_client import ServiceClient

RECIPE = Recipe("sidetower-listing-north", "http://127.0.0.1:8080/", "north", LISTING, factor=5)
CONFIG = '[kinds.listing]\nid = "listing_id"\ntext = { title = 1.0 }\n'


@pytest.fixture
def north(tmp_path: Path) -> ServiceClient:
    """The service over a filled world, asked as the tenant north."""
    world = World(tmp_path)
    fill(world)
    return ServiceClient(world.app(), "north")


def sent(connector: Mapping[str, Any], **parameters: Any) -> dict[str, Any]:
    """The body that ML Commons sends: texts escaped for the quotation marks around them, all else as JSON."""
    template: str = connector["actions"][0]["request_body"]
    told = {
        name: json.dumps(one)[1:-1] if isinstance(one, str) else json.dumps(one) for name, one in parameters.items()
    }
    body: dict[str, Any] = json.loads(re.sub(r"\$\{parameters\.(\w+)\}", lambda found: told[found[1]], template))
    return body


def test_the_service_takes_what_the_connectors_send(north: ServiceClient) -> None:
    texts, person = pipelines(RECIPE)
    bodies = [
        sent(texts.connector, query='red "estate" \\', documents=CARS, top_n=len(CARS)),
        sent(texts.connector, **texts.probe),
        sent(person.connector, ids=["n1", "n2"], person={"query": "red", "history": seen("n4"), "weight": 0.5}),
        sent(person.connector, **person.probe),
    ]
    for body in bodies:
        answer = north.ask("POST", "/v1/rerank", json={**body, "deadline_ms": 10_000})
        assert answer.status_code == 200, answer.text
        assert len(answer.json()["results"]) == len(body["documents"])
    for pipeline in (texts, person):
        [action] = pipeline.connector["actions"]
        assert action["url"] == "http://127.0.0.1:8080/v1/rerank"
        assert action["headers"]["X-Sidetower-Tenant"] == "north"
        # Sorted by score, the answer has to be put into the order of the hits.
        assert action["post_process_function"] == "connector.post_process.cohere.rerank"


def test_a_person_in_one_object_is_ranked_as_one_in_single_keys(north: ServiceClient) -> None:
    ids = ["n5", "n4", "n3", "n2", "n1", "dealer"]
    person: dict[str, Any] = {
        "query": "red",
        "user": "u1",
        "history": seen("n4", "n5"),
        "audiences": ["dealers"],
        "weight": 0.7,
    }
    single = north.rerank_documents(documents=ids, item_ids=ids, **person)
    whole = north.rerank_documents("", ids, item_ids=ids, person=person)
    assert whole["results"] == single["results"]
    assert whole["meta"]["history_used"] == single["meta"]["history_used"] == 2
    assert [one["index"] for one in whole["results"]] != list(range(len(ids)))
    nobody = north.rerank_documents("", ids, item_ids=ids, person={})
    assert [one["index"] for one in nobody["results"]] == list(range(len(ids)))
    assert nobody["meta"]["ranked_by"] == "engine"


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"person": {"colour": "red"}}, "body.person.colour"),
        ({"person": {"weight": 2}}, "body.person.weight"),
        ({"person": {"history": seen("n1", kind="bicycle")}}, "body.person.history[0].kind"),
        ({"person": {"query": "red"}, "query": "blue"}, "body.query"),
        ({"person": {}, "user": "u1"}, "body.user"),
        ({"person": {}, "weight": 1.0}, "body.weight"),
        ({"person": {}, "item_ids": None}, "body.person"),
    ],
)
def test_a_wrong_person_is_told(north: ServiceClient, change: dict[str, Any], place: str) -> None:
    body = {"kind": "listing", "query": "", "documents": ["n1", "n2"], "item_ids": ["n1", "n2"], **change}
    answer = north.ask("POST", "/v1/rerank", json=body)
    assert (answer.status_code, error_of(answer)["place"]) == (422, place)


def test_what_the_pipelines_read_of_a_document() -> None:
    texts, person = pipelines(RECIPE)
    [rerank, _] = texts.body["response_processors"]
    assert rerank["rerank"]["context"]["document_fields"] == ["title", "description"]
    [inference, by_field, _] = person.body["response_processors"]
    [reads] = inference["ml_inference"]["input_map"]
    assert reads == {"ids": "listing_id", "person": "$._request.ext.ml_inference"}
    [writes] = inference["ml_inference"]["output_map"]
    assert list(writes) == [by_field["rerank"]["by_field"]["target_field"]]
    for pipeline in (texts, person):
        asking = [one for one in pipeline.body["response_processors"] if "truncate_hits" not in one]
        assert asking
        assert all(settings["ignore_failure"] is True for one in asking for settings in one.values())
        filled = pipeline.body_for("m-1")
        assert "m-1" in json.dumps(filled)
        assert "MODEL_ID" not in json.dumps(filled)


def test_a_window_of_one_needs_no_oversampling() -> None:
    for pipeline in pipelines(replace(RECIPE, factor=1)):
        assert "request_processors" not in pipeline.body
        assert "truncate_hits" not in json.dumps(pipeline.body)


def test_pipelines_cannot_see_an_id_that_no_field_holds() -> None:
    nameless = replace(RECIPE, kind=Kind(name="listing", id="_id", text={"title": 1.0}))
    assert [one.name for one in pipelines(nameless)] == ["sidetower-listing-north-texts"]


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"name": "Sidetower"}, "--name"),
        ({"name": "a b"}, "--name"),
        ({"name": ""}, "--name"),
        ({"url": "localhost:8080"}, "--url"),
        ({"tenant": "k\u00f6ln"}, "--tenant"),
    ],
)
def test_wrong_recipes_are_told(change: dict[str, Any], place: str) -> None:
    with pytest.raises(InvalidQuery) as told:
        pipelines(replace(RECIPE, **change))
    assert told.value.place == place


def test_only_the_address_of_the_service_is_to_be_trusted() -> None:
    _, _, body = cluster_settings("http://10.0.0.5:8080")
    [trusted] = body["persistent"]["plugins.ml_commons.trusted_connector_endpoints_regex"]
    assert re.fullmatch(trusted, "http://10.0.0.5:8080/v1/rerank")
    assert not re.fullmatch(trusted, "http://10x0.0.5:8080/v1/rerank")
    assert not re.fullmatch(trusted, "http://10.0.0.5:80801/v1/rerank")


def test_printing_needs_no_cluster_and_installing_says_so(tmp_path: Path) -> None:
    (tmp_path / "sidetower.toml").write_text(CONFIG)
    printed = run(tmp_path, "pipelines", "print", "--tenant", "north")
    assert printed.returncode == 0, printed.stderr
    requests = [line for line in printed.stdout.splitlines() if re.match(r"(PUT|POST) /", line)]
    assert requests == [
        "PUT /_cluster/settings",
        *["POST /_plugins/_ml/connectors/_create", "POST /_plugins/_ml/models/_register?deploy=true"],
        "PUT /_search/pipeline/sidetower-listing-north-texts",
        *["POST /_plugins/_ml/connectors/_create", "POST /_plugins/_ml/models/_register?deploy=true"],
        "PUT /_search/pipeline/sidetower-listing-north-person",
    ]
    for action in ("install", "remove"):
        done = run(tmp_path, "pipelines", action, "--tenant", "north")
        assert done.returncode == 2
        assert "opensearch, the cluster to install in" in done.stderr
    assert run(tmp_path, "pipelines", "print").returncode == 2
