//! How a load asks servers, for sources that are URLs.

use super::load::Load;
use crate::http::{CustomHeader, Paginate, ProxyVariables, Rate};

impl Load {
    /// A header of the requests to the servers that are named as sources.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        // A value is text here: nothing is read from the environment.
        let header = CustomHeader::parse(&format!("{name}: {value}"), |_| None);
        let header = self.options.take("header", header);
        self.options.web.http.headers.extend(header);
        self
    }

    /// How the pages of each URL lead to each other, as the program's `--paginate` has it: `link`,
    /// `cursor:/next=after`, the name of a preset, ..
    pub fn paginate(mut self, rule: &str) -> Self {
        self.options.web.paginate = self.options.take("paginate", rule.parse::<Paginate>());
        if let (None, Some(paginate)) = (&self.options.reading.records, &self.options.web.paginate) {
            self.options.reading.records.clone_from(&paginate.records);
        }
        self
    }

    /// Proxies, as curl reads them from `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY`, in small
    /// letters too.
    ///
    /// Nothing is read from the environment unless it is handed over:
    /// `.proxies(|name| std::env::var(name).ok())`. Credentials never go to `http://` through one: it would
    /// read them.
    pub fn proxies(mut self, variable: impl Fn(&str) -> Option<String>) -> Self {
        self.options.web.http.proxy_variables = ProxyVariables::read(variable);
        self
    }

    /// So many requests in so long a time, for each server: `10/s`, `600/m`.
    pub fn rate(mut self, rate: &str) -> Self {
        self.options.web.http.rate = self.options.take("rate", rate.parse::<Rate>());
        self
    }
}
