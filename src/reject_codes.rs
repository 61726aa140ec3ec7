//! SQLSTATEs that dbload itself gives a record that it refuses: those that the server would give for the
//! same. What codes of the server mean is `pg::sqlstate`'s to say.

/// `character_not_in_repertoire`: no UTF-8, or NUL.
pub(crate) const NOT_TEXT: &str = "22021";
/// `untranslatable_character`: half of a surrogate pair.
pub(crate) const NO_CHARACTER: &str = "22P05";
/// `invalid_text_representation`: no value of its type.
pub(crate) const NO_VALUE: &str = "22P02";
/// `bad_copy_file_format`: no record of its format.
pub(crate) const NO_RECORD: &str = "22P04";
/// Records with this code could not be cut into fields, as a rule: the reject file has their text.
#[must_use]
pub fn is_of_text(sqlstate: &str) -> bool {
    [NO_RECORD, NOT_TEXT].contains(&sqlstate)
}

/// `invalid_json_text`: no JSON object.
pub(crate) const NO_JSON: &str = "22032";
/// `duplicate_json_object_key_value`: two members of one name.
pub(crate) const DUPLICATE_MEMBER: &str = "22030";
/// `program_limit_exceeded`: longer, wider or deeper than is allowed.
pub(crate) const BEYOND_LIMITS: &str = "54000";
/// `undefined_column`: a field without a column.
pub(crate) const NO_COLUMN: &str = "42703";
/// `duplicate_column`: two fields for one column.
pub(crate) const DUPLICATE_COLUMN: &str = "42701";
/// `not_null_violation`: a key without a value.
pub(crate) const NO_KEY: &str = "23502";
/// `numeric_value_out_of_range`: a number that its column would hold as another.
pub(crate) const NO_NUMBER: &str = "22003";
/// `datetime_field_overflow`: a part of a time that its column drops.
pub(crate) const NO_TIME: &str = "22008";
/// `invalid_datetime_format`: no date that is told by its text alone.
pub(crate) const NO_DATE: &str = "22007";
/// `interval_field_overflow`: a part of an interval that its column drops.
pub(crate) const NO_INTERVAL: &str = "22015";
/// `string_data_right_truncation`: a text that its column would cut.
pub(crate) const NO_ROOM: &str = "22001";
