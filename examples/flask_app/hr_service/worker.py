"""What a worker runs: `celery --app hr_service.worker worker`."""

from hr_service import create_app

celery = create_app().extensions["celery"]
