//! How a load reads objects in stores.

use super::load::Load;
use crate::store::Variables;

impl Load {
    /// The server of the store, where it is not Amazon's: `https://host[:port]`.
    pub fn endpoint(mut self, url: impl Into<String>) -> Self {
        self.options.web.store.endpoint = Some(url.into());
        self
    }

    /// Folders that are named `field=value` are fields of the records in them.
    pub const fn partition_columns(mut self) -> Self {
        self.options.web.partition_columns = true;
        self
    }

    /// The region that requests to the store are signed for.
    pub fn region(mut self, name: impl Into<String>) -> Self {
        self.options.web.store.region = Some(name.into());
        self
    }

    /// The profile of `~/.aws` that signs requests, and no other identity.
    pub fn aws_profile(mut self, name: impl Into<String>) -> Self {
        self.options.web.store.profile = Some(name.into());
        self
    }

    /// Signs no request to a store: its buckets are public.
    pub const fn no_sign_request(mut self) -> Self {
        self.options.web.store.anonymous = true;
        self
    }

    /// Pays for what is read from a bucket whose owner does not.
    pub const fn request_payer(mut self) -> Self {
        self.options.web.store.request_payer = true;
        self
    }

    /// Where credentials, region and endpoint are found, as AWS's own tools read them from `AWS_*` and
    /// `HOME`.
    ///
    /// Nothing is read from the environment unless it is handed over:
    /// `.store_variables(|name| std::env::var(name).ok())`.
    pub fn store_variables(mut self, variable: impl Fn(&str) -> Option<String>) -> Self {
        self.options.web.store.variables = Variables::read(variable);
        self
    }
}
