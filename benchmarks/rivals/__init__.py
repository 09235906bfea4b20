"""What the two roles are compared with: the same job, written the usual way in nginx, Node and aiohttp."""
