//! The records of a paginated endpoint: page after page as one source, in the order in which the pages lead
//! to each other.
//!
//! A position counts the bytes of the records one behind the other, and the records. What stands around them
//! does not count: the time that an answer took or the id of a request is another one each time, and makes no
//! other page. A page is a JSON text (or lines, or CSV) of its own, cut by a splitter of its own. Each block
//! carries what finds its page again: the request, where the page begins, and a digest of its records and of
//! all before them. A resume fetches the earliest page once more and every page up to the latest checkpoint;
//! if all are what they were, records are passed over exactly. If not, they are applied again from the start
//! of the earliest page, at places behind all checkpoints: the last word on a key is the last one read.

use std::collections::VecDeque;

use bytes::Bytes;
use tokio_util::task::AbortOnDropHandle;
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use super::blocks::ReaderOptions;
use super::envelope::{ListInside, list_inside};
use super::error::SourceError;
use super::shape::Shape;
use super::spec::SourceSpec;
use super::stream::RawProgress;
use crate::format::Encoding;
use crate::http::{Client, HttpError, Page, PageSeen, Pager, Request};
use crate::record::{Block, Digest, PageToken, Position, Span, Text};

mod answer;
mod cut;
mod opened;
mod token;

pub(super) use opened::OpenedPages;
use token::PlaceToken;

/// Most bytes of pages that a resume keeps while it looks whether they are what they were; beyond, they count
/// as changed.
const KEPT_BYTES: usize = 16 << 20;

/// Pages that are asked for before the ones in front of them are there, where their requests can be known:
/// enough to hide the latency of a server behind decoding, and few that are asked for in vain behind the last
/// page.
const AHEAD_PAGES: usize = 4;

/// A page with its records.
struct PageCut {
    bytes: Bytes,
    spans: Vec<Span>,
    start: Position,
    end: Position,
    digest: u64,
    token: PageToken,
}

/// A page that is on its way.
struct PageInFlight {
    request: Request,
    page: AbortOnDropHandle<Result<Page, HttpError>>,
}

/// What is behind the pages that were fetched.
enum Follows {
    Page,
    Nothing,
    /// A next page that cannot be.
    Trouble(SourceError),
}

/// The pages of one endpoint, from a resume point on.
pub(super) struct Pages {
    spec: SourceSpec,
    client: Client,
    pager: Pager,
    reading: ReaderOptions,
    header: Option<Vec<String>>,
    progress: RawProgress,
    /// Fetched and not handed out.
    ready: VecDeque<PageCut>,
    follows: Follows,
    /// Pages that were asked for already, in order.
    asked: VecDeque<PageInFlight>,
    /// The end of the pages can be told before it: few are asked for in vain.
    may_ask_ahead: bool,
    /// So many are asked for at once: more with each page that was there in time.
    ahead: usize,
    /// Where the next page begins.
    at: Position,
    before: u64,
    /// Places and digests are of records, see [`PlaceToken`].
    of_records: bool,
    /// Records up to this one were dealt with before and are passed over.
    resumed_record: u64,
    note: Option<String>,
    /// What makes records of the pieces of a page, where those are none.
    shape: Option<Shape>,
    /// Something that stood beside records was said.
    said: bool,
    encoding: Option<Encoding>,
}

impl Pages {
    /// Reads on from `at`.
    ///
    /// # Errors
    /// When a page cannot be fetched, or its records cannot be found.
    pub(super) async fn new(
        opening: OpenedPages,
        reading: ReaderOptions,
        at: Position,
    ) -> Result<Self, SourceError> {
        let OpenedPages { spec, client, pager, page, resume, from_start, progress, may_ask_ahead, encoding } =
            opening;
        let first = resume.first().filter(|(place, _)| *place <= at && !from_start).map(|(_, token)| token);
        let source = reading.source;
        let shape = Shape::of(&reading.format, reading.columns.as_deref(), reading.unnest.as_ref());
        let (start, before) = match first {
            Some(PlaceToken { start: (offset, record, line), before, .. }) => (
                Position { source, offset: *offset, record: *record, line: *line },
                u64::from_str_radix(before, 16).unwrap_or(0),
            ),
            None => (Position::start_of(source), 0),
        };
        let mut pages = Self {
            spec,
            client,
            pager,
            reading,
            header: None,
            progress,
            ready: VecDeque::new(),
            follows: Follows::Page,
            asked: VecDeque::new(),
            ahead: 0,
            may_ask_ahead,
            at: start,
            before,
            of_records: resume.iter().all(|(_, token)| token.of_records),
            resumed_record: at.record,
            note: None,
            shape,
            said: false,
            encoding,
        };
        pages.take(&page).await?;
        if let Some((behind, last)) = resume.last().cloned() {
            pages.compare(&last, behind, &resume).await?;
        }
        Ok(pages)
    }

    /// Fetches all pages up to the latest checkpoint's and looks whether they are what they were.
    async fn compare(
        &mut self,
        last: &PlaceToken,
        behind: Position,
        resume: &[(Position, PlaceToken)],
    ) -> Result<(), SourceError> {
        let known = |cut: &PageCut| {
            let mut tokens = resume.iter().map(|(_, token)| token);
            tokens.all(|token| token.start.0 != cut.start.offset || token.digest == hex(cut.digest))
        };
        let mut kept = 0;
        let same = loop {
            let Some(cut) = self.ready.back() else { break false };
            kept += cut.bytes.len();
            if self.of_records && cut.spans.is_empty() {
                // An empty page has no place of its own.
                if kept > KEPT_BYTES || !self.fetch().await? {
                    break false;
                }
                continue;
            }
            if !known(cut) || kept > KEPT_BYTES || cut.start.offset > last.start.0 {
                break false;
            }
            if cut.start.offset == last.start.0 {
                break before_of(&cut.token) == last.before;
            }
            if !self.fetch().await? {
                break false;
            }
        };
        if !same {
            self.apply_again(behind);
        }
        Ok(())
    }

    /// The pages were changed: what was fetched counts as new, at places behind all that was committed.
    fn apply_again(&mut self, behind: Position) {
        let cuts: Vec<PageCut> = self.ready.drain(..).collect();
        let Some(first) = cuts.first().map(|cut| cut.start) else { return };
        let shift = |at: Position| Position {
            source: at.source,
            offset: at.offset - first.offset + behind.offset,
            record: at.record - first.record + behind.record,
            line: at.line - first.line + behind.line,
        };
        for mut cut in cuts {
            for span in &mut cut.spans {
                span.end_offset = span.end_offset - first.offset + behind.offset;
                span.line = span.line - first.line + behind.line;
                span.end_line = span.end_line - first.line + behind.line;
            }
            (cut.start, cut.end) = (shift(cut.start), shift(cut.end));
            if let Ok(mut token) = serde_json::from_str::<PlaceToken>(&cut.token) {
                token.start = (cut.start.offset, cut.start.record, cut.start.line);
                cut.token = serde_json::to_string(&token).unwrap_or_default().into();
            }
            self.ready.push_back(cut);
        }
        self.at = shift(self.at);
        self.resumed_record = behind.record;
        self.note = Some(format!(
            "the pages of {} are not what they were when this load stopped: they are applied again from the one where it stopped",
            self.spec.name
        ));
    }

    /// Fetches the next page; false: there is none.
    async fn fetch(&mut self) -> Result<bool, SourceError> {
        match std::mem::replace(&mut self.follows, Follows::Nothing) {
            Follows::Page => self.follows = Follows::Page,
            Follows::Nothing => return Ok(false),
            Follows::Trouble(error) => return Err(error),
        }
        match self.page().await {
            Ok(mut page) => {
                answer::to_utf8(&mut page, self.encoding);
                self.take(&page).await?;
                Ok(true)
            }
            Err(error) => {
                self.pager.ends_with(error).map_err(failed)?;
                self.follows = Follows::Nothing;
                Ok(false)
            }
        }
    }

    /// The page that the pager stands at, and those behind it asked for meanwhile.
    async fn page(&mut self) -> Result<Page, HttpError> {
        for number in self.asked.len()..self.ahead.min(AHEAD_PAGES) {
            let Some(request) = self.pager.ahead(number as u64) else { break };
            let (client, asked) = (self.client.clone(), request.clone());
            let page = AbortOnDropHandle::new(tokio::spawn(async move { client.page(&asked).await }));
            self.asked.push_back(PageInFlight { request, page });
        }
        let wanted = self.pager.request();
        let same = |asked: &Request| asked.url == wanted.url && asked.body == wanted.body;
        if self.asked.front().is_some_and(|asked| !same(&asked.request)) {
            // The pages led elsewhere than they seemed to.
            (self.ahead, self.asked) = (0, VecDeque::new());
        }
        match self.asked.pop_front().map(|asked| asked.page) {
            Some(page) => {
                self.ahead += 1;
                // A task that was given up with the runtime: asked again, it says so itself.
                match page.await {
                    Ok(page) => page,
                    Err(_) => self.client.page(wanted).await,
                }
            }
            None => {
                self.ahead = usize::from(self.may_ask_ahead);
                self.client.page(wanted).await
            }
        }
    }

    /// Cuts a page into records, and finds out what follows it.
    async fn take(&mut self, page: &Page) -> Result<(), SourceError> {
        if !self.reading.format.shows_its_end() && !self.client.accepts_unproven_end() {
            page.must_be_proven().map_err(failed)?;
        }
        let bytes = page.bytes.clone();
        self.progress.fetch_add(bytes.len() as u64, std::sync::atomic::Ordering::Relaxed);
        let (bytes, spans, line) = match self.cut(&bytes) {
            Ok(cut) => cut,
            Err(error) => match Box::pin(self.instead_of(error, &bytes)).await {
                // Some spell an empty list so, behind the last record.
                SourceError::Split { source, .. }
                    if self.pager.request().page > 0 && answer::is_null(&source) =>
                {
                    (bytes, Vec::new(), self.at.line)
                }
                error => return Err(error),
            },
        };
        if let Some(said) = self.listen(&bytes, &spans) {
            Box::pin(self.say(said)).await?;
        }
        let (pieces, spans) = self.shaped(bytes, spans)?;
        let start = self.at;
        let state = self.pager.state();
        let last = answer::last_of(&pieces, &spans);
        if let Some(list) = last
            .filter(|_| spans.len() == 1 && self.pager.finds_out())
            .and_then(|only| list_inside(only.as_bytes()))
        {
            let ListInside { member, records, .. } = list;
            return Err(failed(self.pager.not_found_out(&member, records)));
        }
        // The records of a page that leads nowhere are records: what is wrong is said behind them. Those of a
        // page that came again are not.
        let records = spans.len() as u64;
        let of_pieces = answer::digest_of(&pieces, &spans);
        let (bytes, mut spans) = self.unnested(pieces.clone(), spans);
        let of_records = answer::digest_of(&bytes, &spans);
        self.follows = match self.follow(page, records, of_pieces, last) {
            Ok(true) => Follows::Page,
            Ok(false) => Follows::Nothing,
            Err(error) => Follows::Trouble(error),
        };
        if self.pager.has_come_again() {
            spans.clear();
        }
        let (end, digest) = if self.of_records {
            (self.place(&mut spans, line), of_records)
        } else {
            let (offset, record) =
                (start.offset + page.bytes.len() as u64, start.record + spans.len() as u64);
            (Position { offset, record, line: line + 1, ..start }, xxh3_64(&page.bytes))
        };
        let token = PlaceToken {
            pager: state,
            start: (start.offset, start.record, start.line),
            before: hex(self.before),
            digest: hex(digest),
            of_records: self.of_records,
        };
        let token = serde_json::to_string(&token).unwrap_or_default().into();
        if !self.of_records || !spans.is_empty() {
            let mut chain = Xxh3::new();
            chain.update(&self.before.to_le_bytes());
            chain.update(&digest.to_le_bytes());
            self.before = chain.digest();
        }
        self.ready.push_back(PageCut { bytes, spans, start, end, digest, token });
        self.at = end;
        Ok(())
    }

    /// Finds out what follows a page; false: nothing.
    fn follow(
        &mut self,
        page: &Page,
        records: u64,
        digest: u64,
        last: Option<&str>,
    ) -> Result<bool, SourceError> {
        let text = std::str::from_utf8(&page.bytes).unwrap_or_default();
        if page.is_result {
            self.pager.moved(&page.url);
        }
        let seen = PageSeen { url: &page.url, headers: &page.headers, text, records, digest, last };
        let next = self.pager.next(&seen).map_err(failed)?;
        if let Some(found) = self.pager.take_found() {
            self.client.say_found(&self.spec.name, &found);
        }
        Ok(next.is_some())
    }

    /// The next page with records; `None` behind the last. Cancelled, it fetches the page again at the next
    /// call.
    ///
    /// # Errors
    /// When a page cannot be fetched, or its records cannot be found.
    pub(super) async fn next(&mut self) -> Result<Option<(Block, Digest)>, SourceError> {
        loop {
            let Some(cut) = self.ready.pop_front() else {
                if self.fetch().await? {
                    continue;
                }
                if let Some(missing) = self.only_page() {
                    self.client.allow_only_page(self.pager.request(), &missing).map_err(failed)?;
                }
                return Ok(None);
            };
            let PageCut { bytes, spans, start, end, digest, token } = cut;
            let digest = Digest { from: start.offset, to: end.offset, hash: digest };
            let again = self.resumed_record.saturating_sub(start.record);
            let mut block = Block::of_text(start, end, Text { bytes, spans });
            block.pass_over(usize::try_from(again).unwrap_or(usize::MAX));
            if block.is_empty() {
                continue;
            }
            block.page = Some(token);
            return Ok(Some((block, digest)));
        }
    }

    /// How it is read.
    #[must_use]
    pub(super) const fn reading(&self) -> &ReaderOptions {
        &self.reading
    }

    /// Names of the columns, for delimiter-separated values.
    #[must_use]
    pub(super) fn header(&self) -> &[String] {
        self.header.as_deref().unwrap_or_default()
    }

    /// What was looked for in vain where the next page should be named, if all of the endpoint is this one
    /// page.
    fn only_page(&self) -> Option<String> {
        let one = matches!(self.follows, Follows::Nothing) && self.pager.request().page == 0;
        self.pager.never_found().filter(|_| one)
    }

    /// The note about it.
    pub(super) fn lonely(&self) -> Option<String> {
        let told_nothing = self.pager.finds_out() && matches!(self.follows, Follows::Nothing);
        let what =
            self.only_page().or_else(|| told_nothing.then(|| "nothing that leads to another".to_owned()))?;
        Some(format!("{} has {what}: its first page is taken for the only one (--paginate)", self.spec.name))
    }

    /// Keeps what is worth saying of how it is read.
    pub(super) fn note(&mut self, note: Option<String>) {
        self.note = self.note.take().or(note);
    }

    /// What is worth saying about a resume.
    pub(super) const fn take_note(&mut self) -> Option<String> {
        self.note.take()
    }
}

fn before_of(token: &PageToken) -> String {
    serde_json::from_str::<PlaceToken>(token).map(|token| token.before).unwrap_or_default()
}

fn hex(digest: u64) -> String {
    format!("{digest:016x}")
}

fn failed(source: HttpError) -> SourceError {
    SourceError::Http { source }
}
