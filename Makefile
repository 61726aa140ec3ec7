# Two commands on a bare machine with a Rust toolchain: `make demo` and `make test`. Both install what is missing first.
.PHONY: help demo test test-all bench bench-http setup man model simulate

help:
	@echo 'make demo      load the example data into a local PostgreSQL and look at it'
	@echo 'make test      formatting, lints, docs, and all tests on the installed PostgreSQL'
	@echo 'make test-all  the tests on PostgreSQL 15, 16, 17 and 18 (or: PG_BIN_DIRS="DIR DIR.." make test-all)'
	@echo 'make bench     dbload beside psql, into docs/benchmarks.md (ROUNDS=n, CASES=substring, QUICK=1, FULL=1)'
	@echo 'make bench-http  many endpoints, rate limits and memory, against an HTTP server on loopback'
	@echo 'make model     the commit protocol in every interleaving of larger scopes (minutes; a few GB of memory)'
	@echo 'make simulate  the writers against a server in memory, with faults: SEEDS=n (100000), SEED=n plays one again'
	@echo 'make setup     only install what is missing'
	@echo 'make man       the manual page and the completion scripts, in target/man'

setup:
	@scripts/setup

demo: setup
	cargo build --release --locked
	@scripts/demo

test: setup
	cargo fmt --check
	cargo clippy --locked --all-targets -- -D warnings
	RUSTDOCFLAGS='-D warnings' cargo doc --locked --no-deps
	cargo test --locked

test-all: setup
	@scripts/test-all

bench: setup
	cargo bench --locked --bench psql

bench-http: setup
	cargo build --release --locked
	DBLOAD_TEST_BINARY=$(CURDIR)/target/release/dbload cargo test --release --locked --test main web::speed -- --ignored --nocapture --test-threads=1

model:
	cargo test --locked --lib write::protocol::model -- --include-ignored --nocapture --test-threads=1

SEEDS ?= 100000
simulate:
	SIMULATE_SEEDS=$(SEEDS) $(if $(SEED),DBLOAD_SEED=$(SEED)) cargo test --locked --lib write::simulation -- --nocapture

man:
	cargo build --release --locked
	@mkdir -p target/man
	target/release/dbload man > target/man/dbload.1
	target/release/dbload completions bash > target/man/dbload.bash
	target/release/dbload completions zsh > target/man/_dbload
	target/release/dbload completions fish > target/man/dbload.fish
	@echo 'in target/man: dbload.1 dbload.bash _dbload dbload.fish'
