"""Rebuilding a kind: from its own running generation into a new one, while it is served and changed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from domain.catalogue import Kind
from domain.errors import ConfigurationError, InvalidQuery, Unavailable
from domain.items import Item, ItemKey
from domain.work import Lane
from indexer.comparison import ComparisonReport
from indexer.rebuild import Planned, Rebuild
from indexer.reconcile import requeue_foreign
from indexer.refill import Refill, RefillReport
from sidetower.indexing import Progress, build_bundle, generation_of
from sidetower.parts import Parts
from sidetower.sample import Reservoir

#: Items that a new bundle is built from at most; a uniform sample of the running generation.
SAMPLE: Final = 20_000
#: Seconds that the workers are given to embed what changed during the fill, once all else is done.
PATIENCE: Final = 120.0
#: Seconds between two looks.
LOOK: Final = 1.0
_PAGE: Final = 1_000


@dataclass(frozen=True, slots=True)
class Watch:
    """Who is told how far it is, and who says when to end."""

    #: Asked between two pages whether to end there.
    stop: Callable[[], bool] = lambda: False
    #: Called with a target generation, how many items there are about, and the report so far.
    on_page: Callable[[str, int, RefillReport], None] = lambda *_: None
    #: Called with what is going on now.
    say: Callable[[str], None] = lambda _: None
    #: Called while a bundle is built.
    on_stage: Progress = lambda *_: None


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What a rebuild did."""

    planned: Planned
    #: Where the items were taken from.
    source: str
    fill: RefillReport
    #: None where it was stopped before.
    comparison: ComparisonReport | None = None
    promoted: bool = False


def steps(parts: Parts, kind: Kind) -> Rebuild:
    """The steps of a rebuild of this kind."""
    return Rebuild(kind.name, parts.generations, parts.releases, parts.parked, parts.checkpoints)


def rebuild(parts: Parts, kind: Kind, *, bundle: str, encoder: str, rate: float, watch: Watch) -> Rebuilt:
    """Build a new generation and serve it; goes on with the one that is under way.

    Args:
        bundle: id of the bundle to serve it with; "" = that of now, or one built with `encoder`.
        encoder: of a new bundle, built from the stored items; "" = none is built.
        rate: items a second at most; 0 = as many as can be.

    Raises:
        InvalidQuery: one is under way with another bundle, or the kind's first fill has not ended.
        NotFound, BundleRefused, ConfigurationError: the bundle is missing, damaged or of other fields.
        Unavailable: a server does not answer, or workers do not embed; run it again.
    """
    going = steps(parts, kind)
    planned = going.planned()
    if planned is None:
        for name in going.retire():
            watch.say(f"dropped {name}, which nobody was served from any more")
        chosen = bundle or (_new_bundle(parts, kind, encoder, watch) if encoder else going.release().default.bundle)
        _check_fields(parts, kind, chosen)
        planned = going.plan(chosen)
    elif encoder or bundle not in ("", planned.bundle):
        raise InvalidQuery(
            f"rebuild of {kind.name}",
            expected=f"no --encoder, and no bundle but {planned.bundle}",
            got=f"--bundle {bundle}" if bundle else f"--encoder {encoder}",
            fix=f"{planned.generation} is under way: finish it without these, or drop it with --retire.",
        )
    target = planned.generation
    source = going.release().default.generation
    watch.say(f"{target} is written beside {source} from now on")
    going.publish(generation_of(kind, target, parts.bundle(planned.bundle).space))
    parts.view.forget(kind.name)
    report = _refill(parts, source, target, rate, watch)
    if not report.complete:
        return Rebuilt(planned, source, report)
    going.filled(target)
    parts.view.forget(kind.name)
    comparison = _compared(parts, kind, watch)
    if comparison is None or not _embedded(parts, source, target, report.failed + report.parked, watch):
        return Rebuilt(planned, source, report, comparison)
    going.promote(planned)
    parts.view.forget(kind.name)
    return Rebuilt(planned, source, report, comparison, promoted=True)


def refill_own(parts: Parts, kind: Kind, rate: float, watch: Watch) -> dict[str, RefillReport]:
    """Give every generation of the kind what it lacks, from the running one; a report for each."""
    release = parts.view.for_writing(kind.name)
    made = {one.name: one for one in parts.generations.all()}
    source = release.default.generation
    for name in release.writing:
        parts.engine.refresh(name)
        # Only what has no vector is given one.
        while requeue_foreign(parts.engine, parts.queue, made[name]):
            parts.engine.refresh(name)
    targets = [source, *(name for name in release.writing if name != source)]
    return {name: _refill(parts, source, name, rate, watch) for name in targets if not watch.stop()}


def _new_bundle(parts: Parts, kind: Kind, encoder: str, watch: Watch) -> str:
    watch.say(f"building a bundle with the encoder {encoder} from the stored items")
    generation = steps(parts, kind).release().default.generation
    reservoir = Reservoir[Item](SAMPLE)
    parts.engine.refresh(generation)
    after: ItemKey | None = None
    while page := parts.engine.scan(generation, after=after, limit=_PAGE):
        after = page[-1].key
        for stored in page:
            if stored.item is not None:
                reservoir.put(stored.item)
    return build_bundle(parts, [kind], reservoir.kept, encoder, watch.on_stage)


def _check_fields(parts: Parts, kind: Kind, bundle_id: str) -> None:
    """Make sure that the bundle reads the fields that the kind's items have."""
    schema = parts.bundle(bundle_id).manifest.schema.kind(kind.name)
    read = {"text": schema.texts, "category": schema.categories, "number": schema.numbers}
    known = {"text": kind.text, "category": kind.category, "number": kind.number}
    if any(set(read[role]) != set(known[role]) for role in read):
        raise ConfigurationError(
            f"bundle {bundle_id}",
            expected=f"a bundle that reads of {kind.name} {_listed(known)}",
            got=f"one that reads {_listed(read)}",
            fix="Name another bundle, or build one: sidetower rebuild --encoder bootstrap.",
        )


def _listed(roles: Mapping[str, Iterable[str]]) -> str:
    return "; ".join(f"{role} {', '.join(sorted(fields)) or '(none)'}" for role, fields in roles.items())


def _refill(parts: Parts, source: str, target: str, rate: float, watch: Watch) -> RefillReport:
    parts.engine.refresh(source)
    counts = parts.generations.counts(source)
    total = sum(one.pending if source == target else one.items + one.removed for one in counts)
    refill = Refill(parts.engine, source, target, parts.embedder_of(target), parts.parked, parts.checkpoints, rate=rate)
    return refill.run(watch.stop, lambda report: watch.on_page(target, total, report))


def _compared(parts: Parts, kind: Kind, watch: Watch) -> ComparisonReport | None:
    """A comparison of the kind's generations that found nothing; None when told to stop before."""
    while not watch.stop():
        report = parts.comparison.run(kind.name)
        if report.complete and not report.differences:
            return report
        if report.failed:
            raise Unavailable(
                f"generations of {kind.name}",
                expected="every difference repaired",
                got=f"{report.failed} refused",
                fix="The log says why. Run the same command again once that is put right.",
            )
        watch.say(f"compared: {report.paused or f'{report.differences} differences, {report.repaired} repaired'}")
        _drain(parts)
        time.sleep(LOOK)
    return None


def _embedded(parts: Parts, source: str, target: str, broken: int, watch: Watch) -> bool:
    """Whether the new generation lacks no more vectors than the old one does, before told to stop.

    Raises:
        Unavailable: nobody embeds what is pending in it.
    """
    until = time.monotonic() + PATIENCE
    while not watch.stop():
        waiting = _pending(parts, target) - _pending(parts, source) - broken
        if waiting <= 0:
            return True
        if time.monotonic() > until:
            raise Unavailable(
                f"generation {target}",
                expected="what changed during the fill to be embedded",
                got=f"{waiting} items that wait",
                fix="Start workers that have the bundle, then run the same command again.",
            )
        watch.say(f"{waiting:,} items of {target} wait for their vectors")
        _drain(parts)
        time.sleep(LOOK)
    return False


def _pending(parts: Parts, generation: str) -> int:
    parts.engine.refresh(generation)
    return sum(one.pending for one in parts.generations.counts(generation))


def _drain(parts: Parts) -> None:
    """Embed what this process itself has queued, where no workers see it."""
    if not parts.config.queue.redis:
        parts.drainer.drain(Lane.LIVE, float("inf"))
