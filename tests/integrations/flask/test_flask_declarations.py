"""What declares a Flask view's purpose: one view has one, and nothing is ignored."""

import functools

import pytest
from flask import Blueprint, Flask
from flask.views import MethodView, View

from integrations.flask.flask_kit import Service
from integrations.web_kit import Data
from purposeguard import ScopeError
from purposeguard.integrations.coverage import Declared
from purposeguard.integrations.flask import FlaskPurposes, adapters


@pytest.fixture
def plain():
    """A service that is not instrumented."""
    return Service()


def test_a_view_is_never_run_for_the_purpose_of_another_route(plain):
    """One function has one purpose for each guard; a second one is refused, and changes nothing."""

    def view():
        return list(plain.guard.purposes_in_force())

    plain.app.add_url_rule("/one", "one", plain.purposes("support")(view))
    with pytest.raises(ScopeError, match=r"view` is for `support` already: write another one"):
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


def test_an_app_has_a_default_as_a_blueprint_has(plain):
    """View over blueprint over app."""
    area = Blueprint("area", "area")
    plain.purposes.default(plain.app, "hiring")

    @plain.app.get("/of_app")
    def of_app():
        return list(plain.guard.purposes_in_force())

    @area.get("/of_area")
    def of_area():
        return list(plain.guard.purposes_in_force())

    @plain.app.get("/of_view")
    @plain.purposes("support")
    def of_view():
        return list(plain.guard.purposes_in_force())

    plain.purposes.default(area, "ads")
    plain.app.register_blueprint(area)
    assert plain.get("/of_app").json == ["hiring"]
    assert plain.get("/of_area").json == ["ads"]
    assert plain.get("/of_view").json == ["support"]
    assert [each.by for each in adapters(plain.app)[0].declared() if not each.own] == [
        "app",
        "blueprint `area`",
        "view",
    ]


def test_a_default_holds_in_every_adapter_of_its_guard(plain):
    """Modules may each make their own, as they do for views."""
    area = Blueprint("area", "area")
    FlaskPurposes(plain.guard).default(area, "support")

    @area.get("/")
    def view():
        return list(plain.guard.purposes_in_force())

    plain.app.register_blueprint(area)
    assert plain.get("/").json == ["support"]
    with pytest.raises(ScopeError, match="the blueprint `area` is for `support` already: "):
        plain.purposes.default(area, "ads")


def test_each_method_of_a_class_may_have_its_purpose(plain):
    """The nearest declaration is the method's; what it lacks, the view and the class say."""

    class People(MethodView):
        @plain.purposes("support")
        def get(self):
            return list(plain.guard.purposes_in_force())

        @plain.guard.purpose("ads")
        def put(self):
            return list(plain.guard.purposes_in_force())

        def post(self):
            return list(plain.guard.purposes_in_force())

    class Staff(People):
        decorators = [plain.purposes("hiring")]  # noqa: RUF012 - as Flask has it

    @plain.purposes("hiring")
    class Page(View):
        @plain.purposes("support")
        def dispatch_request(self):
            return list(plain.guard.purposes_in_force())

    plain.app.add_url_rule("/people", view_func=People.as_view("people"))
    plain.app.add_url_rule("/staff", view_func=Staff.as_view("staff"))
    plain.app.add_url_rule("/page", view_func=Page.as_view("page"))
    client = plain.app.test_client()
    assert client.get("/people").json == client.get("/page").json == ["support"]
    assert client.put("/people").json == ["ads"]
    assert client.post("/people").json == []
    assert client.get("/staff").json == ["support"]
    assert client.post("/staff").json == ["hiring"]
    here = f"{__name__}.{test_each_method_of_a_class_may_have_its_purpose.__name__}.<locals>"
    (adapter,) = adapters(plain.app)
    assert [each for each in adapter.declared() if each.name.endswith("/people")] == [
        Declared("GET /people", f"{here}.People", "support", "view"),
        Declared("POST /people", f"{here}.People", None, None),
        Declared("PUT /people", f"{here}.People", "ads", "guard"),
    ]
    assert [each.name for each in adapter.declared() if each.name.endswith("/page")] == [
        "GET /page"
    ]


class Holder:
    """Has a method."""

    def method(self):
        """Nothing."""


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (
            lambda made: made.purposes("support")(Holder().method),
            "decorate .* a method in its class",
        ),
        (lambda made: made.purposes("support")(made.app), r"`purposes\.default\(…\)`"),
        (lambda made: made.purposes("support")(Blueprint("a", "a")), r"`purposes\.default\(…\)`"),
        (lambda made: made.purposes(Holder.method), r"without its purpose: write `@purposes\("),
        (
            lambda made: made.purposes.default("area", "support"),
            "is of type `str`: give a blueprint",
        ),
        (lambda made: FlaskPurposes(made.app), r"write `FlaskPurposes\(guard, app\)`"),
        (lambda made: FlaskPurposes(made.guard, made.app), "installed already: install them once"),
        (lambda made: made.purposes.init_app(made.app), "installed already: install them once"),
    ],
)
def test_what_would_be_ignored_is_refused(wrong, message, plain):
    """With one line that names the fix."""
    with pytest.raises(ScopeError, match=message) as caught:
        wrong(plain)
    assert "\n" not in str(caught.value)


def test_a_heads_own_method_is_listed():
    """Flask adds HEAD to GET, but this one is a way in of its own."""
    app, data = Flask(__name__), Data()
    purposes = FlaskPurposes(data.guard, app)

    class Views(MethodView):
        @purposes("support")
        def get(self):
            return data.reason()

        def head(self):
            return data.reason()

    app.add_url_rule("/", view_func=Views.as_view("views"))
    found = [(each.name, each.purpose) for each in adapters(app)[0].declared() if not each.own]
    assert found == [("GET /", "support"), ("HEAD /", None)]
