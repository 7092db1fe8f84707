"""Start the HR service, send real HTTP requests to it, and show what its guard made of them.

python examples/flask_app/demo.py [--mode enforce|observe] [--port N]
"""

import argparse
import sys
import tempfile
from pathlib import Path

from hr_service import create_app
from hr_service.guard import guard
from showing import Screen
from watching import Watcher, send, serve

PERMITTED = {
    "Recruiting": [
        ("GET", "/jobs/1/shortlist", "the most experienced applicants"),
        ("POST", "/jobs/1/second-opinion", "applicants to a group company"),
        ("POST", "/candidates/2/invitation", "invite one to an interview"),
        ("POST", "/candidates/openings", "tell candidates of openings"),
        ("GET", "/candidates/experience", "statistics about candidates"),
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
    "What can't be judged, and so is not permitted either": [
        ("POST", "/events/1/co-host", "consent can't be looked up yet"),
        ("GET", "/reports/everybody", "a view that names no purpose"),
    ],
}


def main() -> int:
    """Run the demo and return 0, or 1 where the service did not work."""
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--mode", choices=["enforce", "observe"], default="enforce")
    options.add_argument("--port", type=int, default=0, help="default: any free one")
    given = options.parse_args()

    screen = Screen(sys.stdout)
    watcher = Watcher()
    with tempfile.TemporaryDirectory() as folder:
        app = create_app(Path(folder) / "hr.sqlite", mode=given.mode)
        with serve(app, given.port) as url:
            screen.start(guard.health(), url, watcher.take())
            for section, requests in (PERMITTED | REFUSED).items():
                screen.section(section)
                for method, path, story in requests:
                    answer = send(method, url + path)
                    screen.request(method, path, story, answer, watcher.take())
    screen.summary()
    return 1 if screen.failed else 0


if __name__ == "__main__":
    sys.exit(main())
