"""`purposeguard subject …`: data-subject requests, step by step."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from purposeguard.cli.files import PolicyFile, fail, policy_or_fail
from purposeguard.cli.printing import say
from purposeguard.cli.subject.opening import KeyFile, Url, opened
from purposeguard.exceptions import UnknownNameError
from purposeguard.subjects.findings import PRESCRIBED
from purposeguard.subjects.requests import Requests

if TYPE_CHECKING:
    from purposeguard.subjects.sql import SqlSubjects

Category = Annotated[str, typer.Argument(help="The category of the data.", show_default=False)]
Person = Annotated[
    str,
    typer.Argument(
        metavar="SUBJECT",
        help="Whose data, by the identifier that the service uses; only its keyed hash is kept.",
        show_default=False,
    ),
]
Id = Annotated[int, typer.Argument(metavar="ID", help="The request.", show_default=False)]


@contextmanager
def _handled(file: str, url: str, key_file: Path | None) -> Iterator[Requests]:
    policy = policy_or_fail(file)
    with opened(url, key_file) as store:
        try:
            yield Requests(policy, store)
        except UnknownNameError as error:
            fail([error])


def request(
    file: PolicyFile,
    url: Url,
    category: Category,
    subject: Person,
    kind: Annotated[
        str,
        typer.Option(
            help="What is asked for: a kind of the policy, as `disclosure` or `erasure` is.",
            show_default=False,
        ),
    ],
    form: Annotated[str, typer.Option(help="The form that it came in.")] = PRESCRIBED,
    key_file: KeyFile = None,
) -> None:
    """Record that a person has made a request, and print its id.

    Exit status: 0 recorded, 2 not.
    """
    with _handled(file, url, key_file) as requests:
        number = requests.receive(category, subject, kind=kind, form=form)
    typer.echo(str(number))


def verify(file: PolicyFile, url: Url, number: Id, key_file: KeyFile = None) -> None:
    """Record that a request comes from that person: from now on their data may be handled for it.

    Exit status: 0 recorded, 2 not.
    """
    with _handled(file, url, key_file) as requests:
        requests.verify(number)
    say(f"request {number} is verified")


def authorise(
    file: PolicyFile,
    url: Url,
    number: Id,
    customer: Annotated[
        str, typer.Argument(metavar="CUSTOMER", help="Who entrusted the data.", show_default=False)
    ],
    key_file: KeyFile = None,
) -> None:
    """Record that the customer who has entrusted the data authorises a request.

    Exit status: 0 recorded, 2 not.
    """
    with _handled(file, url, key_file) as requests:
        requests.authorise(number, customer)
    say(f"request {number} is authorised")


def accept(
    file: PolicyFile, url: Url, number: Id, subject: Person, key_file: KeyFile = None
) -> None:
    """Accept a request: a suspension or an erasure holds from the next access on.

    Exit status: 0 accepted, 2 not.
    """
    with _handled(file, url, key_file) as requests:
        effect = requests.accept(number, subject)
    say(f"request {number} is accepted: {effect.text}")


def refuse(
    file: PolicyFile,
    url: Url,
    number: Id,
    reason: Annotated[
        str, typer.Option(help="Why, as a short key: identity_unclear.", show_default=False)
    ],
    key_file: KeyFile = None,
) -> None:
    """Refuse a request, with a reason; `none_held` as the reason says that nothing is held.

    Exit status: 0 recorded, 2 not.
    """
    with _handled(file, url, key_file) as requests:
        if reason == "none_held":
            requests.none_held(number)
        else:
            requests.refuse(number, reason)
    say(f"request {number} is answered: {reason}")


def requests(url: Url, key_file: KeyFile = None) -> None:
    """List the requests that are not answered yet, oldest first.

    Exit status: 0 listed, 2 not.
    """
    with opened(url, key_file) as store:
        lines = list(_lines(store))
    for line in lines or ["no request is open"]:
        say(line)


def _lines(store: "SqlSubjects") -> Iterator[str]:
    for each in store.requests_open():
        found = each.request
        steps = [
            f"received {found.received:%Y-%m-%d} ({found.form})",
            "verified" if found.verified else "not verified",
            *(["authorised"] if found.authorised else []),
        ]
        yield f"{found.id}  {found.kind}  {each.category}  {each.person}  {', '.join(steps)}"
