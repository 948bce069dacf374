"""sidetower.toml: what is read, what wins, and that every message leads on. Broken files: test_bad_input.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from domain.catalogue import FilterType, Kind
from domain.errors import ConfigurationError, NotFound
from rerank_service.gateway.targets import Target
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


GATEWAY = """
[gateway]
opensearch = "https://search.example:9200/"

[gateway.indexes.cars]
kind = "listing"
tenant = "north"
id_field = "listing_id"
window = 50

[gateway.indexes."help-*"]
"""


def test_without_its_table_there_is_no_gateway(tmp_path: Path) -> None:
    assert loaded(tmp_path, MINIMAL).gateway is None


def test_the_gateway_names_the_indexes_that_are_ranked(tmp_path: Path) -> None:
    gateway = loaded(tmp_path, MINIMAL + GATEWAY).gateway
    assert gateway is not None
    assert gateway.opensearch == "https://search.example:9200"
    assert gateway.targets == {"cars": Target("listing", "north", "listing_id", 50), "help-*": Target("listing")}


def test_the_gateway_is_before_the_engines_cluster_unless_it_names_another(tmp_path: Path) -> None:
    text = MINIMAL + GATEWAY.replace('opensearch = "https://search.example:9200/"', "")
    gateway = loaded(tmp_path, text, SIDETOWER_OPENSEARCH_URL="http://localhost:9200").gateway
    assert gateway is not None
    assert gateway.opensearch == "http://localhost:9200"
    [problem] = problems(written(tmp_path, text), {})
    assert (problem.place.split(", ")[-1], problem.got) == ("[gateway] opensearch", "nothing")


@pytest.mark.parametrize(
    ("wrong", "place", "expected"),
    [
        (('"https://search', '"https://user:secret@search'), "[gateway] opensearch", "without user and password"),
        (('"https://search', '"ftp://search'), "[gateway] opensearch", "an address that starts with http://"),
        (("[gateway]", "[gateway]\nuser = 1"), "[gateway]", "one of opensearch, indexes"),
        (('"listing"\ntenant', '"listings"\ntenant'), "[gateway.indexes.cars] kind", "one of: listing"),
        (('"north"', '"\\u0007"'), "[gateway.indexes.cars] tenant", "1 to 64 bytes"),
        (('"listing_id"\nwindow', "7\nwindow"), "[gateway.indexes.cars] id_field", "a text"),
        (("window = 50", "window = 1001"), "[gateway.indexes.cars] window", "a whole number from 1 to 1000"),
        (("window = 50", "size = 50"), "[gateway.indexes.cars]", "one of kind, tenant, id_field, window"),
    ],
)
def test_what_is_wrong_with_the_gateway_is_told(
    tmp_path: Path, wrong: tuple[str, str], place: str, expected: str
) -> None:
    [problem] = problems(written(tmp_path, MINIMAL + GATEWAY.replace(*wrong)), {})
    assert problem.place.split(", ")[-1] == place
    assert expected in problem.expected
    assert "secret" not in str(problem)


def test_a_gateway_without_indexes_is_told(tmp_path: Path) -> None:
    for text in ("", "indexes = {}", 'indexes = { cars = "listing" }'):
        found = problems(written(tmp_path, f'{MINIMAL}[gateway]\nopensearch = "http://localhost:9200"\n{text}'), {})
        assert [one.place.partition(", ")[2] for one in found] in (["[gateway] indexes"], ["[gateway.indexes.cars]"])
