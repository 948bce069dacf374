"""Search pipelines: the ways in which OpenSearch itself asks the rerank service, as requests to the cluster.

Each is a connector (how to reach the service), a model on it (what processors name) and a pipeline, in the shapes
of ML Commons and neural-search, https://docs.opensearch.org/latest/search-plugins/search-pipelines/search-processors/.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from domain.catalogue import Kind
from domain.errors import InvalidQuery

#: Stands in a pipeline's body, and in printed requests, for what the cluster answers.
CONNECTOR_ID: Final = "CONNECTOR_ID"
MODEL_ID: Final = "MODEL_ID"
#: By this we know our own pipelines again.
DESCRIPTION: Final = "Asks the Sidetower rerank service."
#: Field of a hit that holds the score between the two processors.
SCORE_FIELD: Final = "sidetower_score"

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,99}")
#: Whole seconds are all that connectors know; the service's own deadline in this shape is shorter.
_CLIENT: Final = {"connection_timeout": 1, "read_timeout": 1, "max_retry_times": 0}
# Puts the scores, which the service answers best first, into the order of the hits.
_BY_HIT: Final = "connector.post_process.cohere.rerank"


@dataclass(frozen=True, slots=True)
class Recipe:
    """What the pipelines of one tenant and kind are made for."""

    #: Start of their names.
    name: str
    #: Address of the service, as the cluster reaches it.
    url: str
    tenant: str
    kind: Kind
    #: Hits that are ranked for each hit that a search asks for.
    factor: int


@dataclass(frozen=True, slots=True)
class SearchPipeline:
    """One pipeline and what it stands on."""

    name: str
    connector: Mapping[str, Any]
    #: With `MODEL_ID` where the model's id goes.
    body: Mapping[str, Any]
    #: Parameters that the model answers when all is well.
    probe: Mapping[str, Any]

    def body_for(self, model_id: str) -> dict[str, Any]:
        """The pipeline that asks this model."""
        filled: dict[str, Any] = json.loads(json.dumps(self.body).replace(MODEL_ID, model_id))
        return filled

    def model(self, connector_id: str) -> dict[str, Any]:
        """The model on this connector."""
        return {
            "name": self.name,
            "function_name": "remote",
            "description": DESCRIPTION,
            "connector_id": connector_id,
        }

    def requests(self) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
        """Method, path and body of what installs it, in order."""
        yield "POST", "/_plugins/_ml/connectors/_create", self.connector
        yield "POST", "/_plugins/_ml/models/_register?deploy=true", self.model(CONNECTOR_ID)
        yield "PUT", f"/_search/pipeline/{self.name}", self.body


def pipelines(recipe: Recipe) -> list[SearchPipeline]:
    """``NAME-texts``, and ``NAME-person`` where documents hold their own id.

    Raises:
        InvalidQuery: the name or the address is none, or the tenant cannot be sent.
    """
    if not _NAME.fullmatch(recipe.name):
        expected = "at most 100 of a-z, 0-9, _ and -, a letter or digit first"
        raise InvalidQuery("--name", expected=expected, got=repr(recipe.name), fix="Choose a name with --name.")
    if urlsplit(recipe.url).scheme not in ("http", "https") or not urlsplit(recipe.url).hostname:
        fix = "Name the address under which the cluster reaches `sidetower serve`."
        raise InvalidQuery("--url", expected="an http:// or https:// address", got=repr(recipe.url), fix=fix)
    if not recipe.tenant.isascii():
        fix = "Let your backend ask the service, with the client or over HTTP."
        raise InvalidQuery("--tenant", expected="ASCII, as headers of connectors are", got=repr(recipe.tenant), fix=fix)
    # The processors of `ml_inference` read a hit's document, not its `_id`.
    return [_texts(recipe), *([_person(recipe)] if recipe.kind.id != "_id" else [])]


def names(name: str) -> list[str]:
    """Of the pipelines that may stand under a recipe's name."""
    return [f"{name}-texts", f"{name}-person"]


def cluster_settings(url: str) -> tuple[str, str, Mapping[str, Any]]:
    """Method, path and body of what lets a cluster call the service; an operator's decision, not an installer's."""
    split = urlsplit(url)
    trusted = f"^{split.scheme}://{re.escape(split.netloc)}/.*$"
    allowed = {
        "plugins.ml_commons.trusted_connector_endpoints_regex": [trusted],
        "plugins.ml_commons.connector.private_ip_enabled": True,
    }
    return "PUT", "/_cluster/settings", {"persistent": allowed}


def _texts(recipe: Recipe) -> SearchPipeline:
    name = names(recipe.name)[0]
    request = {"kind": recipe.kind.name, "query": "${parameters.query}", "documents": "@documents", "top_n": "@top_n"}
    rerank = {"ml_opensearch": {"model_id": MODEL_ID}, "context": {"document_fields": list(recipe.kind.text)}}
    return SearchPipeline(
        name,
        _connector(name, recipe, request, pre_process_function="connector.pre_process.cohere.rerank"),
        _pipeline(recipe, {"rerank": {**rerank, "ignore_failure": True}}),
        {"query": "a", "documents": ["a"], "top_n": 1},
    )


def _person(recipe: Recipe) -> SearchPipeline:
    name = names(recipe.name)[1]
    request = {"kind": recipe.kind.name, "query": "", "documents": "@ids", "item_ids": "@ids", "person": "@person"}
    inference = {
        "model_id": MODEL_ID,
        "one_to_one": False,
        "full_response_path": True,
        "input_map": [{"ids": recipe.kind.id, "person": "$._request.ext.ml_inference"}],
        "output_map": [{SCORE_FIELD: "$.inference_results[0].output[*].data[0]"}],
        "ignore_failure": True,
    }
    by_field = {"by_field": {"target_field": SCORE_FIELD, "remove_target_field": True}, "ignore_failure": True}
    return SearchPipeline(
        name,
        _connector(name, recipe, request),
        _pipeline(recipe, {"ml_inference": inference}, {"rerank": by_field}),
        {"ids": ["-"], "person": {}},
    )


def _connector(name: str, recipe: Recipe, request: Mapping[str, str], **functions: str) -> dict[str, Any]:
    # "@name" stands for a parameter that is JSON itself, without quotation marks around it.
    template = re.sub(r'"@(\w+)"', r"${parameters.\1}", json.dumps(request))
    action = {
        "action_type": "predict",
        "method": "POST",
        "url": recipe.url.rstrip("/") + "/v1/rerank",
        "headers": {"Content-Type": "application/json", "X-Sidetower-Tenant": recipe.tenant},
        "request_body": template,
        "post_process_function": _BY_HIT,
        **functions,
    }
    return {
        "name": name,
        "description": DESCRIPTION,
        "version": "1",
        "protocol": "http",
        "credential": {"key": "none"},
        "client_config": _CLIENT,
        "actions": [action],
    }


def _pipeline(recipe: Recipe, *processors: Mapping[str, Any]) -> dict[str, Any]:
    wide: dict[str, Any] = {"request_processors": [{"oversample": {"sample_factor": recipe.factor}}]}
    narrow: list[Mapping[str, Any]] = [{"truncate_hits": {}}]
    alone = recipe.factor == 1
    body = {"description": DESCRIPTION, "response_processors": [*processors, *([] if alone else narrow)]}
    return body if alone else body | wide
