"""Similar items on real help-centre articles: do our vectors bring up the articles that the authors linked?

Task: for a source article, rank all other articles; relevant are those that its text links to. The link texts
are removed from the source's body first, and links of index pages (tables of contents) are left out. Sources are
split by a hash: 15 % were for development (choosing passage length and the like), the rest is reported.

    SIDETOWER_DATA=... python -m benchmarks.similar_items [bootstrap | MODEL OR FOLDER ...]
"""

from __future__ import annotations

import hashlib
import math
import os
import re
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.report import publish, real_data
from domain.catalogue import Kind
from domain.items import Item
from domain.vectors import Array, unit
from recommender.bundle import load_bundle
from recommender.features import FeatureBuilder

ARTICLE: Final = Kind("article", "article_id", {"title": 3.0, "body": 1.0})
DEPTH: Final = 10
DEVELOPMENT_PERCENT: Final = 15
_WORD: Final = re.compile(r"\w+")

#: Relevant articles by source article.
Links = Mapping[str, frozenset[str]]


def read_task() -> tuple[list[Item], Links]:
    """The articles, link texts removed, and what each links to."""
    from pyarrow import parquet

    links = parquet.read_table(real_data("aws_docs", "related_links.parquet")).to_pylist()
    anchors: dict[str, set[str]] = defaultdict(set)
    for link in links:
        anchors[link["src"]].add(link["anchor"])
    items = []
    for row in parquet.read_table(real_data("aws_docs", "articles.parquet")).to_pylist():
        body = row["body"]
        # Longest first, so that no rest of a longer link text stays.
        for anchor in sorted(filter(None, anchors[row["article_id"]]), key=lambda text: (-len(text), text)):
            body = body.replace(anchor, " ")
        items.append(ARTICLE.item(row | {"body": body}, tenant="docs", revision=0))
    known = {item.key.id for item in items}
    targets: dict[str, set[str]] = defaultdict(set)
    for link in links:
        if not link["from_index_page"] and {link["src"], link["dst"]} <= known and link["src"] != link["dst"]:
            targets[link["src"]].add(link["dst"])
    return items, {source: frozenset(found) for source, found in targets.items()}


def in_development(source: str) -> bool:
    """Whether the source belongs to the split that choices were made on."""
    return int(hashlib.sha1(f"dev|{source}".encode(), usedforsecurity=False).hexdigest()[:8], 16) % 100 < (
        DEVELOPMENT_PERCENT
    )


def judge(vectors: Array, items: Sequence[Item], links: Links, sources: Sequence[str]) -> dict[str, NDArray[Any]]:
    """Recall and NDCG at ten for each source; vectors ``[n, d]`` are compared by inner product."""
    row = {item.key.id: number for number, item in enumerate(items)}
    recalls, gains = [], []
    for source in sources:
        scores = vectors @ vectors[row[source]]
        scores[row[source]] = -np.inf
        top = np.argsort(-scores, kind="stable")[:DEPTH]
        found = [items[number].key.id in links[source] for number in top]
        best = sum(1 / math.log2(rank + 2) for rank in range(min(DEPTH, len(links[source]))))
        recalls.append(sum(found) / len(links[source]))
        gains.append(sum(hit / math.log2(rank + 2) for rank, hit in enumerate(found)) / best)
    return {"recall": np.array(recalls), "ndcg": np.array(gains)}


def tf_idf(items: Sequence[Item], *, sublinear: bool, title_times: int, fewest: int = 2) -> Array:
    """Unit tf-idf vectors of words ``[n, words]``; words of fewer than `fewest` articles are left out."""
    counts = []
    for item in items:
        title, body = item.texts.get("title", ""), item.texts.get("body", "")
        counts.append(Counter(_WORD.findall(f"{' '.join([title] * title_times)} {body}".lower())))
    frequency = Counter(word for count in counts for word in count)
    words = {word: column for column, word in enumerate(w for w, times in frequency.items() if times >= fewest)}
    matrix = np.zeros((len(items), len(words)), np.float32)
    for row, count in enumerate(counts):
        for word, times in count.items():
            if word in words:
                weight = 1 + math.log(times) if sublinear else times
                matrix[row, words[word]] = weight * math.log((1 + len(items)) / (1 + frequency[word]))
    return unit(matrix)


def our_vectors(items: Sequence[Item], encoder: str) -> tuple[dict[str, Array], dict[str, float]]:
    """Text vectors and item vectors of a bundle zero built for these articles, and how long it took."""
    from recommender.training.zero import build_bundle_zero

    with tempfile.TemporaryDirectory() as folder:
        started = time.monotonic()
        bundle = load_bundle(build_bundle_zero([ARTICLE], items, encoder, Path(folder)), threads=os.cpu_count() or 1)
        built = time.monotonic() - started
        started = time.monotonic()
        vectors = bundle.embedder.embed(items)
        embedded = time.monotonic() - started
        features: FeatureBuilder = bundle.features
        found = {"item vectors, 128": vectors, f"text vectors, {bundle.encoder.dimension}": features.text(items)}
    return found, {"build s": round(built, 1), "items/s": round(len(items) / embedded, 1)}


def main(encoders: Sequence[str]) -> None:
    """Judge TF-IDF and bundle zero with each encoder."""
    items, links = read_task()
    splits = {
        name: sorted(source for source in links if in_development(source) == (name == "dev"))
        for name in ("dev", "reported")
    }
    rows: list[dict[str, Any]] = []
    judged: dict[str, NDArray[Any]] = {}

    def add(method: str, vectors: Array, times: Mapping[str, float]) -> None:
        row: dict[str, Any] = {"method": method}
        for split, sources in splits.items():
            found = judge(vectors, items, links, sources)
            row |= {f"{split} recall@10": found["recall"].mean(), f"{split} NDCG@10": found["ndcg"].mean()}
            judged[method] = found["ndcg"]
        low, high = interval(judged[method] - judged[rows[0]["method"]]) if rows else (0.0, 0.0)
        row["NDCG - first, 95 %"] = f"[{low:+.3f}, {high:+.3f}]"
        rows.append(row | {name: times.get(name, 0.0) for name in ("build s", "items/s")})

    add("TF-IDF of words, tuned on dev", tf_idf(items, **tuned(items, links, splits["dev"])), {})
    for encoder in encoders:
        found, times = our_vectors(items, encoder)
        for name, vectors in found.items():
            add(f"{Path(encoder).name}: {name}", vectors, times)
    counts = f"{len(items):,} articles; sources: {len(splits['dev'])} dev, {len(splits['reported'])} reported"
    publish("similar_items", rows, f"{counts}. Intervals: paired bootstrap over reported sources.")


def tuned(items: Sequence[Item], links: Links, sources: Sequence[str]) -> dict[str, Any]:
    """The best of a few TF-IDF settings on these sources."""
    grid = [{"sublinear": sublinear, "title_times": times} for sublinear in (False, True) for times in (1, 3, 6)]
    scores = [judge(tf_idf(items, **one), items, links, sources)["ndcg"].mean() for one in grid]  # type: ignore[arg-type]
    return grid[int(np.argmax(scores))]


def interval(differences: NDArray[Any], rounds: int = 2_000) -> tuple[float, float]:
    """The 95 % bootstrap interval of the mean difference."""
    rng = np.random.default_rng(0)
    means = [rng.choice(differences, len(differences)).mean() for _ in range(rounds)]
    return float(np.quantile(means, 0.025)), float(np.quantile(means, 0.975))


if __name__ == "__main__":
    main(sys.argv[1:] or ["bootstrap"])
