//! Makes clones ahead of those who will ask for them.

use std::sync::{Arc, Mutex, PoisonError};

use super::copies::{creation, ready_query};
use super::facts::CloneStrategy;
use super::hands::{Hands, first_fields};
use super::names::{READY, Tag, Wish};
use super::stock::Stock;
use crate::pg::DbError;

/// No more are kept ready: each is a copy of all files.
const READY_MAX: usize = 64;

/// Who makes them.
pub(super) struct Maker {
    pub(super) owner: Tag,
    pub(super) strategy: CloneStrategy,
    pub(super) stock: Arc<Mutex<Stock>>,
    pub(super) made: u64,
}

impl Maker {
    /// Makes clones until as many are ready as are wished for.
    pub(super) async fn make(&mut self, hands: &Hands, wish: Wish) -> Result<(), DbError> {
        loop {
            let ready = hands.run(&ready_query(wish.template)).await?;
            let most = self.stock.lock().unwrap_or_else(PoisonError::into_inner).most_in_use();
            let count = wish.count.unwrap_or_else(|| most.max(wish.at_least));
            if first_fields(ready).len() >= count.min(READY_MAX) {
                return Ok(());
            }
            self.made += 1;
            let name = format!("{READY}{:016x}_{}_{}", wish.template, self.owner, self.made);
            hands.run(&creation(wish.template, &name, self.strategy)).await?;
            self.stock.lock().unwrap_or_else(PoisonError::into_inner).add(wish.template, [name]);
        }
    }
}
