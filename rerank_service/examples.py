"""Examples of requests and answers, for OpenAPI; docs/reference/http.md shows the same ones."""

from __future__ import annotations

import json
from typing import Any, Final

_HIT: Final = {
    "id": "a/17",
    "kind": "listing",
    "score": 1.8127,
    "engine_rank": 3,
    "fields": {"title": "BMW 320d Touring", "make": "BMW", "price": 8900.0},
    "parts": {"engine": 0.62, "relevance": 0.7311, "personal": 0.4616},
    "contributions": {"engine": 0.62, "query": 0.742, "user": 0.4102, "signals": 0.0405},
}
_EXPLAINED: Final = ("parts", "contributions")
_ANSWER: Final = {
    "hits": [_HIT],
    "total_candidates": 143,
    "rank_id": "0b6c3f0e-5d0f-4f0b-9a3c-9a2f6c3f1d55",
    "ranked_by": "b-2f7c31d0",
    "degraded": None,
    "history_used": 2,
    "took_ms": 11.42,
}
_TOLD: Final = {"ranked_by": "b-2f7c31d0", "degraded": None, "history_used": 1, "took_ms": 7.31}
_RERANKED: Final = {
    "results": [
        {
            "id": "a/15",
            "index": 1,
            "score": 1.4627,
            "engine_rank": 2,
            "parts": {"engine": 0.5556, "relevance": 0.6482, "personal": 0.2589},
            "contributions": {"engine": 0.5556, "query": 0.5914, "user": 0.2719, "signals": 0.0438},
        }
    ],
    "rank_id": "5a1f7a6e-02f3-4a5c-8f0e-7f6f0a3c9f11",
    **_TOLD,
}
_RELEVANT: Final = {
    "id": "c2b0a7c8-8c0e-4a6b-9e59-3a1f1a5f7a10",
    "results": [{"index": 1, "relevance_score": 0.914217391}, {"index": 0, "relevance_score": 0.540112205}],
    "meta": _TOLD | {"history_used": 0},
}
_LINES: Final[list[dict[str, Any]]] = [
    {
        "op": "put",
        "kind": "listing",
        "document": {"listing_id": "a/17", "updated_at": "2026-01-01T00:00:00Z", "title": "BMW 320d Touring"},
    },
    {"op": "delete", "kind": "listing", "id": "a/12", "revision": 1767225600001},
]
_OUTCOMES: Final[list[dict[str, Any]]] = [
    {"line": 1, "outcome": "written", "kind": "listing", "id": "a/17", "revision": 1767225600000},
    {"line": 2, "outcome": "stale", "kind": "listing", "id": "a/12", "revision": 1767225600001},
]
_ERROR: Final = {
    "error": {
        "code": "invalid_query",
        "place": "filters[0].term",
        "expected": "a filter field of listing: make, price",
        "got": "'colour'",
        "fix": "Filter by one of these.",
    }
}


def _answers(description: str, example: Any, *statuses: int) -> dict[int | str, dict[str, Any]]:
    error = {
        "description": "Told in the one error shape.",
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["error"],
                    "properties": {
                        "error": {
                            "type": "object",
                            "required": list(_ERROR["error"]),
                            "properties": {name: {"type": "string"} for name in _ERROR["error"]},
                        }
                    },
                },
                "example": _ERROR,
            }
        },
    }
    fine = {"description": description, "content": {"application/json": {"example": example}}}
    return {200: fine, **dict.fromkeys(statuses, error)}


def _lines(values: list[dict[str, Any]]) -> str:
    return "".join(f"{json.dumps(value)}\n" for value in values)


SEARCH: Final = _answers("Hits, best first.", _ANSWER | {"page_token": "TmljZSB0cnk"}, 404, 413, 422, 503)
SIMILAR: Final = _answers(
    "Hits, nearest first.",
    _ANSWER
    | {"hits": [{name: value for name, value in _HIT.items() if name not in _EXPLAINED}], "ranked_by": "engine"}
    | {"history_used": 0},
    404,
    413,
    422,
    503,
)
RECOMMEND: Final = _answers("Hits, best first.", _ANSWER, 404, 413, 422, 503)
SUGGEST: Final = _answers(
    "Items that are probable enough, most probable first; perhaps none.",
    {
        "hits": [{"id": "a/17", "kind": "listing", "probability": 0.8231, "fields": {"title": "BMW 320d Touring"}}],
        "threshold": 0.7,
        "rank_id": "1d0c3a5e-8a53-4d43-9b77-5f6f2a3c9f11",
        "ranked_by": "b-2f7c31d0",
        "degraded": None,
        "took_ms": 9.87,
    },
    404,
    413,
    422,
    503,
)
RERANK: Final = _answers("The candidates, best first; each shape has its own answer.", _RERANKED, 404, 413, 422)
RERANK[200]["content"]["application/json"] = {
    "examples": {
        "candidates": {"summary": "Answer to candidates", "value": _RERANKED},
        "documents": {"summary": "Answer to documents", "value": _RELEVANT},
    }
}
BULK: Final = _answers("One outcome for each line, in order, while lines are still coming.", None, 422)
BULK[200]["content"] = {"application/x-ndjson": {"example": _lines(_OUTCOMES)}}
ITEM: Final = _answers(
    "What became of the change: written or stale.",
    {
        "outcome": "written",
        "kind": "listing",
        "id": "a/17",
        "revision": 1767225600000,
        "searchable": "after the next refresh",
    },
    404,
    409,
    413,
    422,
    500,
    503,
)
HEALTH: Final = _answers("The process is alive.", {"alive": True})
READY: Final = _answers(
    "Traffic may come.",
    {
        "ready": True,
        "checks": {"engine": "ok"},
        "kinds": {"listing": {"generation": "listing-g1", "bundle": "b-2f7c31d0", "state": "ready"}},
        "degraded": {},
    },
    503,
)

SEARCH_BODY: Final[dict[str, Any]] = {
    "person": {
        "summary": "A person with a history",
        "value": {
            "kind": "listing",
            "query": "estate car diesel",
            "filters": [{"term": {"make": "BMW"}}, {"range": {"price": {"lte": 9000}}}],
            "limit": 10,
            "user": "u1",
            "history": [
                {"kind": "listing", "id": "a/12", "action": "view", "timestamp": 1767220000},
                {"kind": "listing", "id": "a/15", "action": "bookmark", "timestamp": 1767223600},
            ],
            "audiences": ["dealers"],
            "weight": 1.0,
            "deadline_ms": 200,
            "explain": True,
        },
    }
}
RERANK_BODY: Final[dict[str, Any]] = {
    "candidates": {
        "summary": "Hits of your own engine, for a person",
        "value": {
            "kind": "listing",
            "query": "estate car diesel",
            "candidates": [
                {"id": "a/17", "score": 12.9},
                {"id": "a/15", "score": 11.4},
                {"id": "a/12", "score": 9.5},
            ],
            "user": "u1",
            "history": [{"kind": "listing", "id": "a/15", "action": "bookmark", "timestamp": 1767223600}],
            "audiences": ["dealers"],
            "weight": 1.0,
            "deadline_ms": 200,
            "limit": 1,
            "explain": True,
        },
    },
    "documents": {
        "summary": "Texts, as Cohere's clients send them",
        "value": {
            "model": "sidetower",
            "kind": "listing",
            "query": "estate car diesel",
            "documents": ["MG roadster, petrol", "BMW 320d Touring, diesel estate"],
            "top_n": 2,
        },
    },
}
BULK_BODY: Final[dict[str, Any]] = {
    "required": True,
    "description": "One JSON object on each line.",
    "content": {
        "application/x-ndjson": {
            "schema": {"type": "string"},
            "examples": {"changes": {"summary": "A change and a removal", "value": _lines(_LINES)}},
        }
    },
}
RECOMMEND_BODY: Final[dict[str, Any]] = {
    "person": {
        "summary": "A feed for a person",
        "value": {
            "kind": "listing",
            "user": "u1",
            "history": [{"kind": "listing", "id": "a/15", "action": "bookmark", "timestamp": 1767223600}],
            "filters": [{"range": {"price": {"lte": 9000}}}],
            "limit": 10,
            "diversity": 0.3,
        },
    }
}
SUGGEST_BODY: Final[dict[str, Any]] = {
    "question": {
        "summary": "A question",
        "value": {"kind": "listing", "text": "an estate car that tows a caravan", "limit": 3},
    }
}
SIMILAR_BODY: Final[dict[str, Any]] = {
    "filtered": {
        "summary": "Of another make",
        "value": {"filters": [{"not": {"term": {"make": "BMW"}}}], "limit": 5, "audiences": ["dealers"]},
    }
}
ITEM_BODY: Final[dict[str, Any]] = {
    "listing": {
        "summary": "The host's own document",
        "value": {
            "listing_id": "a/17",
            "updated_at": "2026-01-01T00:00:00Z",
            "title": "BMW 320d Touring",
            "make": "BMW",
            "price": 8900,
        },
    }
}
