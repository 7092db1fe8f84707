"""A policy as a sheet to read: what is on it, and one form of it a file."""
