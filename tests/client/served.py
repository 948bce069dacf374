"""A small catalogue behind the service, as a process: `uvicorn --factory tests.client.served:serve`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final

from fastapi import FastAPI

from tests.service.rerank.world import LISTING, World

TOTAL: Final = 60
_COLOURS = ("red", "blue", "green", "grey")
_BODIES = ("estate", "roadster", "van", "saloon", "cabriolet")
_FUELS = ("diesel", "petrol", "electric")
#: The last of them have no vector.
WITHOUT_VECTOR: Final = 6


def cars() -> list[dict[str, Any]]:
    """The catalogue; every title is another combination of words, and longer titles match less."""
    return [
        {
            "listing_id": f"car-{number}",
            "version": 1,
            "title": f"{_COLOURS[number % 4]} {_BODIES[number % 5]} {_FUELS[number % 3]} car"
            + " well kept" * (number % 7),
            "make": ("volvo", "bmw", "mg")[number % 3],
            "price": 1_000.0 + 250 * number,
            "visible_to": ["*"],
        }
        for number in range(TOTAL)
    ]


def serve() -> FastAPI:
    """The service over the catalogue of the north, and one listing of the south under an id of the north."""
    world = World(Path(os.environ["SIDETOWER_TEST_FOLDER"]))
    world.tell("north", LISTING, *cars()[:-WITHOUT_VECTOR])
    world.tell("south", LISTING, {**cars()[0], "title": "nothing that anybody looks for"})
    world.tell("north", LISTING, *cars()[-WITHOUT_VECTOR:], embed=False)
    return world.app()
