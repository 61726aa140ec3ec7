//! `{watermark}` in the words of a load: what stands for it, and where.

use dbload::internals::ledger::StoredMark;
use dbload::internals::schedule::MarkOrder;

use super::keys::TurnKeys;
use crate::cli::args::LoadArgs;

/// The name that is replaced.
const NAME: &str = "{watermark}";

/// What is asked for, where nothing is known and nothing will be asked.
const UNKNOWN: &str = "0";

/// What stands for the watermark of a load. `stored` is not looked at for a full load.
pub(super) fn value(
    keys: &TurnKeys,
    stored: Option<&StoredMark>,
    is_offline: bool,
) -> Result<String, String> {
    let Some(stored) = stored else {
        let initial = keys.watermark_initial.clone().or_else(|| is_offline.then(|| UNKNOWN.to_owned()));
        return initial.ok_or_else(|| {
            "watermark: none is kept yet, and there is no initial (watermark = { field = .., initial = .. })".to_owned()
        });
    };
    let mark = MarkOrder::guess(&stored.value).and_then(|kind| kind.mark(&stored.value));
    let lowered = mark.and_then(|mark| mark.lowered(keys.watermark_lag));
    lowered.ok_or_else(|| {
        format!(
            "watermark.lag: {} cannot be lowered by it: a number is for integers, a time for instants",
            stored.value
        )
    })
}

/// Puts a value where the name stands. In a URL what would mean something else there is escaped.
pub(super) fn put(args: &mut LoadArgs, value: &str) {
    let escaped = value.replace('+', "%2B").replace(' ', "%20");
    let sources = args.sources.iter_mut().map(|text| (text, true));
    for (text, is_source) in sources.chain(args.web.sent_texts().map(|text| (text, false))) {
        let is_url = is_source && text.contains("://");
        *text = text.replace(NAME, if is_url { &escaped } else { value });
    }
}

/// Whether the name stands anywhere.
pub(super) fn is_named(args: &mut LoadArgs) -> bool {
    args.sources.iter().any(|text| text.contains(NAME))
        || args.web.sent_texts().any(|text| text.contains(NAME))
}
