//! Messages in protobuf, as far as OTLP needs them.

/// A message that is being written.
#[derive(Debug, Default, Clone)]
pub(super) struct Message(Vec<u8>);

const VARINT: u32 = 0;
const FIXED64: u32 = 1;
const BYTES: u32 = 2;

impl Message {
    /// One with a single field that is a message.
    pub(super) fn of(field: u32, content: &Self) -> Self {
        let mut message = Self::default();
        message.message(field, content);
        message
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    fn raw(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value.to_le_bytes()[0] | 0x80);
            value >>= 7;
        }
        self.0.push(value.to_le_bytes()[0]);
    }

    fn tag(&mut self, field: u32, kind: u32) {
        self.raw(u64::from(field << 3 | kind));
    }

    pub(super) fn varint(&mut self, field: u32, value: u64) {
        self.tag(field, VARINT);
        self.raw(value);
    }

    pub(super) fn fixed(&mut self, field: u32, value: u64) {
        self.tag(field, FIXED64);
        self.0.extend(value.to_le_bytes());
    }

    pub(super) fn double(&mut self, field: u32, value: f64) {
        self.fixed(field, value.to_bits());
    }

    pub(super) fn bytes(&mut self, field: u32, bytes: &[u8]) {
        self.tag(field, BYTES);
        self.raw(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    pub(super) fn text(&mut self, field: u32, text: &str) {
        self.bytes(field, text.as_bytes());
    }

    pub(super) fn message(&mut self, field: u32, content: &Self) {
        self.bytes(field, &content.0);
    }

    /// Many of eight bytes, packed.
    pub(super) fn packed(&mut self, field: u32, values: impl Iterator<Item = u64>) {
        let bytes: Vec<u8> = values.flat_map(u64::to_le_bytes).collect();
        self.bytes(field, &bytes);
    }

    /// Attributes, each a message of this field.
    pub(super) fn attributes(&mut self, field: u32, attributes: &[OtelAttribute]) {
        for attribute in attributes {
            let mut value = Self::default();
            match &attribute.value {
                OtelValue::Text(text) => value.text(1, text),
                OtelValue::Number(number) => value.varint(3, *number),
                OtelValue::Seconds(seconds) => value.double(4, *seconds),
            }
            let mut pair = Self::default();
            pair.text(1, &attribute.key);
            pair.message(2, &value);
            self.message(field, &pair);
        }
    }
}

/// What is said of a span, a point, a resource.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct OtelAttribute {
    pub(super) key: String,
    pub(super) value: OtelValue,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum OtelValue {
    Text(String),
    Number(u64),
    Seconds(f64),
}

impl OtelAttribute {
    pub(super) fn text(key: &str, value: impl Into<String>) -> Self {
        Self { key: key.to_owned(), value: OtelValue::Text(value.into()) }
    }

    pub(super) fn number(key: &str, value: u64) -> Self {
        Self { key: key.to_owned(), value: OtelValue::Number(value) }
    }

    pub(super) fn seconds(key: &str, value: f64) -> Self {
        Self { key: key.to_owned(), value: OtelValue::Seconds(value) }
    }
}
