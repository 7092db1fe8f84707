"""The rules of deciding once more, over a policy's plain dict: slow, short, and sharing no code.

Every check that applies to an item under a cell is yielded; the earliest in `ORDER` is the answer.
"""

from datetime import date

from dateutil.relativedelta import relativedelta

ORDER = [
    *("check_failed", "category_unknown", "purpose_undeclared", "purpose_closed"),
    *("purpose_unknown", "prohibited", "not_granted", "item_excess", "source_not_listed"),
    *("recipient_not_listed", "use_suspended", "provision_suspended", "retention_elapsed"),
    *("mandate_missing", "request_missing", "ground_not_accepted", "consent_withdrawn"),
    *("consent_missing", "evidence_unavailable", "granted_by_ground", "granted"),
]
PERIODS = {
    "P10D": relativedelta(days=10),
    "P1M": relativedelta(months=1),
    "P1Y": relativedelta(years=1),
    "P1Y1M1D": relativedelta(years=1, months=1, days=1),
}
RANK = {reason: rank for rank, reason in enumerate(ORDER)}


def worst(reasons):
    return min(reasons, key=RANK.__getitem__)


def best(reasons):
    return max(reasons, key=RANK.__getitem__, default="not_granted")


def covers(above, purpose):
    return purpose == above or purpose.startswith(above + ".")


def in_force(purposes):
    return [p for p in purposes if not any(q != p and covers(p, q) for q in purposes)]


def granting(cells, purpose):
    return [cell for granted, cell in cells.items() if covers(granted, purpose)]


def hits(prohibited, purpose):
    return covers(prohibited, purpose) or covers(purpose, prohibited)


def oracle(policy, access, known):
    """Return the reason for one access, given what is known about its people."""
    operation = access["operation"] or ("use" if access["recipient"] is None else "provide")
    if operation not in ("use", "collect", "store", "provide", "erase"):
        return "check_failed"
    if access["category"] not in policy["categories"]:
        return "category_unknown"
    if not access["purposes"]:
        return "purpose_undeclared"
    if access["closed"]:
        return "purpose_closed"
    if not set(access["purposes"]) <= set(policy["purposes"]):
        return "purpose_unknown"
    if operation == "erase":
        return "granted"
    asked = access["items"] or policy["categories"][access["category"]]["items"]
    at = {**access, "operation": operation}
    return worst(
        _item(policy, at, known, purpose, item)
        for purpose in in_force(access["purposes"])
        for item in asked
    )


def _item(policy, access, known, purpose, item):
    category = access["category"]
    bans = (ban for ban in policy["prohibitions"] if ban["category"] == category)
    if any(hits(ban["purpose"], purpose) for ban in bans):
        return "prohibited"
    cells = granting(policy["matrix"].get(category, {}), purpose)
    return best(worst(_checks(policy, access, known, purpose, item, cell)) for cell in cells)


def _checks(policy, access, known, purpose, item, cell):
    yield "granted"
    category, operation, name = access["category"], access["operation"], access["recipient"]
    every = policy["categories"][category]["items"]
    group, kind, given = _given(policy, category, name, purpose, cell, known["today"])
    if item not in (cell.get("items") or every) or (
        given is not None and item not in (given.get("items") or every)
    ):
        yield "item_excess"
    source = policy["sources"].get(access["source"]) if operation == "collect" else {}
    if source is None:
        yield "source_not_listed"
    if given is None and (name is not None or operation == "provide" or "only_to" in cell):
        yield "recipient_not_listed"
    request = policy["requests"]["purpose"] if "requests" in policy else None
    verified = known["findings"].get("verified_request") == "held"
    if not (request and covers(request, purpose) and verified):
        if known["use_suspended"] and not _goes_on(policy, category, item, known):
            yield "use_suspended"
        if known["provision_suspended"] and name is not None and kind != "processor":
            yield "provision_suspended"
        if known["erased"]:
            yield "retention_elapsed"
        rule = cell.get("retention") or policy["retention"].get(category)
        if rule and known["looked_up"] and operation != "collect":
            yield _kept(rule, known)
    for need in (given or {}).get("needs", ()):
        yield _need(policy, access, known, need, (need, group, category))
    for need in (*cell.get("needs", ()), *(source or {}).get("needs", ())):
        yield _need(policy, access, known, need, None)


def _goes_on(policy, category, item, known):
    """Whether a suspension of use waits for the contract's end."""
    essential = policy["essential"].get(category, {"items": ()})["items"]
    return item in essential and known["contract_ended"] is None


def _kept(rule, known):
    counted = {"collection": "collected", "contract_end": "contract_ended"}
    start = known[counted[rule["counted_from"]]]
    if start is None and rule["counted_from"] == "contract_end":
        return "granted"
    if start is None or known["today"] is None:
        return "evidence_unavailable"
    last = date.fromisoformat(start) + PERIODS[rule["period"]]
    return "granted" if date.fromisoformat(known["today"]) <= last else "retention_elapsed"


def _given(policy, category, name, purpose, cell, today):
    """The class of a recipient, its kind, and what it may be given here, or None for nothing."""
    for group, entry in policy["recipients"].items():
        named = [each for each in entry["members"] if name in (group, each["key"])]
        if name != group and not named:
            continue
        given = entry["to"].get(category)
        ends = [each["supervision"]["expires"] for each in named if "supervision" in each]
        if (
            given is None
            or ("only_to" in cell and group not in cell["only_to"])
            or ("purposes" in given and not any(covers(p, purpose) for p in given["purposes"]))
            or (entry["kind"] == "processor" and not ends)
            or any(today is None or today > end for end in ends)
        ):
            given = None
        return group, entry["kind"], given
    return None, None, None


def _need(policy, access, known, need, liftable):
    """`liftable` is the need, the recipient's class and the category, where a ground may help."""
    finding = known["findings"].get(need, "unknown")
    if finding == "held":
        return "granted"
    ground = access["grounds"][-1] if access["grounds"] else None
    for lift in policy["grounds"].get(ground, {}).get("lifts", ()):
        lifts = lift["needs"], lift["recipients"], lift["categories"]
        if liftable and all(each in among for each, among in zip(liftable, lifts, strict=True)):
            return "granted_by_ground"
    if finding == "unknown":
        return "evidence_unavailable"
    if need == "mandate":
        return "mandate_missing"
    if need in ("verified_request", "authorisation"):
        return "request_missing"
    if ground is not None:
        return "ground_not_accepted"
    return "consent_withdrawn" if finding == "withdrawn" else "consent_missing"
