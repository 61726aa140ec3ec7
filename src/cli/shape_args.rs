//! What can be said of the fields of records. Parsing validates, never acts.

use clap::Args;
use dbload::internals::shape::Shaping;

use super::parse;

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Shaping")]
pub(crate) struct ShapeArgs {
    /// Take what is there in a record of JSON for the records: each element of an array (order.lines or
    /// /order/lines), or the one object. An empty array has none; a record without any is rejected
    #[arg(long, value_name = "PATH", env = "DBLOAD_UNNEST", value_parser = parse::unnest)]
    pub(crate) unnest: Option<String>,
    /// With --unnest: load a field of what is around a record into this column. May be repeated
    #[arg(long, value_name = "FIELD=COLUMN", env = "DBLOAD_PARENT", value_delimiter = '\n', value_parser = parse::parent)]
    pub(crate) parent: Vec<String>,
    /// With --unnest: load the number of a record in its array, from 1 on, into this column
    #[arg(long, value_name = "COLUMN", env = "DBLOAD_ORDINAL")]
    pub(crate) ordinal: Option<String>,
    /// Load a field into the column of another name: a field by its name, or a part of a nested value
    /// (user.id or /user/id). May be repeated
    #[arg(long, value_name = "FIELD=COLUMN", env = "DBLOAD_MAP", value_delimiter = '\n', value_parser = parse::map)]
    pub(crate) map: Vec<String>,
    /// Leave these fields out
    #[arg(long, value_name = "A,B", env = "DBLOAD_DROP", value_delimiter = ',')]
    pub(crate) drop: Vec<String>,
    /// Load these fields and those of --map, and leave the others out
    #[arg(long, value_name = "A,B", env = "DBLOAD_ONLY", value_delimiter = ',')]
    pub(crate) only: Vec<String>,
    /// Make columns of the members of nested objects: user.id is user_id, or with --flatten=. is user.id.
    /// Arrays stay; so does a field that another flag names
    #[arg(long, value_name = "SEPARATOR", env = "DBLOAD_FLATTEN", num_args = 0..=1, require_equals = true,
          default_missing_value = "_")]
    pub(crate) flatten: Option<String>,
    /// Take blanks off both ends of texts; NULL is then NULL with blanks around it too
    #[arg(long, env = "DBLOAD_TRIM", value_parser = parse::switch("DBLOAD_TRIM"))]
    pub(crate) trim: bool,
    /// Take JSON strings that are a text of --null-as (without that, the empty one) for null
    #[arg(long, env = "DBLOAD_NULL_STRINGS", value_parser = parse::switch("DBLOAD_NULL_STRINGS"))]
    pub(crate) null_strings: bool,
    /// How the values of a column are written: date:%d.%m.%Y (with the directives of strftime), epoch,
    /// epoch_ms, number:1.234,56 (an example), bool:ja/nein, base64 or json. What is written otherwise is
    /// rejected. May be repeated
    #[arg(long, value_name = "COLUMN=FORMAT", env = "DBLOAD_PARSE", value_delimiter = '\n', value_parser = parse::format)]
    pub(crate) parse: Vec<String>,
    /// Load the records for which this SQL is true, and skip the others. Names in it are fields of the
    /// record, all of them text: "status = 'open' and amount::numeric > 0". record.NAME is a field under any
    /// name, present(NAME) says whether the record has it
    #[arg(long = "where", value_name = "SQL", env = "DBLOAD_WHERE", value_parser = parse::filter)]
    pub(crate) filter: Option<String>,
    /// Load what this SQL comes to into a column, over the fields of the record as for --where: --set
    /// "amount=replace(amount, ',', '.')::numeric". May be repeated
    #[arg(long, value_name = "COLUMN=SQL", env = "DBLOAD_SET", value_delimiter = '\n', value_parser = parse::set)]
    pub(crate) set: Vec<String>,
    /// Delete the row of a record's key where this SQL is true of the record, as for --where: "op = 'D'". Of
    /// its other fields nothing is converted or stored
    #[arg(long, value_name = "SQL", env = "DBLOAD_DELETE_WHEN", value_parser = parse::deletion)]
    pub(crate) delete_when: Option<String>,
    /// With --delete-when: mark the row in this column in place of deleting it, a boolean (true) or a
    /// timestamp (when the run was begun). A later record of its key takes the mark away
    #[arg(long, value_name = "COLUMN", env = "DBLOAD_SOFT_DELETE", requires = "delete_when")]
    pub(crate) soft_delete: Option<String>,
    /// Let no value of a column out of the loader: null stands in its place, or a digest (sha256, keyed by
    /// --mask-key) as 64 hexadecimal digits, equal for equal values. Rejects, the ledger and errors have no
    /// other. May be repeated
    #[arg(long, value_name = "COLUMN=null|sha256", env = "DBLOAD_MASK", value_delimiter = ',', value_parser = parse::mask)]
    pub(crate) mask: Vec<String>,
    /// The key of --mask COLUMN=sha256; should be env:NAME or file:PATH
    #[arg(long, value_name = "env:NAME", env = "DBLOAD_MASK_KEY", hide_env_values = true)]
    pub(crate) mask_key: Option<String>,
}

impl ShapeArgs {
    /// What becomes of fields. `null_as`: the texts that are NULL.
    pub(crate) fn shaping(&self, null_as: &[String]) -> Result<Shaping, String> {
        let mut shaping = Shaping::default();
        if let Some(path) = &self.unnest {
            shaping.unnest(path)?;
        }
        self.parent.iter().try_for_each(|parent| shaping.parent(parent))?;
        self.ordinal.iter().try_for_each(|field| shaping.ordinal(field))?;
        self.map.iter().try_for_each(|map| shaping.map(map))?;
        self.drop.iter().for_each(|field| shaping.drop(field));
        self.only.iter().for_each(|field| shaping.only(field));
        if let Some(separator) = &self.flatten {
            shaping.flatten(separator);
        }
        if self.trim {
            shaping.trim();
        }
        if self.null_strings {
            shaping.null_strings(null_as);
        }
        self.parse.iter().try_for_each(|format| shaping.parse(format))?;
        self.mask.iter().try_for_each(|mask| shaping.mask(mask))?;
        self.filter.iter().try_for_each(|sql| shaping.filter(sql))?;
        self.set.iter().try_for_each(|set| shaping.set(set))?;
        self.delete_when.iter().try_for_each(|sql| shaping.delete_when(sql))?;
        self.soft_delete.iter().for_each(|column| shaping.soft_delete(column));
        if let Some(key) = &self.mask_key {
            shaping.mask_key(parse::secret("--mask-key", key)?);
        }
        shaping.checked()
    }
}
