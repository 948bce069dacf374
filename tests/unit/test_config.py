"""sidetower.toml: what is read, what wins, and that every message leads on. Broken files: test_bad_input.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from domain.catalogue import FilterType, Kind
from domain.errors import ConfigurationError, NotFound
from sidetower.config import ENVIRONMENT, Config, load_config, problems
from sidetower.toml_table import did_you_mean

MINIMAL = """
[kinds.listing]
id = "listing_id"
text = { title = 3.0 }
"""
FULL = """
[engine]
opensearch = "https://search.example:9200/"
path = "data"
prefix = "shop-"

[queue]
redis = "redis://localhost:6379/0"

[kinds.listing]
id = "listing_id"
revision = "updated_at"
tenant = "shop"
text = { title = 3, "long text" = 1.5 }
category = ["make", "model"]
number = ["price"]
signal = ["views"]
filter = { price = "number", make = "keyword", sold = "boolean", built = "date" }
audience = "visible_to"

[kinds.article]
id = "id"
[kinds.article.text]
body = 1
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "sidetower.toml"
    path.write_text(text, encoding="utf-8")
    return path


def loaded(folder: Path, text: str, **environ: str) -> Config:
    return load_config(written(folder, text), environ)


def test_a_minimal_file_means_one_machine_without_servers(tmp_path: Path) -> None:
    config = loaded(tmp_path, MINIMAL)
    assert (config.engine.opensearch, config.engine.user, config.queue.redis) == ("", "", "")
    assert config.engine.prefix == "sidetower-"
    assert config.path == tmp_path / ".sidetower"
    assert config.kinds == {"listing": Kind("listing", "listing_id", {"title": 3.0})}
    assert config.place == tmp_path / "sidetower.toml"


def test_every_setting_is_read(tmp_path: Path) -> None:
    config = loaded(tmp_path, FULL)
    assert config.engine.opensearch == "https://search.example:9200"
    assert config.engine.prefix == "shop-"
    assert config.queue.redis == "redis://localhost:6379/0"
    assert config.path == tmp_path / "data"
    assert list(config.kinds) == ["listing", "article"]
    assert config.kinds["article"] == Kind("article", "id", {"body": 1.0})
    assert config.kinds["listing"] == Kind(
        name="listing",
        id="listing_id",
        text={"title": 3.0, "long text": 1.5},
        revision="updated_at",
        tenant="shop",
        category=("make", "model"),
        number=("price",),
        signal=("views",),
        filter={
            "price": FilterType.NUMBER,
            "make": FilterType.KEYWORD,
            "sold": FilterType.BOOLEAN,
            "built": FilterType.DATE,
        },
        audience="visible_to",
    )


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    config = loaded(
        tmp_path,
        FULL,
        SIDETOWER_OPENSEARCH_URL="http://other:9200",
        SIDETOWER_OPENSEARCH_USER="ann",
        SIDETOWER_OPENSEARCH_PASSWORD="secret",
        SIDETOWER_REDIS_URL="rediss://:secret@other:6379/1",
        SIDETOWER_PATH=str(tmp_path / "elsewhere"),
    )
    assert config.engine.opensearch == "http://other:9200"
    assert (config.engine.user, config.engine.password) == ("ann", "secret")
    assert config.queue.redis == "rediss://:secret@other:6379/1"
    assert config.path == tmp_path / "elsewhere"


def test_secrets_stay_out_of_the_printed_configuration(tmp_path: Path) -> None:
    config = loaded(
        tmp_path,
        MINIMAL,
        SIDETOWER_OPENSEARCH_USER="ann",
        SIDETOWER_OPENSEARCH_PASSWORD="hush-one",
        SIDETOWER_REDIS_URL="redis://:hush-two@other:6379/1",
    )
    assert "hush" not in repr(config)


def test_an_empty_variable_is_none(tmp_path: Path) -> None:
    assert loaded(tmp_path, FULL, **dict.fromkeys(ENVIRONMENT, "")) == loaded(tmp_path, FULL)


def test_a_byte_order_mark_is_no_fault(tmp_path: Path) -> None:
    path = written(tmp_path, "\ufeff" + MINIMAL)
    assert list(load_config(path, {}).kinds) == ["listing"]


def test_all_problems_are_told_at_once_and_load_says_how_many_more(tmp_path: Path) -> None:
    path = written(tmp_path, '[queue]\nredis = 5\n[kinds.Car]\ntext = {}\n[kinds.van]\nid = "id"\ntext = {a = 0}\n')
    found = problems(path, {})
    assert [error.place.removeprefix(f"{path}, ") for error in found] == [
        "[queue] redis",
        "[kinds.Car]",
        "[kinds.Car] id",
        "[kinds.Car] text",
        "[kinds.van] text.a",
    ]
    with pytest.raises(ConfigurationError, match="4 more: run sidetower check") as told:
        load_config(path, {})
    assert told.value.place == found[0].place


def test_a_right_file_has_no_problems(tmp_path: Path) -> None:
    assert problems(written(tmp_path, FULL), {}) == []


class TestKindByName:
    def test_the_only_kind_needs_no_name(self, tmp_path: Path) -> None:
        assert loaded(tmp_path, MINIMAL).kind().name == "listing"

    def test_several_kinds_need_one(self, tmp_path: Path) -> None:
        config = loaded(tmp_path, FULL)
        assert config.kind("article").name == "article"
        with pytest.raises(NotFound, match="a kind: listing, article"):
            config.kind()

    def test_a_misspelt_name_is_answered_with_the_nearest(self, tmp_path: Path) -> None:
        with pytest.raises(NotFound, match="Did you mean article"):
            loaded(tmp_path, FULL).kind("artikle")


@pytest.mark.parametrize(
    ("word", "answer"), [("catagory", "Did you mean category?"), ("Filters", "Did you mean filter?"), ("zzz", "")]
)
def test_the_nearest_word_is_offered(word: str, answer: str) -> None:
    assert did_you_mean(word, ("id", "category", "filter")) == answer


WITH_SOURCE = """
[kinds.listing]
id = "listing_id"
text = { title = 3.0 }
source = "cars"

[kinds.article]
id = "id"
text = { title = 3.0 }
"""


def test_a_source_is_an_index_of_the_configured_opensearch(tmp_path: Path) -> None:
    config = loaded(tmp_path, WITH_SOURCE, SIDETOWER_OPENSEARCH_URL="http://localhost:9200")
    assert config.sources == {"listing": "cars"}
    assert "source" not in config.kind("listing").fields()


@pytest.mark.parametrize(
    ("written_as", "environ", "expected"),
    [
        ('"cars"', {}, "an OpenSearch to read it from"),
        ("7", {"SIDETOWER_OPENSEARCH_URL": "http://localhost:9200"}, "a text that is not empty"),
        ('""', {"SIDETOWER_OPENSEARCH_URL": "http://localhost:9200"}, "a text that is not empty"),
    ],
)
def test_a_source_that_cannot_be_read_is_told(
    tmp_path: Path, written_as: str, environ: dict[str, str], expected: str
) -> None:
    text = WITH_SOURCE.replace('"cars"', written_as)
    [problem] = problems(written(tmp_path, text), environ)
    assert (problem.expected, problem.place.split(", ")[-1]) == (expected, "[kinds.listing] source")
    assert problem.fix
