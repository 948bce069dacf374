"""A small catalogue of cars with known themes: the same documents for the same seed."""

from __future__ import annotations

import csv
import json
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

Document = dict[str, Any]

#: What cars of a theme are described with; an item's theme is its filter field `theme`.
THEMES = {
    "family": ["seven seats", "a large boot", "isofix child seats", "sliding doors", "a quiet cabin for long holidays"],
    "sport": ["a turbo engine", "lowered suspension", "racing stripes", "bucket seats", "a loud exhaust"],
    "winter": ["heated seats", "all wheel drive", "studded tyres", "an engine heater", "a ski rack"],
    "city": ["a tiny turning circle", "parking sensors", "an electric motor", "low emissions", "a panorama roof"],
}
MAKES = ("Fiat", "Opel", "Volvo", "Skoda", "Mazda")
_SENTENCES = ("It has {} and {}.", "With {}, and also {}.", "Well kept, {} and {} included.")

#: Of `cars`; the audience is everyone or the staff.
CONFIG = """[kinds.listing]
id = "listing_id"
revision = "revision"
text = { title = 3.0, description = 1.0 }
category = ["make"]
number = ["price"]
signal = ["views"]
filter = { make = "keyword", price = "number", theme = "keyword", sold = "boolean" }
audience = "visible_to"
"""


def cars(count: int, seed: int = 1) -> list[Document]:
    """Listings `car-0` to `car-(count - 1)` at revision 1; every tenth is for the staff only."""
    rng = random.Random(seed)
    return [_car(number, rng) for number in range(count)]


def _car(number: int, rng: random.Random) -> Document:
    theme = rng.choice(list(THEMES))
    make = rng.choice(MAKES)
    praise = rng.sample(THEMES[theme], 4)
    return {
        "listing_id": f"car-{number}",
        "revision": 1,
        "title": f"{make} with {praise[0]}",
        "description": " ".join(rng.choice(_SENTENCES).format(*pair) for pair in (praise[:2], praise[2:])),
        "make": make,
        "price": rng.randrange(500, 40_000),
        "views": rng.randrange(1_000),
        "theme": theme,
        "sold": rng.random() < 0.2,
        "visible_to": "staff" if number % 10 == 9 else "*",
    }


def write_jsonl(path: Path, documents: Sequence[Mapping[str, Any]]) -> Path:
    """The file, one document a line."""
    path.write_text("".join(json.dumps(one) + "\n" for one in documents), encoding="utf-8")
    return path


def write_csv(path: Path, documents: Sequence[Mapping[str, Any]]) -> Path:
    """The file, with a header line."""
    with path.open("w", newline="", encoding="utf-8") as stream:
        rows = csv.DictWriter(stream, list(documents[0]))
        rows.writeheader()
        rows.writerows(documents)
    return path


def write_parquet(path: Path, documents: Sequence[Mapping[str, Any]]) -> Path:
    """The file; needs pyarrow."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.Table.from_pylist([dict(one) for one in documents]), path)
    return path
