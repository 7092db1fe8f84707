"""The Flask adapter on the real framework: ecosystem traps, answers, streams, and configuration."""

import asyncio
import contextvars
import threading
import warnings

import pytest
from flask import (
    Blueprint,
    Flask,
    Response,
    after_this_request,
    g,
    send_file,
    stream_with_context,
)
from flask.views import MethodView, View
from opentelemetry.context import attach, get_current
from opentelemetry.trace import SpanKind
from werkzeug.routing import Rule

from integrations.flask.flask_kit import Service
from integrations.web_kit import DATA, INSTRUMENTED, POLICY, TEXT, Data
from purposeguard import AccessDeniedError, Guard, PolicyError, ScopeError, UnknownNameError
from purposeguard.integrations.coverage import Declared
from purposeguard.integrations.flask import FlaskPurposes, adapters
from purposeguard.integrations.tokens import HEADER, TokenIssuer, TrustedIssuers


@pytest.fixture(autouse=True)
def same_context():
    """Older instrumentations leave their span current after `stream_with_context`."""
    before = get_current()
    yield
    attach(before)


@pytest.fixture(params=INSTRUMENTED)
def service(request):
    """A service, whether or not it is instrumented."""
    return Service(request.param)


@pytest.fixture
def plain():
    """A service that is not instrumented."""
    return Service()


def test_a_view_declares_its_purpose(service):
    """Below or above the route, and a view without one has none, whatever is around."""

    @service.app.get("/below")
    @service.purposes("support.inquiry")
    def below():
        return service.customer()

    @service.purposes("support")
    @service.app.get("/above")
    def above():
        return service.customer()

    @service.app.get("/none")
    def none():
        return service.reason()

    with service.guard.purpose("support"):
        assert service.get("/below").text == DATA
        assert service.get("/above").text == DATA
        assert service.get("/none").text == "purpose_undeclared"
        assert service.reason() == "granted"


def test_the_nearest_declaration_wins(service):
    """View over blueprint, inner blueprint over outer: one root scope, so nothing intersects."""
    outer, inner = Blueprint("outer", "outer"), Blueprint("inner", "inner")
    service.purposes.default(outer, "hiring")

    @inner.get("/view")
    @service.purposes("support")
    def of_view():
        return [service.reason(), *service.guard.purposes_in_force()]

    @inner.get("/inner")
    def of_inner():
        return [service.reason(), *service.guard.purposes_in_force()]

    @outer.get("/outer")
    def of_outer():
        return [service.reason(), *service.guard.purposes_in_force()]

    outer.register_blueprint(inner, url_prefix="/in", name="renamed")
    service.app.register_blueprint(outer)
    assert service.get("/in/view").json == ["granted", "support"]
    assert service.get("/in/inner").json == ["not_granted", "hiring"]
    service.purposes.default(inner, "ads")
    assert service.get("/in/inner").json == ["not_granted", "ads"]
    assert service.get("/outer").json == ["not_granted", "hiring"]


def test_views_of_every_kind(service):
    """Async views run in a thread of their own, class-based ones are made for each request."""

    @service.app.get("/async")
    @service.purposes("support")
    async def asynchronous():
        return await service.customer_async()

    @service.purposes("support")
    class OfView(View):
        def dispatch_request(self):
            return service.customer()

    class OfMethods(MethodView):
        decorators = [service.purposes("support")]  # noqa: RUF012 - as Flask has it

        def get(self):
            return service.customer()

    service.app.add_url_rule("/view", view_func=OfView.as_view("view"))
    service.app.add_url_rule("/methods", view_func=OfMethods.as_view("methods"))
    service.app.add_url_rule("/plain", "plain", service.purposes("support")(service.customer))
    for path in ("/async", "/view", "/methods", "/plain"):
        assert service.get(path).text == DATA, path
    assert service.reason() == "purpose_undeclared"


def streams(service):
    """Return the ways in which Flask streams, each a view's result."""

    def steps():
        for _ in range(3):
            yield service.customer()

    return {
        "a generator": steps,
        "a response": lambda: Response(steps()),
        "with context": lambda: stream_with_context(steps()),
        "a guarded generator": service.customers,
        "with status": lambda: (steps(), 201, {"x-test": "1"}),
        "an iterator": lambda: Response(service.customer() for _ in range(3)),
    }


@pytest.mark.parametrize("way", list(streams(Data())))
def test_streamed_bodies_keep_the_purpose(way, service):
    """They run after the view, and after teardown; the purpose ends with them."""
    kept = []

    @service.app.get("/")
    @service.purposes("support")
    def view():
        kept.append(contextvars.copy_context())
        return streams(service)[way]()

    answer = service.get("/", buffered=False)
    assert service.reason() == "purpose_undeclared"
    assert kept[0].run(service.reason) == "granted"
    assert b"".join(answer.iter_encoded()).decode() == DATA * 3
    answer.close()
    assert kept[0].run(service.reason) == "purpose_closed"
    assert service.reason() == "purpose_undeclared"


def test_a_stream_that_nobody_reads_to_its_end(service):
    """Closing or dropping it ends the purpose, and leaves nothing behind in the worker."""
    kept = []
    closed = []

    @service.app.get("/")
    @service.purposes("support")
    def view():
        kept.append(contextvars.copy_context())

        def steps():
            try:
                while True:
                    yield service.customer()
            finally:
                closed.append(service.reason())

        return steps()

    answer = service.get("/", buffered=False)
    assert next(answer.iter_encoded()).decode() == DATA
    answer.close()
    assert closed == ["granted"]
    assert kept[0].run(service.reason) == "purpose_closed"
    assert service.reason() == "purpose_undeclared"


def test_a_body_that_makes_its_own_iterator(plain):
    """Closing it early closes the iterator in the request's scope, and then the body."""
    closed = []

    class Body:
        def __iter__(self):
            try:
                while True:
                    yield plain.customer()
            finally:
                closed.append(("iterator", plain.reason()))

        def close(self):
            closed.append(("body", plain.reason()))

    @plain.app.get("/")
    @plain.purposes("support")
    def view():
        return Response(Body())

    answer = plain.get("/", buffered=False)
    assert next(answer.iter_encoded()).decode() == DATA
    answer.close()
    assert closed == [("iterator", "granted"), ("body", "granted")]


def test_a_body_that_fails_to_close_ends_the_purpose(plain):
    """What the body holds is closed all the same."""
    kept, closed = [], []

    class Body:
        def __iter__(self):
            kept.append(contextvars.copy_context())
            try:
                yield plain.customer()
            finally:
                raise RuntimeError

        def close(self):
            closed.append(plain.reason())

    @plain.app.get("/")
    @plain.purposes("support")
    def view():
        return Response(Body())

    answer = plain.get("/", buffered=False)
    next(answer.iter_encoded())
    with pytest.raises(RuntimeError):
        answer.close()
    assert closed == ["granted"]
    assert kept[0].run(plain.reason) == "purpose_closed"


def test_a_body_that_is_replaced_ends_the_purpose(plain):
    """Whoever drops the stream drops the purpose."""
    kept = []

    @plain.app.get("/")
    @plain.purposes("support")
    def view():
        kept.append(contextvars.copy_context())
        return iter([DATA])

    @plain.app.after_request
    def replace(_):
        return Response("something else")

    assert plain.get("/").text == "something else"
    assert kept[0].run(plain.reason) == "purpose_closed"


def test_files_are_the_servers_to_send(plain, tmp_path):
    """A server recognises its own file wrapper by its type."""
    path = tmp_path / "made-up.txt"
    path.write_text(DATA)

    @plain.app.get("/")
    @plain.purposes("support")
    def view():
        return send_file(path)

    class Wrapper:
        def __init__(self, file, _size=0):
            self.file = file

        def __iter__(self):
            return iter([self.file.read()])

        def close(self):
            self.file.close()

    seen = []

    @plain.app.after_request
    def look(response):
        seen.append(type(response.response))
        return response

    with plain.get("/", environ_overrides={"wsgi.file_wrapper": Wrapper}) as answer:
        assert answer.text == DATA
    assert seen == [Wrapper]


def test_the_purpose_dies_with_the_request(service):
    """Work that outlives it is denied, unless the purpose was handed over."""
    left = {}

    @service.app.get("/")
    @service.purposes("support")
    def view():
        left["copied"] = contextvars.copy_context()
        left["carried"] = service.guard.carry(service.reason)
        return service.reason()

    assert service.get("/").text == "granted"
    assert left["copied"].run(service.reason) == "purpose_closed"
    assert left["carried"]() == "granted"


@pytest.mark.parametrize("fails", [RuntimeError, KeyboardInterrupt])
def test_a_view_that_fails(fails, service):
    """Leaves nothing behind in the worker's thread."""
    left = []

    @service.app.get("/")
    @service.purposes("support")
    def view():
        left.append(contextvars.copy_context())
        raise fails

    service.app.config["PROPAGATE_EXCEPTIONS"] = True
    with pytest.raises(fails):
        service.get("/")
    assert left[0].run(service.reason) == "purpose_closed"
    assert service.reason() == "purpose_undeclared"


def test_hooks_around_the_view_have_no_purpose(plain):
    """The scope is the view's; a hook that touches data declares its own."""
    seen = {}

    @plain.app.before_request
    def before():
        seen["before"] = plain.reason()

    @plain.app.after_request
    def after(response):
        seen["after"] = plain.reason()
        return response

    @plain.app.teardown_request
    def teardown(_):
        seen["teardown"] = plain.reason()

    @plain.app.get("/")
    @plain.purposes("support")
    def view():
        g.reason = plain.reason()
        return g.reason

    assert plain.get("/").text == "granted"
    assert set(seen.values()) == {"purpose_undeclared"}


def test_what_a_view_leaves_for_later_has_no_purpose(plain):
    """Nor has an error handler: a denial in one is a failure of the app."""
    seen = {}

    @plain.app.get("/")
    @plain.purposes("support")
    def view():
        @after_this_request
        def after(response):
            seen["after"] = plain.reason()
            return response

        response = Response("")
        response.call_on_close(lambda: seen.update(close=plain.reason()))
        return response

    @plain.app.get("/fails")
    @plain.purposes("support")
    def fails():
        raise KeyError

    @plain.app.errorhandler(KeyError)
    def handler(_):
        seen["handler"] = plain.reason()
        return plain.customer()

    plain.get("/").close()
    assert plain.get("/fails").status_code == 500
    assert seen == dict.fromkeys(("after", "close", "handler"), "purpose_undeclared")


def test_a_denial_is_a_problem_document(service):
    """403, with purpose, category, clause and reason, and nothing personal."""

    @service.app.get("/customers/<name>")
    @service.purposes("ads")
    def view(name):
        return service.customer()

    answer = service.get(f"/customers/{DATA}")
    assert (answer.status_code, answer.mimetype) == (403, "application/problem+json")
    assert answer.json == {
        "type": "urn:purposeguard:problem:out-of-purpose",
        "title": "The privacy policy does not permit this use",
        "status": 403,
        "detail": "purpose `ads` may not access `customer` (name): "
        "the policy grants `support` (A1)",
        "purpose": "ads",
        "category": "customer",
        "clause": [],
        "reason": "not_granted",
    }
    assert DATA not in answer.text


def test_a_group_of_nothing_but_denials_is_a_denial(plain):
    """As of an `asyncio.TaskGroup`; whatever else is in a group is a failure."""

    @plain.app.get("/group/<int:others>")
    @plain.purposes("ads")
    async def group(others):
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(plain.customer_async())
            tasks.create_task(nested())
            if others:
                tasks.create_task(fails())

    async def nested():
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(plain.customer_async())

    async def fails():
        raise RuntimeError

    answer = plain.get("/group/0")
    assert (answer.status_code, answer.mimetype) == (403, "application/problem+json")
    assert answer.json["reason"] == "not_granted"
    assert plain.get("/group/1").status_code == 500
    own = Flask("own")
    own.register_error_handler(AccessDeniedError, lambda _: ("mine", 451))
    plain.purposes.init_app(own)
    own.add_url_rule("/group/<int:others>", view_func=group)
    assert own.test_client().get("/group/0").status_code == 451


def test_an_apps_own_error_handler_stays(plain):
    """Whether it was registered before the adapter or after."""

    @plain.app.get("/")
    @plain.purposes("ads")
    def view():
        return plain.customer()

    app = Flask("before")
    app.register_error_handler(AccessDeniedError, lambda _: ("mine", 451))
    plain.purposes.init_app(app)
    app.add_url_rule("/", view_func=view)
    assert app.test_client().get("/").status_code == 451
    plain.app.register_error_handler(AccessDeniedError, lambda _: ("mine", 451))
    assert plain.get("/").status_code == 451


def test_a_guard_above_the_route_is_refused(plain):
    """Flask has the raw function then: the first request fails, and says which view and why."""

    @plain.app.get("/right")
    @plain.guard.purpose("support", root=True)
    def right():
        return "right"

    assert plain.get("/right").text == "right"
    late = Service()

    @late.guard.purpose("support", root=True)
    @late.app.get("/wrong")
    def wrong():
        return "wrong"

    late.app.config["PROPAGATE_EXCEPTIONS"] = True
    for _ in range(2):
        with pytest.raises(ScopeError, match="the view `wrong` is the raw function behind a guard"):
            late.get("/wrong")
    with pytest.raises(ScopeError, match="below what registered it"):
        adapters(late.app)[0].check()


def test_a_guard_that_observes_tells_of_raw_views_once_and_goes_on(caplog):
    """The app runs already; who looks before it does is told in both modes."""
    guard = Guard(POLICY, mode="observe")
    app = Flask("observed")
    FlaskPurposes(guard, app)

    @guard.purpose("support", root=True)
    @app.get("/wrong")
    def wrong():
        return "wrong"

    @app.get("/right")
    def right():
        return "right"

    client = app.test_client()
    for path in ("/right", "/wrong", "/right"):
        assert client.get(path).text == path[1:]
    (told,) = caplog.records
    assert told.getMessage().startswith("purposeguard.unguarded: the view `wrong` is the raw")
    with pytest.raises(ScopeError, match="the view `wrong`"):
        adapters(app)[0].check()


HOOKS = {
    "before_request": (),
    "after_request": (),
    "teardown_request": (),
    "url_value_preprocessor": (),
    "url_defaults": (),
    "context_processor": (),
    "teardown_appcontext": (),
    "errorhandler": (404,),
}
"""What registers a hook, and what it is given."""


@pytest.mark.parametrize("place", ["app", "blueprint"])
@pytest.mark.parametrize("name", list(HOOKS))
def test_a_guard_above_a_hook_is_refused(name, place, plain):
    """Of the app and of a blueprint; below it, the guard is right."""
    area = Blueprint("area", "area")
    to = plain.app if place == "app" or name == "teardown_appcontext" else area
    register = getattr(to, name)(*HOOKS[name]) if HOOKS[name] else getattr(to, name)

    @register
    @plain.guard.purpose("support", root=True)
    def right(*_):
        return {}

    plain.app.register_blueprint(area)
    (adapter,) = adapters(plain.app)
    adapter.check()
    late = Service()
    to = late.app if to is plain.app else Blueprint("late", "late")
    register = getattr(to, name)(*HOOKS[name]) if HOOKS[name] else getattr(to, name)

    @late.guard.purpose("support", root=True)
    @register
    def wrong(*_):
        return {}

    if to is not late.app:
        late.app.register_blueprint(to)
    with pytest.raises(
        ScopeError, match=r"the hook `.*\.wrong` is the raw function behind a guard"
    ):
        adapters(late.app)[0].check()


def test_routes_and_what_declares_them(plain):
    """What a review asks of a service."""
    area = Blueprint("area", "area")
    plain.purposes.default(area, "hiring")

    @area.post("/default")
    def of_default():
        """Nothing."""

    @area.get("/own")
    @plain.purposes("support")
    def own():
        """Nothing."""

    @plain.app.get("/guard")
    @plain.guard.purpose("ads", root=True)
    def of_guard():
        """Nothing."""

    @plain.app.get("/none")
    def none():
        """Nothing."""

    plain.app.register_blueprint(area)
    here = f"{__name__}.test_routes_and_what_declares_them.<locals>"
    (adapter,) = adapters(plain.app)
    *found, static = adapter.declared()
    assert static.own
    assert found == [
        Declared("POST /default", f"{here}.of_default", "hiring", "blueprint `area`"),
        Declared("GET /guard", f"{here}.of_guard", "ads", "guard"),
        Declared("GET /none", f"{here}.none", None, None),
        Declared("GET /own", f"{here}.own", "support", "view"),
    ]


def test_a_route_is_declared_for_the_guard_that_declares_it():
    """Another guard's accesses are not: it has nothing on the chain."""
    first, second = Service(), Data()
    FlaskPurposes(second.guard, first.app)

    @first.app.get("/")
    @first.guard.purpose("support")
    def view():
        return [first.reason(), second.reason()]

    assert first.get("/").json == ["granted", "purpose_undeclared"]
    found = [
        next((each.purpose, each.by) for each in adapter.declared() if not each.own)
        for adapter in adapters(first.app)
    ]
    assert found == [("support", "guard"), (None, None)]


def test_a_view_with_a_purpose_and_a_guards_purpose_has_both(plain):
    """Outermost first: both must permit, unless the guard begins a chain of its own."""
    area = Blueprint("area", "area")
    plain.purposes.default(area, "hiring")

    @area.get("/both")
    @plain.purposes("ads")
    @plain.guard.purpose("support")
    @plain.guard.purpose("support.inquiry")
    def both():
        return list(plain.guard.purposes_in_force())

    @area.get("/root")
    @plain.guard.purpose("support", root=True)
    def root():
        return list(plain.guard.purposes_in_force())

    @area.get("/same")
    @plain.guard.access("candidate", purpose="hiring")
    def same():
        return list(plain.guard.purposes_in_force())

    plain.app.register_blueprint(area)
    (adapter,) = adapters(plain.app)
    found = {each.name: (each.purpose, each.by) for each in adapter.declared() if not each.own}
    assert found == {
        "GET /both": ("ads, support, support.inquiry", "view, guard"),
        "GET /root": ("support", "guard"),
        "GET /same": ("hiring", "blueprint `area`"),
    }
    assert plain.get("/both").json == ["ads", "support", "support.inquiry"]
    assert plain.get("/root").json == ["support"]


def test_urls_without_a_view_are_no_routes(plain):
    """One that is only built is left out; one whose view is missing declares nothing."""
    plain.purposes.default(plain.app, "support")
    plain.app.add_url_rule("/cdn/<path:file>", endpoint="cdn", build_only=True)
    plain.app.add_url_rule("/later", endpoint="later")
    (adapter,) = adapters(plain.app)
    assert [each for each in adapter.declared() if not each.own] == [
        Declared("GET /later", "", None, None)
    ]


def test_a_view_named_static_is_the_apps(plain):
    """Flask's own, of an app and of a blueprint, are told by where they come from."""
    area = Blueprint("area", "area", url_prefix="/area", static_folder="files")
    other = Blueprint("other", "other", url_prefix="/other")

    @other.get("/people")
    def static():
        """Nothing."""

    plain.app.register_blueprint(area)
    plain.app.register_blueprint(other)
    (adapter,) = adapters(plain.app)
    assert {each.name: each.own for each in adapter.declared()} == {
        "GET /area/files/<path:filename>": True,
        "GET /other/people": False,
        "GET /static/<path:filename>": True,
    }


def test_methods_that_flask_adds_are_not_listed(plain):
    """Those that a view answers itself are, be it only OPTIONS."""
    plain.app.add_url_rule("/all", "all", plain.customer, methods=["GET", "POST"])
    plain.app.add_url_rule("/head", "head", plain.customer, methods=["HEAD"])
    plain.app.add_url_rule("/options", "options", plain.customer, methods=["OPTIONS"])
    plain.app.url_map.add(Rule("/rule", endpoint="all"))
    (adapter,) = adapters(plain.app)
    names = [each.name for each in adapter.declared() if not each.own]
    assert names == ["GET,POST /all", "HEAD /head", "OPTIONS /options", "ANY /rule"]


def test_names_are_judged_where_they_are_declared(plain):
    """Or at the guard's first load."""
    with pytest.raises(UnknownNameError, match=r"did you mean `support`\?"):
        plain.purposes("suport")
    with pytest.raises(UnknownNameError, match="`suport` is no purpose of the policy"):
        plain.purposes.default(Blueprint("area", "area"), "suport")
    purposes = FlaskPurposes(Guard())
    purposes("suport")
    with pytest.raises(UnknownNameError, match=rf"{__file__}:\d+: `suport`"):
        purposes.guard.load(POLICY)


def test_the_configuration_loads_a_policy(tmp_path, monkeypatch):
    """Into a guard that has none; the app's configuration beats the environment."""
    path = tmp_path / "policy.yaml"
    path.write_text(TEXT)
    app = Flask("configured")
    app.config.update(PURPOSEGUARD_POLICY=str(path), PURPOSEGUARD_MODE="observe")
    guard = Guard()
    FlaskPurposes(guard, app)
    assert (guard.health().policy, guard.health().mode) == ("web", "observe")
    monkeypatch.setenv("PURPOSEGUARD_POLICY", "smarthr")
    FlaskPurposes(guard, Flask("second"))
    assert guard.health().policy == "web"
    other = Guard()
    FlaskPurposes(other, Flask("third"))
    assert (other.health().policy, other.health().mode) == ("smarthr", "enforce")
    bad = Flask("bad")
    bad.config["PURPOSEGUARD_POLICY"] = str(tmp_path / "missing.yaml")
    with pytest.raises(PolicyError, match=r"missing\.yaml"):
        FlaskPurposes(Guard(), bad)
    bad.config.update(PURPOSEGUARD_POLICY="smarthr", PURPOSEGUARD_MODE="off")
    with pytest.raises(UnknownNameError, match="`off` is no mode"):
        FlaskPurposes(Guard(), bad)


def test_several_guards_and_several_apps():
    """Each guard has its own declarations, on the same view too."""
    first, second = Service(), Data()
    others = FlaskPurposes(second.guard, first.app)

    @first.app.get("/")
    @others("hiring")
    @first.purposes("support")
    def view():
        return [first.reason(), second.reason()]

    assert first.get("/").json == ["granted", "not_granted"]
    app = Flask("another")
    first.purposes.init_app(app)
    app.add_url_rule("/again", view_func=view)
    assert app.test_client().get("/again").json == ["granted", "purpose_undeclared"]


@pytest.mark.parametrize("side", ["before", "after"])
def test_spans_sit_inside_the_server_span(side):
    """And that span says what the request was for."""
    service = Service(side)
    service.guard = guard = Guard(POLICY, tracer_provider=service._provider)
    service.purposes.guard = guard

    @service.app.get("/")
    @service.purposes("support.inquiry")
    def view():
        guard.check("customer", items=["name"])
        return ""

    service.get("/")
    access, server = service.exporter.get_finished_spans()
    assert (access.name, server.kind) == ("access customer", SpanKind.SERVER)
    assert access.parent.span_id == server.context.span_id
    assert server.attributes["purposeguard.purpose"] == "support.inquiry"


@pytest.mark.parametrize("side", ["before", "after"])
def test_a_streamed_bodys_spans_are_in_the_requests_trace(side):
    """Though the server span has ended by then, and none is current."""
    service = Service(side)
    guard = Guard(POLICY, tracer_provider=service._provider)
    purposes = FlaskPurposes(guard, service.app)

    @service.app.get("/")
    @purposes("support")
    def view():
        def steps():
            guard.check("customer", items=["name"])
            yield ""

        return steps()

    service.get("/")
    spans = {span.name: span for span in service.exporter.get_finished_spans()}
    assert spans["access customer"].parent.span_id == spans["GET /"].context.span_id


def test_requests_at_once_never_share_a_purpose(plain):
    """Each thread has its own, between any two steps of a body."""

    def steps():
        for _ in range(20):
            yield plain.reason() + "\n"

    @plain.app.get("/support")
    @plain.purposes("support")
    def of_support():
        return steps()

    @plain.app.get("/hiring")
    @plain.purposes("hiring")
    def of_hiring():
        return steps()

    right = {"/support": "granted\n" * 20, "/hiring": "not_granted\n" * 20}
    wrong = []

    def ask(path):
        for _ in range(20):
            if plain.get(path).text != right[path]:
                wrong.append(path)

    threads = [threading.Thread(target=ask, args=(path,)) for path in right for _ in range(4)]
    with warnings.catch_warnings():
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert wrong == []


def test_a_token_may_be_required():
    """A request without one that is believed has no purpose, whatever its view declares."""
    data = Data()
    app = Flask(__name__)
    key = b"a key of the tests, no secret key"
    purposes = FlaskPurposes(
        data.guard, app, trusted=TrustedIssuers("here", {"hr": key}, required=True)
    )

    @app.get("/")
    @purposes("support")
    def view():
        return data.reason()

    @app.get("/own")
    @data.guard.purpose("support")
    def own():
        return data.reason()

    with data.guard.purpose("support"):
        token = TokenIssuer("hr", key).token_for(data.guard, "here")
    client = app.test_client()
    for path, gap in (("/", "purpose_undeclared"), ("/own", "purpose_closed")):
        found = [client.get(path, headers=each).text for each in ({}, {HEADER: "junk"})]
        assert found == [gap] * 2
        assert client.get(path, headers={HEADER: token}).text == "granted"
