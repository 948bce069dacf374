"""The error tree: every error says what was expected, what came, and the way out."""

from __future__ import annotations

from typing import Self


class SidetowerError(Exception):
    """Root of every error that Sidetower raises on purpose.

    Args:
        place: where it happened, as a person would name it (``"cars.jsonl line 17, field price"``).
        expected: what would have been right.
        got: what came instead.
        fix: the way out, as an instruction.
    """

    #: Stable word for scripts and API callers; documented in docs/reference/errors.md.
    code = "error"
    #: HTTP status of the service's answer for this error.
    status = 500
    #: Exit status of the command line for this error.
    exit_code = 1

    def __init__(self, place: str, *, expected: str, got: str, fix: str) -> None:
        super().__init__(place, expected, got, fix)
        self.place = place
        self.expected = expected
        self.got = got
        self.fix = fix

    def at(self, place: str) -> Self:
        """The same error with a wider place before its own."""
        return type(self)(f"{place}, {self.place}", expected=self.expected, got=self.got, fix=self.fix)

    def __reduce__(self) -> tuple[object, ...]:
        # Celery hands exceptions from its child processes to their parent by copying them.
        return _again, (type(self), self.place, self.expected, self.got, self.fix)

    def __str__(self) -> str:
        return f"{self.place}: expected {self.expected}, got {self.got}. {self.fix}"


def _again(kind: type[SidetowerError], place: str, expected: str, got: str, fix: str) -> SidetowerError:
    return kind(place, expected=expected, got=got, fix=fix)


class ConfigurationError(SidetowerError):
    """The configuration file or an environment variable is wrong."""

    code, status, exit_code = "configuration", 500, 2


class InvalidItem(SidetowerError):
    """One item of the host cannot be read as its kind describes it; its neighbours still can."""

    code, status, exit_code = "invalid_item", 422, 3


class InvalidQuery(SidetowerError):
    """A search, filter or request parameter is wrong."""

    code, status, exit_code = "invalid_query", 422, 2


class NotFound(SidetowerError):
    """An item, kind, generation or bundle that was named does not exist (for this tenant)."""

    code, status, exit_code = "not_found", 404, 4


class SourceError(SidetowerError):
    """A file or index to read items from cannot be opened or read at all."""

    code, status, exit_code = "source", 500, 2


class BundleRefused(SidetowerError):
    """A bundle is missing a part, is damaged, or mixes spaces."""

    code, status, exit_code = "bundle_refused", 503, 5


class SpaceMismatch(SidetowerError):
    """Two vectors of different spaces were about to be compared (promise 4)."""

    code, status, exit_code = "space_mismatch", 503, 5


class ReleaseConflict(SidetowerError):
    """Somebody else changed the release document first; read it again."""

    code, status, exit_code = "release_conflict", 409, 6


class StaleRelease(SidetowerError):
    """The release document could not be read anew within its lease, so writing is refused (the fence)."""

    code, status, exit_code = "stale_release", 503, 6


class Unavailable(SidetowerError):
    """A server that is needed does not answer in time."""

    code, status, exit_code = "unavailable", 503, 7


class AccessDenied(Unavailable):
    """A server refuses our credentials, or what they may do; the same call can succeed once that is put right."""

    code, status, exit_code = "access_denied", 503, 2


class Busy(Unavailable):
    """A server asks for less: too many requests, circuit breaker, disk flood stage. Wait, then repeat."""

    code, status, exit_code = "busy", 503, 7
