"""Real Celery workers on a real Redis: work gets done, whoever is killed."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from domain.work import Claim, Depth, Lane, Task
from plugin.queues.redis_queue import RedisQueue
from tests.contracts.queue_tasks import task
from tests.support.needs import require_module
from tests.support.redis_server import running_redis

pytestmark = [pytest.mark.redis, pytest.mark.slow]

ROOT = Path(__file__).parents[2]
Start = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def url(redis_url: str, tmp_path: Path) -> Iterator[str]:
    """A Redis of its own: Celery's keys have no test in their names."""
    require_module("celery", "serve")
    with running_redis(tmp_path) as address:
        yield address


@pytest.fixture
def server(url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(url, decode_responses=True, socket_timeout=5) as client:
        yield client


@pytest.fixture
def queue(url: str) -> RedisQueue:
    return RedisQueue(url)


@pytest.fixture
def start(url: str, tmp_path: Path) -> Iterator[Start]:
    """Starts ``celery -A tests.support.celery_probe ...``; the test's end kills what still runs."""
    started: list[subprocess.Popen[bytes]] = []

    def run(*arguments: str, soft_limit: str = "") -> subprocess.Popen[bytes]:
        log = (tmp_path / f"celery-{len(started)}.log").open("wb")
        command = [sys.executable, "-m", "celery", "-A", "tests.support.celery_probe", *arguments, "--loglevel=INFO"]
        environment = {**os.environ, "SIDETOWER_TEST_PROBE_REDIS": url, "PYTHONPATH": str(ROOT)}
        environment["SIDETOWER_TEST_PROBE_SOFT_LIMIT"] = soft_limit
        with log:
            process = subprocess.Popen(
                command, stdout=log, stderr=log, env=environment, cwd=tmp_path, start_new_session=True
            )
        started.append(process)
        return process

    yield run
    for process in started:
        kill_group(process)


def kill_group(process: subprocess.Popen[bytes]) -> None:
    """Kill -9 the worker and the processes it forked."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(10)


def until(happened: Callable[[], bool], what: str, seconds: float = 90.0) -> None:
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.05)


def many(prefix: str, count: int) -> list[Task]:
    return [task(f"{prefix}{number:02d}") for number in range(count)]


def test_worker_with_beat_empties_both_lanes_and_outlives_a_flush(
    start: Start, queue: RedisQueue, server: redis.Redis, tmp_path: Path
) -> None:
    start("worker", "-B")
    queue.add(many("live", 10))
    queue.add(many("fill", 10), Lane.FILL)
    until(lambda: server.llen("worked") == 20, "both lanes worked off")
    assert len(set(server.lrange("worked", 0, -1))) == 20
    until(lambda: server.get("reconciled") == "1", "reconcile at the start")
    server.flushall()
    assert queue.add(many("later", 5)) == 5
    until(lambda: server.llen("worked") == 5, "work after Redis lost everything")
    assert not list(tmp_path.glob("celerybeat*")), "the schedule leaves no file"


def test_absent_engine_costs_one_line_a_tick_and_work_goes_on_after_it(
    start: Start, queue: RedisQueue, server: redis.Redis, tmp_path: Path
) -> None:
    server.set("engine-away", "1")
    queue.add(many("item", 5))
    start("worker", "-B")
    until(lambda: int(server.get("drains:live") or 0) >= 2, "ticks while the engine is away")
    server.delete("engine-away")
    until(lambda: server.llen("worked") == 5, "work after it")
    log = (tmp_path / "celery-0.log").read_text()
    assert "engine: expected an answer, got none. Wait." in log
    assert "Traceback" not in log


def test_killed_worker_and_its_successor_finish_everything(
    start: Start, queue: RedisQueue, server: redis.Redis
) -> None:
    queue.add(many("item", 40))
    start("beat")
    first = start("worker")
    until(lambda: server.llen("worked") >= 10, "some work done")
    kill_group(first)
    in_the_middle = server.llen("worked")
    assert in_the_middle < 40
    assert queue.depth(Lane.LIVE).waiting + queue.depth(Lane.LIVE).in_flight > 0
    start("worker")
    until(lambda: queue.depth(Lane.LIVE) == Depth(0, 0, 0.0), "the rest done")
    assert set(server.lrange("worked", 0, -1)) == {one.work.key.id for one in many("item", 40)}


def test_stopped_worker_leaves_nothing_claimed(start: Start, queue: RedisQueue, server: redis.Redis) -> None:
    queue.add(many("item", 80))
    worker = start("worker", "-B")
    until(lambda: server.llen("worked") >= 3, "some work done")
    os.kill(worker.pid, signal.SIGTERM)
    assert worker.wait(20) == 0
    depth = queue.depth(Lane.LIVE)
    worked = server.lrange("worked", 0, -1)
    assert depth.in_flight == 0
    assert 0 < len(worked) == len(set(worked)) == 80 - depth.waiting


def test_time_limit_of_a_task_gives_its_batch_back_uncounted(
    start: Start, url: str, queue: RedisQueue, server: redis.Redis, tmp_path: Path
) -> None:
    from workers.app import WorkerParts, create_celery
    from workers.ticks import send_tick

    server.set("slowness", "60")
    queue.add(many("item", 3))
    with create_celery(WorkerParts(url, drain=lambda *_: None, reconcile=lambda: None)) as app:
        send_tick(app, Lane.LIVE)
    start("worker", soft_limit="1")
    until(lambda: "not done within" in (tmp_path / "celery-0.log").read_text(), "the end of the task's time")
    assert "Traceback" not in (tmp_path / "celery-0.log").read_text()
    claims: list[Claim] = []

    def claimed() -> bool:
        if claim := queue.claim(Lane.LIVE, 10, 60):
            claims.append(claim)
        return bool(claims)

    until(claimed, "it comes back")
    assert [[(one.attempts, one.attempts_alone) for one in claim.tasks] for claim in claims] == [[(1, 0)] * 3]


def tell_change(url: str, kind: str = "listing") -> None:
    """What a host does, with nothing of ours installed."""
    program = (
        "from celery import Celery\n"
        f"app = Celery(broker={url!r}, broker_transport_options={{'global_keyprefix': 'sidetower:'}})\n"
        f"app.send_task('sidetower.item_changed', args=[{kind!r}, ['1', '2'], 'acme'], queue='changes')\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


def test_told_changes_wait_for_the_engine_and_tick_the_live_lane(start: Start, url: str, server: redis.Redis) -> None:
    start("worker")
    tell_change(url)
    until(lambda: server.lrange("changed", 0, -1) == ["acme/listing/1,2"], "the change taken at the third try")
    assert server.get("change-calls") == "3"
    until(lambda: server.get("drains:live") == "1", "a tick without beat")


def test_a_source_that_cannot_be_read_loses_nothing_and_holds_nobody_up(
    start: Start, url: str, server: redis.Redis, tmp_path: Path
) -> None:
    tell_change(url, "review")
    tell_change(url)
    start("worker")
    until(lambda: server.lrange("changed", 0, -1) == ["acme/listing/1,2"], "the change behind it")
    before = int(server.get("review-calls") or 0)
    until(lambda: int(server.get("review-calls") or 0) >= before + 2, "it is told again and again")
    assert "told again later: reviews: expected an index" in (tmp_path / "celery-0.log").read_text()


def test_told_change_in_the_hands_of_a_killed_worker_comes_back(start: Start, url: str, server: redis.Redis) -> None:
    tell_change(url)
    first = start("worker")
    until(lambda: server.get("change-calls") == "1", "the first try")
    kill_group(first)
    (tag,) = server.hkeys("sidetower:unacked")
    # As if the visibility time-out had passed.
    server.zadd("sidetower:unacked_index", {str(tag): 1.0})
    start("worker")
    until(lambda: server.lrange("changed", 0, -1) == ["acme/listing/1,2"], "the change taken by the second worker")


def test_ticks_do_not_pile_up_while_no_worker_runs(start: Start, url: str, server: redis.Redis) -> None:
    from workers.app import WorkerParts, create_celery
    from workers.ticks import MAX_UNREAD, send_tick

    parts = WorkerParts(url, drain=lambda *_: None, reconcile=lambda: None)
    with create_celery(parts) as app:
        for _ in range(2 * MAX_UNREAD):
            send_tick(app, Lane.LIVE)
    assert server.llen("sidetower:live") == MAX_UNREAD
    start("beat")
    until(lambda: server.llen("sidetower:fill") >= 2, "beat ticks the other lane")
    assert server.llen("sidetower:live") == MAX_UNREAD


def test_workers_run_without_fastapi_and_refuse_unknown_queues(url: str) -> None:
    program = (
        "import sys\n"
        "sys.modules['fastapi'] = None\n"
        "from tests.support.celery_probe import app\n"
        "from celery.exceptions import QueueNotFound\n"
        "assert app.conf.accept_content == ['json'] and app.conf.task_serializer == 'json'\n"
        "try:\n"
        "    app.send_task('sidetower.drain', args=['live'], queue='lvie')\n"
        "except QueueNotFound:\n"
        "    print('refused')\n"
    )
    environment = {**os.environ, "SIDETOWER_TEST_PROBE_REDIS": url, "PYTHONPATH": str(ROOT)}
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=environment, timeout=60, check=True
    )
    assert ran.stdout.strip() == "refused", ran.stderr


def test_visibility_is_longer_than_any_task() -> None:
    require_module("celery", "serve")
    from workers.settings import CELERY, DRAIN_SECONDS

    visible = CELERY["broker_transport_options"]["visibility_timeout"]
    assert DRAIN_SECONDS < CELERY["task_soft_time_limit"] < CELERY["task_time_limit"] < visible
    assert importlib.util.find_spec(CELERY["beat_scheduler"].split(":")[0]) is not None
