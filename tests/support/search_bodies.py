"""Documents of a host, and searches of it as hosts write them, drawn from a seed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

_COLOURS: Final = ("red", "blue", "green", "grey", "black")
_BODIES: Final = ("estate", "roadster", "van", "saloon", "cabriolet")
_FUELS: Final = ("diesel", "petrol", "electric")
_WORDS: Final = ("kept", "clean", "towbar", "family", "city", "holiday", "winter", "tyres", "owner", "garage")
_MAKES: Final = ("volvo", "bmw", "mg", "fiat", "ford")
_EXTRAS: Final = ("radio", "towbar", "heating", "roof")

MAPPING: Final[dict[str, Any]] = {
    "listing_id": {"type": "keyword"},
    "title": {"type": "text", "fields": {"raw": {"type": "keyword"}}},
    "description": {"type": "text"},
    "make": {"type": "keyword"},
    "price": {"type": "double"},
    "views": {"type": "long"},
    "sold": {"type": "boolean"},
    "listed": {"type": "date"},
    "code": {"type": "keyword", "store": True},
    "extras": {"type": "nested", "properties": {"name": {"type": "keyword"}, "price": {"type": "integer"}}},
    "start": {"type": "completion"},
}


def documents(count: int, seed: int = 1) -> list[dict[str, Any]]:
    """Cars, each under a `listing_id` of its own; many share words, prices and scores."""
    random = Random(seed)
    made = []
    for number in range(count):
        title = f"{random.choice(_COLOURS)} {random.choice(_BODIES)} {random.choice(_FUELS)} car"
        made.append(
            {
                "listing_id": f"car/{number}",
                "version": 1,
                "title": title,
                "description": " ".join(random.choices((*_COLOURS, *_BODIES, *_WORDS), k=random.randint(3, 30))),
                "make": random.choice(_MAKES),
                "price": 1_000.0 + 250.25 * random.randrange(60),
                "views": random.choice((0, 1, 17, 2**53 + 1)),
                "sold": random.random() < 0.3,
                "listed": f"2026-0{random.randint(1, 9)}-1{random.randint(0, 9)}",
                "code": f"c{number % 7}",
                "extras": [
                    {"name": name, "price": random.randint(1, 9)}
                    for name in random.sample(_EXTRAS, random.randint(0, 3))
                ],
                "start": title.split(maxsplit=1)[0],
                "visible_to": ["*"],
            }
        )
    return made


@dataclass(frozen=True)
class Drawn:
    """One search."""

    body: dict[str, Any]
    #: What stands in the URL.
    url: dict[str, str] = field(default_factory=dict)
    #: What stands against ranking it; empty where nothing does.
    against: str = ""


def searches(count: int, seed: int = 1) -> Iterator[Drawn]:
    """Searches, three of four of which can be ranked."""
    random = Random(seed)
    for number in range(count):
        drawn = _rankable(random)
        if number % 4 == 3:
            name = sorted(_AGAINST)[number // 4 % len(_AGAINST)]
            drawn = _AGAINST[name](random, drawn)
        yield drawn


def _text(random: Random) -> str:
    return " ".join(random.sample((*_COLOURS, *_BODIES, *_FUELS, *_WORDS), random.randint(1, 3)))


def _full_text(random: Random) -> dict[str, Any]:
    text = _text(random)
    return random.choice(
        [
            {"match": {"title": text}},
            {"match": {"title": {"query": text, "operator": "or", "_name": "typed"}}},
            {"multi_match": {"query": text, "fields": ["title^3", "description"]}},
            {"multi_match": {"query": text, "fields": ["title", "description"], "type": "cross_fields"}},
            {"query_string": {"query": text, "default_field": "title"}},
            {"simple_query_string": {"query": text, "fields": ["title^2", "description"]}},
            {"match_phrase_prefix": {"title": text.split()[0]}},
            {"dis_max": {"queries": [{"match": {"title": text}}, {"match": {"description": text}}]}},
            {"bool": {"should": [{"match": {"title": text}}, {"match": {"description": text}}]}},
        ]
    )


def _filter(random: Random) -> dict[str, Any]:
    return random.choice(
        [
            {"term": {"make": random.choice(_MAKES)}},
            {"terms": {"make": random.sample(_MAKES, 3)}},
            {"range": {"price": {"gte": 2_000, "lte": 12_000}}},
            {"term": {"sold": {"value": False, "_name": "unsold"}}},
            {"exists": {"field": "extras"}},
            {"range": {"listed": {"gte": "2026-02-01||/M"}}},
        ]
    )


def _nested(random: Random) -> dict[str, Any]:
    inner = {"size": 2, "sort": [{"extras.price": "desc"}], "highlight": {"fields": {"extras.name": {}}}}
    query = {"term": {"extras.name": random.choice(_EXTRAS)}}
    return {"nested": {"path": "extras", "query": query, "inner_hits": inner, "score_mode": "avg"}}


def _query(random: Random) -> dict[str, Any]:
    text = _full_text(random)
    return random.choice(
        [
            text,
            {"bool": {"must": text, "filter": _filter(random)}},
            {"bool": {"must": [text], "should": [_filter(random), _nested(random)], "must_not": [_filter(random)]}},
            {"bool": {"must": text, "filter": [_filter(random)], "should": _nested(random)}},
            {"function_score": {"query": text, "field_value_factor": {"field": "price", "modifier": "log1p"}}},
            {"function_score": {"query": text, "functions": [{"filter": _filter(random), "weight": 3}]}},
            {"script_score": {"query": text, "script": {"source": "_score + doc['price'].value / 1000"}}},
            {"boosting": {"positive": text, "negative": _filter(random), "negative_boost": 0.3}},
            {"constant_score": {"filter": text, "boost": 2.5}},
            {"bool": {"must": [text, _full_text(random)]}},
            {"match_all": {}},
        ]
    )


#: What a search may say beside its query, each drawn for itself.
_BESIDE: Final[tuple[Callable[[Random], dict[str, Any]], ...]] = (
    lambda random: {"post_filter": {"bool": {"filter": _filter(random), "_name": "afterwards"}}},
    lambda random: {"highlight": {"fields": {"title": {}, "description": {"fragment_size": 40}}}},
    lambda random: {
        "highlight": {
            "fields": {"title": {"highlight_query": _full_text(random)}},
            "pre_tags": ["<b>"],
            "post_tags": ["</b>"],
        }
    },
    lambda random: {"aggs": {"makes": {"terms": {"field": "make"}, "aggs": {"mean": {"avg": {"field": "price"}}}}}},
    lambda random: {"aggregations": {"few": {"filter": _filter(random), "aggs": {"top": {"top_hits": {"size": 2}}}}}},
    lambda random: {"aggs": {"all": {"global": {}, "aggs": {"price": {"stats": {"field": "price"}}}}}},
    lambda random: {"_source": random.choice([False, ["title", "price"], {"excludes": ["description"]}, "ti*"])},
    lambda random: {"fields": ["make", {"field": "listed", "format": "epoch_millis"}]},
    lambda random: {"docvalue_fields": ["price", "views"]},
    lambda random: {"stored_fields": ["code"]},
    lambda random: {"script_fields": {"twice": {"script": "doc['price'].value * 2"}}},
    lambda random: {"suggest": {"words": {"text": "estete roodster", "term": {"field": "title"}}}},
    lambda random: {"suggest": {"starts": {"prefix": "r", "completion": {"field": "start"}}}},
    lambda random: {"track_total_hits": random.choice([True, False, 5, 1_000])},
    lambda random: {"min_score": random.choice([0.1, 0.5, 1.5])},
    lambda random: {"version": True, "seq_no_primary_term": True},
    lambda random: {"explain": True},
    lambda random: {"timeout": "30s"},
    lambda random: {"indices_boost": [{"*": 1.3}]},
)
_IN_THE_URL: Final[tuple[dict[str, str], ...]] = (
    {},
    {},
    {},
    {"preference": "_local"},
    {"typed_keys": "true"},
    {"_source_includes": "title,make"},
    {"ignore_unavailable": "true", "search_type": "dfs_query_then_fetch"},
    {"size": "7", "from": "3"},
    {"track_total_hits": "true", "request_cache": "false"},
)


def _rankable(random: Random) -> Drawn:
    body: dict[str, Any] = {"query": _query(random)} if random.random() < 0.95 else {}
    for beside in random.sample(_BESIDE, random.randint(0, 5)):
        body |= beside(random)
    if random.random() < 0.6:
        body["size"] = random.choice((1, 3, 10, 25, 60))
    if random.random() < 0.4:
        body["from"] = random.choice((1, 2, 5, 20, 90))
    return Drawn(body, random.choice(_IN_THE_URL))


def _saying(name: str, value: Any) -> Callable[[Random, Drawn], Drawn]:
    def drawn(_random: Random, rankable: Drawn) -> Drawn:
        return Drawn({**rankable.body, name: value}, {}, name)

    return drawn


def _asking(name: str, value: str) -> Callable[[Random, Drawn], Drawn]:
    return lambda _random, rankable: Drawn(rankable.body, {name: value}, name)


_RESCORE: Final = {"window_size": 20, "query": {"rescore_query": {"match": {"description": "clean"}}}}
_AGAINST: Final[dict[str, Callable[[Random, Drawn], Drawn]]] = {
    "sort": _saying("sort", [{"price": "asc"}, {"listing_id": "desc"}]),
    "sort in the URL": _asking("sort", "price:desc"),
    "search_after": lambda random, one: Drawn(
        {"query": {"match_all": {}}, "sort": [{"price": "asc"}], "search_after": [2_000]}, {}, "search_after"
    ),
    "collapse": _saying("collapse", {"field": "make", "inner_hits": {"name": "cheap", "size": 2}}),
    "rescore": _saying("rescore", _RESCORE),
    "profile": _saying("profile", True),
    "nothing": _saying("size", 0),
    "a large page": _saying("size", 201),
    "a far page": _saying("from", 200),
    "terminate_after": _saying("terminate_after", 5),
    "track_scores": _saying("track_scores", True),
    "scroll": lambda random, one: Drawn({"query": _query(random), "size": 5}, {"scroll": "1s"}, "scroll"),
    "filter_path": _asking("filter_path", "hits.hits._id,hits.total"),
    "q": lambda random, one: Drawn({}, {"q": "title:red"}, "q"),
    "ids without ids": _saying("stored_fields", "_none_"),
    "nonsense": _saying("no_such_key", 1),
}
