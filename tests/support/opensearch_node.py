"""A real single-node OpenSearch on loopback: started, asked and stopped.

    python -m tests.support.opensearch_node start --data DIR [--port N] [--version V] [--fast]
    python -m tests.support.opensearch_node stop --data DIR

DIR is the node's own: ``data/`` survives restarts, ``logs/console.log`` tells why a node ended, ``node.json`` names
address and process. Needs Maven, a JDK (see `find_java`) and Linux.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tests.support.opensearch_home import (
    ADDONS,
    DEFAULT_VERSION,
    PROVEN_VERSIONS,
    NodeError,
    assemble,
    find_java,
    java_candidates,
    with_requirements,
)

__all__ = [
    "DEFAULT_VERSION",
    "Node",
    "NodeError",
    "assemble",
    "find_java",
    "java_candidates",
    "running_node",
    "start",
    "stop",
]

_NOBODY = 65534
_OWN_FOLDERS = ("conf", "data", "logs", "tmp")
_TELLING = re.compile(r"fatal error|jar hell|access denied|refus|\[ERROR\]|^ERROR|\w(Exception|Error)\b(?!Messages)")
_NOISE = re.compile(r"JVM arguments|^WARNING|\[WARN |JNA native|com\.sun\.jna|AppenderLogging")
#: Nodes that this process started, by pid: it must reap them, and a Popen collected while its process runs warns.
_started: dict[int, subprocess.Popen[bytes]] = {}


@dataclass(frozen=True)
class Node:
    """A running node, as written to ``node.json``."""

    pid: int
    url: str
    version: str
    folder: str

    def request(self, method: str, path: str, body: Any = None, timeout: float = 60) -> Any:
        """The decoded answer of one HTTP call.

        Raises:
            NodeError: the call was refused, or the node has ended.
        """
        try:
            status, answer = _http_call(method, self.url + path, body, timeout)
        except OSError as error:
            raise NodeError(f"{method} {path}: {error}\n{_why_it_ended(Path(self.folder))}") from error
        if status >= 300:
            raise NodeError(f"{method} {path} answered {status}: {json.dumps(answer)[:1500]}")
        return answer


def start(
    data: Path,
    *,
    port: int = 0,
    version: str = DEFAULT_VERSION,
    addons: Iterable[str] = (),
    fast: bool = False,
    timeout: float = 180,
) -> Node:
    """A node on the folder `data`, as soon as it answers.

    Args:
        data: the node's folder; made when missing.
        port: HTTP port; 0 takes a free one.
        version: release of OpenSearch.
        addons: plugins beside k-NN.
        fast: start in half the time and search slower: for tests, not for timings.
        timeout: seconds to wait for the first answer.

    Raises:
        NodeError: it did not start, with the telling lines of its log.
    """
    folder = data.expanduser().resolve()
    running = _read_node(folder)
    if running and _is_alive(running):
        raise NodeError(f"a node already runs on {folder}: pid {running.pid}, {running.url}")
    chosen = with_requirements(addons)
    java_home = find_java(version)
    home = assemble(version, addons)
    for name in _OWN_FOLDERS:
        (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / "logs" / "http.ports").unlink(missing_ok=True)
    heap_mb = max(ADDONS[name].heap_mb for name in chosen)
    _write_config(home, folder, heap_mb, _settings(folder, port, chosen))
    process = _launch(home, folder, java_home, fast)
    _started[process.pid] = process
    try:
        url = _wait_until_ready(process, folder, timeout)
    except BaseException:
        _end_process(process.pid, grace=5)
        raise
    node = Node(process.pid, url, version, str(folder))
    (folder / "node.json").write_text(json.dumps(asdict(node), indent=2) + "\n")
    return node


def stop(data: Path, *, by_kill: bool = False) -> bool:
    """End the node of this folder, gently or as a crash does; False when none was running."""
    folder = data.expanduser().resolve()
    node = _read_node(folder)
    (folder / "node.json").unlink(missing_ok=True)
    if node is None or not _is_alive(node):
        return False
    _end_process(node.pid, by_kill=by_kill)
    return True


@contextlib.contextmanager
def running_node(
    data: Path, *, version: str = DEFAULT_VERSION, addons: Iterable[str] = (), fast: bool = True
) -> Iterator[Node]:
    """A node for the length of a ``with`` block."""
    node = start(data, version=version, addons=addons, fast=fast)
    try:
        yield node
    finally:
        stop(data)


def _http_call(method: str, url: str, body: Any = None, timeout: float = 60) -> tuple[int, Any]:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"}, method=method)
    loopback = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # never through a proxy
    try:
        with loopback.open(request, timeout=timeout) as answer:
            return answer.status, _decoded(answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, _decoded(error.read())


def _decoded(raw: bytes) -> Any:
    try:
        return json.loads(raw)
    except ValueError:
        return raw.decode(errors="replace")


def _settings(folder: Path, port: int, addons: Sequence[str]) -> dict[str, Any]:
    """opensearch.yml: one node, loopback only, and no index created by a misspelt name."""
    settings: dict[str, Any] = {
        "cluster.name": "local-test",
        "node.name": "node-1",
        "discovery.type": "single-node",
        "network.host": "127.0.0.1",
        "http.port": port,
        "transport.port": 0,
        "node.portsfile": True,
        "path.data": str(folder / "data"),
        "path.logs": str(folder / "logs"),
        "action.auto_create_index": ".*",
        "indices.breaker.total.use_real_memory": False,
        "cluster.routing.allocation.disk.threshold_enabled": False,
    }
    if "ml-commons" in addons:  # let a one-node cluster call a model server on loopback
        settings["plugins.ml_commons.only_run_on_ml_node"] = False
        settings["plugins.ml_commons.connector.private_ip_enabled"] = True
        settings["plugins.ml_commons.trusted_connector_endpoints_regex"] = [r"^http://127\.0\.0\.1:\d+/.*$"]
        settings["plugins.ml_commons.native_memory_threshold"] = 100
        settings["plugins.ml_commons.jvm_heap_memory_threshold"] = 100
    return settings


def _write_config(home: Path, folder: Path, heap_mb: int, settings: dict[str, Any]) -> None:
    """A configuration of the node's own, so that a home is shared and never written to."""
    conf = folder / "conf"
    shutil.rmtree(conf, ignore_errors=True)
    shutil.copytree(home / "config", conf)
    (conf / "opensearch.yml").write_text("".join(f"{key}: {json.dumps(value)}\n" for key, value in settings.items()))
    options = (conf / "jvm.options").read_text()
    options = re.sub(r"^.*(-Xms|-Xmx|-Xlog:gc|HeapDump).*\n", "", options, flags=re.M)
    options = options.replace("logs/hs_err", f"{folder}/logs/hs_err") + f"-Xms{heap_mb}m\n-Xmx{heap_mb}m\n"
    (conf / "jvm.options").write_text(options)


def _as_ordinary_user(home: Path, folder: Path) -> tuple[list[str], str]:
    """Command prefix and JVM options that get past OpenSearch's refusal to run as root.

    An unprivileged user where the folders let one in; else JNA is hidden from the JVM, which then cannot tell that it
    is root.
    """
    if os.geteuid() != 0:
        return [], ""
    ways_in = [part for path in (home, folder) for part in (path, *path.parents)]
    if shutil.which("setpriv") is None or not all(part.stat().st_mode & 0o001 for part in ways_in):
        return [], "-Djna.nosys=true -Djna.noclasspath=true"
    for name in _OWN_FOLDERS:
        for path in (folder / name, *(folder / name).rglob("*")):
            os.chown(path, _NOBODY, _NOBODY, follow_symlinks=False)
    return ["setpriv", "--reuid", str(_NOBODY), "--regid", str(_NOBODY), "--clear-groups"], ""


def _launch(home: Path, folder: Path, java_home: Path, fast: bool) -> subprocess.Popen[bytes]:
    """Start bin/opensearch in a session of its own, its output in logs/console.log."""
    prefix, options = _as_ordinary_user(home, folder)
    environment = {
        "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
        "HOME": str(folder),
        "HOSTNAME": "localhost",
        "OPENSEARCH_JAVA_HOME": str(java_home),
        "OPENSEARCH_PATH_CONF": str(folder / "conf"),
        "OPENSEARCH_TMPDIR": str(folder / "tmp"),
        "OPENSEARCH_JAVA_OPTS": f"{options} {os.environ.get('OPENSEARCH_JAVA_OPTS', '')}".strip(),
    }
    if fast:  # for the small JVMs of the start script too
        environment["JDK_JAVA_OPTIONS"] = "-XX:TieredStopAtLevel=1"
    with (folder / "logs" / "console.log").open("wb") as output:
        return subprocess.Popen(
            [*prefix, "bash", str(home / "bin" / "opensearch")],
            cwd="/",
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def _why_it_ended(folder: Path) -> str:
    console = folder / "logs" / "console.log"
    lines = console.read_text(errors="replace").splitlines() if console.exists() else []
    telling = [line for line in lines if _TELLING.search(line) and not _NOISE.search(line)][:6]
    return "\n".join([*(telling or lines[-6:] or ["(no output)"]), f"full log: {console}"])


def _wait_until_ready(process: subprocess.Popen[bytes], folder: Path, timeout: float) -> str:
    """The node's address, once it answers and its cluster is formed."""
    deadline = time.monotonic() + timeout
    ports = folder / "logs" / "http.ports"
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise NodeError(f"OpenSearch ended with code {process.returncode}:\n{_why_it_ended(folder)}")
        if ports.exists() and ports.read_text().strip():
            url = "http://" + ports.read_text().split()[0]
            with contextlib.suppress(OSError):
                status, _ = _http_call("GET", f"{url}/_cluster/health?wait_for_status=yellow&timeout=1s", timeout=5)
                if status == 200:
                    return url
        time.sleep(0.1)
    raise NodeError(f"OpenSearch was not ready after {timeout:.0f} s:\n{_why_it_ended(folder)}")


def _read_node(folder: Path) -> Node | None:
    state = folder / "node.json"
    return Node(**json.loads(state.read_text())) if state.exists() else None


def _is_alive(node: Node) -> bool:
    """Whether that very process still runs (a recycled process id does not count)."""
    try:
        command = Path(f"/proc/{node.pid}/cmdline").read_bytes().decode(errors="replace")
    except OSError:
        return False
    return f"-Dopensearch.path.conf={node.folder}/conf" in command


def _end_process(pid: int, grace: float = 20, *, by_kill: bool = False) -> None:
    """Ask the process group to end, then insist; or insist at once."""
    for sent, patience in ((signal.SIGTERM, grace), (signal.SIGKILL, 5.0))[by_kill:]:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, sent)
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            if pid in _started:
                _started[pid].poll()
            if not Path(f"/proc/{pid}").exists():
                return
            time.sleep(0.05)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit status."""
    parser = argparse.ArgumentParser(description="A local OpenSearch node with k-NN, from Maven artifacts.")
    commands = parser.add_subparsers(dest="command", required=True)
    begin = commands.add_parser("start", help="start a node and print its address")
    begin.add_argument("--data", type=Path, required=True, help="folder of the node: data, logs, configuration")
    begin.add_argument("--port", type=int, default=0, help="HTTP port; 0, the default, takes a free one")
    begin.add_argument("--version", default=DEFAULT_VERSION, help=f"proven: {', '.join(PROVEN_VERSIONS)}")
    begin.add_argument("--with", dest="addons", nargs="+", default=[], metavar="ADDON", help=", ".join(ADDONS))
    begin.add_argument("--fast", action="store_true", help="start sooner, search slower: not for timings")
    end = commands.add_parser("stop", help="stop the node of a folder")
    end.add_argument("--data", type=Path, required=True)
    options = parser.parse_args(arguments)
    try:
        if options.command == "stop":
            print("stopped" if stop(options.data) else "no node was running there")
        else:
            given = {name: getattr(options, name) for name in ("port", "version", "addons", "fast")}
            print(start(options.data, **given).url, flush=True)
    except NodeError as error:
        print(f"opensearch_node: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
