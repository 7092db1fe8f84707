"""Messages as they lie in a queue, and tokens of any content."""

import base64
import json
import time

from celery import Celery

from integrations.celery.celery_service import KEY, POLICY
from purposeguard import Guard
from purposeguard.integrations.token_form import TYPE
from purposeguard.integrations.token_keys import signing_key
from purposeguard.integrations.tokens import HEADER, TokenIssuer

OTHER_KEY = b"a secret that nobody has heard of"


def waiting(app):
    """Return what the tokens of the messages in an app's queue say, or None for those without."""
    found = []
    with app.connection_for_read() as connection:
        queue = connection.SimpleQueue(app.conf.task_default_queue)
        for _ in range(queue.qsize()):
            message = queue.get(block=False)
            message.ack()
            found.append(said(message.headers.get(HEADER)))
        queue.close()
    return found


def said(token):
    """Return what a token says, genuine or not."""
    if token is None:
        return None
    payload = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))


def token(issuer="celery", audience="celery", key=KEY):
    """Return a token of the purpose `hiring`."""
    guard = Guard(POLICY)
    with guard.purpose("hiring"):
        return TokenIssuer(issuer, key).token_for(guard, audience)


def signed(**changes):
    """Return a token that is signed with the right key, and says what is given."""
    now = int(time.time())
    whole = {"iss": "celery", "aud": "celery", "iat": now, "exp": now + 60, "purposes": ["hiring"]}
    payload = json.dumps({**whole, **changes}).encode()
    return signing_key(KEY, "a test").sign({"typ": TYPE}, payload)


def stranger(service, **configuration):
    """Return an app without the adapter, which can write to a service's queue."""
    app = Celery("stranger", broker=service.settings.broker, backend="disabled://", **configuration)
    for name in ("broker_transport_options", "task_default_queue"):
        app.conf[name] = service.app.conf[name]
    return app
