//! JSON by the letter of RFC 8259, and CSV fields by the letter of the documentation: slow, plain, apart from
//! the program.

/// Deeper values are not judged: the program has a limit there, and this reader a stack.
pub const DEPTH: usize = 900;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bad {
    Syntax,
    /// Too deep to be judged here.
    Deep,
}

/// A reader over the bytes of a text; every method takes what it names or fails.
pub struct Json<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Json<'t> {
    pub fn new(text: &'t str) -> Self {
        Self { text, at: 0 }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    pub fn blank(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    pub fn take(&mut self, byte: u8) -> bool {
        let there = self.peek() == Some(byte);
        self.at += usize::from(there);
        there
    }

    pub fn at_end(&mut self) -> bool {
        self.blank();
        self.at == self.text.len()
    }

    /// A value, as its text.
    pub fn value(&mut self, depth: usize) -> Result<&'t str, Bad> {
        self.blank();
        let from = self.at;
        match self.peek() {
            Some(b'{') => drop(self.object(depth)?),
            Some(b'[') => drop(self.array(depth)?),
            Some(b'"') => drop(self.string()?),
            Some(b'-' | b'0'..=b'9') => self.number()?,
            _ => {
                let word =
                    ["true", "false", "null"].into_iter().find(|word| self.text[self.at..].starts_with(word));
                self.at += word.ok_or(Bad::Syntax)?.len();
            }
        }
        Ok(&self.text[from..self.at])
    }

    fn number(&mut self) -> Result<(), Bad> {
        self.take(b'-');
        if !self.take(b'0') {
            self.digits()?;
        }
        if self.take(b'.') {
            self.digits()?;
        }
        if self.take(b'e') || self.take(b'E') {
            let _ = self.take(b'+') || self.take(b'-');
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), Bad> {
        let from = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if self.at > from { Ok(()) } else { Err(Bad::Syntax) }
    }

    /// A string, as its text; `None` where it holds a lone surrogate.
    pub fn string(&mut self) -> Result<Option<String>, Bad> {
        let mut units: Vec<u16> = Vec::new();
        if !self.take(b'"') {
            return Err(Bad::Syntax);
        }
        loop {
            let c = self.text[self.at..].chars().next().ok_or(Bad::Syntax)?;
            self.at += c.len_utf8();
            match c {
                '"' => return Ok(String::from_utf16(&units).ok()),
                '\\' => {
                    let escape = self.peek().ok_or(Bad::Syntax)?;
                    self.at += 1;
                    units.push(match escape {
                        b'"' | b'\\' | b'/' => u16::from(escape),
                        b'b' => 8,
                        b'f' => 12,
                        b'n' => 10,
                        b'r' => 13,
                        b't' => 9,
                        b'u' => {
                            let digits = self.text.as_bytes().get(self.at..self.at + 4).ok_or(Bad::Syntax)?;
                            self.at += 4;
                            digits
                                .iter()
                                .try_fold(0_u16, |n, digit| {
                                    let value = char::from(*digit).to_digit(16)?;
                                    Some(n << 4 | u16::try_from(value).ok()?)
                                })
                                .ok_or(Bad::Syntax)?
                        }
                        _ => return Err(Bad::Syntax),
                    });
                }
                c if c < ' ' => return Err(Bad::Syntax),
                c => units.extend(c.encode_utf16(&mut [0; 2]).iter()),
            }
        }
    }

    /// The elements of an array, as text.
    pub fn array(&mut self, depth: usize) -> Result<Vec<&'t str>, Bad> {
        if depth == 0 {
            return Err(Bad::Deep);
        }
        let mut elements = Vec::new();
        if !self.take(b'[') {
            return Err(Bad::Syntax);
        }
        self.blank();
        if self.take(b']') {
            return Ok(elements);
        }
        loop {
            elements.push(self.value(depth - 1)?);
            self.blank();
            if self.take(b']') {
                return Ok(elements);
            }
            if !self.take(b',') {
                return Err(Bad::Syntax);
            }
        }
    }

    /// The members of an object: names (`None`: lone surrogate) and the text of the values.
    pub fn object(&mut self, depth: usize) -> Result<Vec<(Option<String>, &'t str)>, Bad> {
        if depth == 0 {
            return Err(Bad::Deep);
        }
        let mut members = Vec::new();
        if !self.take(b'{') {
            return Err(Bad::Syntax);
        }
        self.blank();
        if self.take(b'}') {
            return Ok(members);
        }
        loop {
            self.blank();
            let name = self.string()?;
            self.blank();
            if !self.take(b':') {
                return Err(Bad::Syntax);
            }
            members.push((name, self.value(depth - 1)?));
            self.blank();
            if self.take(b'}') {
                return Ok(members);
            }
            if !self.take(b',') {
                return Err(Bad::Syntax);
            }
        }
    }
}

/// The text of a JSON string; `None`: a lone surrogate.
pub fn string(quoted: &str) -> Option<String> {
    Json::new(quoted).string().ok().flatten()
}

/// A text that is one object, blanks around it allowed: its members.
pub fn object(text: &str) -> Result<Vec<(Option<String>, &str)>, Bad> {
    let mut json = Json::new(text);
    json.blank();
    let members = json.object(DEPTH)?;
    if json.at_end() { Ok(members) } else { Err(Bad::Syntax) }
}

/// A text that is one value, blanks around it allowed.
pub fn document(text: &str) -> Result<&str, Bad> {
    let mut json = Json::new(text);
    let value = json.value(DEPTH)?;
    if json.at_end() { Ok(value) } else { Err(Bad::Syntax) }
}

/// The elements of a text that is an array.
pub fn elements(array: &str) -> Vec<&str> {
    Json::new(array).array(DEPTH + 1).unwrap_or_default()
}

/// The fields of one CSV record, by the documented rules: whether quoted, and the bytes.
pub fn fields(raw: &[u8], delimiter: u8, quote: Option<u8>) -> Option<Vec<(bool, Vec<u8>)>> {
    let mut fields = Vec::new();
    let mut at = 0;
    loop {
        let (mut value, mut quoted) = (Vec::new(), false);
        if quote.is_some() && raw.get(at).copied() == quote {
            quoted = true;
            at += 1;
            while at < raw.len() {
                if Some(raw[at]) == quote {
                    at += 1;
                    if raw.get(at).copied() != quote {
                        break;
                    }
                }
                value.push(raw[at]);
                at += 1;
            }
        }
        while at < raw.len() && raw[at] != delimiter {
            // Text behind a closing quote, and a return that ends no line, are refused.
            if quoted || raw[at] == b'\r' {
                return None;
            }
            value.push(raw[at]);
            at += 1;
        }
        fields.push((quoted, value));
        if at >= raw.len() {
            return Some(fields);
        }
        at += 1;
    }
}
