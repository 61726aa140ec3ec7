//! Ways into nested values.

/// A way into a nested value: the field it begins at, and the steps from there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Path {
    pub(super) first: String,
    pub(super) steps: Vec<String>,
}

impl Path {
    /// Of `a.b` or `/a/b`; `None`: it is a name and nothing else.
    pub(super) fn of(text: &str) -> Option<Self> {
        let mut steps: Vec<String> = match text.strip_prefix('/') {
            Some(pointer) => pointer.split('/').map(unescaped).collect::<Option<_>>()?,
            None if text.contains('.') && text.split('.').all(|step| !step.is_empty()) => {
                text.split('.').map(str::to_owned).collect()
            }
            None => return None,
        };
        let first = steps.remove(0);
        Some(Self { first, steps })
    }
}

/// A step of a JSON pointer (RFC 6901).
fn unescaped(step: &str) -> Option<String> {
    let mut parts = step.split('~');
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        out.push(match part.as_bytes().first()? {
            b'0' => '~',
            b'1' => '/',
            _ => return None,
        });
        out.push_str(&part[1..]);
    }
    Some(out)
}
