"""What the tests of web adapters share: a policy, a guard, guarded data, and instrumentors."""

from purposeguard import AccessDeniedError, Guard
from purposeguard.policy_file import parse_policy

TEXT = """\
purposeguard: 1
policy: web
version: "1"
purposes:
  support: {title: Support}
  support.inquiry: {title: Answer an inquiry}
  hiring: {title: Hiring}
  ads: {title: Advertising}
categories:
  customer: {title: Customers, items: [name, email]}
  candidate: {title: Candidates, items: [name]}
matrix:
  customer:
    support: {clauses: [A1]}
  candidate:
    hiring: {clauses: [A2]}
...
"""

POLICY = parse_policy(TEXT)

DATA = "Mika Example"

INSTRUMENTED = ("off", "before", "after")
"""Whether OpenTelemetry instruments the framework, and on which side of the adapter."""


class Data:
    """A guard, and functions that hand out data of customers."""

    def __init__(self):
        self.guard = guard = Guard(POLICY)

        @guard.access("customer", items=["name"])
        def customer():
            return DATA

        @guard.access("customer", items=["name"])
        def customers():
            for _ in range(3):
                yield DATA

        @guard.access("customer", items=["name"])
        async def customer_async():
            return DATA

        @guard.access("customer", items=["name"])
        async def customers_async():
            for _ in range(3):
                yield DATA

        self.customer = customer
        self.customers = customers
        self.customer_async = customer_async
        self.customers_async = customers_async

    def reason(self):
        """Return the reason of an access's answer, without raising."""
        try:
            return str(self.guard.check("customer", items=["name"]).reason)
        except AccessDeniedError as error:
            return str(error.decision.reason)
