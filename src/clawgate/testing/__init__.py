"""Shipped fakes: what a test, or a person trying clawgate out, can put in front of and behind a gateway.

`upstream` and `faults` are a scripted raw HTTP/1.1 server, `raw_client` its counterpart, `http1` the strict
message reader that both report anomalies with; `model` is a deterministic OpenAI-compatible server and
`demo` joins it with the real command line. Nothing in the product imports this package.
"""
