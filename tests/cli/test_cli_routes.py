"""`purposeguard routes` and `flask purposeguard …`: what an app declares."""

import json
import os
import subprocess
import sys

import pytest

from cli.command_line import CLEAN, Result, refused, run, spawn

FLASK = """\
from flask import Blueprint, Flask
from purposeguard import Guard
from purposeguard.integrations.flask import FlaskPurposes

guard = Guard()
purposes = FlaskPurposes(guard)
area = Blueprint("area", __name__)
purposes.default(area, "support")


@area.get("/default")
def default():
    return ""


@area.post("/own")
@purposes("recruitment.selection")
def own():
    return ""


def create_app():
    app = Flask(__name__)
    app.config["PURPOSEGUARD_POLICY"] = "smarthr"
    purposes.init_app(app)
    app.register_blueprint(area)
    return app


app = create_app()


@app.get("/none")
def none():
    return ""


class Holder:
    app = app


bare = Flask("bare")
late = Flask("late")
FlaskPurposes(Guard(), late)
"""

RAW = """

@guard.purpose("support", root=True)
@app.get("/raw")
def raw():
    return ""
"""

FASTAPI = """\
from fastapi import Depends, FastAPI
from purposeguard import Guard, bundled_policy
from purposeguard.integrations.fastapi import FastAPIPurposes

guard = Guard(bundled_policy("smarthr"))
purposes = FastAPIPurposes(guard)
app = FastAPI()
purposes.install(app)


@app.get("/jobs/{job_id}", dependencies=[Depends(purposes("recruitment.selection"))])
def job(job_id: int):
    return ""


@app.get("/none")
def none():
    return ""
"""

CELERY = """\
from celery import Celery
from purposeguard import Guard, bundled_policy
from purposeguard.integrations.celery import CeleryPurposes

guard = Guard(bundled_policy("smarthr"))
app = Celery("tasks")
purposes = CeleryPurposes(guard, key=b"a key of the tests, no secret key")
purposes.install(app)


@app.task
@purposes("recruitment.statistics")
def count():
    return 0


@app.task
def handed():
    return 0
"""


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Write a module into the current folder, and return its name."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    written = []

    def write(text):
        name = f"app_{tmp_path.name}_{len(written)}"
        (tmp_path / f"{name}.py").write_text(text)
        written.append(name)
        return name

    yield write
    for name in written:
        sys.modules.pop(name, None)


def test_a_flask_app(module):
    """Every route with what declares it; the static files are the framework's own."""
    name = module(FLASK)
    result = run("routes", f"{name}:app")
    assert (result.status, result.err) == (0, "")
    assert [line.split() for line in result.lines] == [
        ["name", "purpose", "declared", "by", "function"],
        ["GET", "/default", "support", "blueprint", "`area`", f"{name}.default"],
        ["GET", "/none", "none", f"{name}.none"],
        ["POST", "/own", "recruitment.selection", "view", f"{name}.own"],
        ["3", "routes", "or", "tasks,", "1", "without", "a", "purpose"],
    ]
    assert run("routes", f"{name}:app", "--require").status == 1


def test_without_a_policy_names_are_not_checked(module):
    """As where an app loads it when it starts: the list says so."""
    name = module(FLASK.replace('    app.config["PURPOSEGUARD_POLICY"] = "smarthr"\n', ""))
    result = run("routes", f"{name}:app")
    assert result.status == 0
    assert result.lines[-2] == "no policy is loaded here, so the names were not checked"
    assert "not checked" not in run("routes", f"{module(FLASK)}:app").out


def test_a_route_that_needs_no_purpose_may_be_excepted(module):
    """By name or pattern; one that fits nothing any more is told, or it would hide the next."""
    app = f"{module(FLASK)}:app"
    for pattern in ("GET /none", "GET /n*", "* /none"):
        result = run("routes", app, "--require", "--except", pattern)
        assert (result.status, result.err) == (0, "")
        assert result.lines[-1] == "3 routes or tasks, none without a purpose (and 1 excepted)"
    assert run("routes", app, "--require", "--except", "POST /none").status == 1
    needless = ("--except", "GET /none", "--except", "POST /own")
    told = "`--except POST /own` fits no route or task without a purpose: drop it"
    refused(run("routes", app, "--require", *needless), told, status=1)
    result = run("routes", app, *needless)
    assert result.status == 0
    assert told in result.err


@pytest.mark.parametrize("path", ["create_app()", "Holder.app"])
def test_ways_to_name_an_app(path, module):
    """A factory, or an attribute of something."""
    result = run("routes", f"{module(FLASK)}:{path}", "--require")
    assert result.status == ("Holder" in path)
    assert "/own" in result.out


def test_a_fastapi_app_as_json(module):
    """For programs; and `--require` fails all the same."""
    name = module(FASTAPI)
    result = run("routes", f"{name}:app", "--require", "--format", "json")
    assert result.status == 1
    assert json.loads(result.out) == {
        "declared": [
            {
                "name": "GET /jobs/{job_id}",
                "function": f"{name}.job",
                "purpose": "recruitment.selection",
                "by": "dependency",
                "own": False,
            },
            {
                "name": "GET /none",
                "function": f"{name}.none",
                "purpose": None,
                "by": None,
                "own": False,
            },
        ],
        "raw": [],
    }


def test_a_celery_app(module):
    """Its tasks; Celery's own are left out. One may have what its caller hands over."""
    name = module(CELERY)
    # In a process of its own: whatever is imported may have a `shared_task`, which every app has.
    done = spawn("routes", f"{name}:app", "--require")
    assert (done.returncode, done.stderr) == (0, b"")
    assert [line.split() for line in done.stdout.decode().splitlines()[1:]] == [
        [f"{name}.count", "recruitment.statistics", "task", f"{name}.count"],
        [f"{name}.handed", "what", "it", "is", "handed", "caller", f"{name}.handed"],
        ["2", "routes", "or", "tasks,", "none", "without", "a", "purpose"],
    ]


TWO_GUARDS = """

from purposeguard import bundled_policy

other = FlaskPurposes(Guard(bundled_policy("smarthr")), app)


@app.get("/other")
@other("support")
def of_other():
    return ""
"""


def test_an_app_with_several_guards(module):
    """A route is listed once, unless they differ; those that differ stand together."""
    name = module(FLASK + TWO_GUARDS)
    result = run("routes", f"{name}:app", "--require")
    assert result.status == 1
    assert [line.split()[:3] for line in result.lines[1:-2]] == [
        ["GET", "/default", "support"],
        ["GET", "/default", "none"],
        ["GET", "/none", "none"],
        ["GET", "/other", "none"],
        ["GET", "/other", "support"],
        ["POST", "/own", "recruitment.selection"],
        ["POST", "/own", "none"],
    ]
    assert result.lines[-2:] == [
        "the app's guards differ: a route is listed for each of them that says otherwise",
        "4 routes or tasks, 4 without a purpose",
    ]


def test_a_raw_function_fails(module):
    """With the route's name and the fix, whatever else is right."""
    result = run("routes", f"{module(FLASK + RAW)}:app")
    assert result.status == 1
    assert "the view `raw` is the raw function behind a guarded one: put the guard" in result.out


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("bare", ["has no adapter", "`FlaskPurposes(guard, app)`"]),
        ("missing", ["can't be loaded: AttributeError"]),
        ("guard", ["is of type `Guard`: give an app of Flask, FastAPI, Celery"]),
        (
            "create_app",
            ["is a function, not an app: if it makes the app, write `", ":create_app()`"],
        ),
        ("area()", ["can't be loaded: TypeError"]),
        ("", ["names no app: write module:name"]),
    ],
)
def test_what_is_no_app(path, words, module):
    """Exit status 2 and one line."""
    refused(run("routes", f"{module(FLASK)}:{path}"), *words)


NO_ROUTES = """\
from flask import Flask
from purposeguard import Guard
from purposeguard.integrations.flask import FlaskPurposes

app = Flask(__name__)
FlaskPurposes(Guard(), app)
"""

ONE_ROUTE = """

@app.get("/")
def one():
    return ""
"""


def test_an_app_without_routes_shows_nothing(module):
    """With `--require` that is no yes: most likely another app has the routes."""
    name = module(NO_ROUTES)
    refused(run("routes", f"{name}:app", "--require"), "has no route or task: name", status=1)
    refused(run("routes", f"{name}:app", "--require", "--format", "json"), status=1)
    result = run("routes", f"{name}:app")
    assert (result.status, result.err) == (0, "")
    assert result.lines[-1] == "no routes or tasks, none without a purpose"


def test_one_route_is_counted_as_one(module):
    """In the words of one."""
    result = run("routes", f"{module(NO_ROUTES + ONE_ROUTE)}:app")
    assert result.lines[-1] == "1 route or task, 1 without a purpose"


def test_a_module_that_is_not_there(module):
    """It is named."""
    refused(run("routes", "no_such_module_here:app"), "`no_such_module_here:app` can't be loaded")


@pytest.mark.parametrize("ends", ["sys.exit(0)", "sys.exit('made up')", "raise SystemExit"])
def test_a_module_that_ends_the_process(ends, module):
    """Its status is not the command's: a CI step would take it for a yes."""
    name = module(f"import sys\n{FLASK}\n{ends}\n")
    refused(run("routes", f"{name}:app"), "can't be loaded: it ends the process", "`__main__`")


def flask(name, *arguments, app="app"):
    """Run Flask's own command."""
    command = [sys.executable, "-m", "flask", "--app", f"{name}:{app}", "purposeguard"]
    result = subprocess.run(
        [*command, *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={name: value for name, value in os.environ.items() if name not in CLEAN},
    )
    return result.returncode, result.stdout, result.stderr


def test_flasks_own_command(module):
    """The same list, and which policy is in force."""
    name = module(FLASK)
    status, out, err = flask(name, "routes", "--require")
    assert (status, err) == (1, "")
    assert out == run("routes", f"{name}:app").out
    assert flask(name, "routes", "--require", app="create_app()")[0] == 0
    assert flask(name, "routes", "--require", "--except", "GET /none")[0] == 0
    status, out, _ = flask(name, "policy")
    assert (status, out.partition(" version ")[0]) == (0, "policy `smarthr`")
    assert out.endswith("mode enforce\n")
    assert "every access is refused" in flask(name, "policy", app="late")[1]


@pytest.mark.parametrize("command", ["routes", "policy"])
def test_flasks_own_command_without_an_adapter(command, module):
    """The same status and line as of `purposeguard routes`."""
    result = Result(*flask(module(FLASK), command, app="bare"))
    refused(result, "`bare` has no adapter", "`FlaskPurposes(guard, app)`")
    assert result.out == ""
