"""``sidetower pipelines``: the rerank service as a search pipeline of OpenSearch."""

from __future__ import annotations

import os
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from domain.errors import ConfigurationError
from sidetower.cli import output
from sidetower.cli.search import KindOption, asking_tenant
from sidetower.config import DEFAULT_FILE, Config, load_config

if TYPE_CHECKING:
    from plugin.opensearch.pipeline_installer import PipelineInstaller
    from plugin.opensearch.pipelines import Recipe


class Action(StrEnum):
    """What to do with the pipelines."""

    PRINT = "print"
    INSTALL = "install"
    REMOVE = "remove"


def pipelines(
    action: Annotated[Action, typer.Argument(help="Print the requests, send them, or take everything out again.")],
    config: output.ConfigPath = DEFAULT_FILE,
    kind: KindOption = "",
    tenant: output.TenantOption = "",
    url: Annotated[
        str, typer.Option(help="Address of the service, as the cluster reaches it.")
    ] = "http://127.0.0.1:8080",
    name: Annotated[str, typer.Option(help="Start of the pipelines' names. [default: PREFIX-KIND-TENANT]")] = "",
    factor: Annotated[
        int, typer.Option(min=1, max=100, help="Hits that are ranked for each hit that a search asks for.")
    ] = 5,
    as_json: output.JsonFlag = False,
) -> None:
    """Let OpenSearch ask the service by itself, for searches that name the pipeline.

    NAME-texts ranks by the query, NAME-person for the person that a search names.
    """
    from plugin.opensearch.pipelines import Recipe

    settings = load_config(config, os.environ)
    chosen = settings.kind(kind)
    asking_tenant(tenant)
    name = name or "-".join((settings.engine.prefix.rstrip("-_"), chosen.name, tenant))
    recipe = Recipe(name=name, url=url, tenant=tenant, kind=chosen, factor=factor)
    {Action.PRINT: _print, Action.INSTALL: _install, Action.REMOVE: _remove}[action](settings, recipe, as_json)


def _print(_settings: Config, recipe: Recipe, as_json: bool) -> None:
    from plugin.opensearch.pipelines import cluster_settings, pipelines

    requests = [cluster_settings(recipe.url)]
    requests += [request for pipeline in pipelines(recipe) for request in pipeline.requests()]
    if as_json:
        output.print_json([{"method": method, "path": path, "body": body} for method, path, body in requests])
        return
    output.say(
        "# The first request is an operator's: list the addresses that the cluster trusts already beside this one."
    )
    output.say("# In the others, CONNECTOR_ID and MODEL_ID are what the request before has answered.")
    for method, path, body in requests:
        output.say(f"{method} {path}")
        output.print_json(body)
        output.say("")


def _install(settings: Config, recipe: Recipe, as_json: bool) -> None:
    from plugin.opensearch.pipelines import pipelines

    installer = _installer(settings)
    made = pipelines(recipe)
    for pipeline in made:
        installer.install(pipeline)
    if as_json:
        output.print_json({"installed": [pipeline.name for pipeline in made]})
        return
    for pipeline in made:
        output.say(f"Installed: {pipeline.name}")
    if recipe.kind.id == "_id":
        output.warn(
            "Only the query is ranked by: pipelines do not see _id, and this kind names no field that holds it."
        )
    output.say(f"Use one with: POST /YOUR_INDEX/_search?search_pipeline={made[-1].name}")


def _remove(settings: Config, recipe: Recipe, as_json: bool) -> None:
    from plugin.opensearch.pipelines import names

    installer = _installer(settings)
    removed = [name for name in names(recipe.name) if installer.remove(name)]
    if as_json:
        output.print_json({"removed": removed})
    for name in removed if not as_json else []:
        output.say(f"Removed: {name}")
    if not removed and not as_json:
        output.say(f"Nothing is installed under the name {recipe.name}.")


def _installer(settings: Config) -> PipelineInstaller:
    from plugin.opensearch.pipeline_installer import PipelineInstaller
    from sidetower.parts import Parts

    if not settings.engine.opensearch:
        fix = (
            'Write opensearch = "http://localhost:9200", or send the requests of `sidetower pipelines print` yourself.'
        )
        place = f"{settings.place}, [engine]"
        raise ConfigurationError(place, expected="opensearch, the cluster to install in", got="nothing", fix=fix)
    return PipelineInstaller(Parts(settings).client)
