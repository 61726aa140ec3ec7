//! What else a catalog may hold: indexes with a notion of equality of their own, what single partitions and
//! children have for themselves, triggers of every mode, constants as defaults, deferrable constraints on the
//! key.

use super::{
    case::{Column, Own},
    table::Table,
    values::Kind,
};
use crate::{
    equality::{CI, MOD},
    reference::Mode,
    support::{Rng, database::ident},
};

/// What is drawn beside the table itself.
#[derive(Debug, Clone, Default)]
pub struct Odd {
    /// Collations and operator classes, before the table is made.
    pub before: String,
    /// `CREATE UNIQUE INDEX` of the key, and the rest: after the table, its partitions and children are
    /// there.
    pub after: String,
    /// The key's column in its index, where it is not the bare name.
    pub key: Option<String>,
    /// When two rows have one key then, with `{s}` for the schema.
    pub same_key: Option<String>,
    /// Run behind the rows to begin with: some of them go to a child table.
    pub move_rows: Option<String>,
    pub unlogged: bool,
}

/// How the index of a key compares it, and what that is in the words of a query.
pub fn draw_key(table: &mut Table, rng: &mut Rng) {
    let kind = table.columns[0].kind;
    let [key] = table.key.as_slice() else { return };
    let quoted = ident(key);
    let (before, index, same) = match kind {
        Kind::Text => {
            let (collation, rest) = rng.pick(&[
                ("{s}.ci", ""),
                ("{s}.ci", ""),
                ("\"C\"", ""),
                ("\"en-x-icu\"", " text_pattern_ops"),
                ("\"C\"", " text_pattern_ops"),
            ]);
            let same = format!("t.{quoted} = p.{quoted} COLLATE {collation}");
            (CI, format!("{quoted} COLLATE {collation}{rest}"), same)
        }
        Kind::Citext => ("", format!("{quoted} text_ops"), format!("t.{quoted}::text = p.{quoted}::text")),
        Kind::Int4 if rng.one_in(3) => {
            (MOD, format!("{quoted} {{s}}.mod_ops"), format!("t.{quoted} % 10 = p.{quoted} % 10"))
        }
        _ => return,
    };
    table.primary = false;
    // So far there is none but the primary key.
    table.constraints.clear();
    table.odd.before = before.to_owned();
    table.odd.key = Some(index);
    table.odd.same_key = Some(same);
}

/// What ties records together where one does not look for it, or refuses them there.
pub fn draw_rest(table: &mut Table, rng: &mut Rng, mode: Mode, many: u64) {
    table.odd.unlogged = !table.is_partitioned() && rng.one_in(12);
    if table.primary && rng.one_in(8) {
        let key: Vec<String> = table.key.iter().map(|k| ident(k)).collect();
        table.constraints.push(format!("UNIQUE ({}) DEFERRABLE INITIALLY DEFERRED", key.join(", ")));
    }
    // Labels are hashed by their oids: the twins would have their rows in other partitions.
    let by_label = table.columns[0].kind == Kind::Mood;
    let part = match (table.is_partitioned(), table.has_child) {
        (true, _) => Some(rng.pick(&["t0", "t1"])).filter(|_| !by_label),
        (_, true) => Some("child"),
        _ => None,
    };
    if let Some(part) = part
        && rng.one_in(2)
    {
        of_part(table, rng, many, part);
    }
    if !table.is_partitioned() && rng.one_in(6) {
        constant_default(table, rng, many);
    }
    if !table.is_partitioned() && rng.one_in(8) {
        if !table.odd.before.contains("COLLATION") {
            table.odd.before += CI;
        }
        let column = column("folded", Kind::Text, 1 + many * 2, "text");
        table.columns.push(column);
        table.odd.after += "CREATE UNIQUE INDEX ON {s}.t (folded COLLATE {s}.ci);\n";
    }
    if table.has_child && mode != Mode::Append && !table.refers_to_itself() {
        move_some(table);
    }
    for name in ["swallow", "rewrite", "refuse", "note"] {
        if table.triggers.contains(&format!("CREATE TRIGGER {name} ")) && rng.one_in(3) {
            let when = rng.pick(&["ALWAYS", "REPLICA"]);
            table.odd.after += &format!("ALTER TABLE {{s}}.t ENABLE {when} TRIGGER {name};\n");
        }
    }
}

fn column(name: &str, kind: Kind, span: u64, ddl: &str) -> Column {
    Column {
        name: name.to_owned(),
        kind,
        span,
        ddl: ddl.to_owned(),
        own: Own::FromFile,
        nulls: 5,
        absent: 5,
        bad: 0,
    }
}

/// What one partition or child has for itself.
fn of_part(table: &mut Table, rng: &mut Rng, many: u64, part: &str) {
    table.columns.push(column("own", Kind::Int4, 1 + many * 2, "int"));
    table.odd.after += &match rng.below(6) {
        0 | 1 => format!("CREATE UNIQUE INDEX ON {{s}}.{part} (own);\n"),
        2 => format!("CREATE UNIQUE INDEX ON {{s}}.{part} (own) WHERE own % 2 = 0;\n"),
        3 => format!("ALTER TABLE {{s}}.{part} ADD CHECK (own % 7 <> 3);\n"),
        4 => format!("ALTER TABLE {{s}}.{part} ADD EXCLUDE USING btree (own WITH =);\n"),
        _ => format!(
            "CREATE FUNCTION {{s}}.part() RETURNS trigger LANGUAGE plpgsql AS $f$ BEGIN IF NEW.own % 5 = 1 THEN RETURN NULL; END IF; RETURN NEW; END $f$; \
             CREATE TRIGGER part BEFORE INSERT OR UPDATE ON {{s}}.{part} FOR EACH ROW EXECUTE FUNCTION {{s}}.part();\n"
        ),
    };
}

/// Of the records that lack the column one can be inserted.
fn constant_default(table: &mut Table, rng: &mut Rng, many: u64) {
    let absent = rng.pick(&[20, 90, 100]);
    let ddl = rng.pick(&["int DEFAULT 7 UNIQUE", "int DEFAULT (3 + 4) UNIQUE DEFERRABLE INITIALLY DEFERRED"]);
    table.columns.push(Column { absent, ..column("constant", Kind::Int4, 1 + many * 3, ddl) });
}

/// Some of the rows to begin with are the child's; the same ones in both schemas.
fn move_some(table: &mut Table) {
    let columns: Vec<String> =
        table.columns.iter().filter(|c| c.own != Own::Generated).map(|c| ident(&c.name)).collect();
    let columns = columns.join(", ");
    table.odd.move_rows = Some(format!(
        "WITH moved AS (DELETE FROM ONLY {{s}}.t WHERE hashtext({}::text) % 2 = 0 RETURNING {columns}) \
         INSERT INTO {{s}}.child ({columns}) OVERRIDING SYSTEM VALUE SELECT {columns} FROM moved",
        ident(&table.key[0])
    ));
}
