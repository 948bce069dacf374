"""What a field's name says about its role."""

from __future__ import annotations

import re
from enum import StrEnum


class Meaning(StrEnum):
    """What a name promises; the values decide whether it is kept."""

    ID = "id"
    REVISION = "revision"
    TENANT = "tenant"
    AUDIENCE = "audience"
    TITLE = "title"
    #: Words that people type: brand, tags.
    LABEL = "label"
    #: Texts beside the title: headings, other names.
    HEADING = "heading"
    #: People and groups: author, director, genre.
    CREDIT = "credit"
    PROSE = "prose"
    CODE = "code"
    #: Changes often, because people look, click, vote, buy.
    SIGNAL = "signal"
    #: Says whether the item can be had just now.
    AVAILABILITY = "availability"
    MOMENT = "moment"
    NONE = ""


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


_ID = _set("id ids uuid guid pk asin")
_NO_ID = _set("paid prepaid bid grid solid void valid invalid hybrid liquid fluid acid android covid avoid raid kid")
_LONE_ID = _set("key ref reference number")
_REVISION = _set(
    "updated_at updated update_time updated_on updated_date last_updated last_update modified modified_at "
    "modified_on modified_date last_modified last_modified_at date_modified date_updated changed changed_at "
    "last_changed revision rev version row_version document_version seq sequence"
)
_TENANT = _set(
    "tenant shop site account organization organisation org workspace subdomain customer_account help_center"
)
_AUDIENCE = _set(
    "audience audiences visible_to visibility_groups acl acls allowed_groups access_groups permissions "
    "allowed_roles read_access user_segments groups"
)
_TITLE = _set("title name question headline subject caption label")
# Words beside a title that do not change what it names.
_GENERIC = _set(
    "product item article listing movie film game book page post document doc offer ad job event recipe course "
    "faq display full short main en eng english seo the of"
)
_LABEL = _set("keyword keywords tag tags brand make model manufacturer series")
_HEADING = _set("titles names heading headings subtitle synonym synonyms alias aliases")
_CREDIT = _set(
    "author authors director directors actor actors cast artist artists developer developers publisher publishers "
    "writer creator composer genre genres category categories topic topics department"
)
_PROSE = _set(
    "body description overview text content abstract summary answer answers plot synopsis details story lyrics "
    "instructions ingredients transcript note notes bio about"
)
_CODE = _set(
    "sku code codes ean isbn gtin upc mpn barcode zip zipcode postcode postal vin plate phone slug hash checksum "
    "serial fax etag"
)
_SIGNAL = _set(
    "view views viewed vote votes click clicks popularity popular rating ratings star stars like likes upvote "
    "upvotes downvotes score download downloads sale sales sold order orders purchase purchases stock inventory "
    "favourite favourites favorite favorites bookmark bookmarks comment comments review reviews share shares trending "
    "impressions visits hits followers watchers helpful ctr"
)
_AVAILABILITY = _set(
    "available availability active stock featured promoted sold reserved discounted online visible live archived"
)
# A price is a price, whatever stands beside it: sale_price.
_STABLE = _set("price cost amount fee")
_MOMENT = _set("at date time timestamp datetime created updated published modified on day")


def words_of(name: str) -> list[str]:
    """The words of a name, lower-case: ``listPrice`` and ``list_price`` give list, price."""
    return re.findall(r"[a-z0-9]+", re.sub(r"([a-z0-9])([A-Z])", r"\1 \2", name).lower())


def meaning_of(name: str) -> Meaning:
    """What the name promises."""
    words = words_of(name)
    whole = "_".join(words)
    bare = "_".join(words[:-1]) if words and words[-1] in ("id", "name", "key") else whole
    for meaning, known in (
        (Meaning.REVISION, {whole} & _REVISION),
        (Meaning.AUDIENCE, {whole} & _AUDIENCE),
        (Meaning.TENANT, {bare, whole} & _TENANT),
        (Meaning.ID, whole in _LONE_ID or any(word in _ID or _ends_in_id(word) for word in words[-1:])),
        (Meaning.TITLE, bool(set(words) & _TITLE) and set(words) <= _TITLE | _GENERIC),
        (Meaning.CODE, set(words) & _CODE),
        (Meaning.NONE, set(words) & _STABLE),
        (Meaning.SIGNAL, set(words) & _SIGNAL),
        (Meaning.PROSE, set(words[-1:]) & _PROSE),
        (Meaning.LABEL, set(words) & _LABEL),
        (Meaning.HEADING, set(words) & _HEADING),
        (Meaning.CREDIT, set(words) & _CREDIT),
        (Meaning.AVAILABILITY, set(words) & _AVAILABILITY),
        (Meaning.MOMENT, set(words) & _MOMENT),
    ):
        if known:
            return meaning
    return Meaning.NONE


def _ends_in_id(word: str) -> bool:
    """Whether the word is an id without its hyphen: ``appid``."""
    return word.endswith("id") and word not in _NO_ID


def is_availability(name: str) -> bool:
    """Whether a flag of this name comes and goes: ``in_stock``."""
    return bool(set(words_of(name)) & _AVAILABILITY)


def is_opinion(name: str) -> bool:
    """Whether people filter by this signal: a rating, or what is left in stock."""
    return bool(set(words_of(name)) & {"rating", "ratings", "stars", "stock", "inventory", "average", "avg"})
