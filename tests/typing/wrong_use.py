"""Checked, never run: each line that ends in `# wrong` must be an error, and no other line."""

import functools

from purposeguard import Guard, load_policy

guard = Guard()

Guard(7)  # wrong
Guard(mode=None)  # wrong
Guard(subject_key="text")  # wrong
Guard(actor="me")  # wrong
Guard(modes={"candidate:*": 7})  # wrong
guard.load(None)  # wrong
load_policy()  # wrong

guard.access()  # wrong
guard.access("candidate", "name")  # wrong
guard.access("candidate", items="name")  # wrong
guard.access("candidate", items=["name", 7])  # wrong
guard.access("candidate", items={"name": "no"})  # wrong
guard.access("candidate", item=["name"])  # wrong
guard.access(b"candidate")  # wrong
guard.access("candidate", purpose=True)  # wrong
guard.purpose(None)  # wrong
guard.purpose("recruitment", root="yes")  # wrong
guard.check("candidate", subject=7.5)  # wrong
guard.check("candidate", subject=lambda bound: 7)  # wrong
guard.decide("candidate")  # wrong

guard.access("candidate")(7)  # wrong
guard.purpose("recruitment")("text")  # wrong
guard.access("candidate")(functools.cached_property(str))  # wrong
guard.carry(7)  # wrong


@guard.access("candidate")
def load(candidate_id: int, *, loud: bool = False) -> str:
    return ""


load("seven")  # wrong
load()  # wrong
load(7, True)  # wrong
load(7).append("x")  # wrong
number: int = load(7)  # wrong


@guard.purpose("recruitment")
async def later(candidate_id: int) -> str:
    return ""


text: str = later(7)  # wrong


class Store:
    @property
    @guard.access("candidate")
    def name(self) -> str:
        return ""

    @guard.access("candidate")
    def method(self, candidate_id: int) -> str:
        return ""


Store().name()  # wrong
Store().name = "Ada"  # wrong
Store().method("seven")  # wrong

with guard.purpose("recruitment") as nothing:
    nothing.explain()  # wrong
with guard.access("candidate") as decision:
    decision.reasons  # wrong
