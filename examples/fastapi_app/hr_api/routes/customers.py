"""What customers have entrusted."""

from typing import Any

from fastapi import APIRouter, Depends

from hr_api.database import Session
from hr_api.guard import purposes
from hr_api.payroll import Payroll
from hr_api.schemas import Content, PayRun
from hr_api.services import customers

router = APIRouter(tags=["customers"], dependencies=[Depends(purposes("entrusted"))])


@router.get("/customers/{customer_id}/payslips", response_model=list[Content])
async def payslips(customer_id: int, session: Session) -> Any:
    """Show a customer's payslips."""
    return await customers.payslips(session, customer_id)


@router.get("/customers/{customer_id}/pay-run")
async def pay_run(customer_id: int, payroll: Payroll) -> PayRun:
    """Show what a customer's employees are paid: another service knows."""
    return await customers.pay_run(payroll, customer_id)
