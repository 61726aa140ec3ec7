//! Types of a new table: the same whatever order the values come in, and never narrower than a value.

use dbload::internals::format::Fields;
use dbload::internals::map::Inference;

use super::Dials;

/// The type that is inferred for a column with these texts.
pub fn type_of(values: &[&str]) -> String {
    let header = ["c".to_owned()];
    let mut inference = Inference::default();
    inference.declare(&header);
    for value in values {
        inference.observe(&header, &Fields::Positional(&[Some(value)]));
    }
    inference.columns()[0].type_name.to_string()
}

pub fn run(data: &[u8]) {
    let text = String::from_utf8_lossy(Dials::new(data).rest()).into_owned();
    let values: Vec<&str> = text.split('\n').take(6).collect();
    let ty = type_of(&values);
    let backwards: Vec<&str> = values.iter().rev().copied().collect();
    assert_eq!(type_of(&backwards), ty, "{values:?}");
    for value in &values {
        let own = type_of(&[value]);
        let own = own.as_str();
        let holds = match ty.as_str() {
            "bigint" => own == "bigint",
            "numeric" => matches!(own, "bigint" | "numeric" | "double precision"),
            "double precision" => matches!(own, "bigint" | "numeric" | "double precision"),
            "timestamp with time zone" => matches!(own, "date" | "timestamp with time zone"),
            "text" | "jsonb" => true,
            other => own == other,
        };
        assert!(holds, "{ty} for {values:?}, and {own} for {value:?}");
        if own == "bigint" {
            assert!(
                value.parse::<i64>().is_ok_and(|number| number.to_string() == *value || *value == "-0"),
                "{value:?}"
            );
        }
    }
}
