"""One relayed exchange: request to the upstream, response to the client, retries and failures."""
