import pytest
from fastapi.testclient import TestClient
from service import make_app


@pytest.fixture
def client(dbload_db):
    with TestClient(make_app(dbload_db)) as client:
        yield client


def titles(client):
    return [task["title"] for task in client.get("/due").json()]


def test_what_is_due_is_listed_and_what_is_done_is_not(client):
    assert titles(client) == ["write the tests", "call Alice"]


def test_a_task_that_is_finished_is_due_no_more(client):
    _, call = client.get("/due").json()
    assert client.delete(f"/tasks/{call['id']}").status_code == 200
    assert titles(client) == ["write the tests"]


def test_what_is_not_there_is_not_found(client):
    assert client.get("/tasks/0").status_code == 404
    assert client.delete("/tasks/0").status_code == 404
