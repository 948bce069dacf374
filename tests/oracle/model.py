"""The oracle: what each item has to be, from what was told and what was answered, in a plain dictionary."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from domain.items import Change, ItemKey, Removal
from domain.versions import ItemOutcome, Outcome, StoredItem


@dataclass
class Account:
    """What is known of one item.

    A change whose answer never came (the process was killed, a server did not answer) may have happened or not. It
    may still win, but it need not, as long as all generations agree.
    """

    #: Every change that was ever sent towards the index, by revision; several contents where the host was in error.
    sent: dict[int, list[Change]] = field(default_factory=lambda: defaultdict(list))
    #: The newest revision that was acknowledged; nothing older may be stored.
    acknowledged: int = -1
    #: The content that was acknowledged for a revision: the first one wins.
    winners: dict[int, str] = field(default_factory=dict)

    def possible(self) -> list[Change]:
        """What may be stored in the end."""
        return [
            change
            for revision, changes in self.sent.items()
            for change in changes
            if revision >= self.acknowledged and self.winners.get(revision, change.content_hash) == change.content_hash
        ]


class Oracle:
    """Knows what the index has to hold."""

    def __init__(self) -> None:
        self.accounts: dict[ItemKey, Account] = defaultdict(Account)

    def send(self, change: Change) -> None:
        """A process takes the change on: from now on it may happen."""
        known = self.accounts[change.key].sent[change.revision]
        if all(change.content_hash != one.content_hash for one in known):
            known.append(change)

    def answer(self, change: Change, told: ItemOutcome) -> str:
        """What is wrong with the answer; empty when it can be right."""
        account = self.accounts[change.key]
        if told.outcome is Outcome.WRITTEN:
            winner = account.winners.setdefault(change.revision, change.content_hash)
            account.acknowledged = max(account.acknowledged, change.revision)
            if winner != change.content_hash:
                return f"{change.key}@{change.revision}: two contents of one revision were both written"
        if told.outcome is Outcome.STALE and max(account.sent) <= change.revision:
            return f"{change.key}@{change.revision}: stale, but nothing newer was ever told"
        if told.outcome is Outcome.CONFLICTING_REVISION and len(account.sent[change.revision]) < 2:
            return f"{change.key}@{change.revision}: conflicting, but no other content was ever told"
        return ""

    def acknowledge(self, change: Change) -> None:
        """The change, or something newer, is known to have happened."""
        account = self.accounts[change.key]
        account.acknowledged = max(account.acknowledged, change.revision)

    def forget(self, key: ItemKey) -> None:
        """The item's tombstone was purged: whatever comes now is taken as new."""
        self.accounts.pop(key, None)

    def newest(self, key: ItemKey) -> Change | None:
        """The newest change that was ever sent, the first of its revision."""
        sent = self.accounts[key].sent
        return sent[max(sent)][0] if sent else None

    def wrong(self, key: ItemKey, stored: StoredItem | None) -> str:
        """What is wrong with this as the final state of the item; empty when it can be right."""
        account = self.accounts[key]
        if stored is None:
            return f"{key}@{account.acknowledged} is missing" if account.acknowledged >= 0 else ""
        possible = account.possible()
        if any(
            change.revision == stored.change.revision and change.content_hash == stored.change.content_hash
            for change in possible
        ):
            return ""
        return f"{key} is {shown(stored.change)} instead of {' or '.join(map(shown, possible)) or 'absent'}"


def shown(change: Change) -> str:
    """The change in a few characters."""
    content = "removed" if isinstance(change, Removal) else " ".join(change.texts.values())
    return f"@{change.revision} {content!r}"


def told(changes: Iterable[Change]) -> str:
    """Changes in one line."""
    return ", ".join(f"{one.key.tenant}/{one.key.id}{shown(one)}" for one in changes)
