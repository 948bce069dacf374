"""``sidetower status``: what is served, what is stored, what still waits, and whether it is done."""

from __future__ import annotations

import os
import time
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from sidetower.cli import output
from sidetower.config import DEFAULT_FILE, load_config

if TYPE_CHECKING:
    from collections.abc import Iterator

    from domain.releases import GenerationCounts, Release
    from domain.work import ParkedItem, WorkKey
    from sidetower.parts import Parts

#: Seconds that the rate is taken over.
MINUTE: Final = 60.0
#: Parked items shown in the terminal; `--json` shows up to a thousand.
SHOWN: Final = 20
KEPT: Final = 1_000


def status(config: output.ConfigPath = DEFAULT_FILE, as_json: output.JsonFlag = False) -> None:
    """Show releases, items, pending vectors, rates, queue and parked items, and whether all of it is done."""
    from sidetower.parts import Parts

    settings = load_config(config, os.environ)
    parts = Parts(settings)
    parked = list(_parked(parts))
    counted = Counter((one.work.generation, one.work.key.tenant) for one in parked)
    found = {
        "engine": settings.engine.opensearch or f"embedded, in {settings.path}",
        "generations": [row for kind in parts.releases.kinds() for row in _rows(parts, kind, counted)],
        "queue": _queue(parts),
        "parked": [
            {"item": str(one.work.key), "generation": one.work.generation, "error": one.error} for one in parked[:KEPT]
        ],
        "parked_total": len(parked),
    }
    if as_json:
        output.print_json(found)
        return
    _tell(found)


def _parked(parts: Parts) -> Iterator[ParkedItem]:
    after: WorkKey | None = None
    while page := parts.parked.all(after=after):
        after = page[-1].work
        yield from page


def _rows(parts: Parts, kind: str, parked: Counter[tuple[str, str]]) -> list[dict[str, Any]]:
    """One row for each tenant of each generation of the kind that is written."""
    release = parts.view.current(kind)
    if release is None:
        return []
    for name in release.writing:
        parts.engine.refresh(name)
    now = time.time()
    return [
        {"kind": kind, "bundle": _bundle(release, name, counts.tenant), "state": release.state.value}
        | {"generation": name, "role": _role(release, name, counts.tenant)}
        | _counted(counts, now)
        | {"parked": parked[name, counts.tenant], "done": _done(release, name, counts, parked[name, counts.tenant])}
        for name in release.writing
        for counts in parts.generations.counts(name, now - MINUTE)
    ]


def _bundle(release: Release, generation: str, tenant: str) -> str:
    """What the generation is, or was, served with; empty before it ever was."""
    pointers = [release.pointer(tenant), release.default, *([release.previous] if release.previous else [])]
    return next((one.bundle for one in pointers if one.generation == generation), "")


def _role(release: Release, generation: str, tenant: str) -> str:
    """What the generation is to this tenant."""
    if release.pointer(tenant).generation == generation:
        return "served"
    return "filling" if generation in release.filling else "beside"


def _counted(counts: GenerationCounts, now: float) -> dict[str, Any]:
    return {
        "tenant": counts.tenant,
        "items": counts.items,
        "removed": counts.removed,
        "pending": counts.pending,
        "oldest_pending_s": max(0, round(now - counts.oldest_pending)) if counts.pending else 0,
        "per_s": round(counts.recent / MINUTE, 1),
    }


def _done(release: Release, generation: str, counts: GenerationCounts, parked: int) -> str:
    """One word: what has to happen before the generation is complete; ``yes`` when it is."""
    from domain.releases import Stage

    if release.state is Stage.BUILDING or generation in release.filling:
        return "filling"
    if counts.pending > parked:
        return "embedding"
    return "parked" if counts.pending else "yes"


def _queue(parts: Parts) -> dict[str, Any] | None:
    """Depth of each lane; None for the in-process queue, which only its own process sees."""
    from domain.work import Lane

    if not parts.config.queue.redis:
        return None
    depths = {lane.value: parts.queue.depth(lane) for lane in Lane}
    return {
        lane: {"waiting": depth.waiting, "in_flight": depth.in_flight, "oldest_s": round(depth.oldest_age, 1)}
        for lane, depth in depths.items()
    }


def _tell(found: dict[str, Any]) -> None:
    output.say(f"Engine: {found['engine']}")
    rows = found["generations"]
    if not rows:
        output.say("Nothing is indexed yet: run sidetower index.")
        return
    output.print_table(list(rows[0]), [list(row.values()) for row in rows])
    for lane, depth in (found["queue"] or {}).items():
        output.say(
            f"Queue {lane}: {depth['waiting']} waiting, {depth['in_flight']} in work, oldest {depth['oldest_s']} s"
        )
    for one in found["parked"][:SHOWN]:
        output.warn(f"Parked: {one['item']} in {one['generation']}: {one['error']}")
    if found["parked_total"] > SHOWN:
        output.warn(f"... and {found['parked_total'] - SHOWN:,} more; --json shows up to {KEPT:,}.")
