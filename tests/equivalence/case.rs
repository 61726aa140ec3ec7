//! A random case: a table of any make, files of records for it, and how dbload is run. All of it follows from
//! the seed.

use super::{
    dress::{DELETES, Dress, LEFT_OUT, MARK, OBJECT},
    values::{ALL, Cell, KEYS, Kind, Quality, TYPES, bad, good},
};
use std::collections::BTreeMap;

use crate::{
    reference::{ConnectTarget, Mode, Policy, Record},
    support::{Rng, compress, database::ident},
};

pub struct Case {
    pub seed: u64,
    pub mode: Mode,
    /// DDL, with `{s}` for the schema.
    pub setup: String,
    pub columns: Vec<Column>,
    pub key: Vec<String>,
    /// Whether `--key` is said, or left to the primary key.
    pub says_key: bool,
    /// Records that are in the table before.
    pub initial: Vec<Record>,
    pub files: Vec<File>,
    pub pool: u64,
    pub batch_rows: u64,
    pub kills: u64,
    /// Whether a column needs a value that records may lack: refused at once where the table is empty.
    pub needs_rows: bool,
    /// When two rows have one key, where not all of its columns are compared as the table declares them.
    pub same_key: Option<String>,
    /// Columns that are not simply overwritten.
    pub policies: BTreeMap<String, Policy>,
    /// How the files spell the records.
    pub dress: Dress,
    /// A column that the table lacks until a record has a value for it, and its type.
    pub lacking: Option<(String, String)>,
    /// Moves some of the rows to begin with to a child table.
    pub move_rows: Option<String>,
}

#[derive(Debug, Clone)]
pub struct Column {
    pub name: String,
    pub kind: Kind,
    /// How many values it has, about.
    pub span: u64,
    /// Type and constraints.
    pub ddl: String,
    /// Never in the files: computed, or drawn from a sequence.
    pub own: Own,
    /// Of 100 records, how many have a null, no field, a value that is refused.
    pub nulls: u64,
    pub absent: u64,
    pub bad: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Own {
    FromFile,
    Generated,
    Sequence,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Jsonl,
    JsonArray,
    Csv,
    Tsv,
}

#[derive(Debug, Clone)]
pub struct File {
    pub name: String,
    pub format: Format,
    pub header: Vec<String>,
    /// The same as it is written.
    pub names: Vec<String>,
    pub crlf: bool,
    pub ends_with_newline: bool,
    pub lines: Vec<Line>,
}

/// A record as text, which may span lines; blank lines are no record.
#[derive(Debug, Clone)]
pub struct Line {
    pub text: String,
    pub record: Option<Record>,
}

/// Adds the column that marks rows in place of deleting them.
const MARKED: &str = "ALTER TABLE {s}.t ADD COLUMN gone_for_now boolean;\n";

impl Case {
    pub fn draw(seed: u64, with_kills: bool) -> Self {
        let mut rng = Rng::from_seed(seed);
        let mode = rng.pick(&[
            Mode::Upsert,
            Mode::Upsert,
            Mode::Upsert,
            Mode::Upsert,
            Mode::Update,
            Mode::Ignore,
            Mode::Ignore,
            Mode::Append,
        ]);
        let batch_rows = rng.pick(&[1, 2, 3, 7, 20, 50, 200, 1_000, 10_000]);
        let most = if batch_rows <= 3 { 300 } else { 1_500 };
        let many = rng.pick(&[3, 20, 20, 60, 60, 100, 150, 200, 400, 1_500]);
        let many = if with_kills { most.min(200 + many) } else { most.min(many) };
        let mut table = super::table::Table::draw(&mut rng, mode, many);
        let initial = table.records("initial", rng.below(40), &mut rng);
        let policies = policies(&mut rng, &table, mode);
        let dress = Dress::draw(&mut rng, &table, mode);
        let files = files(&mut rng, &table, many, &dress);
        let lacking = lacking(&mut rng, &table, &policies, &dress);
        Self {
            seed,
            mode,
            setup: table.ddl() + if dress.marks { MARKED } else { "" },
            key: if mode == Mode::Append { vec![] } else { table.key.clone() },
            says_key: mode != Mode::Append && (!table.primary || rng.one_in(3)),
            initial,
            files,
            pool: 1 + rng.below(8),
            batch_rows,
            kills: if with_kills { 1 + rng.below(5) } else { 0 },
            needs_rows: table.needs_rows,
            dress,
            policies,
            lacking,
            same_key: table.odd.same_key,
            move_rows: table.odd.move_rows,
            columns: table.columns,
        }
    }

    pub fn target(&self, schema: &str) -> ConnectTarget {
        let generated = self.columns.iter().filter(|c| c.own == Own::Generated);
        ConnectTarget {
            table: format!("{schema}.t"),
            key: self.key.clone(),
            mode: self.mode,
            generated: generated.map(|c| c.name.clone()).collect(),
            policies: self.policies.clone(),
            mark: self.dress.marks.then(|| MARK.to_owned()),
            same_key: self.same_key.as_ref().map(|sql| sql.replace("{s}", schema)),
        }
    }

    /// A load that has completed is not to be done again.
    pub fn loads_once(&self) -> bool {
        let accumulates = |policy: &Policy| matches!(policy, Policy::Add | Policy::Append);
        self.mode == Mode::Append || self.policies.values().any(accumulates)
    }

    /// What is compared: all but what sequences gave.
    pub fn compared(&self) -> String {
        let compared = self.columns.iter().filter(|c| c.own != Own::Sequence);
        let mark = self.dress.marks.then(|| MARK.to_owned());
        compared.map(|c| ident(&c.name)).chain(mark).collect::<Vec<_>>().join(", ")
    }

    /// All records, with their places.
    pub fn records(&self) -> Vec<Record> {
        self.files.iter().flat_map(File::records).collect()
    }

    /// The words of the command line behind `dbload`, but the database.
    pub fn words(&self) -> Vec<String> {
        let mut words: Vec<String> = self.files.iter().map(|f| format!("data/{}", f.name)).collect();
        words.extend(["--table", "a.t", "--mode", self.mode.word(), "--json"].map(String::from));
        words.extend([format!("--pool-size={}", self.pool), format!("--batch-rows={}", self.batch_rows)]);
        words.extend(self.dress.flags.iter().cloned());
        words.extend(self.policies.iter().map(|(column, policy)| match policy {
            Policy::InsertOnly => format!("--insert-only={column}"),
            policy => format!("--merge={column}={}", format!("{policy:?}").to_lowercase()),
        }));
        if let Some((column, type_name)) = &self.lacking {
            let type_name = type_name.replace("{s}", "a");
            words.push("--extra=add".to_owned());
            words.push(format!("--column={} {type_name}", ident(column)));
        }
        if self.says_key {
            words.extend(["--key".to_owned(), self.key.join(",")]);
        }
        words
    }
}

/// A column that nothing else of the table names.
fn lacking(
    rng: &mut Rng,
    table: &super::table::Table,
    policies: &BTreeMap<String, Policy>,
    dress: &Dress,
) -> Option<(String, String)> {
    let ddl = table.ddl();
    let is_alone = |column: &&Column| {
        column.ddl == column.kind.sql()
            && !table.key.contains(&column.name)
            && !policies.contains_key(&column.name)
            && !dress.masks(&column.name)
            && !dress.sets(&column.name)
            && !matches!(column.kind, Kind::Positive | Kind::Code)
            && ddl.matches(column.name.as_str()).count() == 1
    };
    let columns: Vec<&Column> = table.loaded().filter(is_alone).collect();
    // An object without a column would be taken apart.
    if columns.is_empty() || dress.flattens || !rng.one_in(3) {
        return None;
    }
    let column = columns[rng.index(columns.len())];
    Some((column.name.clone(), column.ddl.clone()))
}

/// Columns of half the tables get a policy, where their types allow it.
fn policies(rng: &mut Rng, table: &super::table::Table, mode: Mode) -> BTreeMap<String, Policy> {
    let mut policies = BTreeMap::new();
    if !matches!(mode, Mode::Upsert | Mode::Update) || rng.one_in(2) {
        return policies;
    }
    let all = [
        Policy::InsertOnly,
        Policy::Keep,
        Policy::Fill,
        Policy::Greatest,
        Policy::Least,
        Policy::Add,
        Policy::Append,
        Policy::Union,
    ];
    for column in table.loaded().filter(|column| !table.key.contains(&column.name)) {
        let policy = rng.pick(&all);
        let kind = column.kind;
        let suits = match policy {
            Policy::Greatest | Policy::Least => !matches!(kind, Kind::Json),
            Policy::Add => matches!(
                kind,
                Kind::Int4
                    | Kind::Int8
                    | Kind::Numeric
                    | Kind::Money
                    | Kind::Positive
                    | Kind::Float
                    | Kind::Interval
            ),
            Policy::Append => matches!(kind, Kind::Text | Kind::Ints | Kind::Texts),
            Policy::Union => matches!(kind, Kind::Ints | Kind::Texts),
            Policy::InsertOnly | Policy::Keep | Policy::Fill => true,
        };
        if rng.one_in(2) && suits {
            policies.insert(column.name.clone(), policy);
        }
    }
    policies
}

impl File {
    fn newline(&self) -> &'static str {
        if self.crlf { "\r\n" } else { "\n" }
    }

    /// The records, in order, each with the line on which it begins.
    pub fn records(&self) -> Vec<Record> {
        // A header and an opening bracket are a line.
        let mut line = if self.format == Format::Jsonl { 1 } else { 2 };
        let mut records = vec![];
        for Line { text, record } in &self.lines {
            if let Some(record) = record {
                records.push(Record { place: (self.name.clone(), line), ..record.clone() });
            }
            line += 1 + text.matches('\n').count() as u64;
        }
        records
    }

    pub fn bytes(&self) -> Vec<u8> {
        let newline = self.newline();
        let lines: Vec<&str> = self.lines.iter().map(|l| l.text.as_str()).collect();
        let mut text = match self.format {
            Format::Jsonl => lines.join(newline),
            Format::JsonArray => format!("[{newline}{}{newline}]", lines.join(&format!(",{newline}"))),
            Format::Csv | Format::Tsv => {
                let header: Vec<_> = self.names.iter().map(|h| self.field(Some(h), false)).collect();
                let header = header.join(self.delimiter());
                std::iter::once(header.as_str()).chain(lines).collect::<Vec<_>>().join(newline)
            }
        };
        if self.ends_with_newline && !text.is_empty() {
            text.push_str(newline);
        }
        match self.name.rsplit('.').next().unwrap() {
            "gz" => compress::gzip(text.as_bytes()),
            "zst" => compress::zstd(text.as_bytes()),
            _ => text.into_bytes(),
        }
    }

    fn delimiter(&self) -> &'static str {
        if self.format == Format::Tsv { "\t" } else { "," }
    }

    fn must_quote(&self, text: &str) -> bool {
        let special = |c: char| matches!(c, '"' | '\n' | '\r') || self.delimiter().contains(c);
        text.is_empty() || text.contains(special)
    }

    /// A CSV field: nothing is empty and bare, the empty string is quoted.
    fn field(&self, text: Option<&str>, quote: bool) -> String {
        let Some(text) = text else { return String::new() };
        if quote || self.must_quote(text) {
            return format!("\"{}\"", text.replace('"', "\"\""));
        }
        text.to_owned()
    }
}

/// Files of about so many records together.
fn files(rng: &mut Rng, table: &super::table::Table, many: u64, dress: &Dress) -> Vec<File> {
    let number = 1 + rng.below(4);
    let mut names: Vec<u64> = (0..number).collect();
    rng.shuffle(&mut names);
    let mut files = vec![];
    for name in names {
        let format = rng.pick(&[
            Format::Jsonl,
            Format::Jsonl,
            Format::Jsonl,
            Format::Csv,
            Format::Csv,
            Format::Tsv,
            Format::JsonArray,
        ]);
        // Of others nothing stands within.
        let format = match format {
            Format::Csv | Format::Tsv if dress.wraps => Format::Jsonl,
            format => format,
        };
        let end = match format {
            Format::Jsonl => rng.pick(&["jsonl", "ndjson", "jsonl.gz", "jsonl.zst"]),
            Format::JsonArray => "json",
            Format::Csv => rng.pick(&["csv", "csv.gz"]),
            Format::Tsv => "tsv",
        };
        let mut file = File {
            name: format!("part {name}.{end}").replace(' ', "-"),
            format,
            header: table.header(rng),
            names: vec![],
            crlf: rng.one_in(4),
            ends_with_newline: !rng.one_in(3),
            lines: vec![],
        };
        file.names = file.header.iter().map(|column| dress.field(column)).collect();
        if dress.junk {
            file.names.push("junk".to_owned());
        }
        let records = 1 + rng.below(2 * many / number);
        for _ in 0..records {
            let line = match file.format {
                Format::Jsonl | Format::JsonArray => json_line(rng, table, dress, file.format),
                Format::Csv | Format::Tsv => csv_line(rng, table, dress, &file),
            };
            file.lines.push(line);
        }
        if file.format == Format::JsonArray {
            file.lines.retain(|l| l.record.is_some());
        }
        // The same record again, near and far: what dies in others with 21000.
        for _ in 0..rng.below(records / 4 + 1) {
            let (from, to) = (rng.index(file.lines.len()), rng.index(file.lines.len()));
            let line = file.lines[from].clone();
            file.lines.insert(if rng.one_in(2) { from } else { to }, line);
        }
        files.push(file);
    }
    files
}

const BROKEN: [&str; 6] = [r#"{"k": 1"#, "nonsense", "[1,2]", "\"text\"", "42", r#"{"k":1,}"#];

fn json_line(rng: &mut Rng, table: &super::table::Table, dress: &Dress, format: Format) -> Line {
    if format == Format::Jsonl && rng.one_in(40) {
        let (place, fields) = (Default::default(), Err(()));
        let record = Some(Record { place, fields, certain: false, is_left_out: false, deletes: false });
        return Line { text: (rng.pick(&BROKEN)).to_owned(), record };
    }
    if format == Format::Jsonl && rng.one_in(40) {
        return Line { text: (rng.pick(&["", "  ", "\t"])).to_owned(), record: None };
    }
    let mut fields: Vec<(&Column, Cell)> = vec![];
    for column in table.loaded() {
        if rng.below(100) >= column.absent {
            let cell = table.cell(column, rng);
            fields.push((column, dress.json(column, cell, rng)));
        }
    }
    if rng.one_in(3) {
        rng.shuffle(&mut fields);
    }
    let space = if rng.one_in(4) { " " } else { "" };
    let nothing = rng.one_in(10);
    if nothing && fields.iter().any(|(column, _)| dress.member(&column.name).is_some()) {
        // Null in place of the object: all that it would hold is null, whatever the record lacks.
        fields.retain(|(column, _)| dress.member(&column.name).is_none());
        let members = table.loaded().filter(|column| dress.member(&column.name).is_some());
        fields.extend(members.map(|column| (column, Cell::null())));
    }
    let pair = |name: &str, json: &str| format!("{}:{space}{json}", serde_json::to_string(name).unwrap());
    let (mut text, mut members) = (vec![], vec![]);
    for (column, cell) in &fields {
        match dress.member(&column.name) {
            Some(member) => members.push(pair(member, &cell.json)),
            None => text.push(pair(&dress.field(&column.name), &cell.json)),
        }
    }
    if !members.is_empty() {
        let object = format!("{{{}}}", members.join(","));
        text.push(pair(OBJECT, if nothing { rng.pick(&["null", "null", "7"]) } else { &object }));
    }
    let mut record = record(&fields);
    let word = fate(rng, dress, &mut record);
    if dress.junk && (word.is_some() || rng.one_in(2)) {
        let json = if let Some(word) = word {
            format!("\"{word}\"")
        } else {
            rng.pick(&["1", "null", "\"x\"", "[1]"]).to_owned()
        };
        text.insert(rng.index(text.len() + 1), pair("junk", &json));
    }
    let text = format!("{space}{{{space}{}{space}}}{space}", text.join(&format!(",{space}")));
    if dress.wraps && rng.one_in(20) {
        return Line { text: "{\"p\":{\"e\":[]}}".to_owned(), record: None };
    }
    let text = if dress.wraps { format!("{{\"q\":[1],\"p\":{{{space}\"e\":[{text}]}}}}") } else { text };
    Line { text, record: Some(record) }
}

fn csv_line(rng: &mut Rng, table: &super::table::Table, dress: &Dress, file: &File) -> Line {
    let mut fields: Vec<(&Column, Cell)> = vec![];
    let mut text: Vec<String> = vec![];
    for name in &file.header {
        let column = table.columns.iter().find(|c| c.name == *name).unwrap();
        let mut cell = table.cell(column, rng);
        if cell.text.is_none() {
            cell = Cell::null();
        }
        if file.crlf && cell.text.as_deref().is_some_and(|t| t.contains('\n')) {
            // A lone newline inside quotes in a CRLF file is legal, and a trap: it stays.
            cell.text = cell.text.map(|t| t.replace("\r\n", "\n"));
            cell.literal = cell.literal.map(|t| t.replace("\r\n", "\n"));
        }
        let quote = rng.one_in(8) && cell.text.is_some();
        let cell = dress.text(column, cell, rng, &|text| quote || file.must_quote(text));
        text.push(file.field(cell.text.as_deref(), quote && cell.text.is_some()));
        fields.push((column, cell));
    }
    let mut record = record(&fields);
    let word = fate(rng, dress, &mut record);
    if dress.junk {
        let word = word.unwrap_or_else(|| rng.pick(&["", "1", "x y"]));
        text.push(word.to_owned());
    }
    if rng.one_in(60) {
        text.push("one too many".to_owned());
        record = Record { fields: Err(()), certain: false, is_left_out: false, deletes: false, ..record };
    }
    Line { text: text.join(file.delimiter()), record: Some(record) }
}

/// Some records are left out, and some delete: then a word says so.
fn fate(rng: &mut Rng, dress: &Dress, record: &mut Record) -> Option<&'static str> {
    record.is_left_out = dress.filters && record.fields.is_ok() && rng.one_in(5);
    record.deletes = dress.deletes && record.fields.is_ok() && !record.is_left_out && rng.one_in(4);
    record.is_left_out.then_some(LEFT_OUT).or_else(|| record.deletes.then_some(DELETES))
}

/// What the fields mean.
fn record(fields: &[(&Column, Cell)]) -> Record {
    let unreadable = fields.iter().any(|(_, cell)| cell.quality == Quality::Unreadable);
    let wrong = fields.iter().filter(|(_, cell)| cell.quality != Quality::Good).count();
    let in_key = fields.iter().any(|(c, cell)| c.name.starts_with('k') && cell.quality != Quality::Good);
    let meant = fields.iter().map(|(column, cell)| (column.name.clone(), cell.literal.clone())).collect();
    Record {
        place: Default::default(),
        fields: if unreadable { Err(()) } else { Ok(meant) },
        certain: !unreadable && wrong <= 1 && !in_key,
        is_left_out: false,
        deletes: false,
    }
}

impl super::table::Table {
    /// Records to begin with, mostly good ones.
    pub fn records(&mut self, file: &str, many: u64, rng: &mut Rng) -> Vec<Record> {
        let mut records = vec![];
        for line in 0..many {
            let fields: Vec<_> = self.loaded().map(|c| (c, good(c.kind, rng, c.span))).collect();
            records.push(Record { place: (file.to_owned(), line), ..record(&fields) });
        }
        records
    }

    /// A field for a column as the case wants them: good, bad, null.
    pub fn cell(&self, column: &Column, rng: &mut Rng) -> Cell {
        let roll = rng.below(100);
        if roll < column.nulls {
            return Cell::null();
        }
        if roll < column.nulls + column.bad
            && let Some(cell) = bad(column.kind, rng)
        {
            return cell;
        }
        good(column.kind, rng, column.span)
    }

    /// Columns that come from files.
    pub fn loaded(&self) -> impl Iterator<Item = &Column> {
        self.columns.iter().filter(|c| c.own == Own::FromFile)
    }

    /// A CSV header: the key, and some of the rest, in any order.
    fn header(&self, rng: &mut Rng) -> Vec<String> {
        let all = rng.one_in(2);
        let mut header: Vec<String> = self
            .loaded()
            .filter(|c| all || self.key.contains(&c.name) || !rng.one_in(4))
            .map(|c| c.name.clone())
            .collect();
        if header.len() < 2 {
            header = self.loaded().map(|c| c.name.clone()).collect();
        }
        rng.shuffle(&mut header);
        header
    }
}

/// Column kinds that a table may draw.
pub fn kinds() -> (&'static [Kind], &'static [Kind], &'static str) {
    (&KEYS, &ALL, TYPES)
}
