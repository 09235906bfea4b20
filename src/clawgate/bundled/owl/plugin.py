"""Defines the plugin ``owl``: a provider alone."""

from __future__ import annotations

from clawgate.bundled.owl.config import ID, OwlSettings
from clawgate.bundled.owl.provider import OwlProvider
from clawgate.plugins.api import Registrar


class OwlPlugin:
    """The plugin ``owl``."""

    id = ID
    name = "Owl"
    version = "1.0.0"
    description = "Serves the models of your own inference server: Bearer, Basic, a header or no credential."
    config_class = OwlSettings

    def register(self, registrar: Registrar) -> None:
        registrar.add_provider(OwlProvider())


plugin = OwlPlugin()
