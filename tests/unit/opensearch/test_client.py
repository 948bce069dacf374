from __future__ import annotations

import inspect
import socket
from types import ModuleType

import numpy as np
import opensearchpy.exceptions as foreign
import orjson
import pytest
from opensearchpy.helpers import errors as foreign_helpers

from domain.errors import (
    AccessDenied,
    Busy,
    ConfigurationError,
    InvalidItem,
    InvalidQuery,
    NotFound,
    SidetowerError,
    Unavailable,
)
from plugin.opensearch.client import COUNTERPARTS, OrjsonSerializer, as_exception, connect, counterpart, dumped, told


def _exceptions(module: ModuleType) -> set[type[Exception]]:
    classes = (one for _, one in inspect.getmembers(module, inspect.isclass))
    return {
        one
        for one in classes
        if issubclass(one, Exception) and not issubclass(one, Warning) and one.__module__.startswith("opensearchpy")
    }


def test_every_foreign_exception_has_a_counterpart() -> None:
    there = _exceptions(foreign) | _exceptions(foreign_helpers)
    assert len(there) >= 18
    assert there - set(COUNTERPARTS) == set()


@pytest.mark.parametrize(
    ("status", "kind", "ours"),
    [
        (400, "mapper_parsing_exception", InvalidQuery),
        (401, "", AccessDenied),
        (403, "security_exception", AccessDenied),
        (403, "cluster_block_exception", Busy),
        (404, "index_not_found_exception", NotFound),
        (429, "", Busy),
        (429, "cluster_block_exception", Busy),
        (429, "opensearch_rejected_execution_exception", Busy),
        (500, "circuit_breaking_exception", Busy),
        (500, "null_pointer_exception", Unavailable),
        (503, "", Unavailable),
    ],
)
def test_a_refusal_becomes_ours(status: int, kind: str, ours: type[SidetowerError]) -> None:
    error = {"type": kind, "reason": "outer", "caused_by": {"type": "x", "reason": "inner"}}
    told_as = counterpart(as_exception({"status": status, "error": error}), "search in cars")
    assert type(told_as) is ours
    assert told_as.place == "OpenSearch, search in cars"
    assert told_as.got == f"{status} {kind}: outer; inner"


def test_a_missing_index_without_a_status_is_not_found() -> None:
    assert isinstance(as_exception({"error": {"type": "index_not_found_exception"}}), foreign.NotFoundError)


def test_nobody_listening_is_unavailable() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        client = connect(f"http://127.0.0.1:{free.getsockname()[1]}")
        with pytest.raises(Unavailable, match="expected a connection"), told("looking"):
            client.info()
        client.close()


def test_a_silent_server_is_unavailable_in_time() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        client = connect(f"http://127.0.0.1:{silent.getsockname()[1]}", timeout=0.2)
        with pytest.raises(Unavailable, match="an answer in time"), told("looking"):
            client.info()
        client.close()


@pytest.mark.parametrize("url", ["localhost:9200", "", "ftp://localhost"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match="http"):
        connect(url)


def test_own_errors_pass_through_unchanged() -> None:
    mine = InvalidQuery("limit", expected="1", got="2", fix="Less.")
    with pytest.raises(InvalidQuery) as raised, told("searching"):
        raise mine
    assert raised.value is mine


def test_the_serializer_writes_arrays_and_reads_answers() -> None:
    serializer = OrjsonSerializer()
    assert serializer.dumps({"vector": np.array([0.1, -2], dtype=np.float32)}) == b'{"vector":[0.1,-2.0]}'
    column = np.array([[1, 2], [3, 4]], dtype=np.float32)[:, 0]
    assert serializer.dumps({"vector": column}) == b'{"vector":[1.0,3.0]}'
    assert serializer.dumps("{}") == "{}"
    assert serializer.loads('{"a": 4611686018427387903}') == {"a": 2**62 - 1}
    with pytest.raises(Unavailable, match="expected JSON"), told("looking"):
        serializer.loads("<html>Bad gateway</html>")


def test_half_a_surrogate_pair_is_told() -> None:
    with pytest.raises(InvalidItem, match="north/listing/a"):
        dumped("north/listing/a", {"title": "\ud83d"})
    with pytest.raises(InvalidItem, match="serializable: set"):
        dumped("north/listing/a", {"title": {"a"}})
    assert orjson.loads(dumped("a", {"title": "🚗"})) == {"title": "🚗"}
