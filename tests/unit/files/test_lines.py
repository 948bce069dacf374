"""JSON Lines and CSV: every good line goes through, every broken one is told with its place."""

from __future__ import annotations

import gzip
import json
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from domain.errors import InvalidItem, SourceError
from plugin.files.csv_rows import CsvSource
from plugin.files.jsonl import JsonlSource
from plugin.files.lines import MAX_LINE_BYTES
from plugin.files.source import FileSource


def split(source: FileSource) -> tuple[list[Any], list[InvalidItem]]:
    """Documents, and what stands in place of others."""
    found = [one for _, one in source.scan()]
    return (
        [one for one in found if not isinstance(one, Exception)],
        [one for one in found if isinstance(one, InvalidItem)],
    )


def jsonl(folder: Path, content: bytes, name: str = "cars.jsonl") -> JsonlSource:
    path = folder / name
    path.write_bytes(content)
    return JsonlSource(path, "id")


def table(folder: Path, content: str | bytes, name: str = "cars.csv") -> CsvSource:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return CsvSource(path, "id")


class TestJsonLines:
    def test_one_broken_line_in_a_thousand_is_told_and_999_go_through(self, tmp_path: Path) -> None:
        lines = [b'{"id": %d}' % number for number in range(1, 1001)]
        lines[16] = b'{"id": 17'
        found = list(jsonl(tmp_path, b"\n".join(lines)).scan())
        good = [one for _, one in found if not isinstance(one, Exception)]
        assert [one["id"] for one in good] == [number for number in range(1, 1001) if number != 17]
        place, error = found[16]
        assert place == "cars.jsonl line 17"
        assert isinstance(error, InvalidItem)
        assert error.place == place

    def test_blank_lines_marks_and_windows_line_ends_are_no_fault(self, tmp_path: Path) -> None:
        source = jsonl(tmp_path, b'\xef\xbb\xbf{"id": 1}\r\n\r\n  \n{"id": 2}\r\n')
        assert [place for place, _ in source.scan()] == ["cars.jsonl line 1", "cars.jsonl line 4"]
        assert split(source) == ([{"id": 1}, {"id": 2}], [])

    def test_a_line_beyond_the_bound_is_skipped_without_being_held(self, tmp_path: Path) -> None:
        path = tmp_path / "cars.jsonl"
        with path.open("wb") as stream:
            stream.write(b'{"id": 1}\n{"id": "')
            for _ in range(5):
                stream.write(b"x" * MAX_LINE_BYTES)
            stream.write(b'"}\n{"id": 3}\n')
        tracemalloc.start()
        good, told = split(JsonlSource(path, "id"))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert [one["id"] for one in good] == [1, 3]
        assert [one.place for one in told] == ["cars.jsonl line 2"]
        assert peak < 3 * MAX_LINE_BYTES

    def test_the_longest_line_allowed_goes_through(self, tmp_path: Path) -> None:
        text = "x" * (MAX_LINE_BYTES - len('{"id": ""}'))
        assert split(jsonl(tmp_path, b'{"id": "%s"}\n' % text.encode())) == ([{"id": text}], [])

    @pytest.mark.parametrize("name", ["cars.jsonl.gz", "cars.jsonl"])
    def test_gzip_is_read_whatever_the_name_says(self, tmp_path: Path, name: str) -> None:
        source = jsonl(tmp_path, gzip.compress(b'{"id": 1}\n{"id": 2}\n'), name)
        assert split(source) == ([{"id": 1}, {"id": 2}], [])
        assert source.count() is None

    def test_a_cut_gzip_gives_what_it_has_and_then_fails(self, tmp_path: Path) -> None:
        whole = gzip.compress("".join(json.dumps({"id": f"{n * n:x}"}) + "\n" for n in range(5000)).encode())
        read: list[Any] = []
        with pytest.raises(SourceError) as told:
            read.extend(jsonl(tmp_path, whole[: len(whole) // 2], "cars.jsonl.gz").scan())
        assert 0 < len(read) < 5000
        assert told.value.place.endswith(f"after line {len(read)}")

    @pytest.mark.parametrize(("content", "lines"), [(b"{}\n{}\n", 2), (b"{}\n{}", 2), (b"{}", 1)])
    def test_count_is_the_number_of_lines(self, tmp_path: Path, content: bytes, lines: int) -> None:
        assert jsonl(tmp_path, content).count() == lines


class TestCsv:
    def test_rows_are_documents_of_texts(self, tmp_path: Path) -> None:
        source = table(tmp_path, 'id,title,price\n1,"Golf, blue",100\n2,"A ""fine"" car",\n')
        assert split(source) == (
            [{"id": "1", "title": "Golf, blue", "price": "100"}, {"id": "2", "title": 'A "fine" car', "price": ""}],
            [],
        )
        assert source.count() == 2

    @pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
    def test_the_delimiter_is_taken_from_the_column_names(self, tmp_path: Path, delimiter: str) -> None:
        assert split(table(tmp_path, f"id{delimiter}title\n1{delimiter}Golf\n"))[0] == [{"id": "1", "title": "Golf"}]

    def test_texts_with_line_breaks_stay_whole_and_places_are_first_lines(self, tmp_path: Path) -> None:
        found = list(table(tmp_path, 'id,text\n1,"one\n\ntwo"\n2,three\n').scan())
        assert found == [
            ("cars.csv line 2", {"id": "1", "text": "one\n\ntwo"}),
            ("cars.csv line 5", {"id": "2", "text": "three"}),
        ]

    def test_a_quotation_mark_that_is_never_closed_costs_its_own_line_only(self, tmp_path: Path) -> None:
        rows = "".join(f"{number},car,{number}\n" for number in range(3, 1000))
        good, told = split(table(tmp_path, f'id,title,price\n1,car,1\n2,"open,2\n{rows}'))
        assert [one["id"] for one in good] == ["1", *(str(number) for number in range(3, 1000))]
        assert [(one.place, one.got) for one in told] == [("cars.csv line 3", "a quotation mark that is never closed")]

    def test_broken_rows_are_told_and_their_neighbours_go_through(self, tmp_path: Path) -> None:
        content = b'id,title,price\n1,a,1\n2,b\n3,c,3,3\n4,"d"x,4\n5,\xff,5\n6,5" pipe,6\n\n7,g,7\n'
        good, told = split(table(tmp_path, content))
        assert [one["id"] for one in good] == ["1", "6", "7"]
        assert [one.place for one in told] == [f"cars.csv line {line}" for line in (3, 4, 5, 6)]
        assert [one.got for one in told[:2]] == ["2 values", "4 values"]

    def test_columns_without_a_name_are_not_read(self, tmp_path: Path) -> None:
        assert split(table(tmp_path, ",id,title\n0,1,Golf\n")) == ([{"id": "1", "title": "Golf"}], [])

    def test_a_long_text_goes_through_and_one_beyond_the_bound_is_told(self, tmp_path: Path) -> None:
        long, longer = "x" * 1_000_000, "y" * (MAX_LINE_BYTES + 1)
        good, told = split(table(tmp_path, f"id,text\n1,{long}\n2,{longer}\n3,z\n"))
        assert [(one["id"], len(one["text"])) for one in good] == [("1", 1_000_000), ("3", 1)]
        assert [one.place for one in told] == ["cars.csv line 3"]
