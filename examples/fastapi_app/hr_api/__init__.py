"""A small HR service whose use of personal data is kept to SmartHR's privacy policy."""

from hr_api.app import create_app

__all__ = ["create_app"]
