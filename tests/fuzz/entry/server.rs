//! The entries that ask a real server: what goes in comes out or is refused with a reason, names and literals
//! in SQL text are what they say, a type that was inferred holds its values. Inputs are gathered, so that a
//! million take minutes.

use std::sync::Arc;

use bytes::Bytes;
use dbload::internals::format::{Format, Layout};
use dbload::internals::map::{EncodedBlock, Extra, Mapping, encode_block};
use dbload::internals::schema::{Ident, TableName, quote_literal};
use futures::SinkExt as _;
use tokio::runtime::Runtime;
use tokio_postgres::{Client, NoTls, SimpleQueryMessage, SimpleQueryRow};

use super::{Dials, infer, mapping, oracle, split};

/// What is asked of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Question {
    /// Records to COPY text to a table and back.
    Copy,
    /// Names and literals.
    Names,
    /// Inferred types.
    Types,
}

/// The questions by the names of their targets.
pub const QUESTIONS: [(&str, Question); 3] =
    [("server_copy", Question::Copy), ("server_names", Question::Names), ("server_types", Question::Types)];

/// Inputs that are asked about at once.
const GATHERED: usize = 256;

/// A connection, and the inputs that wait.
pub struct Server {
    runtime: Runtime,
    client: Client,
    question: Question,
    waiting: Vec<Vec<u8>>,
    turn: u64,
    /// Rows that came back as they went in; rows that the server refused.
    pub stored: u64,
    pub refused: u64,
}

impl Server {
    pub fn connect(url: &str, question: Question) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let (client, connection) = runtime.block_on(tokio_postgres::connect(url, NoTls)).expect("a server");
        runtime.spawn(connection);
        let server = Self { runtime, client, question, waiting: vec![], turn: 0, stored: 0, refused: 0 };
        server.ask(
            "CREATE EXTENSION IF NOT EXISTS hstore; CREATE TYPE pg_temp.fuzzed_row AS (x int, note text);
             CREATE FUNCTION pg_temp.holds(ty text, v text) RETURNS boolean LANGUAGE plpgsql AS $$
             BEGIN EXECUTE format('SELECT %L::%s', v, ty); RETURN true; EXCEPTION WHEN data_exception THEN RETURN false; END $$;
             CREATE TEMP TABLE fuzzed (seq bigint, h0 bigint, id text, t text, j json, n text, a text[], c pg_temp.fuzzed_row,
             h hstore, e json); SET TimeZone = 'UTC'; SET DateStyle = 'ISO, YMD'; SET synchronous_commit = off",
        );
        server
    }

    /// Takes an input; asks when there are enough of them.
    pub fn offer(&mut self, data: &[u8]) {
        self.waiting.push(data.to_vec());
        if self.waiting.len() >= GATHERED {
            self.flush();
        }
    }

    /// Asks about what waits.
    pub fn flush(&mut self) {
        let inputs = std::mem::take(&mut self.waiting);
        self.turn += 1;
        match self.question {
            Question::Copy => self.copy(&inputs),
            Question::Names => self.names(&inputs),
            Question::Types => self.types(&inputs),
        }
    }

    fn try_ask(&self, sql: &str) -> Result<Vec<SimpleQueryRow>, tokio_postgres::Error> {
        let messages = self.runtime.block_on(self.client.simple_query(sql))?;
        let row = |message| if let SimpleQueryMessage::Row(row) = message { Some(row) } else { None };
        Ok(messages.into_iter().filter_map(row).collect())
    }

    fn ask(&self, sql: &str) -> Vec<SimpleQueryRow> {
        self.try_ask(sql)
            .unwrap_or_else(|error| panic!("{error:?}\n{}", sql.chars().take(4_000).collect::<String>()))
    }

    /// Values through COPY into columns of their types, and back.
    fn copy(&mut self, inputs: &[Vec<u8>]) {
        let extra =
            [Extra::Jsonb("e".to_owned()), Extra::Ignore][usize::from(self.turn.is_multiple_of(2))].clone();
        let mapping = mapping::mapping(extra, 1);
        let text = inputs.join(&b'\n');
        let Some(block) = split::block(&Format::Jsonl, &text, 0) else { return };
        let encoded = encode_block(
            &mapping,
            &Layout { format: Format::Jsonl, header: Vec::new(), constants: Vec::new() },
            &[],
            Arc::new(block),
            &[],
        );
        mapping::check(&mapping, &encoded);
        let part = &encoded.parts[0];
        let begins = std::iter::once(0).chain(part.rows.iter().map(|row| row.end as usize));
        let lines: Vec<&[u8]> =
            begins.zip(&part.rows).map(|(from, row)| &part.bytes[from..row.end as usize]).collect();
        let names: Vec<&str> = encoded.columns.iter().map(|&slot| mapping.column_name(slot)).collect();
        let columns: String = names.iter().map(|name| format!(", \"{name}\"")).collect();
        let refused = self.store(&format!("COPY pg_temp.fuzzed (seq, h0{columns}) FROM STDIN"), &lines);
        self.refused += refused;
        let rows = self.ask(
            "SELECT seq, id, t, j::text, n, to_json(a), to_json(c), hstore_to_json(h), e::text, a::text IS NULL
             FROM pg_temp.fuzzed ORDER BY seq; TRUNCATE pg_temp.fuzzed",
        );
        assert_eq!(rows.len() as u64 + refused, lines.len() as u64, "each row is stored or refused");
        for row in &rows {
            came_back(&mapping, &encoded, row);
        }
        self.stored += rows.len() as u64;
    }

    /// COPY of all lines; of halves where the server refuses, down to the line that it does not want. Those
    /// that it refused.
    fn store(&self, sql: &str, lines: &[&[u8]]) -> u64 {
        if lines.is_empty() {
            return 0;
        }
        let stored = self.runtime.block_on(async {
            let sink = self.client.copy_in::<_, Bytes>(sql).await?;
            let mut sink = std::pin::pin!(sink);
            sink.send(Bytes::from(lines.concat())).await?;
            sink.as_mut().finish().await
        });
        match stored {
            Ok(count) => {
                assert_eq!(count, lines.len() as u64, "a line is a row");
                0
            }
            Err(error) if lines.len() == 1 => {
                let code = error.code().map(|code| code.code().to_owned()).unwrap_or_default();
                let line = String::from_utf8_lossy(lines[0]);
                // A value that its type does not take (hstore says XX000 or 42601); never a line that COPY
                // cannot read.
                let value =
                    code.starts_with("22") || ["54000", "54001", "XX000", "42601"].contains(&code.as_str());
                assert!(value && code != "22P04", "{error:?}: {line:?}");
                1
            }
            Err(_) => {
                let (first, second) = lines.split_at(lines.len() / 2);
                self.store(sql, first) + self.store(sql, second)
            }
        }
    }

    /// Names as column and table names, texts as literals, with backslashes meant either way.
    fn names(&self, inputs: &[Vec<u8>]) {
        let setting = if self.turn.is_multiple_of(2) { "on" } else { "off" };
        self.ask(&format!("SET standard_conforming_strings = {setting}; SET escape_string_warning = off"));
        let texts: Vec<String> =
            inputs.iter().map(|data| String::from_utf8_lossy(data).into_owned()).collect();
        let (mut list, mut expected) = (Vec::new(), Vec::new());
        for text in &texts {
            let name = text.chars().scan(0, |bytes, c| {
                *bytes += c.len_utf8();
                (*bytes <= 63).then_some(c)
            });
            let name: String = name.collect();
            if let (Ok(ident), Ok(literal)) = (Ident::new(name.clone()), quote_literal(text)) {
                list.push(format!("{literal} AS {ident}"));
                expected.push((name, text.clone()));
            }
        }
        if list.is_empty() {
            return;
        }
        let rows = self.ask(&format!("SELECT {}", list.join(",")));
        for (i, (name, text)) in expected.iter().enumerate() {
            assert_eq!(rows[0].columns()[i].name(), name, "a name is a name");
            assert_eq!(rows[0].get(i), Some(text.as_str()), "a literal is its text");
        }
        if self.turn.is_multiple_of(16) {
            self.table_of(&expected);
        }
    }

    fn table_of(&self, names: &[(String, String)]) {
        let Some((table, _)) = names.first() else { return };
        let mut columns: Vec<&String> = names.iter().map(|(name, _)| name).collect();
        columns.sort();
        columns.dedup();
        // The names of every table's system columns are refused as any other.
        columns.retain(|name| !["ctid", "xmin", "xmax", "cmin", "cmax", "tableoid"].contains(&name.as_str()));
        let ident = |name: &str| Ident::new(name).expect("a name");
        let schema = ident("pg_temp");
        let table = TableName { schema: Some(schema), name: ident(table) };
        let list: Vec<String> = columns.iter().map(|name| format!("{} int", ident(name))).collect();
        self.ask(&format!("CREATE TABLE {table} ({})", list.join(",")));
        let literal = quote_literal(&table.to_string()).expect("no NUL");
        let rows = self.ask(&format!(
            "SELECT attname FROM pg_attribute WHERE attrelid = {literal}::regclass AND attnum > 0 ORDER BY attnum; DROP TABLE {table}"
        ));
        let found: Vec<_> = rows.iter().filter_map(|row| row.get(0)).collect();
        assert_eq!(found, columns, "the catalog has the names");
    }

    /// The type of some values holds each of them.
    fn types(&mut self, inputs: &[Vec<u8>]) {
        let mut list = Vec::new();
        for data in inputs {
            let text = String::from_utf8_lossy(Dials::new(data).rest()).replace('\0', "0");
            let values: Vec<&str> = text.split('\n').take(3).collect();
            let ty = infer::type_of(&values);
            for value in values.iter().filter(|_| ty != "text") {
                let literal = quote_literal(value).expect("no NUL");
                list.push(format!("('{ty}',{literal})"));
            }
        }
        if list.is_empty() {
            return;
        }
        let rows = self
            .ask(&format!("SELECT ty, v, pg_temp.holds(ty, v) FROM (VALUES {}) x (ty, v)", list.join(",")));
        for row in rows {
            let (ty, value) = (row.get(0), row.get(1));
            assert_eq!(row.get(2), Some("t"), "{ty:?} was inferred, and does not hold {value:?}");
            self.stored += 1;
        }
    }
}

/// Compares a stored row with the record that it was.
fn came_back(mapping: &Mapping, encoded: &EncodedBlock, row: &SimpleQueryRow) {
    let i: usize = row.get(0).and_then(|seq| seq.parse().ok()).expect("a number");
    let line = std::str::from_utf8(encoded.block.raw(i)).expect("UTF-8");
    let Ok(members) = oracle::object(line) else { return };
    for (name, raw) in members {
        let name = name.unwrap_or_default();
        let dbload::internals::map::Target::Slot(slot) = mapping.target(&name).0 else { continue };
        let (column, found) = (&mapping.table.columns[slot], row.get(1 + slot));
        let Some(found) = found else {
            assert_eq!(raw, "null", "{name:?} came back as NULL");
            continue;
        };
        match (column.name.raw(), raw.as_bytes()[0]) {
            ("id" | "t" | "j" | "n" | "e", _) => {
                assert!(mapping::arrived(&column.ty, raw, found), "{raw:?}: {found:?}")
            }
            ("a", b'[') => assert_eq!(flat(found), flat(raw), "{raw:?}: {found:?}"),
            ("c", b'{') | ("h", b'{') => same_members(raw, found),
            (_, _) => {}
        }
    }
}

fn text_of(raw: &str) -> Option<String> {
    match raw {
        "null" => None,
        raw if raw.starts_with('"') => oracle::string(raw),
        raw => Some(raw.to_owned()),
    }
}

fn flat(raw: &str) -> Vec<Option<String>> {
    let items = oracle::elements(raw).into_iter();
    items.flat_map(|item| if item.starts_with('[') { flat(item) } else { vec![text_of(item)] }).collect()
}

fn same_members(raw: &str, found: &str) {
    let found = oracle::object(found).expect("an object");
    let sent = oracle::object(raw).expect("an object");
    for (name, value) in &sent {
        let twice = sent.iter().filter(|(other, _)| other == name).count() > 1;
        let back = found.iter().find(|(other, _)| other == name).map(|(_, value)| *value);
        let back = back.unwrap_or_else(|| panic!("{name:?} of {raw:?} is lost"));
        assert!(
            twice || text_of(back) == text_of(value) || name.as_deref() == Some("x"),
            "{raw:?}: {back:?}"
        );
    }
}
