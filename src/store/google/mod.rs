//! Google Cloud Storage, by its XML interface, which speaks as S3 does but for who asks.

mod bucket;
mod identity;

pub(super) use bucket::GoogleBucket;
