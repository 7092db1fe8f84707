"""The module that `celery -A` loads in a worker."""

from integrations.celery.celery_service import Service, Settings

service = Service(Settings.here())
app = service.app
