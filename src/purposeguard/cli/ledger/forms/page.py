"""The report as one self-contained HTML page."""

from purposeguard.cli.ledger.forms.content import (
    NO_CATEGORY,
    NO_PURPOSE,
    Account,
    Square,
    moment,
    period,
)
from purposeguard.cli.sheet.marks import MARKS
from purposeguard.cli.sheet.page import bands, environment
from purposeguard.policy.reasons import Outcome


def as_page(account: Account) -> str:
    """Return the page. Everything that comes from the ledger and the policy is escaped."""
    report = account.report
    made = environment()
    made.filters["moment"] = moment
    made.filters["number"] = lambda count: f"{count:,}"
    return made.get_template("ledger.html").render(
        account=account,
        totals=(
            (report.accesses, "access", "accesses"),
            (report.count(Outcome.PERMIT), "permit", "permits"),
            (report.count(Outcome.VIOLATION), "violation", "violations"),
            (report.count(Outcome.GAP), "gap", "gaps"),
            (report.refused, "refused by the ledger", "refused by the ledger"),
            (report.lost, "lost", "lost"),
        ),
        bands=tuple(bands(account.groups)),
        marks=MARKS,
        look=_look,
        period=period,
        no_category=NO_CATEGORY,
        no_purpose=NO_PURPOSE,
    )


def _look(square: Square) -> str:
    """The class of a square: the worst of what was recorded there decides."""
    if square.violations:
        return "prohibited"
    if square.gaps or square.refused:
        return "conditional"
    return "granted" if square.permits else "none"
