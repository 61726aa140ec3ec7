"""The service of examples/service in Python: tasks and who is to do them, over HTTP."""

import os
from contextlib import asynccontextmanager

import asyncpg
from fastapi import FastAPI, HTTPException


def make_app(url: str) -> FastAPI:
    @asynccontextmanager
    async def lifespan(app: FastAPI):
        async with asyncpg.create_pool(url, min_size=1) as pool:
            app.state.pool = pool
            yield

    app = FastAPI(lifespan=lifespan)

    @app.get("/due")
    async def due() -> list[dict]:
        """What is due within a day, the most urgent first."""
        rows = await app.state.pool.fetch(
            "SELECT t.id, t.title, u.name FROM tasks t JOIN users u ON u.id = t.assignee "
            "WHERE NOT t.done AND t.due < now() + interval '1 day' ORDER BY t.due"
        )
        return [dict(row) for row in rows]

    @app.get("/tasks/{id}")
    async def task(id: int) -> str:
        title = await app.state.pool.fetchval("SELECT title FROM tasks WHERE id = $1", id)
        return title or _not_found()

    @app.delete("/tasks/{id}")
    async def finish(id: int) -> None:
        done = await app.state.pool.execute("UPDATE tasks SET done = true WHERE id = $1", id)
        if done != "UPDATE 1":
            _not_found()

    return app


def _not_found():
    raise HTTPException(404)


def app() -> FastAPI:
    """uvicorn --factory service:app"""
    return make_app(os.environ["DATABASE_URL"])
