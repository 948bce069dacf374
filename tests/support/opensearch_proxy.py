"""A proxy before a real OpenSearch that refuses large bodies or answers late, as those in production do."""

from __future__ import annotations

import contextlib
import http.client
import time
import urllib.parse
from collections.abc import Iterator

from tests.support.loopback import QuietHandler, serving

_PASSED_ON = ("Content-Type", "Authorization")


@contextlib.contextmanager
def running_proxy(url: str, *, max_body: int = 100_000_000, delay: float = 0.0) -> Iterator[str]:
    """Address of a proxy on loopback for the length of a ``with`` block.

    Args:
        url: the OpenSearch behind it.
        max_body: bytes of a request; a larger one is answered with 413 and not passed on.
        delay: seconds between OpenSearch's answer and ours.
    """
    behind = urllib.parse.urlsplit(url).netloc

    class Proxy(QuietHandler):
        def _pass_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if len(body) > max_body:
                self._answer(413, "text/plain", b"")
                return
            headers = {name: self.headers[name] for name in _PASSED_ON if name in self.headers}
            connection = http.client.HTTPConnection(behind, timeout=60)
            with contextlib.closing(connection):
                connection.request(self.command, self.path, body, headers)
                answer = connection.getresponse()
                content = answer.read()
            time.sleep(delay)
            self._answer(answer.status, answer.headers.get("Content-Type", "text/plain"), content)

        def _answer(self, status: int, kind: str, content: bytes) -> None:
            with contextlib.suppress(ConnectionError):  # the caller did not wait
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

        do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = _pass_on  # noqa: N815 (the names of http.server)

    with serving(Proxy) as address:
        yield address
