"""Real catalogues on both engines: items a second beside the raw encoder and the raw bulk, sizes, and answers to read.

Usage: SIDETOWER_DATA=... python -m benchmarks.catalogues [--sets movies cars docs] [--engine embedded opensearch]
       [--encoder bootstrap] [--docs-encoder MODEL_OR_FOLDER] [--threads 2] [--raw-items 2000]
"""

from __future__ import annotations

import argparse
import contextlib
import json
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from benchmarks.report import publish, real_data
from domain.items import Item
from domain.search import Scope
from domain.versions import StoredItem, ready
from indexer.fill import FillReport
from plugin.files.opening import open_file_source
from recommender.bundle import Bundle
from rerank_service.deadline import Deadline
from rerank_service.request import SearchRequest, SimilarRequest
from sidetower.config import load_config
from sidetower.indexing import build_bundle, fill_kind, first_generation, items_of, sampled
from sidetower.parts import Parts

TENANT = "bench"
BULK = 500


@dataclass(frozen=True)
class Catalogue:
    """A real data set: how to read it, what to ask it."""

    name: str
    kind: str
    toml: str
    rows: Callable[[], Iterator[dict[str, Any]]]
    searches: tuple[str, ...]
    similar: tuple[str, ...]


def _rows(*path: str) -> Iterator[dict[str, Any]]:
    from pyarrow import parquet

    for batch in parquet.ParquetFile(real_data(*path)).iter_batches():
        yield from batch.to_pylist()


def movies() -> Iterator[dict[str, Any]]:
    """The 9,750 films that can be searched."""
    return (row for row in _rows("msrd_movies", "items.parquet") if row["in_search_corpus"])


def cars() -> Iterator[dict[str, Any]]:
    """Both car tables under one set of names."""
    for row in _rows("autoscout_cars", "listings_2022.parquet"):
        yield row | {"title": row["make_model"], "power_hp": round((row["power_kW"] or 0) * 1.341) or None}
    for row in _rows("autoscout_cars", "listings_de_2021.parquet"):
        age = None if row["year"] is None else 2021 - row["year"]
        yield row | {"title": f"{row['make']} {row['model'] or ''}".strip(), "age_years": age}


def articles() -> Iterator[dict[str, Any]]:
    """The help articles."""
    return _rows("aws_docs", "articles.parquet")


CATALOGUES = {
    "movies": Catalogue(
        "msrd_movies",
        "movie",
        """id = "item_id"
text = { title = 3.0, overview = 1.0, director = 1.0, actors = 1.0, characters = 1.0, tags = 1.0 }
category = ["genres", "director", "actors", "tags"]
number = ["year"]
signal = ["votes", "vote_average", "popularity"]
filter = { year = "number", genres = "keyword" }
""",
        movies,
        (
            "space marines fight aliens",
            "haunted house",
            "dinosaur theme park",
            "boxing underdog",
            "toys come alive",
            "shark attacks swimmers at the beach",
            "casino heist",
            "time travel",
            "detective hunts a serial killer",
        ),
        ("Alien", "Toy Story", "The Godfather"),
    ),
    "cars": Catalogue(
        "autoscout_cars",
        "listing",
        """id = "listing_id"
text = { title = 3.0 }
category = ["title", "body_type", "fuel_type", "gearbox", "drivetrain", "upholstery", "colour"]
number = ["price_eur", "mileage_km", "power_hp", "age_years"]
filter = { price_eur = "number", mileage_km = "number", fuel_type = "keyword", gearbox = "keyword" }
""",
        cars,
        ("Volkswagen Golf", "bmw 320", "renault clio"),
        ("Opel Corsa", "Porsche 911", "Fiat 500"),
    ),
    "docs": Catalogue(
        "aws_docs",
        "article",
        """id = "article_id"
text = { title = 3.0, body = 1.0 }
category = ["guide"]
filter = { guide = "keyword" }
""",
        articles,
        (
            "encrypt a volume",
            "restore a table to a point in time",
            "rotate access keys",
            "limit on number of buckets",
            "launch an instance",
            "attach a policy to a user",
            "connect to a database instance",
            "increase the size of a volume",
        ),
        ("Amazon EBS Encryption", "Working with Backups"),
    ),
}


def main() -> None:
    """Index every set on every engine and publish rates, sizes and answers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", nargs="+", default=list(CATALOGUES))
    parser.add_argument("--engine", nargs="+", default=["embedded", "opensearch"])
    parser.add_argument("--encoder", default="bootstrap")
    parser.add_argument("--docs-encoder", default="", help="one more run of the articles with this encoder")
    parser.add_argument("--threads", type=int, default=2, help="of the encoder")
    parser.add_argument("--raw-items", type=int, default=2_000, help="for the raw rates")
    arguments = parser.parse_args()
    runs = [(name, arguments.encoder) for name in arguments.sets]
    if arguments.docs_encoder:
        runs.append(("docs", arguments.docs_encoder))
    rows: list[dict[str, Any]] = []
    answers: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="sidetower-bench-") as folder, _node(arguments.engine, folder) as url:
        for number, (name, encoder) in enumerate(runs):
            place = Path(folder) / f"run{number}"
            place.mkdir()
            for engine in arguments.engine:
                row, told = _run(
                    CATALOGUES[name], encoder, engine, url if engine == "opensearch" else "", place, arguments
                )
                rows.append(row)
                answers += told
                publish("catalogues", rows, "fill: items a second of `sidetower index`, vectors included; raw: alone")
    publish("catalogue_answers", answers, "the three best")


@contextlib.contextmanager
def _node(engines: Sequence[str], folder: str) -> Iterator[str]:
    if "opensearch" not in engines:
        yield ""
        return
    from tests.support.opensearch_node import running_node

    with running_node(Path(folder) / "node") as node:
        yield node.url


def _run(
    catalogue: Catalogue, encoder: str, engine: str, url: str, place: Path, arguments: argparse.Namespace
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """One set on one engine; both engines share the bundle that the first of them built."""
    source_path = place / "items.jsonl"
    if not source_path.exists():
        source_path.write_text("".join(json.dumps(row, default=str) + "\n" for row in catalogue.rows()))
    config = place / f"{engine}.toml"
    server = f'opensearch = "{url}"\n' if url else ""
    prefix = f"{place.name}-"
    config.write_text(
        f'[engine]\n{server}path = "data"\nprefix = "{prefix}"\n[kinds.{catalogue.kind}]\n{catalogue.toml}'
    )
    parts = Parts(load_config(config, {}), threads=arguments.threads)
    kind = parts.config.kind()
    source = open_file_source(source_path, kind.id)
    began = time.perf_counter()
    if not parts.bundles.ids():
        build_bundle(parts, [kind], sampled(items_of(source, kind, TENANT)), encoder, lambda *_: None)
    built = time.perf_counter() - began
    [bundle_id] = parts.bundles.ids()
    first_generation(parts, kind, bundle_id)
    began = time.perf_counter()
    report = fill_kind(parts, kind, lambda: items_of(source, kind, TENANT), lambda _: None)
    filled = time.perf_counter() - began
    sample = [item for item in islice(items_of(source, kind, TENANT), arguments.raw_items) if isinstance(item, Item)]
    size = _size(parts, kind.name)
    row = _row(catalogue, encoder, engine, report, built, filled)
    row |= {"raw encoder /s": _raw_encoder(parts.bundle(bundle_id), sample)}
    row |= {"raw bulk /s": _raw_bulk(parts, bundle_id, kind.name, sample), "MB": size}
    return row, _answers(catalogue, parts, encoder, engine)


def _row(
    catalogue: Catalogue, encoder: str, engine: str, report: FillReport, built: float, filled: float
) -> dict[str, Any]:
    return {
        "set": catalogue.name,
        "encoder": Path(encoder).name,
        "engine": engine,
        "items": report.written,
        "failed": report.failed,
        "bundle s": round(built, 1),
        "fill s": round(filled, 1),
        "fill /s": report.total / filled,
    }


def _raw_encoder(bundle: Bundle, items: Sequence[Item]) -> float:
    """Items a second of the text encoder alone, every text of them."""
    texts = [text for item in items for text in bundle.features.passages(item)]
    began = time.perf_counter()
    bundle.encoder.encode(texts)
    return len(items) / (time.perf_counter() - began)


def _raw_bulk(parts: Parts, bundle_id: str, kind: str, items: Sequence[Item]) -> float:
    """Items a second of writing documents with vectors that are there already, in a generation of their own."""
    bundle = parts.bundle(bundle_id)
    [there] = [one for one in parts.generations.all() if one.kind == kind and one.name.endswith("-g1")]
    raw = type(there)(f"{kind}-raw", kind, there.space, there.text_weights, there.filter_types, time.time())
    parts.generations.create(raw)
    vectors = bundle.embedder.embed(items)
    stored: list[StoredItem] = [
        ready(item, vector, space=there.space, inputs_hash=bundle.embedder.inputs_hash(item), written_at=time.time())
        for item, vector in zip(items, vectors, strict=True)
    ]
    began = time.perf_counter()
    for start in range(0, len(stored), BULK):
        parts.engine.write(raw.name, stored[start : start + BULK])
    rate = len(items) / (time.perf_counter() - began)
    parts.generations.drop(raw.name)
    return rate


def _size(parts: Parts, kind: str) -> float:
    """Megabytes of the index on disk."""
    if parts.embedded:
        return sum(path.stat().st_size for path in parts.config.path.glob("engine.db*")) / 1e6
    index = f"{parts.config.engine.prefix}{kind}-g1"
    parts.client.indices.forcemerge(index=index, max_num_segments=1, params={"request_timeout": 300})
    stats = parts.client.indices.stats(index=index)
    return float(stats["indices"][index]["primaries"]["store"]["size_in_bytes"]) / 1e6


def _answers(catalogue: Catalogue, parts: Parts, encoder: str, engine: str) -> list[dict[str, Any]]:
    kind = parts.config.kind()
    scope = Scope(TENANT)
    told = []
    for text in catalogue.searches:
        request = SearchRequest(kind.name, scope, text=text, deadline=Deadline(30))
        told.append((f'search "{text}"', parts.searches.search(request).hits))
    for title in catalogue.similar:
        found = parts.searches.search(SearchRequest(kind.name, scope, text=title, weight=0)).hits
        exact = [hit for hit in found if hit.item.texts[kind.title] == title] or list(found)
        seed = exact[0].item
        told.append(
            (f"like {_shown(seed)}", parts.searches.similar(SimilarRequest(kind.name, scope, id=seed.key.id)).hits)
        )
    about = {"set": catalogue.name, "encoder": Path(encoder).name, "engine": engine}
    return [about | {"asked": asked, "top 3": " | ".join(_shown(hit.item) for hit in hits[:3])} for asked, hits in told]


def _shown(item: Item) -> str:
    fields = item.fields()
    facts = [
        str(fields[name]) for name in ("year", "age_years", "mileage_km", "price_eur", "fuel_type") if name in fields
    ]
    return f"{fields.get('title')}" + (f" ({', '.join(fact.removesuffix('.0') for fact in facts)})" if facts else "")


if __name__ == "__main__":
    main()
