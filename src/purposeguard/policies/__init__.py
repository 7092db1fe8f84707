"""Policies that ship with purposeguard."""
