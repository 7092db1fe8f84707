"""Reception."""

from typing import Any

from fastapi import APIRouter, BackgroundTasks, Depends, WebSocket

from hr_api.database import Served, Session
from hr_api.guard import purposes
from hr_api.schemas import Visitor
from hr_api.services import reception

router = APIRouter(
    prefix="/visitors", tags=["reception"], dependencies=[Depends(purposes("security"))]
)


@router.get("", response_model=list[Visitor])
async def expected_visitors(session: Session) -> Any:
    """Show who is expected."""
    return await reception.expected_visitors(session)


@router.post("/{visitor_id}/arrival", status_code=202)
async def arrival(visitor_id: int, database: Served, tasks: BackgroundTasks) -> None:
    """Note that a visitor has come: the office is told once the answer is sent."""
    tasks.add_task(reception.announce, database, visitor_id)


@router.websocket("/live")
async def live(socket: WebSocket, database: Served) -> None:
    """Show who is expected, again each time that the reception asks."""
    await socket.accept()
    async for _ in socket.iter_text():
        async with database.sessions() as session:
            found = await reception.expected_visitors(session)
        await socket.send_json([Visitor.model_validate(each).model_dump() for each in found])
