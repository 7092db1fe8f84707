"""Which requests carry the purposes in force: those to listed hosts, redirects included."""

import asyncio
import threading

import httpx
import httpx2
import pytest
import requests
from outgoing_kit import LED, STRANGER, TWICE, outgoing_of, places, told
from token_kit import guard_of
from wire_kit import CLIENTS

from purposeguard import UnknownNameError
from purposeguard.integrations import httpx as for_httpx
from purposeguard.integrations import httpx2 as for_httpx2
from purposeguard.integrations.requests import PurposeAdapter, carry_purposes
from purposeguard.integrations.tokens import HEADER

pytestmark = pytest.mark.filterwarnings(
    "ignore::urllib3.exceptions.InsecureRequestWarning",  # the hosts are played by one server
)


def test_a_listed_host_is_told(kind, wire):
    """The purposes in force where the request is made, for the service there; others nothing."""
    guard = guard_of()
    with kind.client(outgoing_of(guard), proxy=wire.url) as client:
        for url in ("https://depot.internal.example/a", "https://evil.example/b"):
            with guard.purpose("order"), guard.purpose("order.delivery"):
                assert kind.send(client, url).status_code == 200
        kind.send(client, "https://depot.internal.example/c")
    one, other, undeclared = wire.hops()
    assert told(one) == ("depot", ("order", "order.delivery"))
    assert [hop.path for hop in (one, other, undeclared)] == ["/a", "/b", "/c"]
    assert other.tokens == undeclared.tokens == []


def test_what_came_from_a_stranger_goes_nowhere(kind, wire):
    """A header that was copied from an inbound request is replaced or removed, never passed on."""
    guard = guard_of()
    with kind.client(outgoing_of(guard), proxy=wire.url, headers=STRANGER) as client:
        for host in ("depot.internal.example", "evil.example"):
            kind.send(client, f"https://{host}/undeclared")
            kind.send(client, f"http://{host}/plain")
            with guard.purpose("advice"):
                kind.send(client, f"https://{host}/declared", headers=STRANGER)
                if kind is not CLIENTS["requests"]:
                    kind.send(client, f"https://{host}/twice", headers=TWICE)
    carried = {(hop.place, hop.path): told(hop) for hop in wire.hops()}
    assert len(carried) == (6 if kind is CLIENTS["requests"] else 8)
    assert {place: found for place, found in carried.items() if found} == {
        place: ("depot", ("advice",))
        for place in carried
        if place[0].startswith("depot") and place[1] in ("/declared", "/twice")
    }


def test_a_client_without_it_passes_everything_on(kind, wire):
    """The naive client: what is put into the header goes to every host that it is led to."""
    with kind.client(None, proxy=wire.url, headers=STRANGER) as client:
        kind.send(client, "https://depot.internal.example/to?https://evil.example/")
    assert [hop.tokens for hop in wire.hops()] == [["e30.e30.e30"]] * 2


def test_a_request_that_is_asked_who_it_comes_from(kind, wire):
    """Who answers a challenge sends anew: what gets the data must carry the token as well."""
    guard = guard_of()
    auth = {
        CLIENTS["requests"]: requests.auth.HTTPDigestAuth,
        CLIENTS["httpx2"]: httpx2.DigestAuth,
        CLIENTS["httpx2-async"]: httpx2.DigestAuth,
    }.get(kind, httpx.DigestAuth)("user", "secret")
    url = "https://depot.internal.example/asked"
    with kind.client(outgoing_of(guard), proxy=wire.url) as client, guard.purpose("advice"):
        assert kind.send(client, url, auth=auth, headers=STRANGER).status_code == 200
    assert [told(hop) for hop in wire.hops()] == [("depot", ("advice",))] * 2


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_where_redirects_lead(kind, wire, status):
    """Each hop is asked about by itself: its own token, or none."""
    guard = guard_of()
    for name, (url, expected) in LED.items():
        with kind.client(outgoing_of(guard), proxy=wire.url) as client, guard.purpose("advice"):
            given = {"headers": {"X-Status": str(status)}}
            kind.send(client, url, "POST", data={"a": "b"}, **given)
        assert places(wire.hops()) == expected, name


def test_over_plain_http_nobody_is_told(kind, wire):
    """Not the host itself, nor whoever listens: unless it is allowed, redirects from TLS too."""
    guard = guard_of()
    url = "https://depot.internal.example/to?http://depot.internal.example/"
    for given, expected in (({}, None), ({"allow_http": True}, "depot")):
        outgoing = outgoing_of(guard, **given)
        with kind.client(outgoing, proxy=wire.url) as client, guard.purpose("advice"):
            kind.send(client, url)
        assert [each[1] for each in places(wire.hops())] == ["depot", expected]


def test_two_ports_of_this_machine(kind, wire, other):
    """Two real servers without a proxy: loopback may be told without TLS, each port by itself."""
    guard = guard_of()
    hosts = {f"127.0.0.1:{wire.port}": "depot", f"localhost:{other.port}": "payroll"}
    for target, expected in (
        (f"http://127.0.0.1:{other.port}/", None),
        (f"http://localhost:{wire.port}/", None),
        (f"http://localhost:{other.port}/", "payroll"),
        (f"http://LOCALHOST:{other.port}/", "payroll"),
        (f"http://127.0.0.1:{wire.port}/", "depot"),
    ):
        with kind.client(outgoing_of(guard, hosts)) as client, guard.purpose("advice"):
            kind.send(client, f"{wire.url}/to?{target}")
        hops = [*wire.hops(), *other.hops()]
        assert [(told(hop) or [None])[0] for hop in hops] == ["depot", expected], target


def test_a_listed_host_that_is_not_told_is_logged_once(caplog):
    """A forgotten port, and a missing `s`: the other service would judge as if nothing was said."""
    guard = guard_of()
    outgoing = outgoing_of(guard, {"depot.example": "depot", "payroll.example:8443": "payroll"})
    with guard.purpose("advice"):
        for _ in range(2):
            assert outgoing.token_for("https", "Depot.example", 8001) is None
            assert outgoing.token_for("http", "depot.example", None) is None
        assert outgoing.token_for("https", "payroll.example", 8444) is None
        assert outgoing.token_for("https", "evil.example", None) is None
        assert outgoing.token_for("https", "depot.example", None)
    assert outgoing.untold == {"port": 2, "plain_http": 2}
    assert repr(outgoing.untold) == "{'port': 2, 'plain_http': 2}"
    told = "purposeguard.token: a request to a listed host carries no purpose token, since "
    assert caplog.messages == [
        f"{told}port 8001 is not listed: list `depot.example:8001`",
        f"{told}there is no TLS: use `https`, or give `allow_http=True`",
    ]


TRICKS = {
    "https://DEPOT.Internal.Example/": "depot",
    "https://depot.internal.example:443/": "depot",
    "https://depot.internal.example:0443/": "depot",
    "https://depot.internal.example:/": "depot",
    "https://depot.internal.example./": None,
    "https://someone:secret@depot.internal.example/": "depot",
    "https://evil.example@depot.internal.example/": "depot",
    "https://depot.internal.example@evil.example/": None,
    "https://depot.internal.example:443@evil.example/": None,
    "https://depot.internal.example%40evil.example/": None,
    "https://evil.example?@depot.internal.example/": None,
    "https://evil.example/@depot.internal.example/": None,
    "https://evil.example/?https://depot.internal.example/": None,
    "https://depot.internal.example%2eevil.example/": None,
    "https://depot.internal.example%00.evil.example/": None,
    "https://depot-internal.example/": None,
    "https://192.0.2.7/": "four",
    "https://192.0.2.07/": None,
    "https://3221225991/": None,
    "https://192.0.519/": None,
    "https://[2001:db8::1]:9443/": "six",
    "https://[2001:DB8:0:0::1]:9443/": "six",
    "https://[2001:db8::1]/": None,
    "https://[2001:db8::2]:9443/": None,
    "https://[::ffff:192.0.2.7]/": None,
    "https://xn--bcher-kva.example/": "books",
    "https://XN--BCHER-KVA.example/": "books",
    "https://xn--bcher-kv8a.example/": None,
}
MISREAD = [
    "https://depot.internal.example\\@evil.example/",
    "https://evil.example\\@depot.internal.example/",
    "https://evil.example#@depot.internal.example/",
    "https://evil.example\\.depot.internal.example/",
    "https://%64epot.internal.example/",
    "https://bücher.example/",
    "https://b%C3%BCcher.example/",
    "https://\uff44epot.internal.example/",
    "https://depot\u3002internal.example/",
    "https://depot.internal.example\t.evil.example/",
    "https://depot.internal.example\n.evil.example/",
    "https://depot.internal.example .evil.example/",
    "https:depot.internal.example/",
    "https:///depot.internal.example/",
    "https:/\\depot.internal.example/",
    "//depot.internal.example/",
    "https://[2001:db8::1%25eth0]:9443/",
    "https://depot.internal.example:99999/",
    "https://depot.internal.example:٤٤٣/",
    "https://depot.internal.example:-1/",
]
LISTED = {
    ("depot.internal.example", 443): "depot",
    ("depot.internal.example", 8443): "depot-admin",
    ("payroll.internal.example", 443): "payroll",
    ("xn--bcher-kva.example", 443): "books",
    ("2001:db8::1", 9443): "six",
    ("192.0.2.7", 443): "four",
}


def reached(hop):
    """Return the host and port that a client has asked the proxy for."""
    host, _, port = hop.place.rpartition(":")
    host = host.strip("[]").lower()
    return host.replace("2001:db8:0:0::1", "2001:db8::1"), int(port)


def test_a_host_is_the_one_that_is_connected_to(kind, wire):
    """However an address is written: what decides is where the client really goes."""
    guard = guard_of()
    with kind.client(outgoing_of(guard), proxy=wire.url) as client, guard.purpose("advice"):
        for url, expected in TRICKS.items():
            try:
                kind.send(client, url)
            except (ValueError, *ERRORS):
                assert expected is None, url
            hops = wire.hops()
            assert [(told(hop) or [None])[0] for hop in hops] in ([expected], []), url
            assert hops or expected is None, url


@pytest.mark.parametrize(
    "leads", ["", "https://evil.example/to?", "https://payroll.internal.example/to?"]
)
def test_who_is_told_is_who_is_reached(kind, wire, leads):
    """Where libraries read an address differently, whoever gets a token is its audience."""
    guard = guard_of()
    count = 0
    with kind.client(outgoing_of(guard), proxy=wire.url) as client, guard.purpose("advice"):
        for url in (*TRICKS, *MISREAD):
            if leads and "\n" in url:
                continue  # no header can say that
            try:
                kind.send(client, leads + (percent(url) if leads else url))
            except (ValueError, *ERRORS):
                pass  # most of them are no addresses at all
            for hop in wire.hops():
                count += hop.scheme == "https"
                if hop.tokens:
                    assert hop.scheme == "https", url
                    assert told(hop)[0] == LISTED[reached(hop)], url
    assert count >= len(TRICKS)


ERRORS = (
    *(httpx.HTTPError, httpx.InvalidURL, httpx2.HTTPError, httpx2.InvalidURL),
    requests.RequestException,
)


def percent(url):
    """Return an address as a part of another one."""
    return "".join(
        letter
        if letter.isalnum() and letter.isascii()
        else "".join(f"%{b:02X}" for b in letter.encode())
        for letter in url
    )


def test_the_token_is_only_on_the_wire(kind, wire):
    """No request that the application gets to see holds it: not for logs, nor to be sent again."""
    guard = guard_of()
    with kind.client(outgoing_of(guard), proxy=wire.url) as client, guard.purpose("advice"):
        response = kind.send(
            client, "https://depot.internal.example/to?https://depot.internal.example/"
        )
    assert [bool(hop.tokens) for hop in wire.hops()] == [True, True]
    assert len(response.history) == 1
    for each in (response, *response.history):
        assert HEADER not in each.request.headers
        assert HEADER.lower() not in repr(each.request.headers).lower()


@pytest.mark.parametrize("name", ["httpx", "httpx2", "requests"])
def test_the_next_request_of_a_redirect_holds_no_token(name, wire):
    """Who follows a redirect by hand, through whatever client, hands nothing over."""
    kind, guard = CLIENTS[name], guard_of()
    url = "https://depot.internal.example/to?https://evil.example/"
    with kind.client(outgoing_of(guard), proxy=wire.url) as client, guard.purpose("advice"):
        if name == "requests":
            following = client.get(url, allow_redirects=False).next
        else:
            following = client.get(url, follow_redirects=False).next_request
        with kind.client(None, proxy=wire.url) as naive:
            naive.send(following)
    assert places(wire.hops()) == [
        ("https://depot.internal.example:443", "depot"),
        ("https://evil.example:443", None),
    ]


def test_an_error_holds_no_token(kind):
    """What a failed call raises has the application's own request."""
    guard = guard_of()
    outgoing = outgoing_of(guard, {"127.0.0.1:1": "depot"})
    with (
        kind.client(outgoing) as client,
        guard.purpose("advice"),
        pytest.raises(kind.error) as caught,
    ):
        kind.send(client, "http://127.0.0.1:1/")
    assert HEADER not in caught.value.request.headers


def test_each_task_tells_its_own_purposes(wire):
    """Requests of many tasks at once, through one client, don't exchange theirs."""
    guard = guard_of()

    async def call(client, number):
        purpose = ("advice", "order", "order.delivery")[number % 3]
        with guard.purpose(purpose):
            await asyncio.sleep(0)
            await client.get(f"{wire.url}/{purpose}")

    async def main(library, ours):
        outgoing = outgoing_of(guard, {f"127.0.0.1:{wire.port}": "depot"})
        async with library.AsyncClient(transport=ours.AsyncPurposeTransport(outgoing)) as client:
            await asyncio.gather(*(call(client, number) for number in range(30)))

    for library, ours in ((httpx, for_httpx), (httpx2, for_httpx2)):
        asyncio.run(main(library, ours))
        hops = wire.hops()
        assert len(hops) == 30
        assert all(told(hop) == ("depot", (hop.path[1:],)) for hop in hops)


@pytest.mark.parametrize("name", ["httpx", "httpx2", "requests"])
def test_a_thread_tells_what_was_carried_to_it(name, wire):
    """A thread that nothing was carried to tells nothing: a gap there, never another's purpose."""
    kind, guard = CLIENTS[name], guard_of()
    outgoing = outgoing_of(guard, {f"127.0.0.1:{wire.port}": "depot"})
    with kind.client(outgoing) as client, guard.purpose("advice"):
        for work in (client.get, guard.carry(client.get)):
            thread = threading.Thread(target=work, args=(wire.url,))
            thread.start()
            thread.join()
    assert [told(hop) for hop in wire.hops()] == [None, ("depot", ("advice",))]


def test_a_dead_chain_tells_nothing(kind, wire):
    """What a task has kept of a request that is over is no purpose any more."""
    guard = guard_of()
    scope = guard.open_root("advice")
    with kind.client(outgoing_of(guard), proxy=wire.url) as client, scope:
        kind.send(client, "https://depot.internal.example/")
        scope.end()
        kind.send(client, "https://depot.internal.example/")
    assert [told(hop) for hop in wire.hops()] == [("depot", ("advice",)), None]


def test_what_is_wrapped_is_closed():
    """With the client or session, once, also where it was wrapped twice."""
    outgoing, closed = outgoing_of(guard_of()), []
    for library, ours in ((httpx, for_httpx), (httpx2, for_httpx2)):

        class Inner(library.BaseTransport):
            def close(self):
                closed.append(1)

        with library.Client(transport=ours.PurposeTransport(outgoing, Inner())):
            pass
        library.Client(transport=ours.PurposeTransport(outgoing, Inner())).close()

    class Adapter(requests.adapters.HTTPAdapter):
        def close(self):
            closed.append(1)

    session = requests.Session()
    session.mount("https://", Adapter())
    carry_purposes(session, outgoing)
    wrapped = dict(session.adapters)
    carry_purposes(session, outgoing)
    assert dict(session.adapters) == wrapped
    session.close()
    assert closed == [1] * 5


def test_the_asynchronous_ones_are_closed_too():
    """With the client, or by hand."""

    async def main(library, ours):
        closed = []

        class Inner(library.AsyncBaseTransport):
            async def aclose(self):
                closed.append(1)

        outgoing = outgoing_of(guard_of())
        async with library.AsyncClient(transport=ours.AsyncPurposeTransport(outgoing, Inner())):
            pass
        await library.AsyncClient(transport=ours.AsyncPurposeTransport(outgoing, Inner())).aclose()
        assert closed == [1, 1]

    for library, ours in ((httpx, for_httpx), (httpx2, for_httpx2)):
        asyncio.run(main(library, ours))


def test_an_adapter_by_itself(wire):
    """For a prefix of its own: the rest of the session stays as it was."""
    guard = guard_of()
    hosts = {f"127.0.0.1:{wire.port}": "depot", f"localhost:{wire.port}": "payroll"}
    with requests.Session() as session, guard.purpose("advice"):
        session.trust_env = False
        session.mount("http://127.0.0.1", PurposeAdapter(outgoing_of(guard, hosts)))
        for host in hosts:
            session.get(f"http://{host}/")
    assert [bool(hop.tokens) for hop in wire.hops()] == [True, False]


@pytest.mark.parametrize(
    "host",
    [
        *(
            "",
            "*",
            "*.internal.example",
            "https://depot.internal.example",
            "depot.internal.example/",
        ),
        *("depot.internal.example?x", "depot.internal.example#x", "me@depot.internal.example"),
        *("@depot.internal.example", "depot.internal.example:x", "depot.internal.example:0"),
        *("depot.internal.example:99999", "depot..example", ".example", "bücher.example", "a b"),
        *(
            "2001:db8::1",
            "[2001:db8::1",
            "[x]:1",
            "a\nb",
            "a\tb",
            "x%2e",
            None,
            7,
            b"depot.example",
        ),
    ],
)
def test_what_is_no_host(host):
    """Is told at start, with how to write one; a name with a secret in it is not repeated."""
    with pytest.raises(
        UnknownNameError, match="which is no host: write each host by itself"
    ) as told:
        outgoing_of(guard_of(), {host: "depot"})
    assert "me@" not in str(told.value)
    assert "\n" not in str(told.value)


def test_what_else_is_told_at_start():
    """Two spellings of one host, an audience that is none, and settings of another type."""
    guard = guard_of()
    with pytest.raises(UnknownNameError, match=r"`hosts` names `DEPOT.example` twice"):
        outgoing_of(guard, {"depot.example": "a", "DEPOT.example": "b"})
    with pytest.raises(UnknownNameError, match="twice"):
        outgoing_of(guard, {"[2001:db8::1]": "a", "[2001:DB8:0::1]": "b"})
    with pytest.raises(UnknownNameError, match="`hosts` names no service"):
        outgoing_of(guard, {"depot.example": None})
    with pytest.raises(UnknownNameError, match="`hosts` is no mapping"):
        outgoing_of(guard, ["depot.example"])
    with pytest.raises(UnknownNameError, match="`allow_http` is neither true nor false"):
        outgoing_of(guard, allow_http="no")


def test_other_schemes_are_not_told():
    """Only HTTP, WebSockets, and what they are called; a WebSocket is told as HTTP is."""
    guard = guard_of()
    outgoing = outgoing_of(guard)
    with guard.purpose("advice"):
        told = {
            scheme
            for scheme in ("https", "wss", "http", "ws", "ftp", "http+unix", "HTTPS", "")
            if outgoing.token_for(scheme, "depot.internal.example", None)
        }
        assert told == {"https", "wss"}
        assert outgoing.token_for("https", "depot.internal.example", 0) is None
        assert outgoing.token_for("https", "depot.internal.example", 80) is None
