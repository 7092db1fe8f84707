"""The ledger: a durable, tamper-evident record of every access. docs/ledger.md has the format."""
