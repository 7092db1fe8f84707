"""The demo's plumbing: a real server, and a client for it."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import uvicorn
from fastapi import FastAPI
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from plumbing.watching import Answer


@contextmanager
def serve(app: FastAPI, port: int = 0) -> Iterator[str]:
    """Serve the app on loopback while the block runs, and return its address."""
    with socket.create_server(("127.0.0.1", port)) as listener:
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="on"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        while thread.is_alive() and not server.started:
            time.sleep(0.01)
        if not server.started:
            raise RuntimeError("the service did not start: the lines above say why")
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


def send(method: str, url: str) -> Answer:
    """Send a request, past any proxy, and return the answer, whatever its status is."""
    if method == "WS":
        return _talk(url)
    with httpx.Client(trust_env=False, timeout=30) as client:
        answer = client.request(method, url)
    is_json = answer.headers.get("content-type", "").endswith("json")
    return Answer(answer.status_code, answer.json() if is_json else answer.text)


def _talk(url: str) -> Answer:
    """Open a WebSocket, ask once, and return what comes back."""
    with connect(url.replace("http", "ws", 1), proxy=None) as conversation:
        conversation.send("now")
        try:
            return Answer(101, json.loads(conversation.recv()))
        except ConnectionClosed as closed:
            return Answer(closed.rcvd.code if closed.rcvd else 1006, None)
