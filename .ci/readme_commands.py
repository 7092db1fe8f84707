"""Print the two set-up commands of the README: its first two `sh` blocks, one line each."""

import re
import sys
from pathlib import Path

blocks = re.findall(r"^```sh\n(.*?)\n```$", Path(sys.argv[1]).read_text(), re.MULTILINE | re.DOTALL)
for block in blocks[:2]:
    if "\n" in block:
        sys.exit(f"not one line: {block!r}")
    print(block)  # noqa: T201
