"""Start the HR service, send real HTTP requests to it, and show what its guard made of them.

python examples/flask_app/demo.py [--mode enforce|observe] [--port N]
"""

import argparse
import sys
import tempfile
from contextlib import closing
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # where `plumbing` is, no part of the service

from hr_service import create_app
from hr_service.guard import guard
from plumbing.showing import Screen
from plumbing.watching import Watcher, verified
from serving import Worker, send, serve

PERMITTED = {
    "Recruiting": [
        ("GET", "/jobs/1/shortlist", "the most experienced applicants"),
        ("GET", "/jobs/1/applicants.csv", "all of them, a file row by row"),
        ("POST", "/jobs/1/second-opinion", "applicants to a group company"),
        ("POST", "/candidates/2/invitation", "invite one to an interview"),
        ("POST", "/candidates/openings", "tell candidates of openings"),
        ("GET", "/candidates/experience", "statistics about candidates"),
    ],
    "Support": [
        ("GET", "/inquiries/1", "who asks, and what"),
        ("GET", "/admins/1/recommendations", "recommend by what is not used"),
    ],
    "Events, reception": [
        ("GET", "/events/1/participants", "the list for the door"),
        ("GET", "/events/1/interests", "same rows, and what they did"),
        ("GET", "/visitors", "who is to be let in"),
    ],
    "Consent and mandates": [
        ("POST", "/events/1/co-host", "guests who have agreed"),
        ("POST", "/customers/1/audience", "to advertisers, as agreed"),
        ("GET", "/customers/1/payslips", "as that customer's mandate has it"),
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
        ("GET", "/reports/inquiries/1/activity", "usage log of one who asks"),
        ("GET", "/reports/pay-trends", "analyse entrusted data"),
        ("POST", "/reports/visitors-for-group", "visitors to a group company"),
    ],
    "What somebody has not agreed to, or stopped": [
        ("POST", "/reports/events/1/guests", "all guests, to the co-host"),
        ("POST", "/customers/2/audience", "to advertisers, nobody asked"),
        ("GET", "/customers/2/payslips", "without that customer's mandate"),
        ("POST", "/candidates/3/invitation", "who wanted no more use"),
    ],
    "What can't be judged, and so is not permitted either": [
        ("POST", "/reports/events/1/nameless", "whom to look up isn't said"),
        ("GET", "/reports/everybody", "a view that names no purpose"),
    ],
}
JOBS = {
    "Handed to a worker, a process of its own": [
        ("POST", "/newsletter", "the newsletter to customers"),
        ("POST", "/reports/reminder", "a view that names no purpose"),
    ],
}


def main() -> int:
    """Run the demo and return 0, or 1 where the service did not work."""
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--mode", choices=["enforce", "observe"], default="enforce")
    options.add_argument("--port", type=int, default=0, help="default: any free one")
    given = options.parse_args()

    screen = Screen(sys.stdout, "hr_service")
    watcher = Watcher()
    with tempfile.TemporaryDirectory() as folder:
        database, ledger = Path(folder) / "hr.sqlite", Path(folder) / "ledger"
        app = create_app(database, mode=given.mode, ledger=ledger)
        worker = Worker(database, given.mode, ledger)
        with worker, closing(app.extensions["subjects"]), serve(app, given.port) as url:
            screen.start(guard.health(), url, watcher.take())
            for section, requests in (PERMITTED | REFUSED).items():
                screen.section(section)
                for method, path, story in requests:
                    answer = send(method, url + path)
                    screen.request(method, path, story, answer, watcher.take())
            for section, requests in JOBS.items():
                screen.section(section)
                for method, path, story in requests:
                    answer = send(method, url + path)
                    screen.job(method, path, story, answer, worker.done(url, answer))
        screen.section("The ledger, by `purposeguard ledger verify`")
        screen.command(verified(ledger))
    screen.summary()
    return 1 if screen.failed else 0


if __name__ == "__main__":
    sys.exit(main())
