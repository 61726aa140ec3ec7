//! What a store answers when it is asked what it has. Pure.

use percent_encoding::percent_decode_str;
use serde::Deserialize;

/// A page of a listing.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct ListingPage {
    pub(super) objects: Vec<ListedKey>,
    /// Beginnings of keys, up to a slash, that have more below.
    pub(super) prefixes: Vec<String>,
    /// What to ask for the next one.
    pub(super) next: Option<String>,
}

/// An object of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ListedKey {
    pub(super) key: String,
    /// Without quotes: stores list them with and without.
    pub(super) etag: Option<String>,
    pub(super) size: Option<u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct S3Page {
    #[serde(default)]
    contents: Vec<S3Object>,
    #[serde(default)]
    common_prefixes: Vec<S3Prefix>,
    next_continuation_token: Option<String>,
    encoding_type: Option<String>,
    is_truncated: Option<bool>,
}

#[derive(Deserialize)]
struct S3Object {
    #[serde(rename = "Key")]
    key: String,
    #[serde(rename = "ETag")]
    etag: Option<String>,
    #[serde(rename = "Size")]
    size: Option<u64>,
}

#[derive(Deserialize)]
struct S3Prefix {
    #[serde(rename = "Prefix")]
    prefix: String,
}

/// Reads a page of S3 (`ListObjectsV2`).
pub(super) fn s3(text: &[u8]) -> Result<ListingPage, String> {
    let text = std::str::from_utf8(text).map_err(|_| "its listing is not UTF-8".to_owned())?;
    let page: S3Page =
        quick_xml::de::from_str(text).map_err(|error| format!("its answer is no listing ({error})"))?;
    let is_encoded = page.encoding_type.as_deref() == Some("url");
    let plain = |text: String| match is_encoded {
        true => decoded(&text),
        false => Ok(text),
    };
    let objects = page.contents.into_iter().map(|object| {
        let etag = object.etag.map(|etag| etag.trim_matches('"').to_owned());
        Ok(ListedKey {
            key: plain(object.key)?,
            etag: etag.filter(|etag| !etag.is_empty()),
            size: object.size,
        })
    });
    let objects = objects.collect::<Result<_, String>>()?;
    let prefixes = page.common_prefixes.into_iter().map(|prefix| plain(prefix.prefix));
    let prefixes = prefixes.collect::<Result<_, String>>()?;
    let next = page.next_continuation_token.filter(|token| !token.is_empty());
    match (page.is_truncated, next) {
        (Some(true), None) => Err("it says that there is more, and not how to ask for it".to_owned()),
        (Some(false), _) => Ok(ListingPage { objects, prefixes, next: None }),
        (_, next) => Ok(ListingPage { objects, prefixes, next }),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct AzurePage {
    blobs: AzureBlobs,
    next_marker: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct AzureBlobs {
    #[serde(default)]
    blob: Vec<AzureBlob>,
    #[serde(default)]
    blob_prefix: Vec<AzurePrefix>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct AzureBlob {
    name: AzureName,
    properties: AzureProperties,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct AzurePrefix {
    name: AzureName,
}

/// XML cannot hold all that a name may: such a one is written as in URLs.
#[derive(Deserialize)]
struct AzureName {
    #[serde(rename = "@Encoded")]
    encoded: Option<String>,
    #[serde(rename = "$text", default)]
    text: String,
}

impl AzureName {
    fn plain(self) -> Result<String, String> {
        let is_encoded = self.encoded.is_some_and(|yes| yes.eq_ignore_ascii_case("true"));
        if !is_encoded {
            return Ok(self.text);
        }
        let decoded = percent_decode_str(&self.text).decode_utf8();
        decoded.map(Into::into).map_err(|_| format!("the name {:?} is not UTF-8", self.text))
    }
}

#[derive(Deserialize)]
struct AzureProperties {
    #[serde(rename = "Etag")]
    etag: Option<String>,
    #[serde(rename = "Content-Length")]
    size: Option<u64>,
    /// `directory`, where the account has folders of its own.
    #[serde(rename = "ResourceType")]
    kind: Option<String>,
}

/// Reads a page of Azure (`List Blobs`).
pub(super) fn azure(text: &[u8]) -> Result<ListingPage, String> {
    let text = std::str::from_utf8(text).map_err(|_| "its listing is not UTF-8".to_owned())?;
    // It begins with a mark of its encoding.
    let text = text.trim_start_matches('\u{feff}');
    let page: AzurePage =
        quick_xml::de::from_str(text).map_err(|error| format!("its answer is no listing ({error})"))?;
    let is_object = |blob: &AzureBlob| blob.properties.kind.as_deref() != Some("directory");
    let objects = page.blobs.blob.into_iter().filter(is_object).map(|blob| {
        let etag = blob.properties.etag.map(|etag| etag.trim_matches('"').to_owned());
        Ok(ListedKey {
            key: blob.name.plain()?,
            etag: etag.filter(|etag| !etag.is_empty()),
            size: blob.properties.size,
        })
    });
    let objects = objects.collect::<Result<_, String>>()?;
    let prefixes = page.blobs.blob_prefix.into_iter().map(|prefix| prefix.name.plain());
    let prefixes = prefixes.collect::<Result<_, String>>()?;
    Ok(ListingPage { objects, prefixes, next: page.next_marker.filter(|marker| !marker.is_empty()) })
}

/// A key as it stands in a listing that is asked for as in URLs: XML cannot hold all that a key may.
fn decoded(text: &str) -> Result<String, String> {
    let text = text.replace('+', " ");
    let decoded = percent_decode_str(&text).decode_utf8();
    decoded.map(Into::into).map_err(|_| format!("the key {text:?} is not UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_read() {
        let page = s3(br#"<?xml version="1.0" encoding="UTF-8"?>
<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>b</Name><Prefix>a</Prefix>
<NextContinuationToken>t+/=</NextContinuationToken><KeyCount>2</KeyCount><MaxKeys>2</MaxKeys>
<EncodingType>url</EncodingType><IsTruncated>true</IsTruncated>
<Contents><Key>a%2Bb/c+d</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified><ETag>&quot;e1&quot;</ETag><Size>5</Size><StorageClass>STANDARD</StorageClass></Contents>
<CommonPrefixes><Prefix>a/b/</Prefix></CommonPrefixes>
<Contents><Key>a//%C3%BC</Key><ETag>e2</ETag><Size>0</Size></Contents>
</ListBucketResult>"#);
        let found = |key: &str, etag: &str, size| ListedKey {
            key: key.into(),
            etag: Some(etag.into()),
            size: Some(size),
        };
        assert_eq!(
            page,
            Ok(ListingPage {
                objects: vec![found("a+b/c d", "e1", 5), found("a//\u{fc}", "e2", 0)],
                prefixes: vec!["a/b/".into()],
                next: Some("t+/=".into()),
            })
        );
    }

    #[test]
    fn pages_of_azure_are_read() {
        let page = azure("\u{feff}<?xml version=\"1.0\" encoding=\"utf-8\"?><EnumerationResults ServiceEndpoint=\"https://a.blob.core.windows.net/\" ContainerName=\"c\">\
<Prefix>a</Prefix><MaxResults>4</MaxResults><Delimiter>/</Delimiter><Blobs>\
<Blob><Name>a &amp; b</Name><Properties><Last-Modified>Thu</Last-Modified><Etag>0x8D1</Etag><Content-Length>5</Content-Length><BlobType>BlockBlob</BlobType></Properties></Blob>\
<BlobPrefix><Name>a/b/</Name></BlobPrefix>\
<Blob><Name>a-folder</Name><Properties><Etag>0x8D2</Etag><Content-Length>0</Content-Length><ResourceType>directory</ResourceType></Properties></Blob>\
<Blob><Name Encoded=\"true\">a%01%25</Name><Properties><Etag>\"0x8D3\"</Etag><Content-Length>0</Content-Length></Properties><OrMetadata /></Blob>\
</Blobs><NextMarker>2!92!MDAw</NextMarker></EnumerationResults>".as_bytes());
        let found = |key: &str, etag: &str, size| ListedKey {
            key: key.into(),
            etag: Some(etag.into()),
            size: Some(size),
        };
        assert_eq!(
            page,
            Ok(ListingPage {
                objects: vec![found("a & b", "0x8D1", 5), found("a\u{1}%", "0x8D3", 0)],
                prefixes: vec!["a/b/".into()],
                next: Some("2!92!MDAw".into()),
            })
        );
        let empty = azure(b"<EnumerationResults><Blobs /><NextMarker /></EnumerationResults>");
        assert_eq!(empty, Ok(ListingPage::default()));
        for wrong in [&b"<EnumerationResults></EnumerationResults>"[..], b"{}", b"<Blobs><Blob>", b"\xff"] {
            assert!(azure(wrong).is_err(), "{}", String::from_utf8_lossy(wrong));
        }
    }

    #[test]
    fn an_empty_listing_is_one_and_another_answer_is_none() {
        let empty = s3(b"<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>");
        assert_eq!(empty, Ok(ListingPage::default()));
        for wrong in [
            &b"<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>"[..],
            b"{}",
            b"<ListBucketResult><Contents><Key>a",
            b"\xff",
            b"<ListBucketResult><Contents><Size>1</Size></Contents></ListBucketResult>",
            b"<ListBucketResult><EncodingType>url</EncodingType><Contents><Key>%FF</Key></Contents></ListBucketResult>",
        ] {
            assert!(s3(wrong).is_err(), "{}", String::from_utf8_lossy(wrong));
        }
    }
}
