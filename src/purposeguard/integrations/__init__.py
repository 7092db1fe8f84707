"""Adapters: each finds its framework's hook, and opens and closes scopes there."""
