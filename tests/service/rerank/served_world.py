"""The small world as a process: `uvicorn --factory tests.service.rerank.served_world:serve`."""

from __future__ import annotations

import os
from pathlib import Path

from fastapi import FastAPI

from tests.service.rerank.world import World, fill


def serve() -> FastAPI:
    """The service over a filled world in the folder that SIDETOWER_TEST_FOLDER names."""
    world = World(Path(os.environ["SIDETOWER_TEST_FOLDER"]))
    fill(world)
    return world.app()
