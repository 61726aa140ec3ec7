//! How a program that loads ends: the exit codes, a documented contract. The program, its help and the README
//! have them from here, and a service that wraps the library can give the same ones.

/// What a load came to, as a class with an exit code. The gravest wins: 7, 5, 4, 9, 3.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ExitClass {
    /// Complete, and every record was accepted.
    Complete,
    /// A defect of dbload, or the outcome could not be handed over.
    Unexpected,
    /// The load is described wrongly.
    Usage,
    /// Complete, but some records were rejected.
    Rejects,
    /// A source failed; what it gave before is committed.
    Source,
    /// The database failed, or cannot be reached.
    Database,
    /// Schema, mapping or rights do not allow the load.
    Refused,
    /// Nobody knows whether the last batch is committed, or the counts do not balance.
    Unknown,
    /// The ledger does not let this load run.
    Ledger,
    /// More records were rejected than allowed, or more rows would be removed.
    Budget,
    /// The load was stopped from outside.
    Interrupted,
}

impl ExitClass {
    /// All of them, in the order of their codes.
    pub const ALL: [Self; 11] = [
        Self::Complete,
        Self::Unexpected,
        Self::Usage,
        Self::Rejects,
        Self::Source,
        Self::Database,
        Self::Refused,
        Self::Unknown,
        Self::Ledger,
        Self::Budget,
        Self::Interrupted,
    ];

    /// The exit code. For [`ExitClass::Interrupted`] that of Ctrl-C; the program exits with 143 after
    /// SIGTERM.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Complete => 0,
            Self::Unexpected => 1,
            Self::Usage => 2,
            Self::Rejects => 3,
            Self::Source => 4,
            Self::Database => 5,
            Self::Refused => 6,
            Self::Unknown => 7,
            Self::Ledger => 8,
            Self::Budget => 9,
            Self::Interrupted => 130,
        }
    }

    /// One word for it, as a metric or a log would have it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Unexpected => "unexpected",
            Self::Usage => "usage",
            Self::Rejects => "rejects",
            Self::Source => "source",
            Self::Database => "database",
            Self::Refused => "refused",
            Self::Unknown => "unknown",
            Self::Ledger => "ledger",
            Self::Budget => "budget",
            Self::Interrupted => "interrupted",
        }
    }

    /// What it means, in words.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Complete => "complete, every record accepted",
            Self::Unexpected => "unexpected: a defect of dbload, or nobody took the report or the rejects",
            Self::Usage => "usage",
            Self::Rejects => {
                "complete, some records rejected (verify: they differ, or some cannot be compared)"
            }
            Self::Source => "a source failed",
            Self::Database => "the database failed",
            Self::Refused => "schema, mapping or rights refused, before the first row",
            Self::Unknown => "outcome unknown, or the books do not balance",
            Self::Ledger => {
                "refused by the ledger: running elsewhere, taken over, loaded already, other settings, target or source \
                 changed, the run lost by a failover"
            }
            Self::Budget => "more rejects than --max-rejects allows, or rows to remove than --max-removals",
            Self::Interrupted => "interrupted by Ctrl-C or SIGTERM",
        }
    }

    /// What running the same command again does; empty where it does nothing better.
    #[must_use]
    pub const fn again(self) -> &'static str {
        match self {
            Self::Complete | Self::Unexpected | Self::Usage | Self::Refused => "",
            Self::Rejects => "mend the reject file, and load that",
            Self::Source | Self::Database | Self::Unknown | Self::Interrupted => "resumes",
            Self::Ledger => "the hint says which flag",
            Self::Budget => "resumes, with a larger budget",
        }
    }

    /// Whether the same load goes on where this one ended, if its sources can be read again and it keeps a
    /// ledger.
    #[must_use]
    pub const fn resumes(self) -> bool {
        match self {
            Self::Source | Self::Database | Self::Unknown | Self::Budget | Self::Interrupted => true,
            Self::Complete
            | Self::Unexpected
            | Self::Usage
            | Self::Rejects
            | Self::Refused
            | Self::Ledger => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_class_has_a_code_and_a_name_of_its_own_and_says_truly_whether_it_resumes() {
        for (i, class) in ExitClass::ALL.into_iter().enumerate() {
            let others = || ExitClass::ALL.into_iter().skip(i + 1);
            assert!(others().all(|other| other.code() > class.code() && other.name() != class.name()));
            assert_eq!(class.resumes(), class.again().starts_with("resumes"), "{class:?}");
            assert!(!class.meaning().is_empty());
        }
    }
}
