"""The installer: puts search pipelines into a cluster, with what they stand on, and takes them out again."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, Final

from domain.errors import ConfigurationError, InvalidQuery, NotFound, SidetowerError, Unavailable
from plugin.opensearch.client import OpenSearch, told
from plugin.opensearch.pipelines import DESCRIPTION, SearchPipeline

#: Seconds that the deployment of a model may take; the very first one makes ML Commons' own indexes.
DEPLOY_SECONDS: Final = 60.0

#: A cluster's first call to a service may take longer than the connector waits.
TRIALS: Final = 3

#: What stands in the cluster's refusals, and the way out.
_REFUSALS: Final[Mapping[str, tuple[type[SidetowerError], str, str]]] = {
    "trusted connector endpoint": (
        ConfigurationError,
        "a cluster that trusts the service's address",
        "Let an operator of the cluster send the first request of `sidetower pipelines print`.",
    ),
    "private ip": (
        ConfigurationError,
        "a cluster that may call private addresses",
        "Let an operator of the cluster send the first request of `sidetower pipelines print`.",
    ),
    "no handler found": (
        ConfigurationError,
        "a cluster with the plugin ml-commons",
        "Install the plugins ml-commons and neural-search.",
    ),
    "invalid processor type": (
        ConfigurationError,
        "a cluster with the plugins ml-commons and neural-search",
        "Install them on every node.",
    ),
    "error communicating with remote model": (
        Unavailable,
        "a service that the cluster reaches",
        "Start `sidetower serve`, and name the address under which the cluster reaches it with --url.",
    ),
}


class PipelineInstaller:
    """Installs and removes search pipelines.

    Args:
        client: from `plugin.opensearch.client.connect`.
    """

    def __init__(self, client: OpenSearch) -> None:
        self._client = client

    def install(self, pipeline: SearchPipeline) -> None:
        """Make the pipeline answer, in place of one of this name; searches that use it meanwhile find one or the other.

        Raises:
            ConfigurationError: the cluster misses a plugin, or may not call the service.
            InvalidQuery: a pipeline of this name is somebody else's.
            Unavailable: the cluster does not reach the service.
        """
        with _explained(f"install {pipeline.name}"):
            before = self._found(pipeline.name)
            answer = self._ask("POST", "/_plugins/_ml/connectors/_create", pipeline.connector)
            connector_id = str(answer["connector_id"])
            model_id = ""
            try:
                answer = self._ask("POST", "/_plugins/_ml/models/_register?deploy=true", pipeline.model(connector_id))
                model_id = str(answer["model_id"])
                self._wait_for(model_id)
                self._try_out(model_id, pipeline)
                self._ask("PUT", f"/_search/pipeline/{pipeline.name}", pipeline.body_for(model_id))
            except BaseException:
                with suppress(SidetowerError), told(f"clean up {pipeline.name}"):
                    self._drop(model_id, connector_id)
                raise
            for old in _model_ids(before):
                self._drop_model(pipeline.name, old)

    def remove(self, name: str) -> bool:
        """Take the pipeline and all that it stands on out of the cluster; False when there is none of this name.

        Raises:
            InvalidQuery: a pipeline of this name is somebody else's.
        """
        with _explained(f"remove {name}"):
            found = self._found(name)
            if found is None:
                return False
            self._ask("DELETE", f"/_search/pipeline/{name}")
            for model_id in _model_ids(found):
                self._drop_model(name, model_id)
            return True

    def _found(self, name: str) -> Mapping[str, Any] | None:
        try:
            with told(f"look up {name}"):
                found: dict[str, Any] = self._ask("GET", f"/_search/pipeline/{name}")
        except NotFound:
            return None
        body: Mapping[str, Any] = found.get(name, {})
        if body.get("description") != DESCRIPTION:
            raise InvalidQuery(
                f"search pipeline {name}",
                expected="one that was installed by this command, or none",
                got="somebody else's",
                fix="Choose another name with --name.",
            )
        return body

    def _wait_for(self, model_id: str) -> None:
        deadline = time.monotonic() + DEPLOY_SECONDS
        while (state := self._ask("GET", f"/_plugins/_ml/models/{model_id}").get("model_state")) != "DEPLOYED":
            if time.monotonic() > deadline:
                fix = "Look at the cluster's log, then repeat."
                raise Unavailable(f"model {model_id}", expected="a deployed model", got=str(state), fix=fix)
            time.sleep(0.1)

    def _try_out(self, model_id: str, pipeline: SearchPipeline) -> None:
        for left in reversed(range(TRIALS)):
            try:
                with told(f"try out {pipeline.name}"):
                    self._ask("POST", f"/_plugins/_ml/models/{model_id}/_predict", {"parameters": dict(pipeline.probe)})
            except Unavailable:
                if not left:
                    raise
            else:
                return

    def _drop_model(self, name: str, model_id: str) -> None:
        """Drop a model of ours with its connector; one that is gone already, or has another name, is left alone."""
        with suppress(NotFound), told(f"remove model {model_id}"):
            model = self._ask("GET", f"/_plugins/_ml/models/{model_id}")
            if model.get("name") == name:
                self._drop(model_id, str(model.get("connector_id", "")))
                with suppress(SidetowerError), told(f"remove the group of model {model_id}"):
                    # Made with the first model of a name; it stays when there are others in it.
                    self._ask("DELETE", f"/_plugins/_ml/model_groups/{model['model_group_id']}")

    def _drop(self, model_id: str, connector_id: str) -> None:
        if model_id:
            self._ask("POST", f"/_plugins/_ml/models/{model_id}/_undeploy", {})
            self._ask("DELETE", f"/_plugins/_ml/models/{model_id}")
        if connector_id:
            self._ask("DELETE", f"/_plugins/_ml/connectors/{connector_id}")

    def _ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        answer: dict[str, Any] = self._client.transport.perform_request(method, path, body=body)
        return answer


def _model_ids(body: Any) -> Iterator[str]:
    """The models that a pipeline's processors name."""
    if isinstance(body, Mapping):
        for name, value in body.items():
            if name == "model_id":
                yield str(value)
            else:
                yield from _model_ids(value)
    elif isinstance(body, list):
        for one in body:
            yield from _model_ids(one)


@contextmanager
def _explained(place: str) -> Iterator[None]:
    """Inside, errors of the cluster are ours, with a way out where one is known."""
    try:
        with told(place):
            yield
    except SidetowerError as error:
        for reason, (kind, expected, fix) in _REFUSALS.items():
            if reason in error.got.lower():
                raise kind(error.place, expected=expected, got=error.got, fix=fix) from error
        raise
