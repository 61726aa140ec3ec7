//! HTTP, in a build without the feature `http`: the names of the room, as far as other rooms use them. What
//! says how to ask is as it is; what would be asked has no value ([`Nobody`](request::Nobody)), so nothing
//! here is ever run. A URL is refused in `source`.

#[path = "absent/client.rs"]
mod client;
#[path = "absent/error.rs"]
mod error;
#[path = "absent/pager.rs"]
mod pager;
mod paginate;
mod presets;
#[path = "absent/request.rs"]
mod request;
mod response_field;
#[path = "absent/settings.rs"]
mod settings;
#[path = "absent/urls.rs"]
pub mod urls;

pub use client::{Body, Client, Counters, Encodings, Origins, RateLimiters};
pub use error::{HttpError, Truncation};
pub use pager::{Clues, Headers as HeaderMap, Page, PageSeen, Pager, PagerState};
pub use paginate::Paginate;
pub use presets::{PRESETS, Preset};
pub use request::{PostBody, Request, Resume, Version};
pub use settings::{QueryLists, Settings};
pub use urls::unsigned;
