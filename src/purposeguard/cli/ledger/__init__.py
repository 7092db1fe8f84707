"""`purposeguard ledger`: what was recorded, one subcommand a file."""
