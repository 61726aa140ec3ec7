//! Azure Blob Storage: accounts and their containers, who asks, and the shared key's signature.

mod account;
mod container;
mod identity;
mod signer;

pub(super) use container::AzureContainer;
