"""A tiny catalogue of cars whose right answers are known: two tenants with equal ids, audiences, vectors in order."""

from __future__ import annotations

import math
import uuid
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from domain.items import EVERYONE, FilterValue, Item, ItemKey, Removal
from domain.releases import Generation
from domain.search import Query, QueryVector, Scope
from domain.vectors import DIMENSIONS, Array
from domain.versions import StoredItem, pending, ready

KIND: Final = "listing"
SPACE: Final = "space-one"
OTHER_SPACE: Final = "space-two"
NORTH: Final = "north"
SOUTH: Final = "south"
#: One day in milliseconds.
DAY: Final = 86_400_000.0


@dataclass(frozen=True)
class Car:
    """One row of the catalogue."""

    title: str
    body: str
    make: str
    price: float
    #: Inner product with `axis(0)`; None = the vector is still pending.
    cosine: float | None
    day: int = 0
    electric: bool | None = None
    colours: tuple[str, ...] = ()
    audience: tuple[str, ...] = (EVERYONE,)
    #: The axis that the rest of the vector points to; rows with equal cosine and axis have equal vectors.
    aside: int = 1


CARS: Final[dict[str, dict[str, Car]]] = {
    NORTH: {
        "car-1": Car("Red family estate", "Runs well, one careful owner", "volvo", 9_000, 0.9, 1, False, ("red",)),
        "car-2": Car("Blue city hatchback", "Short trips, red seats", "fiat", 4_500, 0.8, 2, False, ("blue", "red")),
        "car-3": Car(
            "Electric runabout", "Its running costs are near zero", "nissan", 12_000, 0.7, 3, True, ("white",)
        ),
        "car-4": Car(
            "Citroën from Zürich",
            "Sliding door, 320d engine, Straßenlage, from Ørsted",
            "citroen",
            7_000,
            0.6,
            4,
            False,
            ("grey",),
        ),
        "car-5": Car("Grey van", "Delivery van with roof rack", "fiat", 15_000, 0.5, 5, False, ("grey",)),
        "car-6": Car("White van", "Delivery van with tail lift", "ford", 16_000, 0.5, 6, False, ("white",)),
        "car-7": Car("Vintage roadster", "Restored in 1967 style", "mg", 30_000.5, -0.4, 7, aside=2),
        "car-8": Car("Unseen coupe", "Waits for its vector", "audi", 20_000, None, 8, False, ("blue",)),
        "deal-1": Car("Trade saloon", "Auction lot, red", "audi", 100, 0.95, 9, audience=("dealers",)),
        "deal-2": Car("Trade wagon", "Auction lot, blue", "audi", 200, 0.85, 9, audience=("dealers", "staff")),
    },
    SOUTH: {
        "car-1": Car("Red tractor", "Pulls a plough, runs on diesel", "deere", 50_000, 0.99, 1, False, ("red",)),
        "car-2": Car("Blue harvester", "Needs a delivery van", "claas", 90_000, 0.1, 2, True, ("blue",)),
        "car-9": Car("Ghost trailer", "Two axles", "fiat", 1_000, 0.98, 3, False, ("grey",)),
    },
}
#: Removed in the north: its item is written first, its tombstone after it. The south's own one stays.
REMOVED: Final = "car-9"
GHOST: Final = Car("Ghost wagon", "Red delivery van", "fiat", 1_000, 1.0, 9, False, ("red",))

#: The north's public vectors, nearest to `axis(0)` first; car-5 and car-6 are equal, so their ids decide.
NEAREST: Final = ["car-1", "car-2", "car-3", "car-4", "car-5", "car-6", "car-7"]
#: The north's public items by id.
PUBLIC: Final = [*NEAREST, "car-8"]


def generation(name: str = "", **changes: Any) -> Generation:
    """A generation for the cars under a name of its own."""
    made = Generation(
        name=name or f"tiny-{uuid.uuid4().hex[:12]}",
        kind=KIND,
        space=SPACE,
        text_weights={"title": 3.0, "body": 1.0},
        filter_types={
            "make": "keyword",
            "colour": "keyword",
            "price": "number",
            "electric": "boolean",
            "listed": "date",
        },
        created_at=1_000.0,
    )
    return replace(made, **changes)


def axis(number: int) -> Array:
    """The unit vector ``[128]`` along one axis."""
    vector = np.zeros(DIMENSIONS, dtype=np.float32)
    vector[number] = 1
    return vector


def tilted(cosine: float, aside: int = 1) -> Array:
    """The unit vector whose inner product with `axis(0)` is `cosine`; the rest points along axis `aside`."""
    return np.asarray(cosine * axis(0) + math.sqrt(1 - cosine * cosine) * axis(aside), dtype=np.float32)


def key(id: str, tenant: str = NORTH) -> ItemKey:  # noqa: A002 (the domain's word)
    """The key of a car."""
    return ItemKey(tenant, KIND, id)


def item(item_key: ItemKey, revision: int = 1, car: Car = GHOST) -> Item:
    """A car as an item, every role filled that the row fills."""
    filters: dict[str, tuple[FilterValue, ...]] = {
        "make": (car.make,),
        "colour": car.colours,
        "price": (car.price,),
        "electric": () if car.electric is None else (car.electric,),
        "listed": (car.day * DAY,) if car.day else (),
    }
    return Item(
        key=item_key,
        revision=revision,
        texts={"title": car.title, "body": car.body},
        categories={"make": (car.make,)},
        numbers={"price": car.price},
        signals={"views": float(len(car.title))},
        filters={name: values for name, values in filters.items() if values},
        audience=car.audience,
    )


def listing(item_key: ItemKey, revision: int = 1, title: str = "Plain car", **fields: Any) -> Item:
    """A small item with one text; `fields` are those of `Item`."""
    return Item(item_key, revision, **({"texts": {"title": title}} | fields))


def with_vector(made: Item, vector: Array | None = None, *, space: str = SPACE, written_at: float = 2.0) -> StoredItem:
    """Phase 1 of an item; `axis(0)` unless told."""
    return ready(
        made, axis(0) if vector is None else vector, space=space, inputs_hash="inputs-1", written_at=written_at
    )


def catalogue() -> list[list[StoredItem]]:
    """The whole catalogue as batches to write in order."""
    ghost = item(key(REMOVED), 1, GHOST)
    first = [with_vector(ghost, tilted(1.0))]
    for tenant, cars in CARS.items():
        for name, car in cars.items():
            made = item(key(name, tenant), 1, car)
            vectorless = car.cosine is None
            first.append(pending(made, 3.0) if vectorless else with_vector(made, tilted(car.cosine or 0.0, car.aside)))
    return [first, [pending(Removal(ghost.key, 2), 4.0)]]


def scope(tenant: str = NORTH, *groups: str) -> Scope:
    """Somebody of the tenant who belongs to these groups."""
    return Scope(tenant, frozenset(groups))


def by_vector(vector: Array | None = None, *, space: str = SPACE, **rest: Any) -> Query:
    """A query by vector, `axis(0)` unless told."""
    return Query(vector=QueryVector(axis(0) if vector is None else vector, space), **rest)
