"""Broken configurations, files and items: each is told with its place, the expectation and the way out, and costs
nothing else (promise 12). Broken requests are tested with the service."""

from __future__ import annotations

import gzip
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from domain.catalogue import FilterType, Kind
from domain.errors import ConfigurationError, InvalidItem, SidetowerError, SourceError
from plugin.files.opening import open_file_source
from sidetower.config import load_config, problems
from sidetower.document_check import check_documents
from sidetower.proposal.propose import propose
from tests.support.needs import require_module

GOOD = '[kinds.van]\nid = "van_id"\ntext = { title = 1.0 }\n'


def says(error: SidetowerError, place: str, *words: str) -> None:
    """The error names the place, what was expected, what came, and the way out."""
    told = str(error)
    assert place in error.place, told
    assert error.expected
    assert error.got
    assert error.fix.rstrip().endswith((".", "?", "Nothing is shown by default.")) or ":" in error.fix, told
    assert "Traceback" not in told
    assert "\n" not in told
    for word in words:
        assert word in told, f"{word!r} is not in: {told}"


@dataclass(frozen=True)
class Broken:
    """One broken configuration."""

    name: str
    text: str
    #: What the message's place names.
    place: str
    #: What the message holds besides.
    words: tuple[str, ...]
    environ: dict[str, str] = field(default_factory=dict)


def listing(keys: str) -> str:
    return f"{GOOD}[kinds.listing]\n{keys}\n"


BASE = 'id = "listing_id"\ntext = { title = 1.0 }\n'
CONFIGURATIONS = [
    Broken("unknown table", f"[engin]\n{GOOD}", "sidetower.toml", ("'engin'", "Did you mean engine?")),
    Broken("kind for kinds", '[kind.van]\nid = "a"\n', "sidetower.toml", ("'kind'", "Did you mean kinds?")),
    Broken("no kinds", '[engine]\npath = "x"\n', "sidetower.toml", ("at least one kind", "sidetower init")),
    Broken("empty file", "", "sidetower.toml", ("at least one kind",)),
    Broken("unknown key", f'[engine]\nopensearch_url = "http://a"\n{GOOD}', "[engine]", ("Did you mean opensearch?",)),
    Broken("password in file", f'[engine]\npassword = "hush"\n{GOOD}', "[engine]", ("SIDETOWER_OPENSEARCH_PASSWORD",)),
    Broken("engine is text", f'engine = "opensearch"\n{GOOD}', "engine", ("a table", "[engine]")),
    Broken("path is a number", f"[engine]\npath = 5\n{GOOD}", "[engine] path", ("not empty", "5")),
    Broken("empty path", f'[engine]\npath = ""\n{GOOD}', "[engine] path", ("not empty",)),
    Broken("prefix in capitals", f'[engine]\nprefix = "Shop-"\n{GOOD}', "[engine] prefix", ("'Shop-'", "a-z")),
    Broken("address without scheme", f'[engine]\nopensearch = "localhost:9200"\n{GOOD}', "opensearch", ("http://",)),
    Broken("port is no number", f'[engine]\nopensearch = "http://a:x"\n{GOOD}', "opensearch", ("http://a:x",)),
    Broken("address with query", f'[engine]\nopensearch = "http://a?b"\n{GOOD}', "opensearch", ("without ?",)),
    Broken("redis over http", f'[queue]\nredis = "http://a"\n{GOOD}', "[queue] redis", ("redis://",)),
    Broken("no id", listing("text = { title = 1.0 }"), "[kinds.listing] id", ('id = "listing_id"',)),
    Broken("empty id", listing('id = " "\ntext = { title = 1.0 }'), "[kinds.listing] id", ("not empty",)),
    Broken("id is a number", listing("id = 5\ntext = { title = 1.0 }"), "[kinds.listing] id", ("5",)),
    Broken("no text", listing('id = "a"'), "[kinds.listing] text", ("weights", "text = {")),
    Broken("text is a list", listing('id = "a"\ntext = ["t"]'), "[kinds.listing] text", ("text = { t = 1.0 }",)),
    Broken("text is empty", listing('id = "a"\ntext = {}'), "[kinds.listing] text", ("weights",)),
    Broken("weight of zero", listing('id = "a"\ntext = { t = 0 }'), "text.t", ("above 0", "0")),
    Broken("negative weight", listing('id = "a"\ntext = { t = -1.5 }'), "text.t", ("above 0", "-1.5")),
    Broken("infinite weight", listing('id = "a"\ntext = { t = inf }'), "text.t", ("above 0", "inf")),
    Broken("weight is no number", listing('id = "a"\ntext = { t = nan }'), "text.t", ("above 0", "nan")),
    Broken("weight is true", listing('id = "a"\ntext = { t = true }'), "text.t", ("a number", "true")),
    Broken("weight is text", listing('id = "a"\ntext = { t = "3" }'), "text.t", ("a number", "'3'")),
    Broken("misspelt role", listing(BASE + 'catagory = ["a"]'), "[kinds.listing]", ("Did you mean category?",)),
    Broken("plural role", listing(BASE + 'signals = ["a"]'), "[kinds.listing]", ("Did you mean signal?",)),
    Broken("list is text", listing(BASE + 'number = "price"'), "number", ('number = ["price"]',)),
    Broken("list of numbers", listing(BASE + "number = [1]"), "number", ("quotation marks",)),
    Broken("field twice", listing(BASE + 'number = ["a", "a"]'), "number", ("'a' twice",)),
    Broken("empty field name", listing(BASE + 'signal = [""]'), "signal", ("an empty name",)),
    Broken("field with a dot", listing(BASE + 'signal = ["a.b"]'), "signal", ("'a.b'",)),
    Broken("endless field name", listing(BASE + f'signal = ["{"a" * 129}"]'), "signal", ("129 characters",)),
    Broken("unknown filter type", listing(BASE + 'filter = { a = "float" }'), "filter.a", ("Did you mean number?",)),
    Broken("misspelt filter type", listing(BASE + 'filter = { a = "keywrd" }'), "filter.a", ("Did you mean keyword?",)),
    Broken("filter is a list", listing(BASE + 'filter = ["a"]'), "filter", ("filter = {",)),
    Broken("bad kind name", f'{GOOD}[kinds."My Cars"]\n{BASE}', "[kinds.My Cars]", ("lower-case", "my_cars")),
    Broken("kind is text", f'{GOOD}[kinds]\nlisting = "a"\n', "sidetower.toml", ()),
    Broken("missing quotes", f"{GOOD}[engine]\npath = data\n", "line 5", ("valid TOML",)),
    Broken("table twice", f"{GOOD}{GOOD}", "line 4", ("valid TOML",)),
    Broken("half a line", f"{GOOD}[engine", "sidetower.toml", ("valid TOML",)),
    Broken("user without password", GOOD, "environment", ("PASSWORD too",), {"SIDETOWER_OPENSEARCH_USER": "ann"}),
    Broken("bad variable", GOOD, "SIDETOWER_REDIS_URL", ("redis://",), {"SIDETOWER_REDIS_URL": "localhost"}),
    Broken("data folder is a file", GOOD, "SIDETOWER_PATH", ("a file",), {"SIDETOWER_PATH": __file__}),
]


@pytest.mark.parametrize("case", CONFIGURATIONS, ids=lambda case: case.name)
def test_a_broken_configuration_is_told(tmp_path: Path, case: Broken) -> None:
    path = tmp_path / "sidetower.toml"
    path.write_text(case.text, encoding="utf-8")
    found = problems(path, case.environ)
    assert found
    assert all(type(error) is ConfigurationError for error in found)
    says(found[0], case.place, *case.words)
    assert not any("kinds.van" in error.place for error in found), "the valid neighbour is told, too"
    with pytest.raises(ConfigurationError):
        load_config(path, case.environ)


@pytest.mark.parametrize("address", ["http://ann:hush@a:9200", "http://ann:hu/sh@a:9200", "redis://:hush@a:6379"])
@pytest.mark.parametrize("key", ["opensearch", "redis"])
def test_a_password_in_the_file_is_refused_and_never_repeated(tmp_path: Path, key: str, address: str) -> None:
    path = tmp_path / "sidetower.toml"
    path.write_text(f'[{"engine" if key == "opensearch" else "queue"}]\n{key} = "{address}"\n{GOOD}')
    (error,) = problems(path, {})
    says(error, key, "without user and password", "***", "in the environment")
    assert "hu" not in str(error)


def test_a_missing_configuration_says_how_to_get_one(tmp_path: Path) -> None:
    for path, word in ((tmp_path / "none.toml", "no such file"), (tmp_path, "directory")):
        (error,) = problems(path, {})
        says(error, str(path), word, "sidetower init")


def test_a_configuration_that_is_not_utf_8_names_the_line(tmp_path: Path) -> None:
    path = tmp_path / "sidetower.toml"
    path.write_bytes(b"# one\n# two \xe9\n")
    (error,) = problems(path, {})
    says(error, "line 2", "UTF-8", "0xe9")


FILES: dict[str, tuple[str, bytes, str, tuple[str, ...]]] = {
    # name: file, content, what the place names, what the message holds besides
    "empty": ("a.jsonl", b"", "a.jsonl", ("an empty file",)),
    "blank": ("a.jsonl", b"\n \n", "a.jsonl", ("only blank lines",)),
    "one list": ("a.jsonl", b'[{"id": 1}, {"id": 2}]', "a.jsonl", ("on each line", "jq -c")),
    "indented object": ("a.jsonl", b'{\n "id": 1\n}', "a.jsonl", ("on each line",)),
    "parquet as lines": ("a.jsonl", b"PAR1" + bytes(20), "a.jsonl", ("a Parquet file", "suffix")),
    "excel as csv": ("a.csv", b"PK\x03\x04" + bytes(20), "a.csv", ("Excel",)),
    "utf-16": ("a.csv", "id,a\n1,2\n".encode("utf-16"), "a.csv", ("UTF-16",)),
    "broken gzip": ("a.jsonl.gz", gzip.compress(b'{"id": 1}\n')[:12], "a.jsonl.gz", ("a whole file",)),
    "names only": ("a.csv", b"id,title\n", "a.csv", ("at least one row",)),
    "no names": ("a.csv", b",,\n1,2,3\n", "a.csv line 1", ("column names",)),
    "name twice": ("a.csv", b"id,title,title\n1,2,3\n", "a.csv line 1", ("'title' more than once",)),
    "open name": ("a.csv", b'id,"title\n1,2\n', "a.csv line 1", ("column names",)),
    "no parquet": ("a.parquet", b"id,title\n1,2\n", "a.parquet", ("a whole Parquet file",)),
    "cut parquet": ("a.parquet", b"PAR1" + bytes(50), "a.parquet", ("a whole Parquet file", "suffix")),
    "unknown suffix": ("a.xlsx", b"PK\x03\x04", "a.xlsx", (".jsonl", ".parquet")),
    "no suffix": ("items", b"{}", "items", ("no suffix",)),
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_cannot_be_read_is_told(tmp_path: Path, name: str) -> None:
    file, content, place, words = FILES[name]
    if file.endswith(".parquet"):
        require_module("pyarrow", "serve")
    (tmp_path / file).write_bytes(content)
    with pytest.raises(SourceError) as told:
        list(open_file_source(tmp_path / file, "id").scan())
    says(told.value, place, *words)


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".parquet"])
def test_a_missing_file_and_a_folder_are_told(tmp_path: Path, suffix: str) -> None:
    folder = tmp_path / f"folder{suffix}"
    folder.mkdir()
    for path, word in ((tmp_path / f"none{suffix}", "no such file"), (folder, "a folder")):
        with pytest.raises(SourceError) as told:
            open_file_source(path, "id")
        says(told.value, str(path), word)


LINES: dict[str, tuple[bytes, tuple[str, ...]]] = {
    "half an object": (b'{"id": 2', ("column 9", "end of line")),
    "no json": (b"id: 2", ("one JSON object", "'id: 2'")),
    "a list": (b"[1, 2]", ("a JSON object", "'[1, 2]'", "{ }")),
    "a number": (b"2", ("a JSON object", "'2'")),
    "null": (b"null", ("a JSON object",)),
    "two objects": (b'{"id": 2} {"id": 2}', ("column 11",)),
    "not a number": (b'{"id": 2, "price": NaN}', ("column 20", "Write null")),
    "infinity": (b'{"id": 2, "price": -Infinity}', ("Write null",)),
    "beyond numbers": (b'{"id": 2, "price": 1e999}', ("Write null",)),
    "latin-1": (b'{"id": 2, "title": "caf\xe9"}', ("UTF-8", "0xe9", "column 24")),
    "half a pair": (b'{"id": 2, "title": "\\ud800"}', ("surrogate",)),
    "abyss": (b"[" * 3000, ("depth",)),
    "control": (b'{"id": 2, "title": "a\x01b"}', ("column",)),
}


@pytest.mark.parametrize("name", LINES)
def test_a_broken_line_is_told_and_its_neighbours_go_through(tmp_path: Path, name: str) -> None:
    line, words = LINES[name]
    path = tmp_path / "cars.jsonl"
    path.write_bytes(b'{"id": 1}\n' + line + b'\n{"id": 3}\n')
    first, (place, error), last = list(open_file_source(path, "id").scan())
    assert (first[1], last[1]) == ({"id": 1}, {"id": 3})
    assert type(error) is InvalidItem
    assert error.place == place
    says(error, "cars.jsonl line 2", *words)
    assert len(str(error)) < 500


KIND = Kind(
    name="listing",
    id="id",
    text={"title": 1.0},
    revision="version",
    tenant="shop",
    category=("make",),
    number=("price",),
    signal=("views",),
    filter={"sold": FilterType.BOOLEAN, "built": FilterType.DATE, "zone": FilterType.KEYWORD},
    audience="groups",
)
CAR: dict[str, Any] = {"id": "1", "title": "Golf", "version": 1, "shop": "north", "groups": ["*"]}
ITEMS: dict[str, tuple[dict[str, Any], str, tuple[str, ...]]] = {
    "no id": ({"id": None}, "field id", ("None", "its own id")),
    "id of halves": ({"id": 1.5}, "field id", ("1.5",)),
    "endless id": ({"id": "x" * 401}, "id", ("400 bytes", "shorter")),
    "id with a line break": ({"id": "a\nb"}, "id", ("printable",)),
    "no tenant": ({"shop": None}, "field shop", ("a tenant",)),
    "two tenants": ({"shop": ["a", "b"]}, "field shop", ("one tenant",)),
    "endless tenant": ({"shop": "x" * 65}, "tenant", ("64 bytes",)),
    "no revision": ({"version": None}, "field version", ("ISO 8601",)),
    "negative revision": ({"version": -1}, "field version", ("-1",)),
    "revision beyond the scheme": ({"version": 2**61}, "field version", (str(2**61 - 1),)),
    "revision in words": ({"version": "newest"}, "field version", ("'newest'",)),
    "title by language": ({"title": {"de": "Golf"}}, "field title", ("'de'", "another role")),
    "title of half pairs": ({"title": "\ud800"}, "field title", ("UTF-8", "surrogate")),
    "nested category": ({"make": [["VW"]]}, "field make", ("Flatten",)),
    "price with unit": ({"price": "9.500 EUR"}, "field price", ("'9.500 EUR'", "without unit")),
    "infinite price": ({"price": math.inf}, "field price", ("inf", "finite")),
    "price beyond numbers": ({"price": 10**400}, "field price", ("finite",)),
    "views of true": ({"views": True}, "field views", ("True", "finite number")),
    "sold perhaps": ({"sold": "perhaps"}, "field sold", ("'perhaps'", "true or false")),
    "built some day": ({"built": "31.01.2026"}, "field built", ("ISO 8601", "2026-01-31")),
    "zone of a map": ({"zone": {"x": 1}}, "field zone", ("Flatten",)),
    "endless zone": ({"zone": "x" * 40_000}, "field zone", ("32766 bytes",)),
    "nobody may see it": ({"groups": []}, "field groups", ("at least one group", "everyone")),
}


@pytest.mark.parametrize("name", ITEMS)
def test_a_broken_item_is_told_and_its_neighbours_go_through(name: str) -> None:
    change, place, words = ITEMS[name]
    placed = [(f"line {number}", {**CAR, "id": str(number)}) for number in range(3)]
    placed[1] = ("line 1", {**CAR, **change})
    check = check_documents(KIND, placed)
    told = [fault for fault in check.faults if type(fault.error) is InvalidItem]
    assert (check.documents, check.valid) == (3, 2)
    assert [fault.count for fault in told] == [1]
    says(told[0].error, "line 1, ", *words)
    assert place in told[0].error.place
    with pytest.raises(InvalidItem) as alone:
        KIND.item({**CAR, **change})
    assert told[0].error.place == f"line 1, {alone.value.place}"
    assert len(str(alone.value)) < 600


def test_an_item_with_many_faults_tells_them_all() -> None:
    check = check_documents(KIND, [("line 1", {**CAR, "price": "x", "make": {}, "version": "x", "groups": []})])
    fields = {fault.error.place for fault in check.faults if type(fault.error) is InvalidItem}
    assert fields == {f"line 1, field {name}" for name in ("price", "make", "version", "groups")}


SAMPLES: dict[str, list[dict[str, Any]]] = {
    "no fields": [{}],
    "no id": [{"title": "one car"}, {"title": "one car"}],
    "nothing to search": [{"id": 1}, {"id": 2}],
}


@pytest.mark.parametrize("name", SAMPLES)
def test_documents_that_make_no_kind_are_told(name: str) -> None:
    with pytest.raises(ConfigurationError) as told:
        propose(SAMPLES[name], "cars.csv")
    says(told.value, "cars.csv", "Add a")
