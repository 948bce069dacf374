"""How near the workers come to what the encoder and the search engine can do alone, and where the time goes.

Encoder and worker run on one core, OpenSearch and Redis on the other; every figure under the same pinning, with one
thread for the encoder, all of them in turn, and the median of the rounds is told.

Usage: SIDETOWER_DATA=... python -m benchmarks.indexing [--sets movies cars] [--items 3000] [--rounds 5]
       [--pretrained FOLDER_OR_MODEL] [--pretrained-items 192] [--engine opensearch embedded] [--keep FOLDER]
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import tempfile
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from benchmarks.catalogues import CATALOGUES
from benchmarks.cores import on_core
from benchmarks.installation import Installation, install
from benchmarks.lanes import drain_all, live_writer, queue_of
from benchmarks.report import publish
from benchmarks.stages import Stages, TimedEncoder, TimedEngine, timed_bundle
from domain.items import Item
from domain.ports import SearchEngine
from domain.versions import StoredItem, pending, ready
from indexer.fill import Filler
from recommender.bundle import Bundle

#: Documents of one raw write, and changes told at once.
BULK = 500

#: What the workers have to reach: of which raw figure, and how much of it.
BARS = {
    ("opensearch", "bootstrap"): ("fill", 0.85),
    ("opensearch", "pretrained"): ("fill", 0.95),
    ("embedded", "bootstrap"): ("fill", 0.7),
}


def main() -> None:
    """Measure every set on every engine and publish rates, ratios and stages."""
    arguments = _arguments()
    runs = [(name, "bootstrap", arguments.items) for name in arguments.sets]
    if arguments.pretrained:
        runs.append((arguments.sets[0], arguments.pretrained, arguments.pretrained_items))
    rows: list[dict[str, Any]] = []
    stages: list[dict[str, Any]] = []
    with contextlib.ExitStack() as stack:
        folder = Path(arguments.keep or stack.enter_context(tempfile.TemporaryDirectory(prefix="sidetower-bench-")))
        servers = _servers(stack, arguments)
        with on_core(arguments.cores[0]):
            for name, encoder, items in runs:
                for engine in arguments.engine:
                    if engine == "embedded" and encoder != "bootstrap":
                        continue
                    place = folder / f"{name}-{Path(encoder).name}-{items}"
                    to = servers if engine == "opensearch" else {}
                    measured = Measured(install(place, CATALOGUES[name], items=items, encoder=encoder, **to))
                    about = {"set": name, "encoder": Path(encoder).name, "engine": engine, "items": items}
                    rates = measured.rounds(arguments.rounds, live=engine == "opensearch" and encoder == "bootstrap")
                    rows += _judged(about, rates, "bootstrap" if encoder == "bootstrap" else "pretrained")
                    stages.append(about | measured.stages())
                    publish("indexing", rows, "items a second; floor: what the raw figures of the bar allow")
    publish("indexing_stages", stages, "seconds of one fill; wait: for the engine, while other batches are worked on")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", nargs="+", default=["movies", "cars"])
    parser.add_argument("--engine", nargs="+", default=["opensearch", "embedded"])
    parser.add_argument("--items", type=int, default=3_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--pretrained", default="", help="model or exported folder, measured on the first set")
    parser.add_argument("--pretrained-items", type=int, default=192)
    parser.add_argument("--cores", type=int, nargs=2, default=[0, 1], help="of encoder and worker; of the servers")
    parser.add_argument("--keep", default="", help="folder for catalogues and bundles, used again by the next run")
    return parser.parse_args()


def _servers(stack: contextlib.ExitStack, arguments: argparse.Namespace) -> dict[str, str]:
    if "opensearch" not in arguments.engine:
        return {}
    from tests.support.opensearch_node import running_node
    from tests.support.redis_server import running_redis

    place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sidetower-servers-")))
    with on_core(arguments.cores[1]):
        node = stack.enter_context(running_node(place / "node", fast=False))
        redis = stack.enter_context(running_redis(place))
    return {"opensearch": node.url, "redis": redis}


class Measured:
    """The rates of one installation.

    Args:
        installation: with its servers, if it needs any.
    """

    def __init__(self, installation: Installation) -> None:
        self._on = installation
        self._items = [item for item in installation.items() if isinstance(item, Item)]
        self._texts = [text for item in self._items for text in installation.bundle.features.passages(item) if text]
        vectors = installation.bundle.embedder.embed(self._items)
        embedder = installation.bundle.embedder
        self._text_only = [pending(item, time.time()) for item in self._items]
        self._with_vectors = [
            ready(item, vector, space=embedder.space, inputs_hash=embedder.inputs_hash(item), written_at=time.time())
            for item, vector in zip(self._items, vectors, strict=True)
        ]

    def rounds(self, count: int, *, live: bool) -> dict[str, list[float]]:
        """Items a second by what was done, one figure a round; a round before the first is not counted."""
        ways: dict[str, Callable[[str], float]] = {
            "raw encoder": self._raw_encoder,
            "raw bulk": lambda name: self._raw_writes(name, [self._with_vectors]),
            "fill": self._fill,
        }
        if live:
            ways["raw text bulk + vector bulk"] = lambda name: self._raw_writes(
                name, [self._text_only, self._with_vectors]
            )
            ways["live lane"] = self._live
        rates: dict[str, list[float]] = defaultdict(list)
        for number in range(count + 1):
            for way, measure in ways.items():
                with self._generation() as name:
                    seconds = measure(name)
                if number:
                    rates[way].append(len(self._items) / seconds)
        return rates

    def stages(self) -> dict[str, float]:
        """Seconds of one more fill by stage."""
        stages, bundle = Stages(), self._on.bundle
        encoder = TimedEncoder(self._bundle_folder(bundle), bundle.manifest.encoder, bundle.encoder.identity)
        timed = timed_bundle(bundle, encoder, stages)
        engine: Any = TimedEngine(self._on.parts.engine, stages)
        with self._generation() as name:
            began = time.perf_counter()
            filler = Filler(
                engine, name, timed.embedder, revised=bool(self._on.kind.revision), overlap=not self._on.parts.embedded
            )
            with stages.cpu("features, fill", "read", "tokenise", "encode", "tower"):
                filler.fill(stages.reading(self._on.items()))
            wall = time.perf_counter() - began
        order = ("read", "features, fill", "tokenise", "encode", "tower", "serialise", "write wait")
        told = {stage: stages.seconds[stage] for stage in order}
        return told | {"look-up": stages.seconds["read back"] + stages.seconds["read wait"], "whole fill": wall}

    def _bundle_folder(self, bundle: Bundle) -> Path:
        return self._on.parts.bundles.path(bundle.id)

    @contextlib.contextmanager
    def _generation(self) -> Iterator[str]:
        name = f"{self._on.kind.name}-{uuid.uuid4().hex[:8]}"
        self._on.parts.generations.create(self._on.generation(name))
        try:
            yield name
        finally:
            self._on.parts.generations.drop(name)

    def _raw_encoder(self, _name: str) -> float:
        began = time.perf_counter()
        self._on.bundle.encoder.encode(self._texts)
        return time.perf_counter() - began

    def _raw_writes(self, name: str, passes: Sequence[Sequence[StoredItem]]) -> float:
        """Seconds of the engine alone: nothing is computed, nothing read before, on OpenSearch nothing serialised."""
        if self._on.parts.embedded:
            began = time.perf_counter()
            for stored in passes:
                for start in range(0, len(stored), BULK):
                    self._on.parts.engine.write(name, stored[start : start + BULK])
            return time.perf_counter() - began
        from benchmarks.raw_bulk import bodies, post

        index = self._on.parts.config.engine.prefix + name
        ready_made = [bodies(stored, BULK) for stored in passes]
        began = time.perf_counter()
        for body in chain.from_iterable(ready_made):
            post(self._on.parts.client, index, body)
        self._on.parts.engine.refresh(name)
        return time.perf_counter() - began

    def _fill(self, name: str) -> float:
        embedder = self._on.fresh_bundle().embedder
        engine: SearchEngine = self._on.parts.engine
        began = time.perf_counter()
        filler = Filler(
            engine, name, embedder, revised=bool(self._on.kind.revision), overlap=not self._on.parts.embedded
        )
        report = filler.fill(self._on.items())
        engine.refresh(name)
        seconds = time.perf_counter() - began
        if report.written != len(self._items):
            raise AssertionError(f"{report.written} of {len(self._items)} written: {report.errors[:3]}")
        return seconds

    def _live(self, name: str) -> float:
        embedder = self._on.fresh_bundle().embedder
        queue = queue_of(self._on)
        live = live_writer(self._on, name, queue, embedder)
        began = time.perf_counter()
        for start in range(0, len(self._items), BULK):
            live.apply(self._items[start : start + BULK])
        report = drain_all(self._on, queue, embedder)
        self._on.parts.engine.refresh(name)
        seconds = time.perf_counter() - began
        if report.embedded != len(self._items):
            raise AssertionError(f"{len(self._items)} changes, and this became of them: {report}")
        return seconds


def _judged(about: dict[str, Any], rates: dict[str, list[float]], encoder: str) -> list[dict[str, Any]]:
    """One row for each bar that the run stands for, and its raw figures."""
    middle = {way: statistics.median(found) for way, found in rates.items()}
    spread = {way: (max(found) - min(found)) / middle[way] for way, found in rates.items()}
    encoder_floor = encoder == "pretrained" or about["engine"] == "embedded"
    floor = middle["raw encoder"] if encoder_floor else min(middle["raw encoder"], middle["raw bulk"])
    lanes = [("fill", floor, BARS[about["engine"], encoder][1])]
    if "live lane" in middle:
        lanes.append(("live lane", middle["raw text bulk + vector bulk"], 0.8))
    return [
        about
        | {"lane": lane, "raw encoder /s": middle["raw encoder"], "raw bulk /s": middle["raw bulk"]}
        | {"floor /s": floor, "reached /s": middle[lane], "ratio": middle[lane] / floor, "bar": bar}
        | {"met": middle[lane] >= bar * floor, "spread": spread[lane]}
        for lane, floor, bar in lanes
    ]


if __name__ == "__main__":
    main()
