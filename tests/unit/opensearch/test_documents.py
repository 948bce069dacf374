from __future__ import annotations

import orjson
import pytest

from domain.items import ItemKey, Removal
from domain.vectors import to_base64
from domain.versions import Phase, StoredItem, pending
from plugin.opensearch.client import dumped
from plugin.opensearch.documents import document_id, from_document, to_candidate, to_document
from tests import tiny_world as tiny

ITEM = tiny.item(tiny.key("car-1"), 7, tiny.CARS["north"]["car-2"])


def stored(document: StoredItem) -> StoredItem:
    """What comes back after the document travelled as JSON."""
    sent = orjson.loads(dumped("document", to_document(document)))
    del sent["vector"]  # the index keeps it out of the source
    return from_document("listing", sent, document.version)


def test_the_document_of_an_item_that_waits() -> None:
    assert to_document(pending(ITEM, 3.5)) == {
        "tenant": "north",
        "id": "car-1",
        "revision": 7,
        "content_hash": ITEM.content_hash,
        "vector_state": "pending",
        "written_at": 3.5,
        "audience": ["*"],
        "text": {"title": "Blue city hatchback", "body": "Short trips, red seats"},
        "filter": {
            "make": ["fiat"],
            "colour": ["blue", "red"],
            "price": [4_500],
            "electric": [False],
            "listed": [2 * 86_400_000.0],
        },
        "category": {"make": ["fiat"]},
        "number": {"price": 4_500},
        "signal": {"views": 19.0},
    }


def test_a_vector_goes_along_twice() -> None:
    vector = tiny.tilted(0.3)
    document = to_document(tiny.with_vector(ITEM, vector))
    assert document["vector"] is vector
    assert document["vector_b64"] == to_base64(vector)
    assert (document["vector_state"], document["space"], document["inputs_hash"]) == ("ready", "space-one", "inputs-1")


def test_the_document_of_a_tombstone_has_no_content() -> None:
    gone = pending(Removal(tiny.key("car-1"), 8), 4.0)
    assert to_document(gone) == {
        "tenant": "north",
        "id": "car-1",
        "revision": 8,
        "content_hash": gone.change.content_hash,
        "vector_state": "removed",
        "written_at": 4.0,
    }
    assert from_document("listing", to_document(gone), gone.version) == gone
    assert to_candidate("listing", to_document(gone), gone.version) is None


def test_an_item_with_its_vector_comes_back() -> None:
    new = tiny.with_vector(ITEM, tiny.tilted(0.3))
    found = stored(new)
    assert (found.change, found.phase, found.space, found.inputs_hash) == (ITEM, new.phase, new.space, new.inputs_hash)
    assert found.vector is not None
    assert found.vector.tobytes() == tiny.tilted(0.3).tobytes()


@pytest.mark.parametrize(("version", "repaired"), [(4 * 7 + 0, False), (4 * 7 + 1, False), (4 * 7 + 3, True)])
def test_a_ready_item_is_one_at_every_version_of_its_revision(version: int, repaired: bool) -> None:
    document = to_document(tiny.with_vector(ITEM))
    found = from_document("listing", document, version)
    assert (found.phase, found.repaired, found.version) == (Phase.VECTOR, repaired, 4 * 7 + 2 * repaired + 1)
    hit = to_candidate("listing", document, version)
    assert hit is not None
    assert hit.version == found.version


@pytest.mark.parametrize(("one", "other"), [(("a", "bc"), ("ab", "c")), (("1:a", "b"), ("1", ":ab"))])
def test_ids_of_two_tenants_never_meet(one: tuple[str, str], other: tuple[str, str]) -> None:
    assert document_id(*one) != document_id(*other)
    assert document_id("ab", "c") == "2:abc"


def test_the_longest_id_fits_the_engine() -> None:
    key = ItemKey("t" * 64, "listing", "i" * 400)
    assert len(document_id(key.tenant, key.id).encode()) == 3 + 64 + 400
    assert 3 + 64 + 400 <= 512
