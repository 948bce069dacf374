"""The configuration: which engine, which queue, and which fields of the host play which role."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from domain.catalogue import Kind
from domain.errors import ConfigurationError, InvalidItem, NotFound
from domain.items import ItemKey
from rerank_service.gateway.targets import DEFAULT_WINDOW, MAX_WINDOW, Target
from sidetower.toml_table import TomlTable, did_you_mean, shown

#: Name of the configuration file where none is given.
DEFAULT_FILE: Final = Path("sidetower.toml")
#: Environment variables that are read; each wins over the file.
ENVIRONMENT: Final = {
    "SIDETOWER_OPENSEARCH_URL": "address of the OpenSearch cluster, without user and password",
    "SIDETOWER_OPENSEARCH_USER": "user at OpenSearch",
    "SIDETOWER_OPENSEARCH_PASSWORD": "password at OpenSearch",
    "SIDETOWER_REDIS_URL": "address of Redis, with its password where it needs one",
    "SIDETOWER_METRICS_PORT": "port on 127.0.0.1 at which a worker tells its figures",
    "SIDETOWER_PAGE_SECRET": "signs page tokens of the service, the same for every process of it",
    "SIDETOWER_PATH": "folder of the embedded database and the bundles",
}

_INIT = "Write one with: sidetower init --file YOUR_DOCUMENTS."
_SECRETS = "Set SIDETOWER_OPENSEARCH_USER and SIDETOWER_OPENSEARCH_PASSWORD in the environment instead."
_OWN_SIGN_IN = "Remove them: every caller of the gateway signs in at the cluster with credentials of its own."
_ENGINE_KEYS = ("opensearch", "path", "prefix")
_KIND_KEYS = (
    "id",
    "text",
    "revision",
    "tenant",
    "category",
    "number",
    "signal",
    "filter",
    "audience",
    "removed",
    "source",
)
_SCHEMES = {
    "opensearch": (("http", "https"), "http://localhost:9200"),
    "redis": (("redis", "rediss", "unix"), "redis://localhost:6379/0"),
}
# OpenSearch index names are lower-case, and everything after the prefix is ours.
_PREFIX = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """Where items are kept."""

    #: Address of OpenSearch; "" = the embedded engine.
    opensearch: str = ""
    #: From the environment only; "" = no sign-in.
    user: str = ""
    password: str = field(default="", repr=False)
    #: Start of the name of every index of ours.
    prefix: str = "sidetower-"


@dataclass(frozen=True, slots=True)
class QueueSettings:
    """Where work waits."""

    #: Address of Redis, perhaps with a password; "" = in-process.
    redis: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class GatewaySettings:
    """The host's cluster behind the gateway."""

    #: Address of OpenSearch.
    opensearch: str
    #: The indexes that are ranked, by name or pattern.
    targets: Mapping[str, Target]


@dataclass(frozen=True, slots=True)
class Config:
    """What one installation of Sidetower is set to; read once for each process."""

    engine: EngineSettings
    queue: QueueSettings
    #: Folder of the embedded database and the bundles.
    path: Path
    #: By name.
    kinds: Mapping[str, Kind]
    #: The file it was read from.
    place: Path
    #: Index of the host in the configured OpenSearch that a kind's items are read from, by the name of the kind.
    sources: Mapping[str, str] = field(default_factory=dict)
    #: From the environment only, because each worker needs its own; 0 = none.
    metrics_port: int = 0
    #: None = no gateway.
    gateway: GatewaySettings | None = None

    def kind(self, name: str = "") -> Kind:
        """The kind of this name; without a name, the only one there is.

        Raises:
            NotFound: there is no such kind, or no name was given and there are several.
        """
        if not name and len(self.kinds) == 1:
            return next(iter(self.kinds.values()))
        if name not in self.kinds:
            known = ", ".join(self.kinds)
            fix = did_you_mean(name, self.kinds) or f"Name one of these, or add [kinds.{name or 'NAME'}] to the file."
            raise NotFound(str(self.place), expected=f"a kind: {known}", got=name or "no name", fix=fix)
        return self.kinds[name]


def load_config(path: Path, environ: Mapping[str, str]) -> Config:
    """The configuration in this file, overridden by the environment.

    A relative data folder in the file is meant from the file's own folder, in the environment from the current one.

    Raises:
        ConfigurationError: the first problem; it says how many more there are.
    """
    config, found = _read(path, environ)
    if config is None or found:
        first, more = found[0], len(found) - 1
        rest = f" ({more} more: run sidetower check --config {path}.)" if more else ""
        raise ConfigurationError(first.place, expected=first.expected, got=first.got, fix=first.fix + rest)
    return config


def problems(path: Path, environ: Mapping[str, str]) -> list[ConfigurationError]:
    """Everything that is wrong with the file and the environment, in the file's order; empty when all is well."""
    return _read(path, environ)[1]


def _read(path: Path, environ: Mapping[str, str]) -> tuple[Config | None, list[ConfigurationError]]:
    try:
        document = _parsed(path)
    except ConfigurationError as error:
        return None, [error]
    top = TomlTable(str(path), document)
    top.only(("engine", "queue", "kinds", "gateway"))
    engine = top.table("engine")
    engine.only(_ENGINE_KEYS, dict.fromkeys(("user", "password", "username"), _SECRETS))
    queue = top.table("queue")
    queue.only(("redis",))
    engine_settings = _engine(engine, environ)
    settings = Config(
        engine=engine_settings,
        queue=QueueSettings(_address(queue, "redis", "SIDETOWER_REDIS_URL", environ)),
        path=_folder(engine, path, environ),
        kinds=_kinds(top),
        place=path,
        sources=_sources(top, engine_settings),
        metrics_port=_metrics_port(top, environ),
    )
    return replace(settings, gateway=_gateway(top, engine_settings.opensearch, settings.kinds)), top.problems


def _parsed(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        fix = f"{_INIT} Or name another file with --config."
        raise ConfigurationError(str(path), expected="a configuration file", got="no such file", fix=fix) from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        got = f"byte 0x{error.object[error.start]:02x}"
        fix = "Save the file as UTF-8."
        raise ConfigurationError(f"{path} line {line}", expected="text in UTF-8", got=got, fix=fix) from None
    except OSError as error:
        got = error.strerror or str(error)
        raise ConfigurationError(str(path), expected="a file that can be read", got=got, fix=_INIT) from None
    except tomllib.TOMLDecodeError as error:
        reason, _, position = str(error).partition(" (at line ")
        where = f" line {position.split(',')[0]}" if position[:1].isdigit() else ", at the end"
        raise ConfigurationError(
            f"{path}{where}",
            expected="valid TOML",
            got=reason[:1].lower() + reason[1:],
            fix="Text stands in quotation marks, lists in [ ], inline tables in { } on one line; each key stands once.",
        ) from None


def _engine(table: TomlTable, environ: Mapping[str, str]) -> EngineSettings:
    user, password = environ.get("SIDETOWER_OPENSEARCH_USER", ""), environ.get("SIDETOWER_OPENSEARCH_PASSWORD", "")
    if bool(user) != bool(password):
        given, missing = ("USER", "PASSWORD") if user else ("PASSWORD", "USER")
        outside = TomlTable("environment", {}, table.problems)
        got = f"only SIDETOWER_OPENSEARCH_{given}"
        outside.tell("", "both a user and a password, or neither", got, f"Set SIDETOWER_OPENSEARCH_{missing} too.")
    prefix = table.text("prefix", 'Write prefix = "sidetower-", or remove the line.', "sidetower-")
    if not _PREFIX.fullmatch(prefix):
        expected = "at most 64 of a-z, 0-9, _ and -, a letter or digit first"
        table.tell("prefix", expected, shown(prefix), 'Write prefix = "sidetower-", or remove the line.')
    return EngineSettings(_address(table, "opensearch", "SIDETOWER_OPENSEARCH_URL", environ), user, password, prefix)


def _folder(table: TomlTable, place: Path, environ: Mapping[str, str]) -> Path:
    told = table.text("path", 'Write path = ".sidetower", or remove the line.', ".sidetower")
    override = environ.get("SIDETOWER_PATH", "")
    folder = Path(override) if override else place.parent / told
    if folder.exists() and not folder.is_dir():
        source = TomlTable("environment", {}, table.problems) if override else table
        key = "SIDETOWER_PATH" if override else "path"
        source.tell(key, "a folder, or a name for a new one", f"a file: {folder}", "Name another folder.")
    return folder


def address_fault(address: str, key: str, *, secrets: bool = False) -> tuple[str, str, str] | None:
    """What is wrong with an address: what was expected, what came and the way out; None when nothing is.

    Args:
        address: of a server.
        key: ``opensearch`` or ``redis``.
        secrets: whether a user and a password may stand in it.
    """
    schemes, example = _SCHEMES[key]
    if "@" in address and not secrets:
        fix = _SECRETS if key == "opensearch" else "Set the whole address as SIDETOWER_REDIS_URL in the environment."
        return "an address without user and password", without_secrets(address), fix
    got = repr(without_secrets(address))
    try:
        parts = urlsplit(address)
        _ = parts.port
    except ValueError as error:
        reason = "" if "@" in address else f": {error}"  # the reason may quote a piece of the password
        return f"an address like {example}", f"{got}{reason}", "Correct it."
    if parts.scheme not in schemes or not (parts.hostname or parts.scheme == "unix"):
        starts = " or ".join(f"{scheme}://" for scheme in schemes)
        return f"an address that starts with {starts}", got, f"Write it as {example}."
    if key == "opensearch" and (parts.query or parts.fragment):
        return "an address without ? and #", got, f"Write it as {example}."
    return None


def without_secrets(address: str) -> str:
    """The address with its user and password replaced by ``***``."""
    return re.sub(r"//.*@", "//***@", address)


def _address(table: TomlTable, key: str, variable: str, environ: Mapping[str, str]) -> str:
    address = environ.get(variable, "").strip()
    source, name = (TomlTable("environment", {}, table.problems), variable) if address else (table, key)
    address = address or table.text(key, f'Write {key} = "{_SCHEMES[key][1]}", or remove the line.')
    secrets = source is not table and key == "redis"
    if address and (fault := address_fault(address, key, secrets=secrets)):
        source.tell(name, *fault)
    return address.rstrip("/") if key == "opensearch" else address


def _metrics_port(top: TomlTable, environ: Mapping[str, str]) -> int:
    told = environ.get("SIDETOWER_METRICS_PORT", "").strip()
    if not told or (told.isascii() and told.isdecimal() and 0 < int(told) < 65_536):
        return int(told or 0)
    outside = TomlTable("environment", {}, top.problems)
    outside.tell("SIDETOWER_METRICS_PORT", "a port from 1 to 65535", repr(told), "Set it to 9464, or leave it out.")
    return 0


def _kinds(top: TomlTable) -> dict[str, Kind]:
    tables = top.table("kinds")
    if not tables.values:
        near = next((key for key in top.values if key in ("kind", "kinds")), "")
        fix = "Did you mean [kinds.NAME]?" if near == "kind" else f"Add [kinds.NAME] with id and text. {_INIT}"
        top.tell("", "at least one kind", "none", fix)
    kinds = {}
    for name, values in tables.values.items():
        table = TomlTable(f"{top.place}, [kinds.{name}]", values if isinstance(values, dict) else {}, top.problems)
        if not isinstance(values, dict):
            fix = "Write [kinds.listing] on a line of its own and its keys below."
            tables.tell("", "a table for each kind", f"{name} = {shown(values)}", fix)
            continue
        if fault := kind_name_fault(name):
            table.tell("", *fault)
        kinds[name] = _kind(table, name)
    return kinds


def _sources(top: TomlTable, engine: EngineSettings) -> dict[str, str]:
    """The kinds' `source`; a table that is none is told by `_kinds`."""
    tables = top.values.get("kinds")
    sources = {}
    for name, values in tables.items() if isinstance(tables, dict) else ():
        table = TomlTable(f"{top.place}, [kinds.{name}]", values if isinstance(values, dict) else {}, top.problems)
        index = table.text("source", 'Write source = "cars", or remove the line.')
        if index and not engine.opensearch:
            fix = 'Write opensearch = "http://localhost:9200" under [engine], or remove source.'
            table.tell("source", "an OpenSearch to read it from", "the embedded engine", fix)
        elif index:
            sources[name] = index
    return sources


def _gateway(top: TomlTable, default: str, kinds: Mapping[str, Kind]) -> GatewaySettings | None:
    if "gateway" not in top.values:
        return None
    table = top.table("gateway")
    table.only(("opensearch", "indexes"), dict.fromkeys(("user", "password"), _OWN_SIGN_IN))
    address = table.text("opensearch", 'Write opensearch = "http://localhost:9200".', default).rstrip("/")
    if not address:
        fix = 'Write opensearch = "http://localhost:9200".'
        table.tell("opensearch", "the address of your OpenSearch", "nothing", fix)
    elif fault := address_fault(address, "opensearch"):
        expected, got, fix = fault
        table.tell("opensearch", expected, got, _OWN_SIGN_IN if "@" in address else fix)
    indexes = table.table("indexes")
    if not indexes.values:
        fix = "Add [gateway.indexes.NAME] with the name of an index, alias or pattern that is searched."
        table.tell("indexes", "at least one index", "none", fix)
    targets = {}
    for name, values in indexes.values.items():
        place = f"{top.place}, [gateway.indexes.{name}]"
        one = TomlTable(place, values if isinstance(values, dict) else {}, top.problems)
        if not isinstance(values, dict):
            one.tell("", "a table", shown(values), f"Write [gateway.indexes.{name}] on a line of its own.")
            continue
        targets[name] = _target(one, kinds)
    return GatewaySettings(address, targets)


def _target(table: TomlTable, kinds: Mapping[str, Kind]) -> Target:
    table.only(("kind", "tenant", "id_field", "window"))
    kind = table.text("kind", 'Write kind = "listing".', next(iter(kinds)) if len(kinds) == 1 else "")
    if kind not in kinds:
        fix = did_you_mean(kind, kinds) or "Name one of these."
        table.tell("kind", f"one of: {', '.join(kinds)}", kind or "nothing", fix)
    tenant = table.text("tenant", 'Write tenant = "mysite", or remove the line.')
    try:
        ItemKey(tenant or "any", "any", "any")
    except InvalidItem as error:
        table.tell("tenant", error.expected, error.got, "Write the tenant that `sidetower index` was told.")
    id_field = table.text("id_field", 'Write id_field = "listing_id", or remove the line.')
    window = table.values.get("window", DEFAULT_WINDOW)
    if isinstance(window, bool) or not isinstance(window, int) or not 1 <= window <= MAX_WINDOW:
        fix = f"Write window = {DEFAULT_WINDOW}, or remove the line."
        table.tell("window", f"a whole number from 1 to {MAX_WINDOW}", shown(window), fix)
        window = DEFAULT_WINDOW
    return Target(kind, tenant, id_field, window)


def kind_name_fault(name: str) -> tuple[str, str, str] | None:
    """What is wrong with a kind's name: what was expected, what came and the way out; None when nothing is."""
    try:
        ItemKey("any", name, "any")
    except InvalidItem as error:
        plain = re.sub(r"[^a-z0-9_]+", "_", name.lower()).strip("_0123456789")[:32]
        return error.expected, error.got, f"Rename the kind, for example {plain or 'listing'}."
    return None


def _kind(table: TomlTable, name: str) -> Kind:
    table.only(_KIND_KEYS)
    if "id" not in table.values:
        table.tell("id", "the field that holds the id", "nothing", f'Write id = "{name}_id".')
    return Kind(
        name=name,
        id=table.field("id", f'Write id = "{name}_id".'),
        text=table.weights("text"),
        revision=table.field("revision", 'Write revision = "updated_at", or remove the line.'),
        tenant=table.field("tenant", 'Write tenant = "shop", or remove the line.'),
        category=table.fields("category"),
        number=table.fields("number"),
        signal=table.fields("signal"),
        filter=table.filters("filter"),
        audience=table.field("audience", 'Write audience = "visible_to", or remove the line.'),
        removed=table.field("removed", 'Write removed = "deleted", or remove the line.'),
    )
