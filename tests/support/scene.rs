//! What nearly every test wants: a database of its own, a folder of its own, and dbload between them.

use super::{Database, Dbload, Folder, Outcome, bouncer};
use dbload::internals::local::SharedServer;
use std::path::{Path, PathBuf};

pub struct Scene {
    pub db: Database,
    pub folder: Folder,
}

impl Scene {
    pub fn new() -> Self {
        Self { db: Database::fresh(), folder: Folder::new() }
    }

    /// With a schema made by these statements.
    #[track_caller]
    pub fn with(sql: &str) -> Self {
        let scene = Self::new();
        scene.db.sql(sql);
        scene
    }

    pub fn cwd(&self) -> &Path {
        self.folder.path()
    }

    pub fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        self.folder.file(name, bytes)
    }

    #[track_caller]
    pub fn sql(&self, sql: &str) {
        self.db.sql(sql);
    }

    /// dbload with these words, this database and a JSON report.
    pub fn dbload(&self, line: &str) -> Dbload {
        self.plain(line).arg("--json")
    }

    /// The same with the report for people.
    pub fn plain(&self, line: &str) -> Dbload {
        Dbload::new(self.cwd()).line(line).arg("--dsn").arg(self.url())
    }

    /// How the program gets to the database: straight, or through PgBouncer (`make test-pooler`).
    fn url(&self) -> String {
        let of_shared = |url: &str| SharedServer::get().is_ok_and(|s| s.server().dsn(&self.db.name()) == url);
        if std::env::var_os("DBLOAD_TEST_POOLER").is_some() && of_shared(self.db.url()) {
            return bouncer::shared().url(&self.db.name());
        }
        self.db.url().to_owned()
    }

    /// Runs dbload with these words.
    pub fn run(&self, line: &str) -> Outcome {
        self.dbload(line).run()
    }

    /// Runs it, expects exit 0.
    #[track_caller]
    pub fn load(&self, line: &str) -> Outcome {
        self.run(line).exits(0)
    }
}
