"""The instrumentation scope that all telemetry is sent under."""

from importlib import metadata

SCOPE = "purposeguard"
VERSION = metadata.version("purposeguard")
