"""What declares a Flask view's purpose: one view has one, and nothing is ignored in silence."""

import functools

import pytest
from flask.views import View

from integrations.flask.flask_kit import Service
from purposeguard import ScopeError


@pytest.fixture
def plain():
    """A service that is not instrumented."""
    return Service()


def test_a_view_is_never_run_for_the_purpose_of_another_route(plain):
    """One function has one purpose for each guard; a second one is refused, and changes nothing."""

    def view():
        return list(plain.guard.purposes_in_force())

    plain.app.add_url_rule("/one", "one", plain.purposes("support")(view))
    with pytest.raises(ScopeError, match=r"view` is for `support` already: write another function"):
        plain.purposes("ads")(view)
    again = plain.purposes("support")(view)
    plain.app.add_url_rule("/two", "two", again)
    assert plain.get("/one").json == plain.get("/two").json == ["support"]


def test_a_wrapped_view_has_no_second_purpose(plain):
    """`functools.wraps` copies the declaration, so that the outer one would hide the inner."""

    @plain.purposes("support")
    def view():
        """Nothing."""

    @functools.wraps(view)
    def wrapper():
        """Nothing."""

    with pytest.raises(ScopeError, match="is for `support` already"):
        plain.purposes("ads")(wrapper)


def test_a_class_may_say_otherwise_than_its_base(plain):
    """It inherits what it doesn't say, for each guard by itself."""
    other = Service()
    other.purposes.init_app(plain.app)

    @other.purposes("hiring")
    @plain.purposes("support")
    class Base(View):
        def dispatch_request(self):
            return [*plain.guard.purposes_in_force(), *other.guard.purposes_in_force()]

    @plain.purposes("ads")
    class Sub(Base):
        """Nothing of its own."""

    plain.app.add_url_rule("/base", view_func=Base.as_view("base"))
    plain.app.add_url_rule("/sub", view_func=Sub.as_view("sub"))
    assert plain.get("/base").json == ["support", "hiring"]
    assert plain.get("/sub").json == ["ads", "hiring"]
