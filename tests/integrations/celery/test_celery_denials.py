"""A denied access in a task: the task fails, and what is kept of it names no person."""

import pytest

from integrations.celery.celery_kit import answer
from purposeguard import AccessDeniedError, OutOfPurposeError, UndecidedAccessError

pytestmark = pytest.mark.filterwarnings("ignore:Call to deprecated setex:DeprecationWarning")

DENIED = "purpose `support` may not access `candidate`: the policy grants `hiring` (A1)"


def test_a_denied_task_fails(service):
    """Its result says why, in the policy's words."""
    with service.guard.purpose("support"):
        result = service.task("denied").delay()
    with pytest.raises(Exception, match="may not access") as caught:
        answer(result)
    assert DENIED in str(caught.value)
    assert result.state == "FAILURE"
    assert "OutOfPurposeError" in result.traceback


def test_a_denial_comes_back_whole_where_results_are_pickled(eager):
    """Class, decision and all."""
    app = eager.app
    app.conf.update(
        result_serializer="pickle", accept_content=["pickle", "json"], task_always_eager=False
    )
    with pytest.raises(UndecidedAccessError) as undeclared:
        eager.task("denied")()
    with eager.guard.purpose("support"), pytest.raises(OutOfPurposeError) as denied:
        eager.task("denied")()
    for caught in (undeclared, denied):
        app.backend.store_result("denied", caught.value, "FAILURE")
        with pytest.raises(AccessDeniedError) as returned:
            app.AsyncResult("denied").get()
        assert type(returned.value) is type(caught.value)
        assert returned.value.decision == caught.value.decision


def test_a_denial_is_retried_like_any_error(service):
    """It is an exception: `dont_autoretry_for=(AccessDeniedError,)` is what excludes it."""
    tries = {}
    for name in ("denied_again", "denied_once"):
        key = f"{service.settings.queue}-{name}"
        with service.guard.purpose("support"):
            result = service.task(name).delay(key)
        with pytest.raises(Exception, match="may not access"):
            answer(result)
        tries[name] = service.noted(key)
    assert tries == {"denied_again": 2, "denied_once": 0}
