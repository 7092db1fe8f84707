"""Start the HR service, send real requests to it, and show what its guard made of them.

python examples/fastapi_app/demo.py [--mode enforce|observe] [--port N]
"""

import argparse
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # where `plumbing` is, no part of the service

from joserfc.jwk import OKPKey
from purposeguard.integrations.tokens import TokenIssuer

import payroll_api
from hr_api import create_app
from hr_api.guard import guard
from plumbing.showing import Screen
from plumbing.watching import Watcher, verified
from serving import send, serve

PERMITTED = {
    "Recruiting": [
        ("GET", "/jobs/1/shortlist", "the most experienced applicants"),
        ("GET", "/jobs/1/applicants.csv", "all of them, row by row"),
        ("POST", "/jobs/1/second-opinion", "applicants to a group company"),
        ("GET", "/candidates/2", "a row, by what its columns say"),
        ("POST", "/candidates/2/invitation", "invite one to an interview"),
        ("POST", "/candidates/openings", "tell candidates of openings"),
        ("GET", "/candidates/experience", "statistics, made in a thread"),
    ],
    "Support": [
        ("GET", "/inquiries/1", "who asks, and what"),
        ("GET", "/admins/1/recommendations", "recommend by what is not used"),
    ],
    "Events, marketing, reception": [
        ("GET", "/events/1/participants", "the list for the door"),
        ("GET", "/events/1/interests", "same rows, and what they did"),
        ("POST", "/newsletter", "the newsletter to customers"),
        ("GET", "/visitors", "who is to be let in"),
        ("WS", "/visitors/live", "... asked again and again"),
        ("POST", "/visitors/1/arrival", "the office is told afterwards"),
    ],
    "Consent and mandates": [
        ("POST", "/events/1/co-host", "guests who have agreed"),
        ("POST", "/customers/1/audience", "to advertisers, as agreed"),
        ("GET", "/customers/1/payslips", "as that customer's mandate has it"),
        ("GET", "/customers/1/pay-run", "... asked of another service"),
    ],
    "A person's own requests": [
        ("GET", "/requests/1/report", "what a candidate is told"),
        ("POST", "/candidates/3/suspension", "another wants no more use"),
        ("POST", "/requests/2/verification", "it is really them"),
        ("POST", "/requests/2/acceptance", "from now on it holds"),
    ],
}
REFUSED = {
    "What the policy does not permit": [
        ("POST", "/reports/newsletter-to-candidates", "the newsletter to candidates"),
        ("POST", "/reports/borrowed-openings", "... by calling recruiting's code"),
        ("GET", "/reports/candidates", "... by SQL of one's own"),
        ("GET", "/reports/inquiries/1/activity", "usage log of one who asks"),
        ("GET", "/reports/admins/1", "... in a row that is loaded whole"),
        ("GET", "/reports/pay-trends", "analyse entrusted data"),
        ("GET", "/reports/customers/1/pay-run", "... that another service holds"),
        ("POST", "/reports/visitors-for-group", "visitors to a group company"),
        ("WS", "/reports/visitors/live", "visitors to marketing"),
    ],
    "What somebody has not agreed to, or stopped": [
        ("POST", "/reports/events/1/guests", "all guests, to the co-host"),
        ("POST", "/customers/2/audience", "to advertisers, nobody asked"),
        ("GET", "/customers/2/payslips", "without that customer's mandate"),
        ("POST", "/candidates/3/invitation", "who wanted no more use"),
    ],
    "What can't be judged, and so is not permitted either": [
        ("POST", "/reports/events/1/nameless", "whom to look up isn't said"),
        ("GET", "/reports/everybody", "a route that names no purpose"),
    ],
}


def main() -> int:
    """Run the demo and return 0, or 1 where the service did not work."""
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--mode", choices=["enforce", "observe"], default="enforce")
    options.add_argument("--port", type=int, default=0, help="default: any free one")
    given = options.parse_args()

    screen = Screen(sys.stdout, "hr_api")
    watcher = Watcher()
    key = OKPKey.generate_key("Ed25519").as_dict(private=True)
    trusted = TokenIssuer("hr-api", key).public_keys()
    with tempfile.TemporaryDirectory() as folder:
        ledger = Path(folder) / "ledger"
        payroll = payroll_api.create_app(
            Path(folder) / "payroll.sqlite", trusted=trusted, mode=given.mode
        )
        with serve(payroll) as payroll_url:
            app = create_app(
                Path(folder) / "hr.sqlite",
                mode=given.mode,
                ledger=ledger,
                payroll=payroll_url,
                token_key=key,
            )
            with serve(app, given.port) as url:
                screen.start(guard.health(), url, watcher.take())
                for section, requests in (PERMITTED | REFUSED).items():
                    screen.section(section)
                    for method, path, story in requests:
                        answer = send(method, url + path)
                        screen.request(method, path, story, answer, watcher.take())
                screen.section("The ledger, by `purposeguard ledger verify`")
                screen.command(verified(ledger))
    screen.summary()
    return 1 if screen.failed else 0


if __name__ == "__main__":
    sys.exit(main())
