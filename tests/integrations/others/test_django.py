"""Django, which has no adapter: views that declare, and a middleware as anybody would write it."""

import asyncio
import gc
from contextlib import aclosing

import pytest
from asgiref.sync import iscoroutinefunction
from django.conf import settings
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpResponse, StreamingHttpResponse
from django.test import AsyncRequestFactory, RequestFactory
from django.urls import path, resolve
from django.utils.decorators import sync_and_async_middleware

from integrations.web_kit import Data

DATA = Data()
guard, reason = DATA.guard, DATA.reason


def declares(purpose):
    """Say what a view is for, as `with_purpose` reads it."""

    def declared(view):
        view.purpose = purpose
        return view

    return declared


@sync_and_async_middleware
def with_purpose(get_response):
    """Begin a chain for each request, and end it with the last byte of the answer."""

    def begun(request):
        purpose = getattr(resolve(request.path_info).func, "purpose", None)
        return guard.open_root(*([purpose] if purpose else []))

    def ended(response, root):
        if not response.streaming:
            root.end()
        elif response.is_async:
            response.streaming_content = later_steps(response.streaming_content, root)
        else:
            response.streaming_content = steps(response.streaming_content, root)
        return response

    def steps(body, root):
        body = iter(body)
        try:
            while True:
                with root:
                    step = next(body, None)
                if step is None:
                    return
                yield step
        finally:
            root.end()

    async def later_steps(body, root):
        body = aiter(body)
        try:
            while True:
                with root:
                    step = await anext(body, None)
                if step is None:
                    return
                yield step
        finally:
            root.end()

    if iscoroutinefunction(get_response):

        async def middleware(request):
            root = begun(request)
            with root:
                return ended(await get_response(request), root)

    else:

        def middleware(request):
            root = begun(request)
            with root:
                return ended(get_response(request), root)

    return middleware


def lines():
    """Yield a reason, twice."""
    for _ in range(2):
        yield reason()


async def later_lines():
    """Yield a reason, twice."""
    for _ in range(2):
        await asyncio.sleep(0)
        yield reason()


def view(request):
    """Answer."""
    return HttpResponse(reason())


def other_view(request):
    """Answer."""
    return HttpResponse(reason())


async def later_view(request):
    """Answer."""
    await asyncio.sleep(0)
    return HttpResponse(reason())


@guard.purpose("support")
def guarded_view(request):
    """Answer."""
    return HttpResponse(reason())


@guard.purpose("support")
async def guarded_later_view(request):
    """Answer."""
    await asyncio.sleep(0)
    return HttpResponse(reason())


@guard.purpose("support")
def guarded_lines():
    """Yield a reason, twice."""
    yield from lines()


@guard.purpose("support")
async def guarded_later_lines():
    """Yield a reason, twice."""
    async for line in later_lines():
        yield line


def stream(body):
    """Return a view that streams."""
    return lambda request: StreamingHttpResponse(body())


urlpatterns = [
    path("plain", view),
    path("plain-async", later_view),
    path("view", guarded_view),
    path("view-async", guarded_later_view),
    path("stream", stream(guarded_lines)),
    path("stream-async", stream(guarded_later_lines)),
    path("declared/view", declares("support")(other_view)),
    path("declared/stream", declares("support")(stream(lines))),
    path("declared/stream-async", declares("support")(stream(later_lines))),
]


@pytest.fixture(autouse=True, scope="module")
def configured():
    """Django's settings, which a process has once."""
    settings.configure(
        ALLOWED_HOSTS=["*"],
        MIDDLEWARE=[f"{__name__}.with_purpose"],
        ROOT_URLCONF=__name__,
        SECRET_KEY="of the tests",
    )


class Sync:
    """Under WSGI."""

    def __init__(self):
        self.handler = WSGIHandler()

    def ask(self, url):
        """Return what is answered."""
        response = self.handler.get_response(RequestFactory().get(f"/{url}"))
        body = b"".join(response).decode()
        response.close()
        return body


class Async:
    """Under ASGI."""

    def __init__(self):
        self.handler = ASGIHandler()

    def ask(self, url):
        """Return what is answered."""
        return asyncio.run(self.asked(url))

    async def asked(self, url):
        """Return what is answered, and nothing has to be left in the task that asks."""
        response = await self.handler.get_response_async(AsyncRequestFactory().get(f"/{url}"))
        assert guard.purposes_in_force() == ()
        if response.streaming and response.is_async:
            async with aclosing(response.streaming_content) as parts:
                body = b"".join([part async for part in parts])
        else:
            body = b"".join(response)
        response.close()
        assert guard.purposes_in_force() == ()
        return body.decode()


@pytest.fixture(params=[Sync, Async])
def server(request):
    """Both kinds of server."""
    return request.param()


@pytest.mark.parametrize("url", ["view", "view-async", "declared/view"])
def test_a_view_has_its_purpose_and_leaves_none_behind(server, url):
    """asgiref copies what a view's thread has set back to whoever has called it."""
    assert server.ask(url) == "granted"
    assert guard.purposes_in_force() == ()
    assert server.ask("plain") == server.ask("plain-async") == "purpose_undeclared"


@pytest.mark.parametrize(
    "url", ["stream", "stream-async", "declared/stream", "declared/stream-async"]
)
@pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume:Warning")
def test_a_streamed_body_has_the_purpose(server, url):
    """It is made when the view, and the middleware around it, have long returned."""
    assert server.ask(url) == "granted" * 2
    assert guard.purposes_in_force() == ()


def test_a_stream_that_is_dropped_leaves_nothing_behind():
    """Its chain ends with it, and what it was for is over."""
    response = WSGIHandler().get_response(RequestFactory().get("/declared/stream"))
    assert next(iter(response)) == b"granted"
    assert guard.purposes_in_force() == ()
    response.close()
    del response
    gc.collect()
    assert guard.purposes_in_force() == ()


def test_the_naive_middleware_loses_a_streamed_body():
    """The purpose of a block around the view is over before the body is made."""

    def naive(request):
        with guard.purpose("support"):
            return StreamingHttpResponse(lines())

    assert b"".join(naive(None)) == b"purpose_undeclared" * 2
