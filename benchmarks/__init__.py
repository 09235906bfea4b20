"""What a request and a chunk cost through clawgate, next to nginx, Node and aiohttp, in one run."""
