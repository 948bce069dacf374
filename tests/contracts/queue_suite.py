"""What every work queue owes, written once."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from domain.errors import Busy
from domain.items import MAX_REVISION
from domain.ports import WorkQueue
from domain.work import MAX_ATTEMPTS_ALONE, Attempt, Depth, Lane, Task
from tests.contracts.queue_tasks import LEASE, LONG, names, taken, task, tasks, told

#: Lets seconds pass by the queue's clock.
LetPass = Callable[[float], None]


class QueueContract:
    """Inherit and provide the fixtures `make_queue` and `let_pass`."""

    @pytest.fixture
    def make_queue(self) -> Callable[..., WorkQueue]:
        """A fresh queue; takes `bound`."""
        raise NotImplementedError

    @pytest.fixture
    def let_pass(self) -> LetPass:
        """Let this many seconds pass by the queue's clock."""
        raise NotImplementedError

    @pytest.fixture
    def queue(self, make_queue: Callable[..., WorkQueue]) -> WorkQueue:
        return make_queue()

    # Adding

    def test_empty_queue_has_nothing_to_claim(self, queue: WorkQueue) -> None:
        assert queue.add([]) == 0
        assert queue.claim(Lane.LIVE, 10, LONG) is None
        assert queue.depth(Lane.LIVE) == Depth(waiting=0, in_flight=0, oldest_age=0.0)

    def test_several_edits_are_one_task_at_the_highest_revision(self, queue: WorkQueue) -> None:
        assert queue.add([task("a", 3), task("b", 1)]) == 2
        assert [queue.add([task("a", revision)]) for revision in (5, 4, 5)] == [0, 0, 0]
        assert queue.add([task("c", 8), task("c", 9), task("c", 7)]) == 1
        claim = taken(queue)
        assert {one.task.work.key.id: one.task.revision for one in claim.tasks} == {"a": 5, "b": 1, "c": 9}

    def test_revisions_beyond_53_bits_are_told_apart(self, queue: WorkQueue) -> None:
        queue.add([task("a", MAX_REVISION - 1)])
        queue.add([task("a", MAX_REVISION)])
        claim = taken(queue)
        queue.done(claim, [task("a", MAX_REVISION - 1)])
        assert told(taken(queue)) == [task("a", MAX_REVISION)]

    def test_keys_come_back_as_they_were(self, queue: WorkQueue) -> None:
        odd = [task('a"b\\c', tenant="t:1"), task("ü/日本 {x}", tenant="t"), task("7", generation="g-2"), task("7")]
        odd += [task("7", tenant="other"), task("[]"), task("0007")]
        assert queue.add(odd) == len(odd)
        assert set(told(taken(queue))) == set(odd)

    def test_delayed_task_is_not_claimed_before_it_is_due(self, queue: WorkQueue, let_pass: LetPass) -> None:
        queue.add([task("a")], delay=LEASE)
        assert queue.claim(Lane.LIVE, 10, LONG) is None
        let_pass(LEASE)
        assert names(taken(queue)) == "a"

    def test_edits_do_not_push_a_delayed_task_back_and_a_prompt_one_pulls_it_forward(
        self, queue: WorkQueue, let_pass: LetPass
    ) -> None:
        queue.add(tasks("ab"), delay=LEASE)
        queue.add([task("a", 2)], delay=LONG)
        let_pass(LEASE)
        assert told(taken(queue, limit=1)) == [task("a", 2)]
        queue.add([task("c", 1)], delay=LONG)
        queue.add([task("c", 1)])
        assert names(taken(queue)) == "b"
        queue.add([task("c", 2)])
        assert told(taken(queue)) == [task("c", 2)]

    def test_claims_take_the_oldest_first_up_to_the_limit(self, queue: WorkQueue) -> None:
        for name in "bdac":
            queue.add([task(name)])
        queue.add([task("b", 2)])
        assert [names(taken(queue, limit=2)) for _ in range(2)] == ["bd", "ac"]

    def test_lanes_are_separate(self, queue: WorkQueue) -> None:
        assert queue.add([task("a")], Lane.LIVE) == 1
        assert queue.add([task("a"), task("b")], Lane.FILL) == 2
        live = taken(queue, Lane.LIVE)
        assert names(live) == "a"
        queue.done(live, told(live))
        assert (queue.depth(Lane.LIVE).waiting, queue.depth(Lane.FILL).waiting) == (0, 2)
        fill = taken(queue, Lane.FILL)
        queue.give_back(fill, told(fill), Attempt.FORGIVEN)
        assert queue.extend(fill, LONG) is False
        assert names(taken(queue, Lane.FILL)) == "ab"

    def test_bound_refuses_all_of_a_call_and_lets_newer_revisions_through(
        self, make_queue: Callable[..., WorkQueue]
    ) -> None:
        queue = make_queue(bound=3)
        queue.add(tasks("ab"))
        with pytest.raises(Busy, match="lane live: expected at most 3 waiting tasks"):
            queue.add([task("a", 2), task("c"), task("d")])
        assert queue.depth(Lane.LIVE).waiting == 2
        queue.add([task("a", 3), task("c")])
        assert queue.add([task("b", 3)]) == 0
        queue.add([task("x"), task("y"), task("z")], Lane.FILL)
        claim = taken(queue)
        assert [one.task.revision for one in claim.tasks] == [3, 3, 1]
        assert queue.add(tasks("xyz")) == 3, "tasks in flight are not waiting"
        with pytest.raises(Busy):
            queue.add([task("w")])

    # Finishing

    def test_done_removes(self, queue: WorkQueue) -> None:
        queue.add(tasks("abc"))
        claim = taken(queue)
        queue.done(claim, told(claim)[:2])
        assert queue.depth(Lane.LIVE).in_flight == 1
        queue.done(claim, told(claim))
        assert queue.depth(Lane.LIVE) == Depth(0, 0, 0.0)
        assert queue.add([task("a")]) == 1, "what was finished can be added again"

    def test_newer_revision_waits_behind_the_claim_and_survives_done(self, queue: WorkQueue) -> None:
        queue.add([task("a", 5)])
        claim = taken(queue)
        assert [queue.add([task("a", revision)]) for revision in (4, 5, 6, 7)] == [0, 0, 1, 0]
        assert queue.claim(Lane.LIVE, 10, LONG) is None, "nobody else may work on it meanwhile"
        queue.done(claim, told(claim))
        newer = taken(queue)
        assert told(newer) == [task("a", 7)]
        assert newer.tasks[0].attempts == 1
        queue.done(newer, told(newer))
        assert queue.depth(Lane.LIVE) == Depth(0, 0, 0.0)

    def test_delay_of_a_newer_revision_holds_after_done(self, queue: WorkQueue, let_pass: LetPass) -> None:
        queue.add([task("a", 1)])
        claim = taken(queue)
        queue.add([task("a", 2)], delay=LEASE)
        queue.done(claim, told(claim))
        assert queue.claim(Lane.LIVE, 10, LONG) is None
        let_pass(LEASE)
        assert told(taken(queue)) == [task("a", 2)]

    def test_a_worker_that_read_a_newer_revision_finishes_that_one(self, queue: WorkQueue) -> None:
        queue.add([task("a", 5)])
        claim = taken(queue)
        queue.add([task("a", 6)])
        queue.done(claim, [task("a", 6)])
        assert queue.depth(Lane.LIVE) == Depth(0, 0, 0.0)

    def test_finishing_an_older_revision_finishes_nothing(self, queue: WorkQueue) -> None:
        queue.add([task("a", 5)])
        queue.done(taken(queue), [task("a", 4)])
        assert told(taken(queue)) == [task("a", 5)]

    # Leases

    def test_lost_claim_comes_back_first_in_halves(self, queue: WorkQueue, let_pass: LetPass) -> None:
        queue.add(tasks("abcde"))
        lost = taken(queue, lease=LEASE)
        queue.add(tasks("xy"))
        assert [one.attempts for one in lost.tasks] == [1] * 5, "counted before the work"
        let_pass(LEASE)
        back = [taken(queue) for _ in range(3)]
        assert [names(claim) for claim in back] == ["abc", "de", "xy"]
        assert [one.attempts for one in back[0].tasks + back[2].tasks] == [2] * 3 + [1] * 2
        assert [one.attempts_alone for one in back[0].tasks] == [0] * 3

    def test_lost_claim_comes_back_before_older_tasks(self, queue: WorkQueue, let_pass: LetPass) -> None:
        for name in "ab":
            queue.add([task(name)])
        queue.give_back(taken(queue, limit=1), [task("a")], Attempt.FORGIVEN, delay=LEASE)
        queue.add([task("c")])
        let_pass(LEASE)
        assert names(taken(queue, limit=2, lease=LEASE)) == "bc"
        let_pass(LEASE)
        assert [names(taken(queue)) for _ in range(3)] == ["b", "c", "a"]

    def test_halves_are_halved_until_each_is_alone_and_exhausted(self, queue: WorkQueue, let_pass: LetPass) -> None:
        queue.add(tasks("ab"))
        for _ in range(1 + MAX_ATTEMPTS_ALONE):
            for claim in (queue.claim(Lane.LIVE, 10, LEASE), queue.claim(Lane.LIVE, 10, LEASE)):
                assert claim is None or not any(one.exhausted for one in claim.tasks)
            let_pass(LEASE)
        last = [taken(queue) for _ in range(2)]
        assert sorted(map(names, last)) == ["a", "b"]
        for claim in last:
            (one,) = claim.tasks
            assert one.exhausted
            assert (one.attempts, one.attempts_alone) == (1 + MAX_ATTEMPTS_ALONE + 1, MAX_ATTEMPTS_ALONE + 1)
            queue.done(claim, told(claim))
        assert queue.depth(Lane.LIVE) == Depth(0, 0, 0.0)

    def test_only_unfinished_tasks_of_a_lost_claim_come_back(self, queue: WorkQueue, let_pass: LetPass) -> None:
        queue.add(tasks("abcd"))
        lost = taken(queue, lease=LEASE)
        queue.done(lost, tasks("ad"))
        let_pass(LEASE)
        assert [names(taken(queue)) for _ in range(2)] == ["b", "c"]

    def test_returned_group_is_claimed_in_pieces_of_the_limit(self, queue: WorkQueue, let_pass: LetPass) -> None:
        queue.add(tasks("abcdefg"))
        taken(queue, lease=LEASE)
        queue.add(tasks("z"))
        let_pass(LEASE)
        claims = [taken(queue, limit=3) for _ in range(4)]
        assert sorted(map(names, claims)) == ["abc", "d", "efg", "z"]

    def test_extend_holds_the_claim(self, queue: WorkQueue, let_pass: LetPass) -> None:
        queue.add([task("a")])
        claim = taken(queue, lease=LEASE)
        assert queue.extend(claim, LONG) is True
        let_pass(LEASE)
        assert queue.claim(Lane.LIVE, 10, LONG) is None
        queue.done(claim, told(claim))
        assert queue.extend(claim, LONG) is False

    def test_late_worker_keeps_its_claim_until_somebody_else_takes_it(
        self, queue: WorkQueue, let_pass: LetPass
    ) -> None:
        queue.add(tasks("ab"))
        claim = taken(queue, lease=LEASE)
        let_pass(LEASE)
        assert queue.depth(Lane.LIVE).waiting == 2
        queue.done(claim, tasks("a"))
        assert queue.extend(claim, LONG) is True
        assert queue.claim(Lane.LIVE, 10, LONG) is None

    def test_lost_claim_changes_nothing_any_more(self, queue: WorkQueue, let_pass: LetPass) -> None:
        queue.add([task("a")])
        old = taken(queue, lease=LEASE)
        let_pass(LEASE)
        new = taken(queue)
        queue.done(old, told(old))
        queue.give_back(old, told(old), Attempt.FORGIVEN)
        queue.give_back(old, told(old), Attempt.COUNTED)
        assert queue.extend(old, 0.0) is False
        assert queue.depth(Lane.LIVE).in_flight == 1
        assert queue.claim(Lane.LIVE, 10, LONG) is None
        queue.done(new, told(new))
        assert queue.depth(Lane.LIVE) == Depth(0, 0, 0.0)

    # Giving back

    def test_counted_tasks_come_back_alone_each(self, queue: WorkQueue) -> None:
        queue.add(tasks("abc"))
        claim = taken(queue)
        queue.give_back(claim, tasks("ac"), Attempt.COUNTED)
        queue.done(claim, tasks("b"))
        back = [taken(queue) for _ in range(2)]
        assert sorted(map(names, back)) == ["a", "c"]
        assert [(one.attempts, one.attempts_alone) for claim in back for one in claim.tasks] == [(2, 1)] * 2

    def test_counted_five_times_alone_is_exhausted(self, queue: WorkQueue) -> None:
        queue.add(tasks("ab"))
        queue.give_back(taken(queue), [task("a")], Attempt.COUNTED)
        for attempt in range(1, MAX_ATTEMPTS_ALONE + 1):
            claim = taken(queue)
            assert (claim.tasks[0].attempts_alone, claim.tasks[0].exhausted) == (attempt, False)
            queue.give_back(claim, told(claim), Attempt.COUNTED)
        assert taken(queue).tasks[0].exhausted

    def test_counted_task_does_not_go_before_older_ones(self, queue: WorkQueue) -> None:
        queue.add([task("a")])
        claim = taken(queue)
        queue.add(tasks("xy"))
        queue.give_back(claim, told(claim), Attempt.COUNTED)
        assert [names(taken(queue)) for _ in range(2)] == ["xy", "a"]

    def test_forgiven_task_is_as_if_never_claimed(self, queue: WorkQueue) -> None:
        for name in "abc":
            queue.add([task(name)])
        claim = taken(queue, limit=2)
        queue.give_back(claim, told(claim), Attempt.FORGIVEN)
        again = taken(queue)
        assert names(again) == "abc"
        assert [(one.attempts, one.attempts_alone) for one in again.tasks] == [(1, 0)] * 3

    def test_forgiven_group_stays_a_group_and_keeps_its_counts(self, queue: WorkQueue, let_pass: LetPass) -> None:
        queue.add(tasks("abc"))
        taken(queue, lease=LEASE)
        queue.add(tasks("xyz"))
        let_pass(LEASE)
        for _ in range(3):
            pair, single = taken(queue), taken(queue)
            assert [names(pair), names(single)] == ["ab", "c"]
            assert [(one.attempts, one.attempts_alone) for one in pair.tasks + single.tasks] == [
                (2, 0),
                (2, 0),
                (2, 1),
            ]
            queue.give_back(pair, told(pair), Attempt.FORGIVEN)
            queue.give_back(single, told(single), Attempt.FORGIVEN)

    @pytest.mark.parametrize("attempt", list(Attempt))
    def test_given_back_with_a_delay_is_due_after_it(
        self, queue: WorkQueue, let_pass: LetPass, attempt: Attempt
    ) -> None:
        queue.add(tasks("ab"))
        claim = taken(queue)
        queue.add([task("b", 2)])
        queue.give_back(claim, told(claim), attempt, delay=LEASE)
        assert queue.claim(Lane.LIVE, 10, LONG) is None
        assert queue.depth(Lane.LIVE).waiting == 2
        let_pass(LEASE)
        back = taken(queue), queue.claim(Lane.LIVE, 10, LONG)
        assert sorted(names(back[0]) + names(back[1])) == ["a", "b"]

    # Newer revisions forgive

    def test_newer_revision_frees_a_poisoned_task(self, queue: WorkQueue, let_pass: LetPass) -> None:
        queue.add(tasks("abc"))
        taken(queue, lease=LEASE)
        let_pass(LEASE)
        first = taken(queue, lease=LEASE)
        queue.done(first, told(first))
        # "c" now waits to be tried alone.
        queue.add([task("c", 2), task("x")])
        fresh = taken(queue)
        assert names(fresh) == "cx"
        assert [(one.attempts, one.attempts_alone) for one in fresh.tasks] == [(1, 0)] * 2

    def test_newer_revision_during_a_lost_claim_starts_anew(self, queue: WorkQueue, let_pass: LetPass) -> None:
        queue.add(tasks("abc"))
        taken(queue, lease=LEASE)
        queue.add([task("b", 2)])
        let_pass(LEASE)
        back = [taken(queue) for _ in range(3)]
        assert [names(claim) for claim in back] == ["a", "c", "b"]
        assert [(claim.tasks[0].attempts, claim.tasks[0].attempts_alone) for claim in back] == [(2, 1), (2, 1), (1, 0)]

    @pytest.mark.parametrize("attempt", list(Attempt))
    def test_newer_revision_during_a_failed_attempt_starts_anew(self, queue: WorkQueue, attempt: Attempt) -> None:
        queue.add(tasks("ab"))
        claim = taken(queue)
        queue.add(tasks("ab", revision=2))
        queue.give_back(claim, told(claim), attempt)
        again = taken(queue)
        assert told(again) == tasks("ab", revision=2)
        assert [(one.attempts, one.attempts_alone) for one in again.tasks] == [(1, 0)] * 2

    # Depth

    def test_depth_counts_and_ages(self, queue: WorkQueue, let_pass: LetPass) -> None:
        queue.add(tasks("abc"))
        let_pass(LEASE)
        queue.add([task("a", 2), task("d")])
        queue.add([task("e")], delay=LONG)
        claim = taken(queue, limit=2)
        depth = queue.depth(Lane.LIVE)
        assert (depth.waiting, depth.in_flight) == (5 - 2, 2)
        assert LEASE <= depth.oldest_age < LEASE + 5
        queue.done(claim, told(claim))
        rest = taken(queue)
        assert names(rest) == "cd"
        queue.done(rest, told(rest))
        last = queue.depth(Lane.LIVE)
        assert (last.waiting, last.in_flight) == (1, 0)
        assert last.oldest_age < depth.oldest_age

    def test_age_of_a_newer_revision_counts_from_its_own_arrival(self, queue: WorkQueue, let_pass: LetPass) -> None:
        queue.add([task("a")])
        let_pass(LEASE)
        claim = taken(queue)
        queue.add([task("a", 2)])
        queue.done(claim, told(claim))
        assert 0 < queue.depth(Lane.LIVE).oldest_age < LEASE

    # Many at once

    def test_workers_at_once_claim_every_task_once(self, queue: WorkQueue) -> None:
        total, workers = 300, 4
        queue.add([task(f"{number:03d}") for number in range(total)])
        claimed: list[list[Task]] = [[] for _ in range(workers)]

        def work(mine: list[Task]) -> None:
            while (claim := queue.claim(Lane.LIVE, 7, LONG)) is not None:
                mine.extend(told(claim))
                queue.done(claim, told(claim))

        threads = [threading.Thread(target=work, args=(mine,)) for mine in claimed]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        everything = [one for mine in claimed for one in mine]
        assert len(everything) == len(set(everything)) == total
        assert queue.depth(Lane.LIVE) == Depth(0, 0, 0.0)
