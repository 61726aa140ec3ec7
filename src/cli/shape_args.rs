//! What can be said of the fields of records. Parsing validates, never acts.

use clap::Args;
use dbload::internals::shape::Shaping;

use super::parse;

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Shaping")]
pub(crate) struct ShapeArgs {
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
}

impl ShapeArgs {
    /// What becomes of fields. `null_as`: the texts that are NULL.
    pub(crate) fn shaping(&self, null_as: &[String]) -> Result<Shaping, String> {
        let mut shaping = Shaping::default();
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
        shaping.checked()
    }
}
