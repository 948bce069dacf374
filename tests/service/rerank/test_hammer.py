"""Random requests to every route: an answer in its shape or an error in the one shape, never a 5xx."""

from __future__ import annotations

import asyncio
import copy
import json
import random
from typing import Any

import httpx

from recommender.calibration import Calibration
from tests.service.rerank.world import World, seen
from tests.support.toy_bundle import ToyBundle, ToyManifest

REQUESTS = 400
#: Values that belong nowhere, or only in some places.
ODD: list[Any] = [
    None, True, False, 0, -1, 1, 2**63, 10**400, 0.5, 1e308, -1e-9, "", " ", "n1", "x" * 500, "\u0000", "\u202e", "🚗",
    "*", "red estate", [], [[]], [None], ["n1", "n1"], {}, {"term": {}}, {"term": {"make": "bmw"}},
    {"range": {"price": {"gte": "x"}}}, {"not": {"not": {"exists": "price"}}}, [{"id": "n1", "add": 1.0}],
]  # fmt: skip
PERSON = {"kind": "listing", "history": seen("n1", "n4"), "audiences": ["dealers"], "weight": 0.5, "user": "u1"}
RULES = {"pins": ["n2"], "hides": ["n3"], "boosts": [{"id": "n1", "add": 0.5}]}
FILTERS = {"filters": [{"term": {"make": "bmw"}}, {"range": {"price": {"lte": 9000}}}]}
ROUTES: dict[str, dict[str, Any]] = {
    "/v1/search": {
        **PERSON,
        **RULES,
        **FILTERS,
        "query": "red",
        "limit": 3,
        "offset": 1,
        "page_token": "",
        "explain": True,
    },
    "/v1/rerank": {
        **PERSON,
        **RULES,
        "query": "red",
        "candidates": [{"id": "n1", "score": 2.0}, {"id": "s1", "score": 1.0}],
    },
    "/v1/recommend": {**PERSON, **RULES, **FILTERS, "limit": 3, "diversity": 0.5, "exclude_seen": True},
    "/v1/suggest": {"kind": "listing", "text": "red estate", **FILTERS, "limit": 3, "threshold": 0.1},
    "/v1/similar/listing/n1": {"history": seen("n4"), **FILTERS, "limit": 3, "diversity": 0.5, "exclude_seen": True},
}


def bent(body: dict[str, Any], rng: random.Random) -> dict[str, Any]:
    """The body with up to three of its parts changed, at any depth."""
    made = copy.deepcopy(body)
    for _ in range(rng.randint(0, 3)):
        at: Any = made
        while True:
            keys: list[Any] = list(at) if isinstance(at, dict) else list(range(len(at)))
            if not keys:
                break
            key = rng.choice(keys)
            if isinstance(at[key], dict | list) and at[key] and rng.random() < 0.5:
                at = at[key]
                continue
            what = rng.random()
            if what < 0.2 and isinstance(at, dict):
                del at[key]
            elif what < 0.3 and isinstance(at, dict):
                at[f"{key}?"] = rng.choice(ODD)
            else:
                at[key] = copy.deepcopy(rng.choice(ODD))
            break
    return made


def check(path: str, sent: str, answer: httpx.Response) -> None:
    told = answer.json()
    if answer.status_code == 200:
        assert {"rank_id", "ranked_by", "degraded", "took_ms"} <= set(told) | set(told.get("meta", {})) | {"rank_id"}, (
            sent
        )
        assert isinstance(told["results" if path == "/v1/rerank" else "hits"], list), sent
        assert not any(hit["id"] in ("s1", "dealer?") for hit in told.get("hits", ())), sent
    else:
        assert answer.status_code in (404, 422), (path, sent, answer.text)
        assert set(told["error"]) == {"code", "place", "expected", "got", "fix"}, (path, sent)


def test_every_route_answers_in_its_shape_whatever_comes(world: World) -> None:
    manifest = ToyManifest(calibration=Calibration(8.0, -4.0, 0.1))
    world.bundles["toy-1"] = ToyBundle(
        manifest=manifest, neighbours={("north", "listing", "n1"): ["n2", "s1"], ("north", "listing", ""): ["n5"]}
    )
    rng = random.Random(20_261_123)
    app = world.app()

    async def ask_all() -> None:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        headers = {"X-Sidetower-Tenant": "north", "Content-Type": "application/json"}
        async with httpx.AsyncClient(transport=transport, base_url="http://service", headers=headers) as client:
            for _ in range(REQUESTS):
                path = rng.choice(list(ROUTES))
                sent = json.dumps(bent(ROUTES[path], rng))
                check(path, sent, await client.post(path, content=sent))

    asyncio.run(ask_all())
