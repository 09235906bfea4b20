"""The bridge inside the gateway, as a provider: for a remote proxy that wants ``X-Proxy-Token`` instead of Bearer."""
