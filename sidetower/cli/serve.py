"""``sidetower serve``: the rerank service."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from sidetower.cli import output
from sidetower.config import DEFAULT_FILE, load_config


def serve(
    config: output.ConfigPath = DEFAULT_FILE,
    host: Annotated[
        str, typer.Option(help="Address to listen on. The service has no sign-in of its own.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on.")] = 8080,
) -> None:
    """Serve search, similar items and item changes over HTTP.

    Without Redis in the configuration it also embeds changed items, in a thread of its own.
    """
    import uvicorn

    from sidetower.parts import Parts
    from sidetower.service import create

    application = create(Parts(load_config(config, os.environ)))
    uvicorn.run(application, host=host, port=port, log_level="info", access_log=False, timeout_graceful_shutdown=10)
