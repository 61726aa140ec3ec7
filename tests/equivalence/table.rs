//! Random tables: what ties records of different keys together, what refuses them, what rewrites them.

use super::{
    case::{Column, Own, kinds},
    catalog::{self, Odd},
    values::Kind,
};
use crate::{
    reference::Mode,
    support::{Rng, database::ident},
};

pub struct Table {
    pub columns: Vec<Column>,
    pub key: Vec<String>,
    /// The key is the primary key, else a unique index.
    pub primary: bool,
    pub needs_rows: bool,
    /// Table constraints.
    pub constraints: Vec<String>,
    partition: Option<&'static str>,
    pub has_child: bool,
    pub triggers: String,
    pub odd: Odd,
}

/// Names that have to be quoted.
const NAMES: [&str; 5] = ["Mixed Case", "select", "naïve", "a\"b", "c.d"];

impl Table {
    pub fn draw(rng: &mut Rng, mode: Mode, many: u64) -> Self {
        let mut table = Self {
            columns: vec![],
            key: vec![],
            primary: true,
            needs_rows: false,
            constraints: vec![],
            partition: None,
            has_child: false,
            triggers: String::new(),
            odd: Odd::default(),
        };
        // Half of the tables have nothing through which folding or the fast path could be seen.
        let plain = rng.one_in(2);
        table.draw_key(rng, many);
        let odd = rng.one_in(3);
        if odd && mode != Mode::Append && rng.one_in(2) {
            catalog::draw_key(&mut table, rng);
        }
        table.draw_columns(rng, mode, many, plain);
        if table.odd.key.is_none() {
            table.draw_partition(rng);
        }
        if !plain {
            table.draw_ties(rng, many);
            table.draw_triggers(rng);
        }
        table.has_child = table.partition.is_none() && rng.one_in(4);
        if odd {
            catalog::draw_rest(&mut table, rng, mode, many);
        }
        table
    }

    pub fn ddl(&self) -> String {
        let columns = self.columns.iter().map(|c| format!("{} {}", ident(&c.name), c.ddl));
        let parts: Vec<String> = columns.chain(self.constraints.iter().cloned()).collect();
        let partition = match self.partition {
            None => "",
            Some("hash") => " PARTITION BY HASH (k0)",
            Some(_) => " PARTITION BY RANGE (k0)",
        };
        let mut ddl = format!(
            "{} CREATE TABLE {{s}}.parent (id int PRIMARY KEY); INSERT INTO {{s}}.parent SELECT generate_series(0, 9); \
             CREATE{} TABLE {{s}}.t (\n  {}\n){partition};\n",
            kinds().2.to_owned() + &self.odd.before,
            if self.odd.unlogged { " UNLOGGED" } else { "" },
            parts.join(",\n  ")
        );
        if !self.primary {
            let key: Vec<String> = self.key.iter().map(|k| ident(k)).collect();
            let key = self.odd.key.clone().unwrap_or_else(|| key.join(", "));
            ddl += &format!("CREATE UNIQUE INDEX ON {{s}}.t ({key});\n");
        }
        ddl += match self.partition {
            // Without rows: but what a MERGE has done cannot be told any more, so that it is an insert and an
            // update.
            None if self.has_child => "CREATE TABLE {s}.child () INHERITS ({s}.t);\n",
            None => "",
            Some("hash") => {
                "CREATE TABLE {s}.t0 PARTITION OF {s}.t FOR VALUES WITH (MODULUS 3, REMAINDER 0); \
                 CREATE TABLE {s}.t1 PARTITION OF {s}.t FOR VALUES WITH (MODULUS 3, REMAINDER 1); \
                 CREATE TABLE {s}.t2 PARTITION OF {s}.t FOR VALUES WITH (MODULUS 3, REMAINDER 2);\n"
            }
            // A hole from 40 to 60, and nothing from 1000 on.
            Some(_) => {
                "CREATE TABLE {s}.t0 PARTITION OF {s}.t FOR VALUES FROM (MINVALUE) TO (40); \
                 CREATE TABLE {s}.t1 PARTITION OF {s}.t FOR VALUES FROM (60) TO (1000);\n"
            }
        };
        ddl + &self.triggers + &self.odd.after
    }

    fn draw_key(&mut self, rng: &mut Rng, many: u64) {
        let span = 1 + many / rng.pick(&[1, 2, 4, 20]) + rng.below(3);
        let parts = if rng.one_in(3) { 2 } else { 1 };
        for i in 0..parts {
            let kind = rng.pick(kinds().0);
            let ddl = kind.sql().to_owned();
            let bad = if rng.one_in(3) { 2 } else { 0 };
            let (nulls, absent) = if rng.one_in(4) { (1, 1) } else { (0, 0) };
            let span = if parts == 2 { 2 + span / 3 } else { span };
            let (name, own) = (format!("k{i}"), Own::FromFile);
            self.key.push(name.clone());
            self.columns.push(Column { name, kind, span, ddl, own, nulls, absent, bad });
        }
        self.primary = !rng.one_in(4);
        if self.primary {
            let key: Vec<String> = self.key.iter().map(|k| ident(k)).collect();
            self.constraints.push(format!("PRIMARY KEY ({})", key.join(", ")));
        }
    }

    pub fn is_partitioned(&self) -> bool {
        self.partition.is_some()
    }

    pub fn refers_to_itself(&self) -> bool {
        self.columns.iter().any(|c| c.name == "boss")
    }

    fn draw_columns(&mut self, rng: &mut Rng, mode: Mode, many: u64, plain: bool) {
        let (absent, nulls) = (rng.pick(&[0, 0, 10, 50]), rng.pick(&[0, 5, 20]));
        let bad = rng.pick(&[0, 0, 0, 1, 5]);
        for i in 0..1 + rng.below(6) {
            let kind = match rng.pick(kinds().1) {
                Kind::Positive | Kind::Code if plain => Kind::Text,
                kind => kind,
            };
            let mut ddl = kind.sql().to_owned();
            let default = kind.default().filter(|_| rng.one_in(3));
            if let Some(default) = default {
                ddl += &format!(" DEFAULT {default}");
            }
            if !plain && rng.one_in(5) && mode != Mode::Append {
                ddl += " NOT NULL";
                self.needs_rows |= default.is_none();
            }
            let name = match NAMES.get(rng.index(20)) {
                Some(name) if !self.columns.iter().any(|c| c.name == *name) => name.to_string(),
                _ => format!("c{i}"),
            };
            let quoted = ident(&name);
            match kind {
                _ if plain => {}
                Kind::Int4 | Kind::Int8 if rng.one_in(3) => ddl += &format!(" CHECK ({quoted} <> 1)"),
                Kind::Text if rng.one_in(3) => ddl += &format!(" CHECK (length({quoted}) < 300)"),
                _ => {}
            }
            let span = rng.pick(&[2, 3, 10, 1 + many]);
            self.columns.push(Column { name, kind, span, ddl, own: Own::FromFile, nulls, absent, bad });
        }
        let own = |name: &str, own, ddl: String| {
            let (kind, span, nulls, absent, bad) = (Kind::Int4, 1, 0, 0, 0);
            Column { name: name.to_owned(), kind, span, ddl, own, nulls, absent, bad }
        };
        if rng.one_in(5) {
            let identity = rng.pick(&["ALWAYS", "BY DEFAULT"]);
            self.columns.push(own("serial", Own::Sequence, format!("int GENERATED {identity} AS IDENTITY")));
        }
        if let Some(from) = self.columns.iter().find(|c| c.kind == Kind::Int4 && c.own == Own::FromFile)
            && rng.one_in(3)
        {
            let ddl = format!("bigint GENERATED ALWAYS AS ({}::bigint * 2) STORED", ident(&from.name));
            self.columns.push(own("twice", Own::Generated, ddl));
        }
    }

    fn draw_partition(&mut self, rng: &mut Rng) {
        if !rng.one_in(5) {
            return;
        }
        let integer = matches!(self.columns[0].kind, Kind::Int4 | Kind::Int8);
        self.partition = Some(if integer && rng.one_in(2) { "range" } else { "hash" });
    }

    /// Second unique indexes, exclusion, foreign keys: refusals that depend on other rows.
    fn draw_ties(&mut self, rng: &mut Rng, many: u64) {
        let (absent, nulls, bad, own) = (rng.pick(&[0, 20]), rng.pick(&[0, 20]), 0, Own::FromFile);
        let mut column = |name: &str, kind: Kind, span, rest: &str| {
            let ddl = format!("{} {rest}", kind.sql());
            self.columns.push(Column { name: name.to_owned(), kind, span, ddl, own, nulls, absent, bad });
        };
        let late = rng.pick(&["", "", " DEFERRABLE INITIALLY DEFERRED"]);
        if rng.one_in(4) {
            column("parent", Kind::Int4, 11, &format!("REFERENCES {{s}}.parent{late}"));
        }
        if self.partition.is_some() {
            return;
        }
        if rng.one_in(4) {
            let kind = rng.pick(&[Kind::Int4, Kind::Text, Kind::Citext]);
            column("other", kind, 1 + many * 2, &format!("UNIQUE{late}"));
        }
        if rng.one_in(12) {
            column("room", Kind::Range, 40, "");
            self.constraints.push("EXCLUDE USING gist (room WITH &&)".to_owned());
        }
        if self.key.len() == 1 && rng.one_in(6) {
            let (kind, span) = (self.columns[0].kind, self.columns[0].span);
            let ddl = format!("{} REFERENCES {{s}}.t (k0){late}", kind.sql());
            if self.primary {
                self.columns.push(Column {
                    name: "boss".to_owned(),
                    kind,
                    span,
                    ddl,
                    own,
                    nulls: 40,
                    absent: 20,
                    bad,
                });
            }
        }
    }

    fn draw_triggers(&mut self, rng: &mut Rng) {
        let free: Vec<&Column> = self
            .columns
            .iter()
            .filter(|c| {
                c.own == Own::FromFile
                    && matches!(c.kind, Kind::Int4 | Kind::Int8 | Kind::Text)
                    && c.name.starts_with('c')
            })
            .collect();
        let mut make = |name: &str, when: &str, body: &str| {
            self.triggers += &format!(
                "CREATE FUNCTION {{s}}.{name}() RETURNS trigger LANGUAGE plpgsql AS $f$ BEGIN {body} END $f$; \
                 CREATE TRIGGER {name} {when} ON {{s}}.t FOR EACH ROW EXECUTE FUNCTION {{s}}.{name}();\n"
            );
        };
        if let Some(column) = free.first() {
            let c = ident(&column.name);
            if rng.one_in(6) {
                let event = rng.pick(&["INSERT", "UPDATE", "INSERT OR UPDATE"]);
                let body = format!("IF length(NEW.{c}::text) = 1 THEN RETURN NULL; END IF; RETURN NEW;");
                make("swallow", &format!("BEFORE {event}"), &body);
            }
            if rng.one_in(6) {
                let event = rng.pick(&["INSERT", "INSERT OR UPDATE"]);
                let change = if column.kind == Kind::Text {
                    format!("upper(NEW.{c})")
                } else {
                    format!("NEW.{c} + 2")
                };
                make("rewrite", &format!("BEFORE {event}"), &format!("NEW.{c} := {change}; RETURN NEW;"));
            }
            if rng.one_in(10) {
                let body = format!(
                    "IF length(NEW.{c}::text) = 2 THEN RAISE 'not two' USING ERRCODE = 'P0042'; END IF; RETURN NULL;"
                );
                make("refuse", "AFTER INSERT OR UPDATE", &body);
            }
        }
        if let Some(column) = free.last()
            && self.partition.is_none()
            && rng.one_in(8)
        {
            // Judged at the end of the transaction, if nobody asks before.
            let late = rng.pick(&["DEFERRABLE INITIALLY DEFERRED", "DEFERRABLE", "NOT DEFERRABLE"]);
            self.triggers += &format!(
                "CREATE FUNCTION {{s}}.judge() RETURNS trigger LANGUAGE plpgsql AS $f$ BEGIN \
                 IF length(NEW.{}::text) = 3 THEN RAISE 'not three' USING ERRCODE = 'P0043'; END IF; RETURN NULL; END $f$; \
                 CREATE CONSTRAINT TRIGGER judge AFTER INSERT OR UPDATE ON {{s}}.t {late} FOR EACH ROW EXECUTE FUNCTION {{s}}.judge();\n",
                ident(&column.name)
            );
        }
        if rng.one_in(6) {
            self.triggers += "CREATE TABLE {s}.audit (op text, was text, becomes text);\n";
            let shown: Vec<String> =
                self.columns.iter().filter(|c| c.own == Own::FromFile).map(|c| ident(&c.name)).collect();
            let row = |side: &str| {
                format!(
                    "ROW({})::text",
                    shown.iter().map(|c| format!("{side}.{c}")).collect::<Vec<_>>().join(",")
                )
            };
            let body = format!(
                "IF TG_OP = 'INSERT' THEN INSERT INTO {{s}}.audit VALUES (TG_OP, NULL, {new}); ELSE \
                 INSERT INTO {{s}}.audit VALUES (TG_OP, {old}, {new}); END IF; RETURN NULL;",
                new = row("NEW"),
                old = row("OLD"),
            );
            make_audit(&mut self.triggers, &body);
        }
    }

    pub fn has_audit(setup: &str) -> bool {
        setup.contains("{s}.audit")
    }
}

fn make_audit(triggers: &mut String, body: &str) {
    *triggers += &format!(
        "CREATE FUNCTION {{s}}.note() RETURNS trigger LANGUAGE plpgsql AS $f$ BEGIN {body} END $f$; \
         CREATE TRIGGER note AFTER INSERT OR UPDATE ON {{s}}.t FOR EACH ROW EXECUTE FUNCTION {{s}}.note();\n"
    );
}
