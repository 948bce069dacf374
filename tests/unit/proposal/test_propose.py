"""From small samples whose right roles are known to a person."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.catalogue import FilterType, Kind
from domain.errors import ConfigurationError
from sidetower.config import load_config
from sidetower.proposal.config_text import config_text
from sidetower.proposal.field_names import Meaning, meaning_of
from sidetower.proposal.propose import Proposal, propose

COUNT = 60
NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)


def car(number: int) -> dict[str, Any]:
    return {
        "listing_id": f"car-{number}",
        "shop": ("north", "south")[number % 2],
        "title": f"Fine car number {number}",
        "description": f"Car {number} has one owner, a heated seat, a tow bar and a history of its own.",
        "make": ("VW", "Opel", "BMW")[number % 3],
        "colours": [("red", "blue")[number % 2]],
        "price": 1000 + 7 * number,
        "views": number * number,
        "rating": number % 5 + 0.5,
        "in_stock": number % 4 > 0,
        "automatic": number % 5 > 0,
        "sku": f"X{number:05}",
        "dealer_id": number % 7,
        "updated_at": (NEW_YEAR + timedelta(hours=number)).isoformat(),
        "built": f"20{10 + number % 10}-05-01",
        "visible_to": ["*"],
        "currency": "EUR",
        "notes": None,
        "image": f"https://pictures.example/{number}.jpg",
        "seller_email": f"seller{number}@mail.example",
        "place": {"city": "Bonn"},
        "embedding": [0.5] * 32,
    }


CARS = [car(number) for number in range(COUNT)]


def changed(**fields: Any) -> list[dict[str, Any]]:
    """The cars with some fields replaced; a function is called with the car's number, None takes the field away."""
    made = []
    for number, one in enumerate(CARS):
        values = {name: value(number) if callable(value) else value for name, value in fields.items()}
        made.append({name: value for name, value in {**one, **values}.items() if fields.get(name, 0) is not None})
    return made


def column(name: str, value: Any) -> Proposal:
    """A proposal for cars with one more field."""
    return propose(changed(**{name: value}), "cars")


def roles(proposal: Proposal, field: str) -> list[str]:
    return [entry.role for entry in proposal.entries if entry.field == field]


def test_a_search_engineer_would_agree() -> None:
    proposal = propose(CARS, "cars")
    assert proposal.kind == Kind(
        name="listing",
        id="listing_id",
        text={"title": 3.0, "make": 2.0, "description": 1.0},
        revision="updated_at",
        tenant="shop",
        category=("make", "colours", "automatic", "dealer_id"),
        number=("price",),
        signal=("views", "rating"),
        filter={
            "updated_at": FilterType.DATE,
            "make": FilterType.KEYWORD,
            "colours": FilterType.KEYWORD,
            "price": FilterType.NUMBER,
            "rating": FilterType.NUMBER,
            "in_stock": FilterType.BOOLEAN,
            "automatic": FilterType.BOOLEAN,
            "sku": FilterType.KEYWORD,
            "dealer_id": FilterType.KEYWORD,
            "built": FilterType.DATE,
        },
        audience="",
    )
    assert set(proposal.unused) == {
        "visible_to",
        "currency",
        "notes",
        "image",
        "seller_email",
        "place",
        "embedding",
    }


def test_every_field_is_used_or_its_absence_explained() -> None:
    proposal = propose(CARS, "cars")
    assert {entry.field for entry in proposal.entries} | set(proposal.unused) == set(CARS[0])
    assert all(proposal.unused.values())


class TestId:
    def test_the_kind_is_named_after_it(self) -> None:
        assert propose(changed(listing_id=None, article_id=lambda n: n), "cars").name == "article"
        assert propose(changed(listing_id=None, id=lambda n: n), "cars").name == "item"
        assert propose(CARS, "cars", name="van").name == "van"

    def test_a_field_named_id_wins_over_other_ids(self) -> None:
        assert column("id", lambda n: n).kind.id == "id"
        assert propose(changed(id=lambda n: n), "cars", name="listing").kind.id == "listing_id"

    def test_a_few_repeated_ids_are_several_revisions(self) -> None:
        proposal = column("listing_id", lambda n: f"car-{max(n, 1)}")
        assert proposal.kind.id == "listing_id"
        assert "1 of 60 values repeat" in proposal.of("id")[0].reason

    def test_a_missing_id_is_pointed_out(self) -> None:
        proposal = propose([{**CARS[0], "listing_id": None}, *CARS[1:]], "cars")
        assert "MISSING in 1 of 60" in proposal.of("id")[0].reason

    def test_without_a_name_a_column_of_codes_will_do(self) -> None:
        documents = [{"nr": f"A{number}", "title": one["title"]} for number, one in enumerate(CARS)]
        assert propose(documents, "cars").kind.id == "nr"

    def test_titles_that_differ_are_no_ids(self) -> None:
        with pytest.raises(ConfigurationError, match="item_id"):
            propose([{"title": one["title"], "make": one["make"]} for one in CARS], "cars")


class TestRevision:
    @pytest.mark.parametrize("name", ["updated_at", "lastModified", "version", "modified_on"])
    def test_names_and_growing_values(self, name: str) -> None:
        assert propose(changed(**{"updated_at": None, name: lambda n: n}), "cars").kind.revision == name

    @pytest.mark.parametrize("value", [lambda n: n or None, lambda n: n - 1, lambda n: f"v{n}", lambda n: n + 0.5])
    def test_gaps_and_values_that_are_no_revisions_are_left(self, value: Any) -> None:
        assert column("updated_at", value).kind.revision == ""

    def test_days_are_pointed_out(self) -> None:
        proposal = column("updated_at", lambda n: f"2026-01-{n % 28 + 1:02}")
        assert "CAUTION" in proposal.of("revision")[0].reason

    def test_a_second_revision_stays_out_of_the_item_tower(self) -> None:
        assert roles(column("version", lambda n: n), "version") == []


class TestWalls:
    @pytest.mark.parametrize("name", ["tenant_id", "site", "account", "accountName"])
    def test_a_tenant_is_known_by_name_and_few_values(self, name: str) -> None:
        assert propose(changed(shop=None, **{name: lambda n: n % 3 + 1}), "cars").kind.tenant == name

    def test_a_tenant_of_every_item_is_none(self) -> None:
        assert column("shop", lambda n: f"shop-{n}").kind.tenant == ""

    def test_groups_make_an_audience(self) -> None:
        assert column("visible_to", lambda n: ["staff"] if n % 2 else ["*"]).kind.audience == "visible_to"

    def test_an_audience_with_gaps_stays_a_wall_and_says_so(self) -> None:
        proposal = column("visible_to", lambda n: ["staff"] if n % 2 else None)
        assert proposal.kind.audience == "visible_to"
        assert "MISSING in 30 of 60" in proposal.of("audience")[0].reason


class TestText:
    def test_without_titles_or_prose_the_words_of_categories_are_searched(self) -> None:
        gone = dict.fromkeys(("title", "description"))
        proposal = propose(changed(**gone, body_type=lambda n: ("suv", "van", "kombi", "coupe")[n % 4]), "cars")
        assert proposal.kind.text == {"make": 3.0, "body_type": 1.0}
        assert "serves as the title" in proposal.of("text")[0].reason

    def test_nothing_to_search_is_told(self) -> None:
        with pytest.raises(ConfigurationError, match="words to search"):
            propose([{"id": number, "price": number + 0.5} for number in range(COUNT)], "cars")

    def test_other_titles_and_headings_come_after_the_title(self) -> None:
        proposal = column("headings", lambda n: [f"Part {n} a", f"Part {n} b"])
        assert (proposal.kind.text["headings"], roles(proposal, "headings")) == (2.0, ["text"])

    def test_short_labels_in_an_index_are_not_read(self) -> None:
        documents = changed(plate=lambda n: f"BN X {n}")
        assert roles(propose(documents, "cars", types={"plate": "keyword"}), "plate") == ["filter"]


class TestNumber:
    def test_numbers_in_text_are_numbers(self) -> None:
        assert roles(column("price", lambda n: str(n + 10)), "price") == ["number", "filter"]

    def test_codes_with_leading_zeros_are_not(self) -> None:
        assert column("area", lambda n: f"0{n % 4}").kind.filter["area"] is FilterType.KEYWORD

    def test_a_price_on_request_is_pointed_out(self) -> None:
        proposal = column("price", lambda n: n or "on request")
        assert proposal.unused["price"].startswith('a number but for "on request"')

    def test_names_of_models_may_be_numbers(self) -> None:
        assert roles(column("model", lambda n: "M3" if n % 9 == 0 else str(316 + n % 2)), "model")[0] == "text"

    def test_a_zero_far_below_all_others_is_pointed_out(self) -> None:
        (entry,) = [one for one in column("year", lambda n: 2000 + n if n else 0).of("number") if one.field == "year"]
        assert "0 seems to mean unknown" in entry.reason
        assert "CAUTION" not in column("price", lambda n: 2000 + n).of("number")[0].reason

    def test_other_ids_are_no_numbers(self) -> None:
        proposal = column("appid", lambda n: 9_000 + n)
        assert "another id" in proposal.unused["appid"]

    def test_zero_and_one_are_true_and_false(self) -> None:
        assert column("diesel", lambda n: n % 2).kind.filter["diesel"] is FilterType.BOOLEAN

    def test_times_in_milliseconds_are_dates(self) -> None:
        proposal = column("published_at", lambda n: 1_700_000_000_000 + n)
        assert proposal.kind.filter["published_at"] is FilterType.DATE


@pytest.mark.parametrize(
    ("field", "value", "why"), [("zone", "half a pair \ud800", "UTF-8"), ("plate", "x" * 40_000, "32766 bytes")]
)
def test_a_role_that_one_document_contradicts_is_not_proposed(field: str, value: str, why: str) -> None:
    documents = changed(**{field: lambda n: value if n == 7 else f"{field}-{n % 4}"})
    proposal = propose(documents, "cars")
    assert why in proposal.unused[field]
    assert all(proposal.kind.item(one) for one in documents)


def test_names_that_an_engine_cannot_take_are_not_used() -> None:
    proposal = column("price.eur", lambda n: n + 5)
    assert "cannot be used" in proposal.unused["price.eur"]


@pytest.mark.parametrize(
    ("name", "meaning"),
    [
        ("productName", Meaning.TITLE),
        ("brand_name", Meaning.LABEL),
        ("other_titles", Meaning.HEADING),
        ("sale_price", Meaning.NONE),
        ("review_count", Meaning.SIGNAL),
        ("stock_code", Meaning.CODE),
        ("appid", Meaning.ID),
        ("paid", Meaning.NONE),
        ("_id", Meaning.ID),
        ("", Meaning.NONE),
    ],
)
def test_what_a_name_promises(name: str, meaning: Meaning) -> None:
    assert meaning_of(name) is meaning


def test_the_proposal_is_a_file_that_loads_back(tmp_path: Path) -> None:
    proposal = propose(changed(**{"price (€)": lambda n: n + 5, "a-b": lambda n: n + 0.5}), "cars")
    path = tmp_path / "sidetower.toml"
    path.write_text(
        config_text(proposal, source="60 cars", check="sidetower check", opensearch="http://localhost:9200"), "utf-8"
    )
    config = load_config(path, {})
    assert config.kind() == proposal.kind
    assert config.engine.opensearch == "http://localhost:9200"
    assert all(config.kind().item(one, tenant="") for one in CARS)


FIELDS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
    st.lists(st.text(max_size=5), max_size=3),
)


@settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.dictionaries(st.text(max_size=8), FIELDS, max_size=5), min_size=1, max_size=8))
def test_whatever_the_documents_hold_the_file_loads_and_reads_them(tmp_path: Path, extra: list[dict[str, Any]]) -> None:
    documents = [{**one, "id": number, "title": f"car {number}"} for number, one in enumerate(extra)]
    proposal = propose(documents, "any")
    path = tmp_path / "sidetower.toml"
    path.write_text(config_text(proposal, source="any", check="sidetower check"), "utf-8")
    kind = load_config(path, {}).kind()
    assert kind == proposal.kind
    for one in documents:
        kind.item(one, tenant="" if kind.tenant else "any", revision=None if kind.revision else 0)
