"""The marks that stand for what the policy says of a category and purpose."""

from purposeguard.cli.sheet.content import Kind

MARKS = {
    Kind.GRANTED: "●",
    Kind.CONDITIONAL: "◐",
    Kind.ONLY_TO: "→",
    Kind.PROHIBITED: "✕",
    Kind.NONE: "·",
}

ASCII_MARKS = {
    Kind.GRANTED: "G",
    Kind.CONDITIONAL: "c",
    Kind.ONLY_TO: ">",
    Kind.PROHIBITED: "X",
    Kind.NONE: ".",
}
"""The same where a terminal has no others."""
