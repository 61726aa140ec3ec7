//! Shapes records, one after the other: nested values are taken apart, then each value is trimmed, told from
//! null, and read by its format.
//!
//! What is to be done with a field follows from its name, and is found out once for each.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use crate::format::{DecodeLimits, Fields, MendedValue, json};
use crate::reject_codes;

use super::mask::{Mask, digest_in, marked};
use super::names::{FieldOwner, KnownColumns};
use super::parse::ParseFormat;
use super::shaping::{Route, Shaping};
use super::value::{ValueMisfit, is_string_of, no_text, of_json, text_of, trimmed};
use super::wanted::WantedParts;

/// Names whose rules are kept: hostile records may have thousands each, all different.
const NAMES_KEPT: usize = 4_096;
/// Longest name that the members on a way make together, in bytes: no column's has more than 63, and nested
/// names would grow with the square of their depth.
const NAME_BYTES_MAX: usize = 1_000;

/// Fields of one record, by name.
pub type ShapedRecord<'f> = Vec<(Cow<'f, str>, MendedValue<'f>)>;

/// Why a record cannot be shaped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShapeRefusal {
    /// The column to blame.
    pub column: Option<String>,
    /// SQLSTATE that the server would have used.
    pub sqlstate: &'static str,
    /// Why, without values of the record.
    pub reason: String,
}

impl ShapeRefusal {
    fn of_record(misfit: ValueMisfit) -> Self {
        let (sqlstate, reason) = misfit;
        Self { column: None, sqlstate, reason }
    }
}

/// Shapes the records of one load.
pub struct Shaper<'s> {
    shaping: &'s Shaping,
    columns: &'s (dyn KnownColumns + Sync),
    limits: DecodeLimits,
    wanted: WantedParts,
    rules: HashMap<String, Rule>,
    /// Fields that were objects, and became their members.
    objects: HashSet<String>,
    /// Records were rejected before: what was to be masked of them is.
    are_rejects: bool,
    /// Strings of the record in hand stand for delimited text.
    keeps_texts: bool,
}

/// What becomes of a field of some name.
#[derive(Debug, Clone)]
struct Rule {
    owner: Option<FieldOwner>,
    format: Option<ParseFormat>,
    mask: Option<Mask>,
    /// It is named by a flag: it is not taken apart.
    is_asked_for: bool,
    is_dropped: bool,
    /// Fields that are null where a scalar stands in place of an object of this name.
    members: Vec<String>,
}

impl<'s> Shaper<'s> {
    /// For records that go to these columns. `limits`: what they were decoded by.
    #[must_use]
    pub fn new(shaping: &'s Shaping, columns: &'s (dyn KnownColumns + Sync), limits: DecodeLimits) -> Self {
        let wanted = WantedParts::of(shaping);
        let (rules, objects) = (HashMap::new(), HashSet::new());
        Self { shaping, columns, limits, wanted, rules, objects, are_rejects: false, keeps_texts: false }
    }

    /// The same for records out of a reject file, if they are such.
    #[must_use]
    pub const fn of_rejects(mut self, are_rejects: bool) -> Self {
        self.are_rejects = are_rejects;
        self
    }

    /// Fields that were objects in some record and became their members: another value of theirs makes no
    /// column.
    #[must_use]
    pub const fn objects(&self) -> &HashSet<String> {
        &self.objects
    }

    /// The fields of a record as they go on. `header`: names of positional ones.
    ///
    /// # Errors
    /// When a value does not fit its format, or the record has more fields than it may.
    pub fn shape<'f>(
        &mut self,
        header: &'f [String],
        fields: &'f Fields<'f, 'f>,
    ) -> Result<ShapedRecord<'f>, ShapeRefusal> {
        let mut out = Vec::new();
        match fields {
            Fields::Positional(values) => {
                for (name, value) in header.iter().zip(*values) {
                    let value = value.map_or(MendedValue::Null, |text| MendedValue::Text(text.into()));
                    self.field(&mut out, Cow::Borrowed(name.as_str()), value)?;
                }
            }
            Fields::Named(members) => {
                for (name, raw) in *members {
                    self.field(&mut out, Cow::Borrowed(name.as_ref()), of_json(raw))?;
                }
            }
            Fields::Mended(members) => {
                for (name, value) in *members {
                    self.field(&mut out, Cow::Borrowed(name.as_ref()), borrowed(value))?;
                }
            }
        }
        Ok(out)
    }

    /// A field of the record itself.
    fn field<'f>(
        &mut self,
        out: &mut ShapedRecord<'f>,
        name: Cow<'f, str>,
        value: MendedValue<'f>,
    ) -> Result<(), ShapeRefusal> {
        let wanted = self.wanted.part(&name).cloned();
        match wanted {
            Some(wanted) => self.partly_wanted(out, name, &wanted, value),
            None => self.whole(out, name, None, value),
        }
    }

    /// One of which parts are wanted; the rest of it counts only where it has a column.
    fn partly_wanted<'f>(
        &mut self,
        out: &mut ShapedRecord<'f>,
        name: Cow<'f, str>,
        wanted: &WantedParts,
        value: MendedValue<'f>,
    ) -> Result<(), ShapeRefusal> {
        self.parts(out, wanted, &value)?;
        let rule = self.rule(&name);
        let has_column =
            rule.owner.as_ref().is_some_and(|owner| owner.type_name.is_some()) && !rule.is_dropped;
        let members = rule.members.clone();
        let is_begun_by = |c| matches!(&value, MendedValue::Json(raw) if raw.starts_with(c));
        if has_column || is_begun_by('{') && self.shaping.separator().is_some() {
            return self.whole(out, name, Some(wanted), value);
        }
        if is_begun_by('{') || is_begun_by('[') { Ok(()) } else { self.nulls(out, members) }
    }

    /// Null for each of these fields.
    fn nulls(&self, out: &mut ShapedRecord<'_>, fields: Vec<String>) -> Result<(), ShapeRefusal> {
        fields.into_iter().try_for_each(|field| self.push(out, Cow::Owned(field), MendedValue::Null))
    }

    /// The parts of a value that are wanted. Where a scalar stands in place of what has parts, they are null.
    fn parts<'f>(
        &mut self,
        out: &mut ShapedRecord<'f>,
        wanted: &WantedParts,
        value: &MendedValue<'f>,
    ) -> Result<(), ShapeRefusal> {
        for (step, part) in &wanted.parts {
            let found = match value {
                MendedValue::Json(Cow::Borrowed(raw)) if raw.starts_with('{') => member(raw, step)?,
                MendedValue::Json(Cow::Borrowed(raw)) if raw.starts_with('[') => {
                    step.parse().ok().and_then(|at| json::elements(raw).flatten().nth(at))
                }
                _ => Some("null"),
            };
            let Some(raw) = found else { continue };
            if let Some(field) = &part.field {
                self.leaf(out, Cow::Owned(field.clone()), of_json(raw))?;
            }
            self.parts(out, part, &of_json(raw))?;
        }
        Ok(())
    }

    /// A field, or what it is flattened to. `wanted`: parts of it that have gone their way already.
    fn whole<'f>(
        &mut self,
        out: &mut ShapedRecord<'f>,
        name: Cow<'f, str>,
        wanted: Option<&WantedParts>,
        value: MendedValue<'f>,
    ) -> Result<(), ShapeRefusal> {
        let is_masked =
            self.are_rejects && matches!(&value, MendedValue::Json(raw) if digest_in(raw).is_some());
        let Some(separator) = self.shaping.separator().filter(|_| !is_masked) else {
            return self.leaf(out, name, value);
        };
        let rule = self.rule(&name);
        let object = match &value {
            MendedValue::Json(Cow::Borrowed(raw)) if raw.starts_with('{') => Some(*raw),
            _ => None,
        };
        let is_array = matches!(&value, MendedValue::Json(raw) if raw.starts_with('['));
        let stays = rule.is_asked_for || rule.is_dropped;
        match object {
            Some(_) if stays || rule.owner.as_ref().is_some_and(|owner| owner.holds_nested) => {
                self.leaf(out, name, value)
            }
            Some(raw) => {
                if !self.objects.contains(name.as_ref()) {
                    self.objects.insert(name.clone().into_owned());
                }
                for member in json::members(raw) {
                    let (inner, raw) = member.map_err(|error| ShapeRefusal::of_record(no_text(&error)))?;
                    let part = wanted.and_then(|wanted| wanted.part(&inner));
                    // What a path has taken whole is not taken twice.
                    if part.is_some_and(|part| part.field.is_some()) {
                        continue;
                    }
                    let joined = format!("{name}{separator}{inner}");
                    if joined.len() > NAME_BYTES_MAX {
                        let reason = format!("nested names of more than {NAME_BYTES_MAX} bytes together");
                        return Err(ShapeRefusal::of_record((reject_codes::BEYOND_LIMITS, reason)));
                    }
                    self.whole(out, Cow::Owned(joined), part, of_json(raw))?;
                }
                Ok(())
            }
            None if stays || is_array || rule.owner.is_some() || rule.members.is_empty() => {
                self.leaf(out, name, value)
            }
            None => {
                let members = rule.members.clone();
                self.nulls(out, members)
            }
        }
    }

    /// A field that is not taken apart.
    fn leaf<'f>(
        &mut self,
        out: &mut ShapedRecord<'f>,
        name: Cow<'f, str>,
        value: MendedValue<'f>,
    ) -> Result<(), ShapeRefusal> {
        let value = if self.shaping.trims() { trimmed(value) } else { value };
        let is_null = self.shaping.null_texts().is_some_and(|texts| is_string_of(&value, texts));
        let value = if is_null { MendedValue::Null } else { value };
        let limits = self.limits;
        let value = match self.rule(&name).mask {
            None => value,
            Some(mask) => self.masked(mask, value).map_err(ShapeRefusal::of_record)?,
        };
        let rule = self.rule(&name);
        let value = match (&rule.format, &rule.owner) {
            (Some(format), Some(owner)) if !matches!(value, MendedValue::Null) && !rule.is_dropped => {
                format.read(value, owner.zones(), &limits).map_err(|(sqlstate, reason)| ShapeRefusal {
                    column: Some(owner.column.clone()),
                    sqlstate,
                    reason,
                })?
            }
            _ => value,
        };
        self.push(out, name, value)
    }

    /// What stands in place of a value.
    fn masked<'f>(&self, mask: Mask, value: MendedValue<'f>) -> Result<MendedValue<'f>, ValueMisfit> {
        let key = match (mask, self.shaping.key(), &value) {
            (Mask::Null, ..) | (_, None, _) | (.., MendedValue::Null) => return Ok(MendedValue::Null),
            (Mask::Sha256, Some(key), _) => key,
        };
        if let MendedValue::Json(raw) = &value
            && let Some(digest) = digest_in(raw).filter(|_| self.are_rejects)
        {
            return Ok(MendedValue::Text(digest.to_owned().into()));
        }
        let text = text_of(&value)?;
        let nested = || match &value {
            MendedValue::Json(raw) => raw.as_ref(),
            MendedValue::Null | MendedValue::Text(_) => "",
        };
        Ok(MendedValue::Text(key.digest(text.as_deref().unwrap_or_else(nested)).into()))
    }

    /// A record as a reject keeps it, a JSON object: masked values are marked as such. `are_texts`: its
    /// strings stand for delimited text. `None`: it cannot be looked through.
    #[must_use]
    pub fn without_masked(&mut self, record: &str, are_texts: bool) -> Option<String> {
        self.keeps_texts = are_texts;
        let mut out = String::with_capacity(record.len());
        let wanted = self.wanted.clone();
        for member in json::members(record) {
            let (name, raw) = member.ok()?;
            let part = wanted.part(&name);
            let value = self.kept(&name, part, raw)?;
            push_member(&mut out, &name, &value);
        }
        Some(closed(out))
    }

    /// A value as a reject keeps it. `wanted`: what of it goes its own way.
    fn kept<'r>(&mut self, name: &str, wanted: Option<&WantedParts>, raw: &'r str) -> Option<Cow<'r, str>> {
        if let Some(mask) = self.rule(name).mask {
            return self.kept_masked(mask, raw);
        }
        let separator = self.shaping.separator().map(str::to_owned);
        let looks_within = wanted.is_some() || separator.is_some();
        let is_begun_by = |c| looks_within && raw.starts_with(c);
        let mut out = String::new();
        if is_begun_by('{') && digest_in(raw).is_none() {
            for member in json::members(raw) {
                let (inner, value) = member.ok()?;
                let part = wanted.and_then(|wanted| wanted.part(&inner));
                let joined = separator.as_ref().map(|separator| format!("{name}{separator}{inner}"));
                let kept = self.kept_part(joined.as_deref(), part, value)?;
                push_member(&mut out, &inner, &kept);
            }
            return Some(Cow::Owned(closed(out)));
        }
        if is_begun_by('[') && wanted.is_some() {
            for (i, element) in json::elements(raw).enumerate() {
                let part = wanted.and_then(|wanted| wanted.part(&i.to_string()));
                let kept = self.kept_part(None, part, element.ok()?)?;
                out.push(if i == 0 { '[' } else { ',' });
                out.push_str(&kept);
            }
            out.push_str(if out.is_empty() { "[]" } else { "]" });
            return Some(Cow::Owned(out));
        }
        Some(Cow::Borrowed(raw))
    }

    /// A part of a value: a field that a path names, or a member that is a field of this name.
    fn kept_part<'r>(
        &mut self,
        name: Option<&str>,
        wanted: Option<&WantedParts>,
        raw: &'r str,
    ) -> Option<Cow<'r, str>> {
        let field = wanted.and_then(|wanted| wanted.field.clone());
        if let Some(mask) = field.and_then(|field| self.rule(&field).mask) {
            return self.kept_masked(mask, raw);
        }
        match name {
            Some(name) => self.kept(name, wanted, raw),
            // No field of its own: parts of it may be.
            None if wanted.is_some() => self.kept("", wanted, raw),
            None => Some(Cow::Borrowed(raw)),
        }
    }

    fn kept_masked<'r>(&self, mask: Mask, raw: &'r str) -> Option<Cow<'r, str>> {
        if self.are_rejects && digest_in(raw).is_some() && mask == Mask::Sha256 {
            return Some(Cow::Borrowed(raw));
        }
        // As it would be masked in the load.
        let value = if self.shaping.trims() { trimmed(of_json(raw)) } else { of_json(raw) };
        let texts = self.shaping.null_texts().filter(|_| !self.keeps_texts);
        let is_null = texts.is_some_and(|texts| is_string_of(&value, texts));
        let value = if is_null { MendedValue::Null } else { value };
        Some(match self.masked(mask, value) {
            Ok(MendedValue::Text(digest)) => Cow::Owned(marked(&digest)),
            // Null; or what no text can hold, which is kept nowhere.
            Ok(_) | Err(_) => Cow::Borrowed("null"),
        })
    }

    fn push<'f>(
        &self,
        out: &mut ShapedRecord<'f>,
        name: Cow<'f, str>,
        value: MendedValue<'f>,
    ) -> Result<(), ShapeRefusal> {
        if out.len() >= self.limits.fields {
            let reason = format!("more than {} fields", self.limits.fields);
            return Err(ShapeRefusal::of_record((reject_codes::BEYOND_LIMITS, reason)));
        }
        out.push((name, value));
        Ok(())
    }

    /// What becomes of a field of this name.
    fn rule(&mut self, name: &str) -> &Rule {
        if !self.rules.contains_key(name) {
            if self.rules.len() >= NAMES_KEPT {
                self.rules.clear();
            }
            let rule = self.rule_of(name);
            self.rules.insert(name.to_owned(), rule);
        }
        &self.rules[name]
    }

    fn rule_of(&self, name: &str) -> Rule {
        let owner = self.columns.owner(name);
        let format = owner.as_ref().and_then(|owner| self.shaping.format_of(&owner.column)).cloned();
        let mask = owner.as_ref().and_then(|owner| self.shaping.mask_of(&owner.column));
        let members = match self.shaping.separator() {
            Some(separator) if owner.is_none() => self.members(&format!("{name}{separator}")),
            _ => Vec::new(),
        };
        Rule {
            owner,
            format,
            mask,
            is_asked_for: self.shaping.names(name),
            is_dropped: self.shaping.route(name) == Route::Dropped,
            members,
        }
    }

    /// Fields that go to columns and whose names begin so.
    fn members(&self, begins: &str) -> Vec<String> {
        let is_mapped = |column: &String| self.shaping.maps().any(|(_, mapped)| mapped == column);
        let mut members = self.columns.below(begins);
        members.retain(|column| !is_mapped(column));
        members.extend(self.shaping.maps_below(begins).map(str::to_owned));
        members
    }
}

fn push_member(out: &mut String, name: &str, raw: &str) {
    out.push(if out.is_empty() { '{' } else { ',' });
    out.push_str(&serde_json::Value::from(name).to_string());
    out.push(':');
    out.push_str(raw);
}

fn closed(mut object: String) -> String {
    object.push_str(if object.is_empty() { "{}" } else { "}" });
    object
}

/// A value without its own room.
fn borrowed<'f>(value: &'f MendedValue<'_>) -> MendedValue<'f> {
    match value {
        MendedValue::Null => MendedValue::Null,
        MendedValue::Text(text) => MendedValue::Text(Cow::Borrowed(text.as_ref())),
        MendedValue::Json(raw) => MendedValue::Json(Cow::Borrowed(raw.as_ref())),
    }
}

/// The member of this name of an object.
fn member<'t>(object: &'t str, wanted: &str) -> Result<Option<&'t str>, ShapeRefusal> {
    let mut found = None;
    for member in json::members(object) {
        let (name, raw) = member.map_err(|error| ShapeRefusal::of_record(no_text(&error)))?;
        if name == wanted && found.replace(raw).is_some() {
            let reason = format!("an object has two members {wanted:?}");
            return Err(ShapeRefusal::of_record((reject_codes::DUPLICATE_MEMBER, reason)));
        }
    }
    Ok(found)
}
