"""A document becomes an item: every role reads what it should and tells what it cannot."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.catalogue import (
    MAX_KEYWORD_BYTES,
    FilterType,
    Kind,
    as_filter,
    as_milliseconds,
    as_number,
    as_text,
    as_words,
    filter_value,
)
from domain.errors import InvalidItem
from domain.items import MAX_REVISION, ItemKey

LISTING = Kind(
    name="listing",
    id="listing_id",
    text={"description": 1.0, "title": 3.0},
    revision="updated_at",
    tenant="shop",
    category=("make", "colours"),
    number=("price",),
    signal=("views",),
    filter={"price": FilterType.NUMBER, "sold": FilterType.BOOLEAN, "built": FilterType.DATE},
    audience="visible_to",
)
GOLF: dict[str, Any] = {
    "listing_id": 7,
    "title": " Golf ",
    "description": None,
    "updated_at": "1970-01-02T00:00:00Z",
    "shop": "north",
    "make": "VW",
    "colours": ["red", "blue", "red"],
    "price": "9500.5",
    "views": 3,
    "sold": "no",
    "built": "1970-01-01T00:00:01",
    "visible_to": ["staff"],
    "unknown": {"is": "not read"},
}


def test_a_document_becomes_an_item_by_the_roles_of_its_fields() -> None:
    item = LISTING.item(GOLF)
    assert item.key == ItemKey("north", "listing", "7")
    assert item.revision == 24 * 60 * 60 * 1000
    assert item.texts == {"title": "Golf"}
    assert item.categories == {"make": ("VW",), "colours": ("red", "blue")}
    assert item.numbers == {"price": 9500.5}
    assert item.signals == {"views": 3.0}
    assert item.filters == {"price": (9500.5,), "sold": (False,), "built": (1000.0,)}
    assert item.audience == ("staff",)


def test_the_title_is_the_heaviest_text_and_the_first_of_equals() -> None:
    assert LISTING.title == "title"
    assert Kind("a", "id", {"one": 2.0, "two": 2.0}).title == "one"


def test_fields_names_every_field_that_is_read() -> None:
    assert LISTING.fields() == set(GOLF) - {"unknown"}
    assert Kind("a", "id", {"t": 1.0}).fields() == {"id", "t"}


@pytest.mark.parametrize("field", ["title", "make", "price", "views", "sold", "built"])
def test_a_missing_value_is_an_absent_key(field: str) -> None:
    empty: list[Any] = [None, math.nan, "", "  ", *([] if field in ("price", "views") else [[]])]
    for nothing in empty:
        item = LISTING.item({**GOLF, field: nothing})
        roles = (item.texts, item.categories, item.numbers, item.signals, item.filters)
        assert not any(field in role for role in roles), nothing


class TestKey:
    @pytest.mark.parametrize(("raw", "id_"), [("a-7", "a-7"), (0, "0"), (12, "12"), (12.0, "12"), (" x ", " x ")])
    def test_text_and_whole_numbers_are_ids(self, raw: Any, id_: str) -> None:
        assert LISTING.item({**GOLF, "listing_id": raw}).key.id == id_

    @pytest.mark.parametrize(
        "raw", [None, "", True, 1.5, math.nan, math.inf, 1e300, [1], {"a": 1}, b"7", "x" * 401, "a\nb", "\ud800"]
    )
    def test_anything_else_is_told(self, raw: Any) -> None:
        with pytest.raises(InvalidItem):
            LISTING.item({**GOLF, "listing_id": raw})

    def test_the_caller_names_the_tenant_where_the_kind_has_no_field_for_it(self) -> None:
        kind = Kind("listing", "listing_id", {"title": 1.0})
        assert kind.item(GOLF, tenant="south", revision=1).key.tenant == "south"
        with pytest.raises(InvalidItem, match="Name the tenant"):
            kind.item(GOLF, revision=1)

    def test_a_caller_cannot_write_into_another_tenant(self) -> None:
        with pytest.raises(InvalidItem, match="Send it as that tenant"):
            LISTING.item(GOLF, tenant="south")
        assert LISTING.item(GOLF, tenant="north").key.tenant == "north"
        assert LISTING.item({**GOLF, "shop": None}, tenant="north").key.tenant == "north"

    def test_two_tenants_in_one_document_are_no_tenant(self) -> None:
        with pytest.raises(InvalidItem, match="expected one tenant"):
            LISTING.item({**GOLF, "shop": ["north", "south"]})


class TestRevision:
    @pytest.mark.parametrize(
        ("raw", "revision"),
        [
            (0, 0),
            (17, 17),
            ("17", 17),
            (" 17 ", 17),
            (17.0, 17),
            (MAX_REVISION, MAX_REVISION),
            (datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC), 1000),
            (datetime(1970, 1, 1, 0, 0, 1), 1000),
            (date(1970, 1, 2), 86_400_000),
            ("1970-01-01T01:00:00+01:00", 0),
        ],
    )
    def test_whole_numbers_and_dates_grow(self, raw: Any, revision: int) -> None:
        assert LISTING.item({**GOLF, "updated_at": raw}).revision == revision

    @pytest.mark.parametrize(
        "raw",
        [None, "", "soon", True, 1.5, math.nan, math.inf, -1, "-1", MAX_REVISION + 1, "9" * 5000, "²", [1], 10**400],
    )
    def test_anything_else_is_told(self, raw: Any) -> None:
        with pytest.raises(InvalidItem):
            LISTING.item({**GOLF, "updated_at": raw})

    def test_the_caller_may_override_it(self) -> None:
        assert LISTING.item({**GOLF, "updated_at": "soon"}, revision=5).revision == 5


class TestAudience:
    def test_no_field_means_everyone(self) -> None:
        assert Kind("a", "id", {"t": 1.0}).item({"id": "1"}, tenant="t", revision=0).audience == ("*",)

    @pytest.mark.parametrize("raw", [None, "", [], [None], [""]])
    def test_a_field_without_a_group_is_refused_and_never_shown_to_all(self, raw: Any) -> None:
        with pytest.raises(InvalidItem, match="at least one group"):
            LISTING.item({**GOLF, "visible_to": raw})


class TestText:
    @pytest.mark.parametrize(
        ("value", "text"),
        [(" a b ", "a b"), (["a", " ", "b"], "a, b"), (["a", None], "a"), ([], ""), (5, "5"), (5.0, "5"), (0.5, "0.5")],
    )
    def test_texts_lists_and_numbers(self, value: Any, text: str) -> None:
        assert as_text(value, "title") == text

    @pytest.mark.parametrize("value", [True, {"de": "Titel"}, [["a"]], [1], b"bytes", "half a pair \ud800"])
    def test_anything_else_names_the_field(self, value: Any) -> None:
        with pytest.raises(InvalidItem) as told:
            as_text(value, "title")
        assert told.value.place == "field title"


class TestWords:
    @pytest.mark.parametrize(
        ("value", "words"),
        [
            ("VW", ("VW",)),
            ([" VW ", "VW", "", None], ("VW",)),
            (True, ("true",)),
            (4.0, ("4",)),
            ([1, 2.5], ("1", "2.5")),
            (date(2026, 1, 31), ("2026-01-31",)),
            (Decimal("1.50"), ("1.50",)),
        ],
    )
    def test_values_once_and_in_order(self, value: Any, words: tuple[str, ...]) -> None:
        assert as_words(value, "make") == words

    @pytest.mark.parametrize("value", [{"a": 1}, [["a"]], b"VW", {"a"}, "\udfff"])
    def test_nested_and_binary_values_are_told(self, value: Any) -> None:
        with pytest.raises(InvalidItem):
            as_words(value, "make")


class TestNumber:
    @pytest.mark.parametrize(
        ("value", "number"),
        [(3, 3.0), ("3.5", 3.5), (" 3 ", 3.0), ("1e3", 1000.0), (None, None), ("", None), (" ", None), ("nan", None)],
    )
    def test_numbers_and_their_digits(self, value: Any, number: float | None) -> None:
        assert as_number(value, "price") == number

    @pytest.mark.parametrize("value", ["9.500,00", "12 km", "1_000", True, math.inf, "inf", "1e999", 10**400, [3], {}])
    def test_anything_else_is_told_and_nothing_overflows(self, value: Any) -> None:
        with pytest.raises(InvalidItem):
            as_number(value, "price")


class TestFilter:
    @pytest.mark.parametrize(
        ("kind", "value", "found"),
        [
            (FilterType.KEYWORD, ["a", " a ", "b"], ("a", "b")),
            (FilterType.KEYWORD, 4.0, ("4",)),
            (FilterType.NUMBER, ["1", 2], (1.0, 2.0)),
            (FilterType.NUMBER, ["nan", ""], None),
            (FilterType.BOOLEAN, "YES", (True,)),
            (FilterType.BOOLEAN, 0, (False,)),
            (FilterType.BOOLEAN, 1.0, (True,)),
            (FilterType.DATE, "1970-01-01", (0.0,)),
            (FilterType.DATE, 1_700_000_000_000, (1_700_000_000_000.0,)),
            (FilterType.DATE, "1700000000000", (1_700_000_000_000.0,)),
        ],
    )
    def test_values_of_the_type(self, kind: FilterType, value: Any, found: Any) -> None:
        assert as_filter(value, "field", kind) == found

    @pytest.mark.parametrize(
        ("kind", "value"),
        [
            (FilterType.KEYWORD, {"a": 1}),
            (FilterType.KEYWORD, "é" * (MAX_KEYWORD_BYTES // 2 + 1)),
            (FilterType.NUMBER, "cheap"),
            (FilterType.BOOLEAN, "maybe"),
            (FilterType.BOOLEAN, 2),
            (FilterType.DATE, "31.01.2026"),
            (FilterType.DATE, "2026"),
            (FilterType.DATE, True),
            (FilterType.DATE, 10**400),
            (FilterType.DATE, math.nan),
        ],
    )
    def test_other_values_are_told(self, kind: FilterType, value: Any) -> None:
        with pytest.raises(InvalidItem):
            filter_value(value, "field", kind)

    def test_the_longest_keyword_still_fits(self) -> None:
        word = "é" * (MAX_KEYWORD_BYTES // 2)
        assert filter_value(word, "field", FilterType.KEYWORD) == word

    def test_times_without_a_zone_are_utc(self) -> None:
        assert as_milliseconds("2026-01-31T08:00:00", "d") == as_milliseconds("2026-01-31T09:00:00+01:00", "d")


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.dates() | st.datetimes() | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=6,
)


# The first example waits for the table of all characters to be built.
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.fixed_dictionaries({}, optional=dict.fromkeys(GOLF, VALUES)))
def test_whatever_a_document_holds_is_an_item_or_told(document: dict[str, Any]) -> None:
    try:
        item = LISTING.item({**GOLF, **document})
    except InvalidItem:
        return  # told; test_bad_input.py reads the messages
    assert len(item.content_hash) == 32
    str(item.fields()).encode()
    assert all(math.isfinite(number) for number in (*item.numbers.values(), *item.signals.values()))
