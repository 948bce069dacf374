"""A work queue in Redis, shared by every process of an installation."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from typing import Final

from domain.items import ItemKey
from domain.work import Attempt, Claim, ClaimedTask, Depth, Lane, Task, WorkKey
from plugin.queues.bound import DEFAULT_BOUND, full
from plugin.queues.redis_connection import RedisConnection

_KEYS: Final = ("tasks", "waiting", "groups", "leases", "batches", "added", "sequence")
#: Digits of the largest revision, 2^61 - 1.
_REVISION_DIGITS: Final = 19


class RedisQueue:
    """A `domain.ports.WorkQueue` in Redis, by the rules of `plugin.queues.in_process.InProcessQueue`.

    Every call is one script that Redis runs in one step and times by its own clock, so neither a crash between
    two commands nor a worker's wrong clock can lose or double a claim. Keys are ``{namespace}:lane:...``; the braces
    keep them on one node of a cluster. Redis needs ``maxmemory-policy noeviction``; should it lose keys all the
    same, calls go on with what is left, and adding a task anew heals it.

    Args:
        url: ``redis://[[user]:password@]host:port/db``, or ``rediss://`` for TLS.
        namespace: first part of every key; two installations in one Redis need two.
        bound: most waiting tasks in one lane.

    Raises:
        ConfigurationError: the address is not one of Redis.
    """

    def __init__(self, url: str, namespace: str = "sidetower", bound: int = DEFAULT_BOUND) -> None:
        self._redis = RedisConnection(url)
        self._bound = bound
        self._keys = {lane: [f"{{{namespace}}}:{lane.value}:{name}" for name in _KEYS] for lane in Lane}

    def add(self, tasks: Sequence[Task], lane: Lane = Lane.LIVE, delay: float = 0.0) -> int:
        """Queue these, as `WorkQueue.add` says.

        Raises:
            Busy: the lane is at its bound, or Redis is out of memory; nothing was added.
            Unavailable: Redis does not answer.
        """
        if not tasks:
            return 0
        newest: dict[str, int] = {}
        for task in tasks:
            member = _member(task.work)
            newest[member] = max(task.revision, newest.get(member, task.revision))
        pairs = [part for member, revision in newest.items() for part in (member, _digits(revision))]
        queued = int(self._redis.run("add", self._keys[lane], [self._bound, _microseconds(delay), *pairs]))
        if queued < 0:
            raise full(lane, self._bound)
        return queued

    def claim(self, lane: Lane, limit: int, lease: float) -> Claim | None:
        """Take up to `limit` tasks, as `WorkQueue.claim` says."""
        id_ = f"{lane.value}-{uuid.uuid4().hex}"
        told = self._redis.run("claim", self._keys[lane], [limit, _microseconds(lease), id_])
        claimed = tuple(
            ClaimedTask(Task(_work(member), int(revision)), int(attempts), int(alone))
            for member, revision, attempts, alone in zip(*[iter(told)] * 4, strict=True)
        )
        return Claim(id_, claimed) if claimed else None

    def done(self, claim: Claim, tasks: Sequence[Task]) -> None:
        """Finish these, as `WorkQueue.done` says."""
        if tasks:
            pairs = [part for task in tasks for part in (_member(task.work), _digits(task.revision))]
            self._redis.run("done", self._keys[_lane(claim)], [claim.id, *pairs])

    def give_back(self, claim: Claim, tasks: Sequence[Task], attempt: Attempt, delay: float = 0.0) -> None:
        """Return these, as `WorkQueue.give_back` says."""
        if tasks:
            members = [_member(task.work) for task in tasks]
            arguments = [claim.id, attempt.value, _microseconds(delay), *members]
            self._redis.run("give_back", self._keys[_lane(claim)], arguments)

    def extend(self, claim: Claim, lease: float) -> bool:
        """Hold on for `lease` seconds from now, as `WorkQueue.extend` says."""
        return bool(self._redis.run("extend", self._keys[_lane(claim)], [claim.id, _microseconds(lease)]))

    def depth(self, lane: Lane) -> Depth:
        """How much there is; a task whose lease is over counts as waiting."""
        waiting, in_flight, age = self._redis.run("depth", self._keys[lane], [])
        return Depth(int(waiting), int(in_flight), int(age) / 1_000_000)


def _member(work: WorkKey) -> str:
    key = work.key
    return json.dumps([key.tenant, key.kind, key.id, work.generation], ensure_ascii=False, separators=(",", ":"))


def _work(member: str) -> WorkKey:
    tenant, kind, id_, generation = json.loads(member)
    return WorkKey(ItemKey(tenant, kind, id_), generation)


def _digits(revision: int) -> str:
    return f"{revision:0{_REVISION_DIGITS}d}"


def _microseconds(seconds: float) -> int:
    return round(seconds * 1_000_000)


def _lane(claim: Claim) -> Lane:
    return Lane(claim.id.split("-", 1)[0])
