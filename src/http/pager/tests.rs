use super::*;

const FIRST: &str = "https://api.example.com/items?key=CANARY&sort=id";

fn pager(flag: &str) -> Pager {
    Pager::new(flag.parse().unwrap(), &Request::get(Url::parse(FIRST).unwrap()), 1_000).unwrap()
}
