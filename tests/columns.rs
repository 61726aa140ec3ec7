//! Files of columns: Parquet, Arrow, Avro. What others wrote, and what is wrong with some.
//!
//! The oracle is SQL that Python wrote beside each file (`columns/write.py`): the types that a new table
//! should have, and its rows. B1 to B13 are the requirements that each stand for somebody's bug.

mod damaged;
mod resumed;
mod values;
mod written;
