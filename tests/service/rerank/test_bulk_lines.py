"""Lines, batches and the outbox by themselves."""

from __future__ import annotations

import asyncio
import io
import itertools
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rerank_service.bulk_lines import BATCH_BYTES, BATCH_LINES, Line, LineReader, batches
from rerank_service.outbox import PIECE_BYTES, Outbox


async def stream(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


def batched(*chunks: bytes) -> list[list[Line]]:
    async def all_of_them() -> list[list[Line]]:
        return [batch async for batch in batches(stream(*chunks), wait=5)]

    return asyncio.run(all_of_them())


@given(text=st.binary(max_size=60).map(lambda raw: raw.replace(b"\r", b"\n")), cuts=st.lists(st.integers(0, 60)))
def test_lines_do_not_depend_on_how_the_stream_is_cut(text: bytes, cuts: list[int]) -> None:
    places = sorted({0, len(text), *(cut for cut in cuts if cut < len(text))})
    reader = LineReader(limit=10)
    lines = []
    for start, end in itertools.pairwise(places):
        lines += reader.feed(text[start:end])
    lines += reader.end()
    expected = []
    for number, raw in enumerate(text.split(b"\n"), start=1):
        if raw.strip():
            expected.append(Line(number, raw if len(raw) <= 10 else None))
        elif len(raw) > 10:
            expected.append(Line(number, None))
    assert lines == expected


def test_a_line_over_the_limit_is_not_kept() -> None:
    reader = LineReader(limit=1_000)
    for _ in range(1_000):
        assert reader.feed(b"x" * 900) == []
        assert len(reader._open) <= 1_000
    assert reader.feed(b"\nshort\n") == [Line(1, None), Line(2, b"short")]


def test_batches_are_full_by_lines_or_by_bytes() -> None:
    by_lines = batched(b"x\n" * (2 * BATCH_LINES + 1))
    assert [len(batch) for batch in by_lines] == [BATCH_LINES, BATCH_LINES, 1]
    half = b"x" * (BATCH_BYTES // 2) + b"\n"
    assert [len(batch) for batch in batched(half, half, half)] == [2, 1]


def test_a_batch_goes_on_when_it_has_waited() -> None:
    async def slow() -> AsyncIterator[bytes]:
        for number in range(3):
            yield f"{number}\n".encode()
            await asyncio.sleep(0.2)

    async def all_of_them() -> list[int]:
        return [len(batch) async for batch in batches(slow(), wait=0.01)]

    assert asyncio.run(all_of_them()) == [1, 1, 1]


def test_a_stream_that_breaks_off_drops_what_has_no_end() -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"whole\nhal"
        await asyncio.sleep(0.1)
        raise ConnectionError

    found: list[list[Line]] = []

    async def all_of_them() -> None:
        async for batch in batches(broken(), wait=0.01):
            found.append(batch)  # noqa: PERF401 - what came before the error counts

    with pytest.raises(ConnectionError):
        asyncio.run(all_of_them())
    assert found == [[Line(1, b"whole")]]


@given(puts=st.lists(st.binary(min_size=1, max_size=3 * PIECE_BYTES), max_size=5))
def test_what_is_put_comes_out_in_order(puts: list[bytes]) -> None:
    async def through() -> bytes:
        outbox = Outbox(io.BytesIO())

        async def write() -> None:
            for content in puts:
                outbox.put(content)
                await asyncio.sleep(0)
            outbox.end()

        writing = asyncio.create_task(write())
        found = b"".join([piece async for piece in outbox.pieces()])
        await writing
        return found

    assert asyncio.run(through()) == b"".join(puts)


def test_an_outbox_that_is_read_does_not_grow() -> None:
    file = io.BytesIO()

    async def through() -> None:
        outbox = Outbox(file)
        pieces = outbox.pieces()
        for _ in range(100):
            outbox.put(b"x" * 1_000)
            assert await anext(pieces) == b"x" * 1_000
            assert file.getbuffer().nbytes == 0

    asyncio.run(through())
