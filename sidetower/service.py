"""The process root of the service: `sidetower serve`, or `uvicorn --factory sidetower.service:app`."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from sidetower.agreement import check_agreement
from sidetower.config import DEFAULT_FILE, load_config
from sidetower.embedding import embed_until
from sidetower.page_secret import page_secret
from sidetower.parts import Parts

if TYPE_CHECKING:
    from fastapi import FastAPI


def app() -> FastAPI:
    """The service of the configuration that SIDETOWER_CONFIG names, else of sidetower.toml."""
    return create(Parts(load_config(Path(os.environ.get("SIDETOWER_CONFIG", DEFAULT_FILE)), os.environ)))


def create(parts: Parts, kept: int | None = None) -> FastAPI:
    """The service over these parts; without Redis it also embeds, in a thread of its own.

    Args:
        parts: of this process.
        kept: items whose vectors are kept in memory; None is the usual number.
    """
    from rerank_service.app import create_app
    from rerank_service.candidate_vectors import CAPACITY
    from rerank_service.parts import ServiceParts

    application = create_app(
        ServiceParts(
            engine=parts.engine,
            release=parts.view.current,
            generation_space=parts.generation_space,
            bundle=parts.bundle,
            kinds=parts.config.kinds,
            apply=parts.live.apply,
            kept=CAPACITY if kept is None else kept,
            page_secret=page_secret(os.environ),
            registry=parts.metrics.registry,
            gateway=parts.gateway,
            checks={"search engine": lambda: _reachable(parts), "configuration": lambda: _agreed(parts)},
        )
    )
    if not parts.config.queue.redis:
        parts.watch_standing()
        # A daemon: what it had in hand when the process ends is pending in the index, and found at the next start.
        threading.Thread(target=embed_until, args=(parts, threading.Event()), name="embed", daemon=True).start()
    return application


def _agreed(parts: Parts) -> None:
    for kind in parts.config.kinds.values():
        check_agreement(parts, kind)


def _reachable(parts: Parts) -> None:
    parts.releases.kinds()
