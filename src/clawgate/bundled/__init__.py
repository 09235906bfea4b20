"""The plugins that come with clawgate. Each stands beside its manifest and knows `clawgate.plugins.api` alone."""
