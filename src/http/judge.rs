//! Whether an answer can be data at all: a login page, nothing, or a picture are errors, never zero records.
//! Pure.

use http::header::{CONTENT_TYPE, HeaderMap};

/// Types that hold no records in any format.
const NO_DATA: [&str; 9] = [
    "application/problem+",
    "text/html",
    "application/xhtml+xml",
    "image/",
    "audio/",
    "video/",
    "font/",
    "application/pdf",
    "multipart/",
];
/// How HTML begins, in lower case.
const HTML: [&[u8]; 4] = [b"<!doctype html", b"<html", b"<head", b"<body"];
/// How far into a body its beginning is looked for.
const SNIFFED_BYTES: usize = 512;

/// Why the head of a successful answer says that there is no data behind it.
pub(super) fn head(headers: &HeaderMap) -> Result<(), String> {
    let Some(kind) = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()) else { return Ok(()) };
    let plain = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if NO_DATA.iter().any(|none| plain.starts_with(none)) {
        let shown: String = plain.chars().take(60).collect();
        let login = if plain.contains("html") { ", a page for people (a login?)" } else { "" };
        return Err(format!("its content type is {shown}{login}"));
    }
    Ok(())
}

/// Why the first bytes of a body say that it is no data; none of them: it is empty.
pub(super) fn beginning(bytes: Option<&[u8]>) -> Result<(), String> {
    let Some(bytes) = bytes.filter(|bytes| !bytes.is_empty()) else { return Err("it is empty".to_owned()) };
    let sniffed = &bytes[..bytes.len().min(SNIFFED_BYTES)];
    let start =
        sniffed.strip_prefix(b"\xef\xbb\xbf").unwrap_or(sniffed).trim_ascii_start().to_ascii_lowercase();
    if HTML.iter().any(|html| start.starts_with(html)) {
        return Err("it is an HTML page (a login?)".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn types_that_hold_no_records_are_named() {
        let judge = |kind: &'static str| {
            head(&HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(kind))]))
        };
        for fine in [
            "application/json",
            "text/csv; charset=utf-8",
            "application/gzip",
            "text/plain",
            "application/vnd.api+json",
            "binary/octet-stream",
            "",
        ] {
            assert_eq!(judge(fine), Ok(()), "{fine}");
        }
        for none in [
            "text/html",
            "Text/HTML; charset=utf-8",
            "image/png",
            "application/pdf",
            "multipart/byteranges; boundary=x",
        ] {
            assert!(judge(none).is_err(), "{none}");
        }
        assert!(head(&HeaderMap::new()).is_ok());
    }

    #[test]
    fn pages_for_people_are_known_by_their_beginning() {
        for html in ["<!DOCTYPE html><html>", " \n<html lang=en>", "\u{feff}<HTML>", "<head>"] {
            assert!(beginning(Some(html.as_bytes())).is_err(), "{html}");
        }
        for fine in ["{\"a\":1}", "a,b\n", "[", " ", "<", "<a>,b"] {
            assert!(beginning(Some(fine.as_bytes())).is_ok(), "{fine}");
        }
        assert!(beginning(None).is_err() && beginning(Some(b"")).is_err());
    }
}
