//! What others have set, planted, left or not granted does not change what is stored.

mod appends;
mod encoding;
mod names;
mod rights;
mod roots;
mod settings;
mod staging;

use std::sync::atomic::{AtomicU32, Ordering};

use crate::support::{Dbload, Outcome, Scene};

/// A role of this scene, and dbload as that role. `rights`: statements, with `{role}` in them.
struct Clerk<'a> {
    scene: &'a Scene,
    role: String,
}

impl<'a> Clerk<'a> {
    fn new(scene: &'a Scene, rights: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let role = format!("clerk_{}_{}", scene.db.name(), NEXT.fetch_add(1, Ordering::Relaxed));
        scene.sql(&format!("CREATE ROLE {role} LOGIN"));
        let clerk = Self { scene, role };
        clerk.sql(rights);
        clerk
    }

    /// By the superuser.
    fn sql(&self, sql: &str) {
        self.scene.sql(&sql.replace("{role}", &self.role));
    }

    fn url(&self) -> String {
        let url = self.scene.db.url().replace("user=postgres", &format!("user={}", self.role));
        assert!(url.contains(&self.role), "{url}");
        url
    }

    fn command(&self, line: &str) -> Dbload {
        Dbload::new(self.scene.cwd()).line(line).arg("--json").arg("--dsn").arg(self.url())
    }

    fn run(&self, line: &str) -> Outcome {
        self.command(line).run()
    }
}

impl Drop for Clerk<'_> {
    fn drop(&mut self) {
        // The role belongs to the whole server, which other tests use too.
        let _ = self.scene.db.try_sql(&format!("DROP OWNED BY {0} CASCADE; DROP ROLE {0}", self.role));
    }
}
