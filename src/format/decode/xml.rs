//! An element as a record: its attributes are fields named `@id`, its children fields by their names, its own
//! text the field `#text`. A child that occurs several times is an array, one that has attributes or children
//! an object. An empty element is NULL, as an empty field of CSV is. No entity is known but the five of XML.

use std::borrow::Cow;

use quick_xml::events::{BytesRef, BytesStart, Event};
use quick_xml::{Reader, XmlVersion};

use super::text::{BlockText, whole};
use super::{DecodeError, DecodeErrorKind, DecodeLimits, Each, Fields};
use crate::format::MendedValue;
use crate::format::shorten::shorten;
use crate::record::Text;

/// The text of an element that has attributes or children.
const TEXT: &str = "#text";
/// Elements within each other, at most: what is made of them is walked from the outside in.
const DEPTH_MAX: usize = 1000;
/// An attribute that says that its element is null.
const NIL: &str = "xsi:nil";

/// Decodes each record of a block.
pub(super) fn decode(records: &Text, limits: &DecodeLimits, each: &mut Each<'_>) {
    let text = BlockText::new(records);
    for i in 0..records.spans.len() {
        let element = whole(records, i).and_then(|_| text.of(i)).and_then(|text| element(text, limits));
        match element {
            Ok(element) => {
                let fields: Vec<(Cow<'_, str>, MendedValue<'_>)> = element
                    .into_fields()
                    .into_iter()
                    .map(|(name, value)| (name.into(), value.field()))
                    .collect();
                each(i, Ok(Fields::Mended(&fields)));
            }
            Err(error) => each(i, Err(error)),
        }
    }
}

/// What stands in a place of an element.
enum XmlValue {
    Null,
    Text(String),
    Object(Vec<(String, XmlValue)>),
    Array(Vec<XmlValue>),
}

impl XmlValue {
    fn field(self) -> MendedValue<'static> {
        match self {
            Self::Null => MendedValue::Null,
            // A number is one for a column of JSON too; other texts are texts there.
            Self::Text(text) if is_number(&text) => MendedValue::Text(text.into()),
            other => MendedValue::Json(other.json().to_string().into()),
        }
    }

    /// As JSON.
    fn json(self) -> serde_json::Value {
        match self {
            Self::Null => serde_json::Value::Null,
            Self::Text(text) => text.into(),
            Self::Object(members) => serde_json::Value::Object(
                members.into_iter().map(|(name, value)| (name, value.json())).collect(),
            ),
            Self::Array(values) => values.into_iter().map(Self::json).collect(),
        }
    }
}

/// Whether a text is a number as JSON writes it, without an exponent, or a truth value.
fn is_number(text: &str) -> bool {
    let is_plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'-' | b'.'));
    matches!(text, "true" | "false")
        || (is_plain(text) && serde_json::from_str::<&serde_json::value::RawValue>(text).is_ok())
}

/// An element that is read.
#[derive(Default)]
struct XmlElement {
    name: String,
    members: Vec<(String, XmlValue)>,
    text: String,
    is_null: bool,
}

impl XmlElement {
    /// `limit`: attributes that it may have.
    fn begin(tag: &BytesStart<'_>, limit: usize) -> Result<Self, DecodeErrorKind> {
        let malformed = |why: String| DecodeErrorKind::Xml(why);
        let mut element = Self { name: name_of(tag.name().as_ref()), ..Self::default() };
        // Doubles are found below: the crate compares each with all.
        for (count, attribute) in tag.attributes().with_checks(false).enumerate() {
            if count == limit {
                return Err(DecodeErrorKind::TooManyFields(limit));
            }
            let attribute = attribute.map_err(|error| malformed(error.to_string()))?;
            let name = name_of(attribute.key.as_ref());
            if name == "xmlns" || name.starts_with("xmlns:") {
                continue;
            }
            let value = attribute.normalized_value(XmlVersion::Implicit1_0);
            let value = value.map_err(|error| malformed(error.to_string()))?;
            if name == NIL {
                element.is_null = matches!(value.as_ref(), "true" | "1");
                continue;
            }
            let name = format!("@{name}");
            if element.members.iter().any(|(known, _)| *known == name) {
                return Err(malformed(format!("the attribute {:?} twice", shorten(&name))));
            }
            element.members.push((name, XmlValue::Text(value.into_owned())));
        }
        Ok(element)
    }

    /// A further member; of one name several are an array.
    fn push(&mut self, name: String, value: XmlValue) {
        match self.members.iter_mut().find(|(known, _)| *known == name) {
            Some((_, XmlValue::Array(values))) => values.push(value),
            Some((_, known)) => {
                let first = std::mem::replace(known, XmlValue::Null);
                *known = XmlValue::Array(vec![first, value]);
            }
            None => self.members.push((name, value)),
        }
    }

    /// What it is in the element around it.
    fn end(mut self) -> (String, XmlValue) {
        let name = std::mem::take(&mut self.name);
        if self.is_null {
            return (name, XmlValue::Null);
        }
        if self.members.is_empty() {
            return (name, if self.text.is_empty() { XmlValue::Null } else { XmlValue::Text(self.text) });
        }
        (name, XmlValue::Object(self.into_fields()))
    }

    /// Its members; blanks between them are no text.
    fn into_fields(mut self) -> Vec<(String, XmlValue)> {
        if !self.text.trim().is_empty() {
            let text = if self.members.is_empty() { self.text } else { self.text.trim().to_owned() };
            self.members.push((TEXT.to_owned(), XmlValue::Text(text)));
        }
        self.members
    }
}

fn name_of(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Reads the one element of a text.
fn element(text: &str, limits: &DecodeLimits) -> Result<XmlElement, DecodeError> {
    let mut reader = Reader::from_str(text);
    let mut open: Vec<XmlElement> = Vec::new();
    let mut fields = 0;
    loop {
        let event = reader.read_event();
        let at = usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX).min(text.len());
        let failed = |why: String| DecodeErrorKind::Xml(why).at(text.as_bytes(), at);
        match event.map_err(|error| failed(error.to_string()))? {
            Event::Start(tag) => {
                if open.len() > limits.depth {
                    let (name, limit) = (shorten(&name_of(tag.name().as_ref())), limits.depth);
                    return Err(DecodeErrorKind::TooDeep { name, limit }.at(text.as_bytes(), at));
                }
                if open.len() > DEPTH_MAX {
                    return Err(failed(format!("elements are nested deeper than {DEPTH_MAX} levels")));
                }
                let element = XmlElement::begin(&tag, limits.fields);
                let element = element.map_err(|kind| kind.at(text.as_bytes(), at))?;
                fields += 1 + element.members.len();
                open.push(element);
            }
            Event::Empty(tag) => {
                let element = XmlElement::begin(&tag, limits.fields);
                let element = element.map_err(|kind| kind.at(text.as_bytes(), at))?;
                fields += 1 + element.members.len();
                match open.last_mut() {
                    Some(around) => {
                        let (name, value) = element.end();
                        around.push(name, value);
                    }
                    None => return Ok(element),
                }
            }
            Event::End(_) => {
                let Some(element) = open.pop() else { return Err(failed("no element is open".to_owned())) };
                match open.last_mut() {
                    Some(around) => {
                        let (name, value) = element.end();
                        around.push(name, value);
                    }
                    None => return Ok(element),
                }
            }
            Event::Text(part) => {
                let part = part.xml10_content().map_err(|error| failed(error.to_string()))?;
                push_text(&mut open, &part);
            }
            Event::CData(part) => {
                let part = part.xml10_content().map_err(|error| failed(error.to_string()))?;
                push_text(&mut open, &part);
            }
            Event::GeneralRef(reference) => {
                let part = character(&reference).map_err(failed)?;
                push_text(&mut open, &part);
            }
            Event::Comment(_) | Event::PI(_) | Event::Decl(_) => {}
            Event::DocType(_) => return Err(failed("a document type within a record".to_owned())),
            Event::Eof => return Err(failed("it ends before its element does".to_owned())),
        }
        if fields > limits.fields {
            return Err(DecodeErrorKind::TooManyFields(limits.fields).at(text.as_bytes(), at));
        }
    }
}

fn push_text(open: &mut [XmlElement], text: &str) {
    if let Some(element) = open.last_mut() {
        element.text.push_str(text);
    }
}

/// What a reference stands for.
fn character(reference: &BytesRef<'_>) -> Result<String, String> {
    if let Some(character) = reference.resolve_char_ref().map_err(|error| error.to_string())? {
        return Ok(character.to_string());
    }
    let name = reference.decode().map_err(|error| error.to_string())?;
    match quick_xml::escape::resolve_xml_entity(&name) {
        Some(text) => Ok(text.to_owned()),
        None => Err(format!("the entity {:?}, and entities are not read", shorten(&name))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let shown = match element(text, &DecodeLimits::default()) {
            Ok(element) => XmlValue::Object(element.into_fields()).json().to_string(),
            Err(error) => error.kind.to_string(),
        };
        assert_eq!(shown, expected, "{text}");
    }

    #[test]
    fn attributes_children_and_texts_are_fields() {
        check(r#"<i id="1"><v>a &amp; b</v><n>2.50</n></i>"#, r##"{"@id":"1","n":"2.50","v":"a & b"}"##);
        check("<i><t>a</t>\n<t>b</t><e/><f></f></i>", r#"{"e":null,"f":null,"t":["a","b"]}"#);
        check("<i><a><b x='1'>c</b></a></i>", r##"{"a":{"b":{"#text":"c","@x":"1"}}}"##);
        check("<i xmlns:xsi='u'><a xsi:nil='true'/><b><![CDATA[<x>&]]></b></i>", r#"{"a":null,"b":"<x>&"}"#);
        check("<i>x</i>", r##"{"#text":"x"}"##);
        check("<i/>", "{}");
        check("<i><!-- c --><a>&#233;&#x1F600;\r\ny</a></i>", "{\"a\":\"é😀\\ny\"}");
        check("<i><a>&x;</a></i>", "malformed XML: the entity \"x\", and entities are not read");
        check("<i a='1' a='2'/>", "malformed XML: the attribute \"@a\" twice");
        check(
            "<i><a>&#0;</a></i>",
            "malformed XML: invalid character reference: 0x0 character is not permitted in XML",
        );
    }
}
