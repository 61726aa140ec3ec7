//! S3, and stores that speak like it: where buckets are, who asks, and the signature.

mod bucket;
mod identity;
mod keys;
mod process;
mod profiles;
mod signature;
mod signer;
mod sts;

pub(super) use bucket::{S3Bucket, service};
