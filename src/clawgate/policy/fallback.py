"""Decides whether the next model of a chain is tried after a failure: only where another provider could do better.

The chain is the operator's; this decides by the failure alone. Law: must be called before the first byte of a response
has been sent to the client, and never after it.

=========================================  ====  ==================================================================
failure                                    next  because
=========================================  ====  ==================================================================
401, 402, 403                              yes   our credential or account there is at fault, not the request
404, 410                                   yes   that provider does not have the model (any more)
408, 409, 425                              yes   passing states of that server; both vendors' own clients try again
429                                        yes   the limit is that account's
every 5xx, 529 among them                  yes   that provider's own trouble
every other 4xx (400, 405, 413, 415, 422)  no    the request is at fault and would fail elsewhere, or worse, half work
1xx, 2xx, 3xx                              no    no failure; redirects arrive here as `UpstreamRedirected`
not configured, not available              yes   nothing was sent
its connections are all in use, or too     yes   nothing was sent; the limit is that provider's
many were opened within a minute
address not allowed                        yes   a rule about that provider's address, nothing was sent
unreachable, closed, malformed, redirect   yes   that provider's own trouble
timed out: connect, first_byte, idle       yes   that provider's own trouble
timed out: total                           no    the time that this request may take is used up
this process is stopping, overloaded       no    the next attempt would be made by the same process
the client disconnected                    no    there is no client to respond to
the request is at fault                    no    it would fail elsewhere, too
=========================================  ====  ==================================================================
"""

from __future__ import annotations

from clawgate import errors

_STATUSES = frozenset({401, 402, 403, 404, 408, 409, 410, 425, 429})
_SERVER_ERRORS = range(500, 600)

_NAMES: tuple[tuple[type[errors.GatewayError], str], ...] = (
    (errors.UpstreamUnreachable, "unreachable"),
    (errors.UpstreamClosed, "closed early"),
    (errors.UpstreamMalformed, "malformed response"),
    (errors.UpstreamRedirected, "redirect"),
    (errors.ProviderNotConfigured, "not configured"),
    (errors.ProviderUnavailable, "not available"),
    (errors.UpstreamPoolExhausted, "connection limit"),
    (errors.EgressLimitExceeded, "connection limit"),
    (errors.EgressDenied, "address not allowed"),
    (errors.UpstreamFailed, "failed"),
)


def should_fall_back(status: int | None, error: errors.GatewayError | None) -> str | None:
    """Return why the next model is tried ("status 503", "timed out (connect)"); None where it is not.

    ``status`` is the response's, ``error`` is ours where there is no usable response; the error counts first.
    """
    if error is None:
        if status is not None and (status in _STATUSES or status in _SERVER_ERRORS):
            return f"status {status}"
        return None
    if isinstance(error, errors.UpstreamTimedOut):
        return None if error.limit == "total" else f"timed out ({error.limit})"
    if isinstance(error, errors.GatewayStopping):
        return None
    if isinstance(error, errors.UpstreamFailed) and error.status is not None:
        return should_fall_back(error.status, None)
    return next((name for kind, name in _NAMES if isinstance(error, kind)), None)
