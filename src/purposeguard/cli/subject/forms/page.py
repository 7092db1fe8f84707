"""What a person is told as one self-contained HTML page, to be handed over."""

from purposeguard.cli.sheet.page import environment
from purposeguard.cli.subject.forms.content import Disclosure


def as_page(disclosure: Disclosure) -> str:
    """Return the page. Everything that comes from the policy, store and ledgers is escaped."""
    made = environment()
    made.filters["number"] = lambda count: f"{count:,}"
    return made.get_template("person.html").render(disclosure=disclosure)
