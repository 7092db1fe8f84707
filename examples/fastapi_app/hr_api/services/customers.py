"""The service that customers have contracted: it works on what they entrust."""

from collections.abc import Sequence

import httpx
from sqlalchemy.ext.asyncio import AsyncSession

from hr_api.guard import guard
from hr_api.models import Entrusted
from hr_api.repositories import entrusted
from hr_api.schemas import PayRun


@guard.purpose("entrusted.service_delivery")
async def payslips(session: AsyncSession, customer_id: int) -> Sequence[Entrusted]:
    """Return a customer's payslips, as that customer's mandate has it."""
    return await entrusted.of_customer(session, customer_id)


@guard.purpose("entrusted.service_delivery")
async def pay_run(payroll: httpx.AsyncClient, customer_id: int) -> PayRun:
    """Ask payroll for what a customer's employees are paid: it is told what for."""
    answer = await payroll.get(f"/customers/{customer_id}/pay-run")
    return PayRun(**answer.raise_for_status().json())
