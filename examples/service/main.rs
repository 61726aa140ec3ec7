//! A service with a database, and its tests: `cargo test --example service`.
//!
//! The tests need PostgreSQL's server programs and nothing that runs: each gets a database of its own with
//! the rows of `fixtures`, and leaves none behind.

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::get;
use sqlx::PgPool;

fn app(pool: PgPool) -> Router {
    Router::new().route("/due", get(due)).route("/tasks/{id}", get(task).delete(finish)).with_state(pool)
}

/// What is due within a day, the most urgent first.
async fn due(State(pool): State<PgPool>) -> Result<String, StatusCode> {
    let titles: Vec<String> = sqlx::query_scalar(
        "SELECT t.title || ' (' || u.name || ')' FROM tasks t JOIN users u ON u.id = t.assignee \
         WHERE NOT t.done AND t.due < now() + interval '1 day' ORDER BY t.due",
    )
    .fetch_all(&pool)
    .await
    .map_err(failed)?;
    Ok(titles.join("\n"))
}

async fn task(State(pool): State<PgPool>, Path(id): Path<i32>) -> Result<String, StatusCode> {
    let title = sqlx::query_scalar("SELECT title FROM tasks WHERE id = $1").bind(id);
    title.fetch_optional(&pool).await.map_err(failed)?.ok_or(StatusCode::NOT_FOUND)
}

async fn finish(State(pool): State<PgPool>, Path(id): Path<i32>) -> Result<(), StatusCode> {
    let done = sqlx::query("UPDATE tasks SET done = true WHERE id = $1").bind(id);
    let done = done.execute(&pool).await.map_err(failed)?;
    if done.rows_affected() == 1 { Ok(()) } else { Err(StatusCode::NOT_FOUND) }
}

fn failed(_: sqlx::Error) -> StatusCode {
    StatusCode::INTERNAL_SERVER_ERROR
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let pool = PgPool::connect(&std::env::var("DATABASE_URL")?).await?;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    axum::serve(listener, app(pool)).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use dbload::testing::{TestDatabase, database};

    /// A database of its own, for each test.
    async fn db() -> (TestDatabase, PgPool) {
        let here = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/service");
        let db = database()
            .schema(format!("{here}/schema.sql"))
            .fixtures(format!("{here}/fixtures"))
            .await
            .unwrap();
        let pool = PgPool::connect(db.url()).await.unwrap();
        (db, pool)
    }

    #[tokio::test]
    async fn what_is_due_is_listed_and_what_is_done_is_not() {
        let (_db, pool) = db().await;
        assert_eq!(due(State(pool)).await.unwrap(), "write the tests (Alice)\ncall Alice (Bob)");
    }

    #[tokio::test]
    async fn a_task_that_is_finished_is_due_no_more() {
        let (_db, pool) = db().await;
        let id = sqlx::query_scalar("SELECT id FROM tasks WHERE title = 'call Alice'")
            .fetch_one(&pool)
            .await
            .unwrap();
        finish(State(pool.clone()), Path(id)).await.unwrap();
        assert_eq!(due(State(pool)).await.unwrap(), "write the tests (Alice)");
    }

    #[tokio::test]
    async fn what_is_not_there_is_not_found() {
        let (_db, pool) = db().await;
        assert_eq!(task(State(pool.clone()), Path(0)).await, Err(StatusCode::NOT_FOUND));
        assert_eq!(finish(State(pool), Path(0)).await, Err(StatusCode::NOT_FOUND));
    }
}
