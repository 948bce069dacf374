"""A home for OpenSearch with the k-NN plugin, built once from Maven artifacts and shared by every node.

The published integration-test zip gives the server, plugin zips give k-NN and, on request, neural-search and
ml-commons. Only the k-NN engine ``lucene`` works in it: there is no native library, and a mapping that falls back to
faiss ends the node.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

DEFAULT_VERSION = "3.6.0"
#: Versions for which every artifact is on Maven and the suite has passed.
PROVEN_VERSIONS = ("3.6.0", "2.19.6")

_COPY_DEPENDENCIES = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies"
#: 70 MB of databases that no test needs.
_UNUSED_MODULE = "ingest-geoip"


class NodeError(RuntimeError):
    """A node cannot be built, started or reached; the message is for a person."""


@dataclass(frozen=True)
class Addon:
    """A plugin zip published on Maven, and the add-ons it cannot start without."""

    artifact: str
    requires: tuple[str, ...] = ()
    heap_mb: int = 512


ADDONS = {
    "knn": Addon("opensearch-knn"),
    "neural-search": Addon("neural-search", ("knn",)),
    "job-scheduler": Addon("opensearch-job-scheduler"),
    "ml-commons": Addon("opensearch-ml-plugin", ("job-scheduler",), heap_mb=1024),
}


@dataclass(frozen=True)
class Module:
    """A server module that 2.x leaves out of its integration-test zip; 3.x ships all of them."""

    artifacts: tuple[str, ...]
    plugin_class: str
    extends: str = ""
    #: What its plugin-security.policy grants.
    permission: str = ""


_PLUGIN = "org.opensearch.plugin:"
_MODULES_2X = {
    "lang-painless": Module(
        (f"{_PLUGIN}lang-painless",),
        "org.opensearch.painless.PainlessPlugin",
        permission=(
            'permission java.lang.RuntimePermission "createClassLoader";\n'
            '  permission java.lang.RuntimePermission "getClassLoader";'
        ),
    ),
    "analysis-common": Module(
        (f"{_PLUGIN}analysis-common",), "org.opensearch.analysis.common.CommonAnalysisPlugin", extends="lang-painless"
    ),
    "mapper-extras": Module((f"{_PLUGIN}mapper-extras-client",), "org.opensearch.index.mapper.MapperExtrasPlugin"),
    "search-pipeline-common": Module(
        (f"{_PLUGIN}search-pipeline-common",),
        "org.opensearch.search.pipeline.common.SearchPipelineCommonModulePlugin",
        extends="lang-painless",
    ),
    "ingest-common": Module(
        (f"{_PLUGIN}ingest-common", "org.opensearch:opensearch-grok", "org.opensearch:opensearch-dissect"),
        "org.opensearch.ingest.common.IngestCommonPlugin",
        extends="lang-painless",
    ),
    "reindex": Module(
        (
            f"{_PLUGIN}reindex-client",
            "org.opensearch.client:opensearch-rest-client",
            "org.opensearch:opensearch-ssl-config",
        ),
        "org.opensearch.index.reindex.ReindexPlugin",
        permission='permission java.net.SocketPermission "*", "connect";',
    ),
}


def with_requirements(addons: Iterable[str]) -> list[str]:
    """The add-ons asked for, k-NN, and everything they need, each once and in start order."""
    chosen: list[str] = []

    def add(name: str) -> None:
        if name not in ADDONS:
            raise NodeError(f"unknown add-on {name!r}; known: {', '.join(ADDONS)}")
        for needed in ADDONS[name].requires:
            add(needed)
        if name not in chosen:
            chosen.append(name)

    for name in ("knn", *addons):
        add(name)
    return chosen


def java_candidates() -> Iterator[Path]:
    """JDK homes worth a look, the explicitly named ones first."""
    for name in ("OPENSEARCH_JAVA_HOME", "JAVA_HOME"):
        if os.environ.get(name):
            yield Path(os.environ[name])
    yield from sorted(Path("/usr/lib/jvm").glob("*"), reverse=True)
    on_path = shutil.which("java")
    if on_path:
        yield Path(on_path).resolve().parent.parent


def find_java(version: str) -> Path:
    """A JDK that can run this OpenSearch: 11 to 23 for 2.x (it needs a security manager), 21 or newer for 3.x.

    Raises:
        NodeError: none is installed; names those that were found.
    """
    low, high = (11, 23) if version.startswith("2.") else (21, 99)
    seen: list[str] = []
    for java_home in java_candidates():
        major = _major(java_home)
        if major is None:
            continue
        if low <= major <= high:
            return java_home
        seen.append(f"{major} at {java_home}")
    wanted = f"{low} to {high}" if high < 99 else f"{low} or newer"
    raise NodeError(
        f"OpenSearch {version} needs a JDK {wanted}; found {'; '.join(seen) or 'none'}. Set OPENSEARCH_JAVA_HOME."
    )


def assemble(version: str = DEFAULT_VERSION, addons: Iterable[str] = ()) -> Path:
    """The home of one version with its add-ons, built on the first call.

    Raises:
        NodeError: Maven is missing, or cannot fetch an artifact.
    """
    chosen = with_requirements(addons)
    home = _home(version, chosen)
    if home.exists():
        return home
    home.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="assemble-", dir=home.parent) as folder:
        work = Path(folder) / "build"
        _download(work, version, chosen)
        zips = work / "zips" / "jars"
        _unpack(zips / f"opensearch-{version}.zip", Path(folder))
        fresh = Path(folder) / f"opensearch-{version}"
        shutil.rmtree(fresh / "modules" / _UNUSED_MODULE, ignore_errors=True)
        if version.startswith("2."):
            for name, module in _MODULES_2X.items():
                _add_module(fresh, name, module, work / name / "jars", version)
        (fresh / "plugins").mkdir(exist_ok=True)
        for name in chosen:
            _add_plugin(fresh, zips / f"{ADDONS[name].artifact}-{version}.0.zip")
        _open_modes(fresh)
        with contextlib.suppress(OSError):  # another process was first: its home is as good
            fresh.rename(home)
    if not home.exists():
        raise NodeError(f"could not move the assembled home to {home}")
    return home


def _home(version: str, addons: Sequence[str]) -> Path:
    cache = Path(os.environ.get("OPENSEARCH_NODE_CACHE", "~/.cache/opensearch-node")).expanduser()
    extras = sorted(set(addons) - {"knn", "job-scheduler"})
    return cache / "-".join(["opensearch", version, *extras])


def _major(java_home: Path) -> int | None:
    release = java_home / "release"
    if not (java_home / "bin" / "java").exists() or not release.exists():
        return None
    found = re.search(r'JAVA_VERSION="(?:1\.)?(\d+)', release.read_text(errors="replace"))
    return int(found.group(1)) if found else None


def _coordinate(artifact: str, version: str, kind: str = "jar") -> str:
    group, name = artifact.split(":")
    # A zip stands alone: what it depends on is inside.
    alone = "<exclusions><exclusion><groupId>*</groupId><artifactId>*</artifactId></exclusion></exclusions>"
    return (
        f"<dependency><groupId>{group}</groupId><artifactId>{name}</artifactId><version>{version}</version>"
        f"<type>{kind}</type>{alone if kind == 'zip' else ''}</dependency>"
    )


def _write_pom(folder: Path, dependencies: Sequence[str] = (), modules: Sequence[str] = ()) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    listed = "".join(f"<module>{name}</module>" for name in modules)
    (folder / "pom.xml").write_text(
        "<project><modelVersion>4.0.0</modelVersion>"
        f"<groupId>local</groupId><artifactId>{folder.name}</artifactId><version>1</version>"
        f"<packaging>pom</packaging><modules>{listed}</modules>"
        f"<dependencies>{''.join(dependencies)}</dependencies></project>"
    )


def _download(work: Path, version: str, addons: Sequence[str]) -> None:
    """Fetch every artifact in one Maven run, into ``work/<project>/jars``."""
    zips = [_coordinate("org.opensearch.distribution.integ-test-zip:opensearch", version, "zip")]
    zips += [_coordinate(f"{_PLUGIN}{ADDONS[name].artifact}", f"{version}.0", "zip") for name in addons]
    _write_pom(work / "zips", zips)
    modules = _MODULES_2X if version.startswith("2.") else {}
    for name, module in modules.items():
        _write_pom(work / name, [_coordinate(artifact, version) for artifact in module.artifacts])
    _write_pom(work, modules=["zips", *modules])
    maven = shutil.which("mvn")
    if maven is None:
        raise NodeError("Maven (mvn) is not on the PATH; it is needed to fetch the artifacts")
    command = [maven, "-q", "-B", "-f", str(work / "pom.xml"), _COPY_DEPENDENCIES, "-DincludeScope=runtime"]
    command += ["-DoutputDirectory=${project.basedir}/jars"]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        why = [line for line in done.stdout.splitlines() if "ERROR" in line][:3] or [done.stdout[-600:]]
        raise NodeError(
            f"Maven could not fetch OpenSearch {version} with {', '.join(addons)}. Not every release has every "
            f"plugin on Maven; proven: {', '.join(PROVEN_VERSIONS)}.\n" + "\n".join(why)
        )


def _unpack(archive: Path, target: Path) -> None:
    with zipfile.ZipFile(archive) as opened:
        opened.extractall(target)


def _add_module(home: Path, name: str, module: Module, jars: Path, version: str) -> None:
    """Rebuild one 2.x module: its jars less those the server has, a descriptor, a policy."""
    target = home / "modules" / name
    target.mkdir()
    in_server = {jar.name for jar in (home / "lib").glob("*.jar")}
    for jar in jars.glob("*.jar"):
        if jar.name not in in_server:
            shutil.copy(jar, target)
    described = {
        "name": name,
        "description": f"module {name}",
        "version": version,
        "opensearch.version": version,
        "java.version": "11",
        "classname": module.plugin_class,
        "extended.plugins": module.extends,
    }
    lines = "".join(f"{key}={value}\n" for key, value in described.items())
    (target / "plugin-descriptor.properties").write_text(lines)
    if module.permission:
        (target / "plugin-security.policy").write_text(f"grant {{\n  {module.permission}\n}};\n")


def _add_plugin(home: Path, archive: Path) -> None:
    """Install a plugin zip under the name its own descriptor gives."""
    staging = home / "plugins" / archive.stem
    _unpack(archive, staging)
    name = re.search(r"^name=(\S+)", (staging / "plugin-descriptor.properties").read_text(), re.M)
    if name is None:
        raise NodeError(f"{archive.name} has no plugin name in its descriptor")
    staging.rename(home / "plugins" / name.group(1))


def _open_modes(home: Path) -> None:
    """Let any user read the home and run its scripts: as root the node drops to an ordinary one."""
    for path in [home, *home.rglob("*")]:
        path.chmod(0o755 if path.is_dir() or path.parent.name == "bin" else 0o644)
