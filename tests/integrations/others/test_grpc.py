"""gRPC, which has no adapter: an interceptor that wraps handlers, as anybody would write it."""

from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context

import grpc
import pytest

from integrations.web_kit import Data

PURPOSES = {"/tests/Customers": "support", "/tests/Stream": "support"}


def wrapped(guard, handler, purpose):
    """Return a handler that begins a chain for each call, and ends it with the last message."""

    def unary(request, context):
        root = guard.open_root(*([purpose] if purpose else []))
        try:
            with root:
                return handler.unary_unary(request, context)
        finally:
            root.end()

    def stream(request, context):
        root = guard.open_root(*([purpose] if purpose else []))
        messages = handler.unary_stream(request, context)
        try:
            while True:
                with root:
                    message = next(messages, None)
                if message is None:
                    return
                yield message
        finally:
            root.end()

    if handler.response_streaming:
        return grpc.unary_stream_rpc_method_handler(stream)
    return grpc.unary_unary_rpc_method_handler(unary)


class Interceptor(grpc.ServerInterceptor):
    """Wraps handlers: what is set in `intercept_service` itself is never taken back."""

    def __init__(self, guard):
        self.guard = guard

    def intercept_service(self, continuation, details):
        """Return the handler, wrapped."""
        return wrapped(self.guard, continuation(details), PURPOSES.get(details.method))


class Naive(grpc.ServerInterceptor):
    """Opens a scope where nothing can close it."""

    def __init__(self, guard):
        self.guard = guard

    def intercept_service(self, continuation, details):
        """Return the handler as it is."""
        if details.method in PURPOSES:
            self.guard.open_root(PURPOSES[details.method]).__enter__()
        return continuation(details)


@pytest.fixture
def data():
    """A guard, and guarded data."""
    return Data()


def answers(data, interceptor):
    """Return what a server answers, and what its last call comes to when that is over."""
    kept = []

    def reason(request, context):
        kept.append(copy_context())
        return data.reason().encode()

    def reasons(request, context):
        for _ in range(2):
            yield data.reason().encode()

    handlers = {
        "Customers": grpc.unary_unary_rpc_method_handler(reason),
        "Stream": grpc.unary_stream_rpc_method_handler(reasons),
        "Undeclared": grpc.unary_unary_rpc_method_handler(reason),
    }
    with ThreadPoolExecutor(1) as pool:
        server = grpc.server(pool, interceptors=[interceptor])
        server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("tests", handlers)])
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        try:
            with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
                ask = {name: channel.unary_unary(f"/tests/{name}") for name in handlers}
                stream = channel.unary_stream("/tests/Stream")
                return [
                    ask["Undeclared"](b"", timeout=60),
                    *stream(b"", timeout=60),
                    ask["Undeclared"](b"", timeout=60),
                    ask["Customers"](b"", timeout=60),
                    kept[-1].run(data.reason).encode(),
                ]
        finally:
            server.stop(None).wait()


def test_a_wrapped_handler_has_its_purpose_and_leaves_none_behind(data):
    """Also one that streams, in a server with one thread for all calls."""
    gap, granted = b"purpose_undeclared", b"granted"
    expected = [gap, granted, granted, gap, granted, b"purpose_closed"]
    assert answers(data, Interceptor(data.guard)) == expected


def test_the_naive_interceptor_never_ends_a_purpose(data):
    """What it opens does reach the handler, and stays with all that the call leaves behind."""
    assert answers(data, Naive(data.guard))[-2:] == [b"granted", b"granted"]
