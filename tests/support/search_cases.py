"""One list of cases for two that do not know each other: which searches client and gateway rank, and by what text."""

from __future__ import annotations

from typing import Any, Final

MATCH: Final[dict[str, Any]] = {"match": {"title": "red car"}}

#: A query, and the one text that it looks for.
TEXTS: Final[list[tuple[Any, str]]] = [
    (None, ""),
    ({"match_all": {}}, ""),
    (MATCH, "red car"),
    ({"match": {"title": {"query": " red car ", "operator": "and"}}}, "red car"),
    ({"match_phrase": {"title": "red car"}}, "red car"),
    ({"multi_match": {"query": "red car", "fields": ["title^3", "text"]}}, "red car"),
    ({"query_string": {"query": "red car"}}, "red car"),
    ({"simple_query_string": {"query": "red car"}}, "red car"),
    ({"combined_fields": {"query": "red car", "fields": ["title"]}}, "red car"),
    ({"bool": {"must": [MATCH], "should": [{"match_phrase": {"title": "red car"}}]}}, "red car"),
    ({"bool": {"must": MATCH, "filter": [{"match": {"make": "bmw"}}], "must_not": {"match": {"x": "y"}}}}, "red car"),
    ({"hybrid": {"queries": [MATCH, {"neural": {"v": {"query_text": "red car", "k": 5}}}]}}, "red car"),
    ({"function_score": {"query": MATCH, "functions": [{"weight": 2}]}}, "red car"),
    ({"dis_max": {"queries": [MATCH, {"match": {"text": "red car"}}]}}, "red car"),
    ({"boosting": {"positive": MATCH, "negative": {"match": {"title": "broken"}}}}, "red car"),
    ({"bool": {"must": [MATCH, {"match": {"make": "bmw"}}]}}, ""),
    ({"match": {"title": {"query": 2019}}}, ""),
    ({"term": {"match": "red car"}}, ""),
    ({"knn": {"vector": {"vector": [0.5, 0.5], "k": 5}}}, ""),
]

#: A body, what stands in the URL, and start and size of the page, or the name of what stands against ranking it; of a
#: window of 200.
PAGES: Final[list[tuple[dict[str, Any], dict[str, Any], tuple[int, int] | str]]] = [
    ({}, {}, (0, 10)),
    ({"from": 190, "size": 20}, {}, (190, 20)),
    ({"from": 5, "size": 20}, {"from": "7", "size": "3"}, (7, 3)),
    ({"size": 200}, {"from": "199"}, (199, 200)),
    ({"size": "25"}, {}, (0, 25)),
    ({"size": 201}, {}, "size"),
    ({"size": 0}, {}, "size"),
    ({"size": -1}, {}, "size"),
    ({"size": 2.5}, {}, "size"),
    ({"size": "many"}, {}, "size"),
    ({"size": True}, {}, "size"),
    ({}, {"size": ""}, "size"),
    ({}, {"size": "1_0"}, "size"),
    ({"from": 200}, {}, "from"),
    ({"from": -1}, {}, "from"),
    ({"from": None}, {}, "from"),
    ({"sort": ["_score"]}, {}, "sort"),
    ({}, {"sort": "price:asc"}, "sort"),
    ({"search_after": [1], "sort": ["price"]}, {}, "search_after"),
    ({"pit": {"id": "x"}}, {}, "pit"),
    ({"slice": {"id": 0, "max": 2}}, {}, "slice"),
    ({"collapse": {"field": "make"}}, {}, "collapse"),
    ({"rescore": {}}, {}, "rescore"),
    ({"profile": True}, {}, "profile"),
    ({"terminate_after": 5}, {}, "terminate_after"),
    ({"stored_fields": "_none_"}, {}, "stored_fields"),
    ({"stored_fields": ["_none_"]}, {}, "stored_fields"),
    ({}, {"stored_fields": "_none_"}, "stored_fields"),
    ({"stored_fields": ["code"]}, {"stored_fields": "code"}, (0, 10)),
    ({}, {"scroll": "1m"}, "scroll"),
    ({}, {"q": "title:red"}, "q"),
    ({}, {"filter_path": "hits.hits._id"}, "filter_path"),
    ({"a_key_of_tomorrow": 1}, {}, "a_key_of_tomorrow"),
    ({}, {"a_parameter_of_tomorrow": "1"}, "a_parameter_of_tomorrow"),
    (
        {
            "query": MATCH,
            "post_filter": {},
            "min_score": 1,
            "indices_boost": [],
            "timeout": "1s",
            "ext": {},
            "_source": ["title"],
            "fields": ["title"],
            "docvalue_fields": ["price"],
            "script_fields": {},
            "highlight": {},
            "aggs": {},
            "aggregations": {},
            "suggest": {},
            "version": True,
            "seq_no_primary_term": True,
            "explain": True,
            "track_total_hits": 5,
        },
        {"routing": "a", "preference": "_local", "search_type": "query_then_fetch", "typed_keys": "true"},
        (0, 10),
    ),
]
