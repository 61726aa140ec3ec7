//! The description: what the user said about fields, checked, and nothing else.

use crate::format::Unnest;
use crate::secret::Secret;

use super::expression::{Expressions, SOFT_DELETE};
use super::mask::{Mask, MaskKey};
use super::parse::ParseFormat;
use super::path::Path;

/// What becomes of the fields of records on their way to columns. By default nothing.
///
/// ```
/// use dbload::Shaping;
///
/// let mut shaping = Shaping::default();
/// shaping.map("user.id=user_id")?;
/// shaping.parse("at=date:%d.%m.%Y")?;
/// shaping.drop("note");
/// assert!(shaping.parse("price=number:1,234").unwrap_err().contains("1,234"));
/// # Ok::<(), String>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Shaping {
    maps: Vec<FieldMap>,
    drops: Vec<String>,
    only: Vec<String>,
    flatten: Option<String>,
    trims: bool,
    null_strings: Option<Vec<String>>,
    parses: Vec<(String, ParseFormat)>,
    unnest: Option<Unnest>,
    masks: Vec<(String, Mask)>,
    mask_key: Option<MaskKey>,
    pub(super) expressions: Expressions,
}

/// A field that goes to a column of another name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FieldMap {
    /// As the user said it; the name of the field that a part of a nested value becomes.
    pub(super) field: String,
    /// The way into a nested value, if it can be one.
    pub(super) path: Option<Path>,
    pub(super) column: String,
}

/// Where a field of some name goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route<'s> {
    /// To the column of its name.
    ByName,
    /// To this column.
    Column(&'s str),
    /// Nowhere.
    Dropped,
}

impl Shaping {
    /// A field goes to a column of another name: `FIELD=COLUMN`. The field is a name, or the way to a part of
    /// a nested value: `user.id` or `/user/id`.
    ///
    /// # Errors
    /// In words, when it is not so written, or says what another one says.
    pub fn map(&mut self, text: &str) -> Result<(), String> {
        let (field, column) = match text.rsplit_once('=') {
            Some((field, column)) if !field.is_empty() && !column.is_empty() => (field, column),
            _ => return Err(format!("{text:?} is not FIELD=COLUMN")),
        };
        let path = Path::of(field);
        if field.starts_with('/') && path.is_none() {
            return Err(format!("{field:?} is no JSON pointer: after ~ stands 0 or 1"));
        }
        // A pointer of one step is the field itself.
        let (field, path) = match path {
            Some(path) if path.steps.is_empty() => (path.first, None),
            path => (field.to_owned(), path),
        };
        if let Some(other) = self.maps.iter().find(|other| other.field == field || other.column == column) {
            let (field, column) = (&other.field, &other.column);
            return Err(format!(
                "{text:?} beside {field}={column}: a field goes to one column, and a column has one field"
            ));
        }
        self.maps.push(FieldMap { field, path, column: column.to_owned() });
        Ok(())
    }

    /// A field of this name is left out.
    pub fn drop(&mut self, field: impl Into<String>) {
        self.drops.push(field.into());
    }

    /// Fields of this name are loaded, and others only where that is said of them too, or where
    /// [`map`](Self::map) names them.
    pub fn only(&mut self, field: impl Into<String>) {
        self.only.push(field.into());
    }

    /// The members of nested objects become fields, by the names on the way joined by this separator.
    pub fn flatten(&mut self, separator: impl Into<String>) {
        self.flatten = Some(separator.into());
    }

    /// Blanks around texts are taken off.
    pub fn trim(&mut self) {
        self.trims = true;
    }

    /// JSON strings that are one of these texts are null; without any, the empty one.
    pub fn null_strings(&mut self, texts: &[String]) {
        self.null_strings = Some(if texts.is_empty() { vec![String::new()] } else { texts.to_vec() });
    }

    /// How the values of a column are written: `COLUMN=FORMAT`, where the format is `date:` with the
    /// directives of strftime, `epoch`, `epoch_ms`, `number:` with an example, `bool:YES/NO`, `base64` or
    /// `json`.
    ///
    /// # Errors
    /// In words, when there is no such format, or it does not say enough.
    pub fn parse(&mut self, text: &str) -> Result<(), String> {
        let (column, format) = match text.split_once('=') {
            Some((column, format)) if !column.is_empty() => (column, format),
            _ => return Err(format!("{text:?} is not COLUMN=FORMAT")),
        };
        if self.parses.iter().any(|(other, _)| other == column) {
            return Err(format!("column {column:?} has two formats"));
        }
        self.parses.push((column.to_owned(), ParseFormat::of(format)?));
        Ok(())
    }

    /// The records are where this leads to in those of the source: each element of an array there, or the one
    /// object. A dotted path, or a JSON pointer.
    ///
    /// # Errors
    /// In words, when it is no path.
    pub fn unnest(&mut self, path: &str) -> Result<(), String> {
        self.unnest = Some(Unnest::at(path)?);
        Ok(())
    }

    /// Records that stand within another get a field of it: `FIELD=COLUMN`.
    ///
    /// # Errors
    /// In words, when it is not so written, or nothing was said of such records before.
    pub fn parent(&mut self, text: &str) -> Result<(), String> {
        let unnest = self.unnest.as_mut().ok_or("--parent is of records that --unnest finds in others")?;
        unnest.parent(text)
    }

    /// Records that stand within another get their number in its list, from 1 on.
    ///
    /// # Errors
    /// In words, when nothing was said of such records before.
    pub fn ordinal(&mut self, field: impl Into<String>) -> Result<(), String> {
        let unnest = self.unnest.as_mut().ok_or("--ordinal is of records that --unnest finds in others")?;
        unnest.ordinal(field);
        Ok(())
    }

    /// Where records are in others, if they are.
    #[must_use]
    pub const fn unnest_of(&self) -> Option<&Unnest> {
        self.unnest.as_ref()
    }

    /// The field is one that records get of what is around them.
    fn is_handed_down(&self, field: &str) -> bool {
        self.unnest.iter().flat_map(Unnest::fields).any(|name| name == field)
    }

    /// What stands in place of the values of a column, wherever they would leave the loader: `COLUMN=null`,
    /// or `COLUMN=sha256` for a digest that is keyed by [`mask_key`](Self::mask_key).
    ///
    /// # Errors
    /// In words, when it is not so written.
    pub fn mask(&mut self, text: &str) -> Result<(), String> {
        let (column, mask) = match text.rsplit_once('=') {
            Some((column, mask)) if !column.is_empty() => (column, Mask::of(mask)?),
            _ => return Err(format!("{text:?} is not COLUMN=null or COLUMN=sha256")),
        };
        if self.masks.iter().any(|(other, _)| other == column) {
            return Err(format!("column {column:?} has two masks"));
        }
        self.masks.push((column.to_owned(), mask));
        Ok(())
    }

    /// The key of digests: with another one they are others.
    pub fn mask_key(&mut self, key: impl Into<String>) {
        self.mask_key = Some(MaskKey(Secret::new(key.into())));
    }

    /// Values of some column are masked.
    #[must_use]
    pub const fn masks(&self) -> bool {
        !self.masks.is_empty()
    }

    pub(super) fn mask_of(&self, column: &str) -> Option<Mask> {
        self.masks.iter().find(|(name, _)| name == column).map(|(_, mask)| *mask)
    }

    pub(super) const fn key(&self) -> Option<&MaskKey> {
        self.mask_key.as_ref()
    }

    /// Columns whose values are null whatever they are.
    pub fn nulled(&self) -> impl Iterator<Item = &str> {
        self.masks.iter().filter(|(_, mask)| *mask == Mask::Null).map(|(column, _)| column.as_str())
    }

    /// Of masked columns that a part of a nested value goes to: the column, and the fields around that part,
    /// by the names that they would have.
    pub fn around_masked(&self) -> Vec<(&str, Vec<String>)> {
        let separator = self.separator().unwrap_or("_");
        let masked = self.paths().filter(|(map, _)| self.mask_of(&map.column).is_some());
        let around = |(map, path): (&FieldMap, &Path)| {
            let steps = &path.steps[..path.steps.len().saturating_sub(1)];
            let mut name = path.first.clone();
            let mut names = vec![name.clone()];
            for step in steps {
                name = format!("{name}{separator}{step}");
                names.push(name.clone());
            }
            (map.column.clone(), names)
        };
        let column = |(column, names): (String, Vec<String>)| {
            let known = self.masks.iter().find(|(name, _)| *name == column)?;
            Some((known.0.as_str(), names))
        };
        masked.map(around).filter_map(column).collect()
    }

    /// Refuses what contradicts itself.
    ///
    /// # Errors
    /// In words.
    pub fn checked(self) -> Result<Self, String> {
        let names = self.maps.iter().map(|map| &map.field).chain(&self.only);
        for name in names {
            if self.drops.contains(name) {
                return Err(format!("field {name:?} is dropped, and asked for"));
            }
        }
        for (column, mask) in &self.masks {
            if *mask == Mask::Sha256 && self.mask_key.is_none() {
                return Err(format!("--mask {column}=sha256 needs a key: --mask-key env:NAME"));
            }
            if self.format_of(column).is_some() {
                return Err(format!(
                    "column {column:?} is masked, and its masked values are not written as --parse says"
                ));
            }
        }
        if self.mask_key.is_some() && self.masks.iter().all(|(_, mask)| *mask == Mask::Null) {
            return Err("--mask-key is of --mask COLUMN=sha256, and there is none".to_owned());
        }
        self.check_expressions()?;
        let handed: Vec<&str> = self.unnest.iter().flat_map(Unnest::fields).collect();
        if let Some((_, twice)) = handed.iter().enumerate().find(|(i, name)| handed[..*i].contains(name)) {
            return Err(format!(
                "records get two fields of the name {twice:?}: --parent and --ordinal name one each"
            ));
        }
        if let Some(name) = handed.iter().find(|name| self.drops.iter().any(|drop| drop == *name)) {
            return Err(format!("field {name:?} is dropped, and asked for"));
        }
        Ok(self)
    }

    /// Records go on as they come, under the names that they have.
    #[must_use]
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// Where a field of this name goes: of those that there are when nested values are taken apart.
    #[must_use]
    pub fn route(&self, field: &str) -> Route<'_> {
        if self.drops.iter().any(|name| name == field) {
            return Route::Dropped;
        }
        if let Some(map) = self.maps.iter().find(|map| map.field == field) {
            return Route::Column(&map.column);
        }
        let is_wanted = || self.only.iter().any(|name| name == field) || self.is_handed_down(field);
        if self.only.is_empty() || is_wanted() { Route::ByName } else { Route::Dropped }
    }

    /// The column of a field, by name; `None`: it goes nowhere.
    #[must_use]
    pub fn column_of<'n>(&'n self, field: &'n str) -> Option<&'n str> {
        match self.route(field) {
            Route::ByName => Some(field),
            Route::Column(column) => Some(column),
            Route::Dropped => None,
        }
    }

    /// Columns that are named in what the user said, each with the words for it.
    pub fn columns(&self) -> impl Iterator<Item = (&str, String)> {
        let maps =
            self.maps.iter().map(|map| (map.column.as_str(), format!("--map {}={}", map.field, map.column)));
        let parses = self
            .parses
            .iter()
            .map(|(column, format)| (column.as_str(), format!("--parse {column}={format}")));
        let masks = self
            .masks
            .iter()
            .map(|(column, mask)| (column.as_str(), format!("--mask {column}={}", mask.name())));
        let sets = self.sets().map(|(column, sql)| (column, format!("--set {column}={}", sql.text())));
        let mark = self.mark().map(|column| (column, format!("{SOFT_DELETE}{column}")));
        maps.chain(parses).chain(masks).chain(sets).chain(mark)
    }

    /// The type of a new column, where its format says that.
    #[must_use]
    pub fn type_of(&self, column: &str) -> Option<&'static str> {
        let is_masked = self.mask_of(column).is_some();
        self.format_of(column).map(ParseFormat::type_name).or_else(|| is_masked.then_some("text"))
    }

    pub(super) fn format_of(&self, column: &str) -> Option<&ParseFormat> {
        self.parses.iter().find(|(name, _)| name == column).map(|(_, format)| format)
    }

    /// Fields that are asked for by name, and what was said of them: a sample may lack them all the same.
    pub fn asked_for(&self) -> impl Iterator<Item = (&str, &'static str)> {
        let maps = self.maps.iter().map(|map| (map.field.as_str(), "--map"));
        let drops = self.drops.iter().map(|name| (name.as_str(), "--drop"));
        let only = self.only.iter().map(|name| (name.as_str(), "--only"));
        maps.chain(drops).chain(only)
    }

    /// It is asked for by name.
    pub(super) fn names(&self, field: &str) -> bool {
        self.asked_for().any(|(name, _)| name == field)
    }

    /// Fields that go to columns of other names, and those.
    pub(super) fn maps(&self) -> impl Iterator<Item = (&str, &str)> {
        self.maps.iter().map(|map| (map.field.as_str(), map.column.as_str()))
    }

    /// Fields whose names begin so and go to columns of other names.
    pub fn maps_below(&self, begins: &str) -> impl Iterator<Item = &str> {
        self.maps().map(|(field, _)| field).filter(move |field| field.starts_with(begins))
    }

    pub(super) fn paths(&self) -> impl Iterator<Item = (&FieldMap, &Path)> {
        self.maps.iter().filter_map(|map| Some((map, map.path.as_ref()?)))
    }

    /// What stands between the names of nested members, where they become fields.
    #[must_use]
    pub fn separator(&self) -> Option<&str> {
        self.flatten.as_deref()
    }

    /// Blanks around texts are taken off.
    #[must_use]
    pub const fn trims(&self) -> bool {
        self.trims
    }

    pub(super) fn null_texts(&self) -> Option<&[String]> {
        self.null_strings.as_deref()
    }

    /// Values are looked at, not only names. `is_text`: records are delimited text, without anything nested.
    #[must_use]
    pub fn looks_at_values(&self, is_text: bool) -> bool {
        let of_any = self.trims || !self.parses.is_empty() || self.masks() || self.asks();
        let of_json = self.flatten.is_some() || self.null_strings.is_some() || self.paths().next().is_some();
        of_any || !is_text && of_json
    }

    /// What was said, flag by flag, for a run to be stored with; nothing of what was not said.
    #[must_use]
    pub fn settings(&self) -> Vec<(&'static str, Vec<String>)> {
        let maps = self.maps.iter().map(|map| format!("{}={}", map.field, map.column)).collect();
        let parses = self.parses.iter().map(|(column, format)| format!("{column}={format}")).collect();
        let switch = |on: bool| if on { vec![String::new()] } else { Vec::new() };
        let mut settings = vec![
            ("map", maps),
            ("drop", self.drops.clone()),
            ("only", self.only.clone()),
            ("flatten", self.flatten.iter().cloned().collect()),
            ("trim", switch(self.trims)),
            ("null-strings", self.null_strings.clone().unwrap_or_default()),
            ("parse", parses),
        ];
        let masks = self.masks.iter().map(|(column, mask)| format!("{column}={}", mask.name())).collect();
        settings.push(("mask", masks));
        settings.push(("mask-key", self.mask_key.iter().map(MaskKey::fingerprint).collect()));
        settings.extend(self.unnest.iter().flat_map(Unnest::settings));
        settings.extend(self.expressions.settings());
        settings.retain(|(_, words)| !words.is_empty());
        settings
    }
}
