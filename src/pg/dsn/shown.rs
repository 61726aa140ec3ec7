//! A connection string as it may be shown to be used again: as it was given, but for its password.

use super::keyword;
use super::params::{Meaning, meaning};
use super::url;

/// The text of a `--dsn` without its password, and whether it had one. What names a variable or a file stays
/// as it is.
#[must_use]
pub fn without_password(text: &str) -> (String, bool) {
    let text = text.trim();
    let shown = match url::strip_scheme(text) {
        Ok(Some(rest)) => {
            let scheme = &text[..text.len() - rest.len()];
            format!("{scheme}{}", url::without_password(rest, &is_password))
        }
        _ if text.starts_with("env:") || text.starts_with("file:") || !text.contains('=') => text.to_owned(),
        _ => keyword::without_password(text, &is_password),
    };
    let lacks = shown != text;
    (shown, lacks)
}

fn is_password(name: &str) -> bool {
    matches!(meaning(name), Some(Meaning::Word("password")))
}

#[cfg(test)]
mod tests {
    use super::without_password;

    #[test]
    fn what_is_no_password_stays() {
        for (text, shown) in [
            ("postgres://u@h:1/d?sslmode=require", "postgres://u@h:1/d?sslmode=require"),
            ("postgres://u:s3@h/d", "postgres://u@h/d"),
            ("postgresql+psycopg://u:s@3@h,i:2/d?a=b", "postgresql+psycopg://u@h,i:2/d?a=b"),
            ("postgres://h/d?password=s3&user=u", "postgres://h/d?user=u"),
            ("postgres://h/d?user=u&pass%77ord=s3", "postgres://h/d?user=u"),
            ("postgres://h/d?password=s3", "postgres://h/d"),
            ("host=h password=s3 user=u", "host=h user=u"),
            ("password = 'it\\'s s3' dbname='a b'", "dbname='a b'"),
            ("host=h", "host=h"),
            ("local", "local"),
            ("env:X=Y", "env:X=Y"),
            ("file:/a=b", "file:/a=b"),
        ] {
            let (found, lacks) = without_password(text);
            assert_eq!((found.as_str(), lacks), (shown, shown != text), "{text}");
        }
    }
}
