"""``sidetower status``: what is served, what is stored, what still waits."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

from sidetower.cli import output
from sidetower.config import DEFAULT_FILE, load_config

if TYPE_CHECKING:
    from domain.releases import GenerationCounts
    from sidetower.parts import Parts


def status(config: output.ConfigPath = DEFAULT_FILE, as_json: output.JsonFlag = False) -> None:
    """Show releases, items, pending vectors, queue and parked items."""
    from sidetower.parts import Parts

    settings = load_config(config, os.environ)
    parts = Parts(settings)
    found = {
        "engine": settings.engine.opensearch or f"embedded, in {settings.path}",
        "generations": [row for kind in parts.releases.kinds() for row in _rows(parts, kind)],
        "queue": _queue(parts),
        "parked": [
            {"item": str(one.work.key), "generation": one.work.generation, "error": one.error}
            for one in parts.parked.all()
        ],
    }
    if as_json:
        output.print_json(found)
        return
    _tell(found)


def _rows(parts: Parts, kind: str) -> list[dict[str, Any]]:
    """One row for each tenant of each generation of the kind that is written."""
    release = parts.view.current(kind)
    if release is None:
        return []
    for name in release.writing:
        parts.engine.refresh(name)
    served = {"kind": kind, "bundle": release.default.bundle, "state": release.state.value}
    return [
        served | {"generation": name} | _counted(counts)
        for name in release.writing
        for counts in parts.generations.counts(name)
    ]


def _counted(counts: GenerationCounts) -> dict[str, Any]:
    return {
        "tenant": counts.tenant,
        "items": counts.items,
        "pending": counts.pending,
        "oldest_pending_s": round(time.time() - counts.oldest_pending) if counts.pending else 0,
        "removed": counts.removed,
        "done": counts.pending == 0,
    }


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
    for one in found["parked"]:
        output.warn(f"Parked: {one['item']} in {one['generation']}: {one['error']}")
