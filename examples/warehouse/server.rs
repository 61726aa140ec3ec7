//! A small shop's API, as the example needs it: customers by when they changed, orders by day with their
//! items beside them. Pages of 50 records.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};

/// Records on a page.
const PAGE: u64 = 50;

/// Customers, and orders a day.
const CUSTOMERS: u64 = 120;
const ORDERS_A_DAY: u64 = 70;

/// Answers for ever.
pub(crate) fn serve(listener: &TcpListener) {
    for stream in listener.incoming().flatten() {
        std::thread::spawn(move || {
            let _ = answer(stream);
        });
    }
}

fn answer(mut stream: TcpStream) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    loop {
        let mut first = String::new();
        if reader.read_line(&mut first)? == 0 {
            return Ok(());
        }
        let mut line = String::new();
        while reader.read_line(&mut line)? > 0 && !line.trim().is_empty() {
            line.clear();
        }
        let (status, body) = match first.split(' ').nth(1).and_then(body) {
            Some(body) => ("200 OK", body),
            None => ("404 Not Found", "{\"error\":\"there is no such thing\"}".to_owned()),
        };
        write!(
            stream,
            "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )?;
    }
}

/// What a target is answered with.
fn body(target: &str) -> Option<String> {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let of = |name: &str| {
        query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('=')).map(str::to_owned)
    };
    let page: u64 = of("page").and_then(|page| page.parse().ok()).unwrap_or(1);
    match path {
        "/customers" => {
            let since = of("updated_since").unwrap_or_default();
            let changed = (1..=CUSTOMERS).filter(|id| customer_changed(*id) >= since);
            let records = changed.skip(before(page)).take(on_page()).map(customer);
            Some(format!("{{\"data\":[{}]}}", records.collect::<Vec<_>>().join(",")))
        }
        "/orders" => {
            let day = of("day").filter(|day| day.len() == 10)?;
            let ids: Vec<u64> = (1..=ORDERS_A_DAY).skip(before(page)).take(on_page()).collect();
            let orders: Vec<String> = ids.iter().map(|n| order(&day, *n)).collect();
            let items: Vec<String> =
                ids.iter().flat_map(|n| (1..=n % 3 + 1).map(|line| item(&day, *n, line))).collect();
            Some(format!("{{\"orders\":[{}],\"items\":[{}]}}", orders.join(","), items.join(",")))
        }
        _ => None,
    }
}

fn before(page: u64) -> usize {
    usize::try_from(page.saturating_sub(1) * PAGE).unwrap_or(usize::MAX)
}

fn on_page() -> usize {
    usize::try_from(PAGE).unwrap_or(usize::MAX)
}

fn customer_changed(id: u64) -> String {
    format!("2025-12-{:02}T{:02}:00:00Z", id % 28 + 1, id % 24)
}

fn customer(id: u64) -> String {
    format!("{{\"id\":{id},\"name\":\"customer {id}\",\"updated_at\":\"{}\"}}", customer_changed(id))
}

fn order_id(day: &str, n: u64) -> String {
    format!("{}-{n}", day.replace('-', ""))
}

fn order(day: &str, n: u64) -> String {
    format!(
        "{{\"id\":\"{}\",\"customer_id\":{},\"at\":\"{day}T{:02}:{:02}:00Z\",\"total\":\"{}.50\"}}",
        order_id(day, n),
        n % CUSTOMERS + 1,
        n % 24,
        n % 60,
        n * 10
    )
}

fn item(day: &str, n: u64, line: u64) -> String {
    format!(
        "{{\"order_id\":\"{}\",\"line\":{line},\"product_id\":{},\"quantity\":{}}}",
        order_id(day, n),
        (n + line) % 5 + 1,
        line
    )
}
