"""From a sample of documents to the roles of their fields, each with the reason for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from domain.catalogue import Kind
from domain.errors import ConfigurationError
from domain.items import MAX_ID_BYTES, MAX_TENANT_BYTES
from sidetower.config import kind_name_fault
from sidetower.probe import probes
from sidetower.proposal.field_facts import FieldFacts, Shape, field_facts
from sidetower.proposal.field_names import Meaning, meaning_of, words_of
from sidetower.proposal.field_roles import (
    GROUPS,
    LABEL_WEIGHT,
    PLAIN_WEIGHT,
    TITLE_WEIGHT,
    Entry,
    about_values,
    examples,
    field_roles,
    is_prose,
)
from sidetower.toml_table import field_name_fault

# An export may hold several revisions of an item, or a broken row.
_UNIQUE = 0.95
# With nothing to read, categories of at least this many values are searched instead.
_SEARCHED_VALUES = 3
# Faults in these are shown, not avoided: there is no item without an id, and no wall without its field.
_KEPT: Final = ("id", "audience")
_BY_SHAPE: Final = {
    Shape.EMPTY: "no document of the sample has a value",
    Shape.LINK: "links",
    Shape.CONTACT: "mail addresses",
    Shape.VECTOR: "a long list of numbers, probably vectors of another model",
    Shape.OTHER: "nested, binary or mixed values; copy what matters to a field of its own",
}


@dataclass(frozen=True, slots=True)
class Proposal:
    """Roles for the fields of a sample."""

    #: Of the kind.
    name: str
    entries: tuple[Entry, ...]
    #: Fields without a role, and why.
    unused: Mapping[str, str]

    def of(self, role: str) -> list[Entry]:
        """The entries of one role."""
        return [entry for entry in self.entries if entry.role == role]

    @property
    def kind(self) -> Kind:
        """The proposed kind."""
        single = {role: self.of(role)[0].field for role in ("revision", "tenant", "audience") if self.of(role)}
        return Kind(
            name=self.name,
            id=self.of("id")[0].field,
            text={entry.field: entry.weight for entry in self.of("text")},
            category=tuple(entry.field for entry in self.of("category")),
            number=tuple(entry.field for entry in self.of("number")),
            signal=tuple(entry.field for entry in self.of("signal")),
            filter={entry.field: entry.type for entry in self.of("filter")},
            **single,
        )


def propose(
    documents: Sequence[Mapping[str, Any]],
    place: str,
    *,
    name: str = "",
    fallback: str = "item",
    types: Mapping[str, str] | None = None,
) -> Proposal:
    """Roles that hold for every document of the sample, apart from documents without an id or an audience.

    Args:
        documents: the sample.
        place: where it comes from, for messages.
        name: of the kind; "" takes it from the id field (``listing_id`` gives listing).
        fallback: name of the kind where the id field gives none.
        types: what an existing index says about its fields.

    Raises:
        ConfigurationError: no field can be the id, or none can be searched.
    """
    facts = field_facts(documents, types)
    unused = {one.name: fault for one in facts if (fault := _fault(one))}
    usable = [one for one in facts if one.name not in unused]
    entries = [*_single_roles(usable, name, place)]
    taken = {entry.field for entry in entries}
    for one in usable:
        if one.name not in taken:
            entries += field_roles(one, (types or {}).get(one.name, ""))
    id_field = next(entry.field for entry in entries if entry.role == "id")
    draft = Proposal(name or _kind_name(id_field, fallback), tuple(entries), {})
    faults = _faults(draft.kind, documents)
    entries = [entry for entry in entries if (entry.role, entry.field) not in faults]
    entries = _with_text(entries, usable, place)
    used = {entry.field for entry in entries}
    for one in usable:
        if one.name not in used:
            reasons = [reason for (_, field), reason in faults.items() if field == one.name]
            unused[one.name] = reasons[0] if reasons else _roleless(one)
    ordered = {one.name: unused[one.name] for one in facts if one.name in unused}
    return Proposal(draft.name, tuple(entries), ordered)


def _fault(one: FieldFacts) -> str:
    """Why the field can have no role at all."""
    if one.shape in _BY_SHAPE:
        return _BY_SHAPE[one.shape] + (f", {examples(one, 1)}" if one.shape in (Shape.LINK, Shape.CONTACT) else "")
    if fault := field_name_fault(one.name):
        return f"the name cannot be used: {fault}"
    if one.strays:
        strays = ", ".join(f'"{word}"' for word in one.strays)
        return f"a number but for {strays}; leave such values out and propose again"
    return f"the same in every document, {examples(one, 1)}" if one.constant else ""


def _roleless(one: FieldFacts) -> str:
    if meaning_of(one.name) is Meaning.REVISION:
        return "another revision; it would only say that the item changed"
    return f"another id: nearly every document has its own, {examples(one, 1)}"


def _faults(kind: Kind, documents: Sequence[Mapping[str, Any]]) -> dict[tuple[str, str], str]:
    """The roles that some document contradicts, and how."""
    found = {}
    for probe in probes(kind):
        faults = (probe.fault(document) for document in documents if probe.role not in _KEPT)
        if fault := next((one for one in faults if one), None):
            found[probe.role, probe.field] = f"expected {fault.expected}, got {fault.got}"
    return found


def _single_roles(usable: Sequence[FieldFacts], kind: str, place: str) -> list[Entry]:
    """Id, revision, tenant and audience."""
    id_field = _id_field(usable, kind)
    if id_field is None:
        got = ", ".join(one.name for one in usable) or "no field that can be used"
        fix = "Add a field that names each document, such as item_id."
        raise ConfigurationError(place, expected="a field with its own value in every document", got=got, fix=fix)
    entries = [_id_entry(id_field)]
    others = [one for one in usable if one is not id_field]
    if found := next((one for one in others if _is_revision(one)), None):
        entries += _revision_entries(found)
    if found := next((one for one in others if _is_tenant(one)), None):
        reason = f"{about_values(found)}; no search crosses from one to another, so make sure of it"
        entries.append(Entry("tenant", found.name, reason))
    if found := next((one for one in others if _is_audience(one)), None):
        entries.append(_audience_entry(found))
    return entries


def _id_field(usable: Sequence[FieldFacts], kind: str) -> FieldFacts | None:
    """The field with its own value in (nearly) every document: the best name first, then the first column."""

    def names_items(one: FieldFacts) -> bool:
        known = one.shape is Shape.TEXT or (one.shape is Shape.NUMBER and one.whole and one.low >= 0)
        return known and not one.lists and one.length <= MAX_ID_BYTES and one.distinct >= _UNIQUE * one.documents

    def rank(one: FieldFacts) -> int:
        if words_of(one.name) in (["id"], [*words_of(kind), "id"]):
            return 0
        return {Meaning.ID: 1, Meaning.CODE: 2}.get(meaning_of(one.name), 3)

    candidates = sorted(filter(names_items, usable), key=rank)
    # A name that promises nothing will do for a code only: titles may all differ too, but they change.
    plain = [one for one in candidates if rank(one) < 3 or (one.words <= 1 and one.distinct == one.documents)]
    return next((one for one in plain if rank(one) < 3 or one.shape is Shape.TEXT or one is usable[0]), None)


def _id_entry(one: FieldFacts) -> Entry:
    reason = f"its own value in every document, {examples(one)}"
    if one.filled < one.documents:
        reason = f"MISSING in {one.documents - one.filled:,} of {one.documents:,} documents, which cannot be indexed"
    elif one.distinct < one.filled:
        reason = f"{one.filled - one.distinct:,} of {one.filled:,} values repeat another; the newest revision wins"
    return Entry("id", one.name, reason)


def _is_revision(one: FieldFacts) -> bool:
    if meaning_of(one.name) is not Meaning.REVISION or one.lists or one.filled < one.documents:
        return False
    return one.shape is Shape.DATE or (one.shape is Shape.NUMBER and one.whole and one.low >= 0)


def _revision_entries(one: FieldFacts) -> list[Entry]:
    entry = Entry("revision", one.name, f"grows with every change, {examples(one, 1)}")
    if one.shape is not Shape.DATE:
        return [entry]
    if one.length <= len("2026-01-31"):
        caution = "; CAUTION: two changes on one day have the same revision, send times instead"
        entry = replace(entry, reason=entry.reason + caution)
    return [entry, *field_roles(one)]


def _is_tenant(one: FieldFacts) -> bool:
    groups = one.filled == one.documents and not one.lists and one.shared >= GROUPS
    known = one.shape in (Shape.TEXT, Shape.NUMBER) and one.length <= MAX_TENANT_BYTES
    return groups and known and meaning_of(one.name) is Meaning.TENANT


def _is_audience(one: FieldFacts) -> bool:
    return meaning_of(one.name) is Meaning.AUDIENCE and one.shape in (Shape.TEXT, Shape.NUMBER)


def _audience_entry(one: FieldFacts) -> Entry:
    reason = f"groups that may see the item, {examples(one)}"
    if one.filled < one.documents:
        missing = one.documents - one.filled
        reason = f'MISSING in {missing:,} of {one.documents:,} documents, which are refused; ["*"] is everyone'
    return Entry("audience", one.name, reason)


def _with_text(entries: list[Entry], usable: Sequence[FieldFacts], place: str) -> list[Entry]:
    """The entries with something to search: where there is no title and nothing to read, the words of categories."""
    facts = {one.name: one for one in usable}
    texts = [entry for entry in entries if entry.role == "text"]
    if not any(entry.weight == TITLE_WEIGHT or _reads(facts[entry.field]) for entry in texts):
        words = [one for one in usable if one.shape is Shape.TEXT and one.distinct >= _SEARCHED_VALUES]
        searched = {entry.field for entry in texts}
        texts += [
            Entry("text", entry.field, f"nothing longer to search; {entry.reason}", PLAIN_WEIGHT)
            for entry in entries
            if entry.role == "category" and entry.field not in searched and facts[entry.field] in words
        ]
        labels = [entry for entry in texts if entry.weight == LABEL_WEIGHT] or texts
        if not labels:
            got = ", ".join(facts) or "no field that can be used"
            fix = "Add a title or a description to the export."
            raise ConfigurationError(place, expected="a field with words to search", got=got, fix=fix)
        title = max(labels, key=lambda entry: facts[entry.field].distinct)
        reason = f"serves as the title; {title.reason}"
        texts[texts.index(title)] = replace(title, weight=TITLE_WEIGHT, reason=reason)
    texts.sort(key=lambda entry: -entry.weight)
    single = ("id", "revision", "tenant", "audience")
    others = [entry for entry in entries if entry.role not in (*single, "text")]
    return [*(entry for entry in entries if entry.role in single), *texts, *others]


def _reads(one: FieldFacts) -> bool:
    return is_prose(one) and not one.lists


def _kind_name(id_field: str, fallback: str) -> str:
    """``listing`` for ``listing_id``, else the fallback."""
    name = "_".join(words_of(id_field)[:-1])
    return fallback if kind_name_fault(name) else name
