"""Background jobs. Like a view, each does what a service offers.

A worker runs them for the purposes in force where they are handed over. No message holds personal
data: the worker loads it, for its purpose.
"""

from celery import shared_task

from hr_service.database import Row
from hr_service.services import marketing


@shared_task(ignore_result=False)
def mail_admins(text: str) -> Row:
    """Send a text to the administrators of customers."""
    return marketing.mail_admins(text)
