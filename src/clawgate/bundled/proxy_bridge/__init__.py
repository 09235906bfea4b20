"""The bridge inside the gateway as a provider: a remote proxy that wants ``X-Proxy-Token`` where clients send Bearer."""
