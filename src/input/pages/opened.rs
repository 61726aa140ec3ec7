//! A paginated endpoint whose first page is there, before it is known how it is read.

use super::super::access::Paging;
use super::super::begin::Begin;
use super::super::content;
use super::super::error::SourceError;
use super::super::spec::SourceSpec;
use super::super::stream::RawProgress;
use super::answer::to_utf8;
use super::token::PlaceToken;
use crate::format::sniff::SourceHead;
use crate::format::{Detected, Encoding, detect};
use crate::http::{Client, Page, Pager, Request};
use crate::record::Position;

/// A paginated endpoint whose first page is there.
pub(in crate::input) struct OpenedPages {
    pub(super) spec: SourceSpec,
    pub(super) client: Client,
    pub(super) pager: Pager,
    pub(super) page: Page,
    pub(super) resume: Vec<(Position, PlaceToken)>,
    /// All is fetched from the start, also for a resume.
    pub(super) from_start: bool,
    pub(super) progress: RawProgress,
    pub(super) may_ask_ahead: bool,
    /// As the user said it; otherwise as each page does.
    pub(super) encoding: Option<Encoding>,
}

impl OpenedPages {
    /// Fetches the first page: of the endpoint, or the earliest one that a resume needs.
    ///
    /// # Errors
    /// When it cannot be fetched.
    pub(in crate::input) async fn fetch(
        spec: SourceSpec,
        request: &Request,
        paging: Paging,
        begin: &Begin,
        progress: RawProgress,
    ) -> Result<Self, SourceError> {
        let failed = |source| SourceError::Http { source };
        let Paging { client, paginate, pages_max } = paging;
        let mut tokens: Vec<(Position, PlaceToken)> = begin
            .pages
            .iter()
            .filter_map(|(at, token)| Some((*at, serde_json::from_str(token).ok()?)))
            .collect();
        tokens.sort_by_key(|(at, _)| *at);
        // A place in pages that the server moves through by itself is not found again: only their start is.
        let from_start = paginate.is_stateful();
        let begins_here = tokens.first().filter(|(place, _)| *place <= begin.at && !from_start);
        let begins_here = begins_here.map(|(_, token)| token.clone());
        let pager = match begins_here {
            Some(token) => Pager::at(paginate.clone(), request, token.pager, pages_max),
            None => Pager::new(paginate.clone(), request, pages_max).map_err(failed)?,
        };
        let page = client.page(pager.request()).await.map_err(failed)?;
        let may_ask_ahead = paginate.tells_its_end();
        let encoding = None;
        Ok(Self { spec, client, pager, page, resume: tokens, from_start, progress, may_ask_ahead, encoding })
    }

    /// Its pages are in this encoding, or as each of them says.
    pub(in crate::input) fn in_encoding(mut self, said: Option<Encoding>) -> Self {
        to_utf8(&mut self.page, said);
        self.encoding = said;
        self
    }

    /// Says what format the page has.
    ///
    /// # Errors
    /// When it is nothing that dbload reads.
    pub(in crate::input) fn detect(&self, comment: Option<u8>) -> Result<Detected, SourceError> {
        let body = &self.page.bytes;
        let head = &body[..body.len().min(detect::HEAD_BYTES)];
        content::detect(&self.spec, self.page.content_type(), head, comment, content::ContentOf::Page)
    }

    /// The first bytes of the page.
    pub(in crate::input) fn beginning(&self) -> SourceHead<'_> {
        SourceHead::of(&self.page.bytes, true)
    }
}
