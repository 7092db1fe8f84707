"""The sheet as JSON: the policy with everything spelled out."""

import json

from purposeguard.policy.matrix import Policy


def as_json(policy: Policy) -> str:
    """Return the policy's document with its digest, and the items of every cell spelled out."""
    document = policy.document.model_dump(mode="json", exclude_none=True)
    for category, cells in document["matrix"].items():
        row = policy.rows[category]
        for purpose, cell in cells.items():
            cell["items"] = [item for item in row.items if item in row.cells[purpose].items]
    return json.dumps({"digest": policy.digest, **document}, ensure_ascii=False, indent=2) + "\n"
