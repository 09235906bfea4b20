"""OpenClaw's gateway protocol on the WebSockets of the gateway's port."""
