# Two commands on a bare machine with a Rust toolchain: `make demo` and `make setup test`. They install what is missing first.
# Nothing else installs anything, but Python packages into target/python: the other targets say what is missing, and
# `make setup` installs it.
.PHONY: help tools demo test test-engine test-python test-image test-integrations test-metrics wheel test-all test-pooler faults torture nights hostile bench bench-rooms bench-fixtures test-fixtures-elsewhere profile bench-http test-http-servers test-mysql test-stores fuzz setup man model simulate

help:
	@echo 'make demo      load the example data into a local PostgreSQL and look at it'
	@echo 'make test      formatting, lints, docs, and all tests on the installed PostgreSQL'
	@echo 'make test-all  the tests on PostgreSQL 15, 16, 17 and 18 (or: PG_BIN_DIRS="DIR DIR.." make test-all)'
	@echo 'make test-pooler  the tests of the main job through PgBouncer in transaction mode'
	@echo 'make faults    every fault with every kind of load and pool size (half an hour and more; make test has a sample)'
	@echo 'make torture   random loads under random faults (MINUTES=n, SEEDS=n, JOBS=n; SEED=n plays one again; PROMOTIONS=n)'
	@echo 'make hostile   memory and rejects under hostile input at full size, in a release build'
	@echo 'make bench     dbload beside psql, into docs/benchmarks.md (ROUNDS=n, CASES=substring, QUICK=1, FULL=1,'
	@echo '               TOOLS=1: sling and dlt too, where they are on PATH); it says how long it will take'
	@echo 'make bench-rooms  the pure rooms alone, beside the parsers of others'
	@echo 'make profile   where the CPU time of a load goes, by instructions (valgrind)'
	@echo 'make fuzz      all fuzz targets for MINUTES=15 (TARGETS="csv json": only those); docs/fuzzing.md'
	@echo 'make model     the commit protocol in every interleaving of larger scopes (minutes; a few GB of memory)'
	@echo 'make simulate  the writers against a server in memory, with faults: SEEDS=n (100000), SEED=n plays one again'
	@echo 'make bench-http  many endpoints, rate limits and memory, against an HTTP server on loopback'
	@echo 'make test-http-servers  loads from nginx, Caddy, Django REST Framework, datasette, FastAPI, moto, GraphQL and OData servers'
	@echo 'make test-mysql  tables of MySQL, from the real MariaDB (make test passes over them where it is missing)'
	@echo 'make test-stores  loads from stores: moto and nanio (S3), fake-gcs-server (Google), Azurite (Azure)'
	@echo 'make bench-fixtures  how long fixtures and databases for tests take, beside sqlx, pgtemp and pytest-postgresql'
	@echo 'make test-fixtures-elsewhere  tests with databases in Python, Node, Go and nextest, as the pages show them'
	@echo 'make wheel     the Python wheel, in target/wheels; make test-python: a debug one, installed and tried'
	@echo 'make test-integrations  the examples by the real Dagster, Airflow, .. (NAMES: scripts/test-integrations NAME..)'
	@echo 'make test-metrics  metrics files by the real promtool, node exporter and Prometheus (it says what is missing)'
	@echo 'make setup     install what is missing: a C compiler, PostgreSQL, PgBouncer for the tests (make setup test: then test)'
	@echo 'make man       the manual page and the completion scripts, in target/man'

# PgBouncer is for tests alone. Where there is no apt-get its tests say that it is missing and do nothing.
FOR_TESTS = $$(command -v apt-get >/dev/null && echo pgbouncer)

setup:
	@scripts/setup $(FOR_TESTS)

# Behind `setup`, where both are asked for.
SETUP_FIRST = $(filter setup,$(MAKECMDGOALS))

tools: $(SETUP_FIRST)
	@scripts/setup --check

demo:
	@scripts/setup
	cargo build --release --locked
	@scripts/demo

# Most tests wait for servers most of the time: more of them at once than there are cores. What is drawn is the same each
# time, so that a failure is the change's; DBLOAD_TEST_SEEDS=n draws other cases, and the campaigns always draw new ones.
test: $(SETUP_FIRST)
	@scripts/setup --check $(FOR_TESTS)
	scripts/check-prose
	scripts/check-prose --rust
	cargo fmt --check
	cargo clippy --locked --all-targets -- -D warnings
	RUSTDOCFLAGS='-D warnings' cargo doc --locked --no-deps
	scripts/semver
	cargo check --locked --manifest-path benches/rooms/Cargo.toml --target-dir target
	DBLOAD_TEST_SEEDS=$${DBLOAD_TEST_SEEDS:-1} RUST_TEST_THREADS=$${RUST_TEST_THREADS:-4} cargo test --locked
	$(MAKE) test-engine
	scripts/check-features
	DBLOAD_TEST_SEEDS=$${DBLOAD_TEST_SEEDS:-1} MINUTES=1 $(MAKE) torture

# By itself: it measures the memory and the connections of a process with eight loads. One that is not found is no pass.
test-engine: tools
	cargo test --locked --test main -- --ignored --exact engine::eight_loads_at_once_keep_to_one_limit_and_do_not_touch_each_other \
		| tee /dev/stderr | grep -q '1 passed; 0 failed'

# Skipped with words where Python is missing. The wheel is that of a debug build.
test-python: tools
	scripts/test-python

# The files of the container image, in a chroot.
test-image: tools
	cargo build --locked
	scripts/test-image

# What monitoring reads, by the programs that read it: they are 100 MB on a disk, and Debian starts them as services, so
# that nothing installs them by itself.
test-metrics: tools
	@for name in promtool prometheus prometheus-node-exporter; do command -v $$name >/dev/null || \
		{ echo "missing: $$name. On Debian: apt-get install prometheus prometheus-node-exporter" >&2; exit 1; }; done
	cargo test --locked --test main -- seen::metrics

# The examples by the real Dagster, Airflow, ..: heavy, and installs what it needs into target/python.
test-integrations: tools
	scripts/test-integrations

wheel:
	scripts/wheel

test-all: tools
	@scripts/test-all

# Each module goes by PgBouncer where it loads by way of a scene; the faults have their own tests of it.
test-pooler: tools
	DBLOAD_TEST_POOLER=1 cargo test --locked --test main -- loading:: rejects:: runs:: tables:: types:: formats:: reference:: equivalence:: direct:: faults::pooler

faults: tools
	FAULTS_MATRIX=1 cargo test --locked --test main -- --nocapture faults::

torture: tools
	cargo test --locked --test main -- --ignored --nocapture torture::campaign

nights: tools
	NIGHTS_SEEDS=$(SEEDS) cargo test --locked --test main -- --ignored --nocapture nights::sixty

hostile: tools
	HOSTILE_SCALE=1 cargo test --release --locked --test main -- --include-ignored --nocapture --test-threads=1 memory:: many_bad::

bench: tools
	cargo bench --locked --bench psql

bench-rooms:
	cd benches/rooms && cargo run --release --locked -- --bench

profile: tools
	cargo build --profile profiling --locked
	@scripts/profile

fuzz: tools
	@scripts/fuzz

model:
	cargo test --locked --lib write::commit::protocol::model -- --include-ignored --nocapture --test-threads=1

SEEDS ?= 100000
simulate:
	SIMULATE_SEEDS=$(SEEDS) $(if $(SEED),DBLOAD_SEED=$(SEED)) cargo test --locked --lib write::simulation -- --nocapture
bench-http: tools
	cargo build --release --locked
	DBLOAD_TEST_PROGRAM=$(CURDIR)/target/release/dbload cargo test --locked --test main -- --ignored --nocapture --test-threads=1 web::speed web::limits

# What it needs it installs into target/http-servers, and nginx and Caddy by apt-get.
test-http-servers: tools
	cargo build --release --locked
	scripts/test-http-servers

# It is 200 MB on a disk, and Debian starts it as a service, so that nothing installs it by itself.
test-mysql: tools
	@PATH=$$PATH:/usr/sbin command -v mariadbd >/dev/null || \
		{ echo "missing: MariaDB's server. On Debian: apt-get install mariadb-server" >&2; exit 1; }
	cargo test --locked --test main -- mysql:: conformance_sources::

# What it needs it installs into target/stores.
test-stores: tools
	cargo build --release --locked
	scripts/test-stores

test-fixtures-elsewhere: tools
	cargo build --locked
	scripts/test-fixtures-elsewhere

bench-fixtures: tools
	cargo build --release --locked --bin dbload
	cargo test --release --locked --test main -- --ignored --nocapture --test-threads=1 fixtures::speed testing::speed \
		testing::beside::a_test testing::processes::five_hundred
	benches/fixtures/run target/release/dbload

man:
	cargo build --release --locked
	@mkdir -p target/man
	target/release/dbload man > target/man/dbload.1
	target/release/dbload completions bash > target/man/dbload.bash
	target/release/dbload completions zsh > target/man/_dbload
	target/release/dbload completions fish > target/man/dbload.fish
	@echo 'in target/man: dbload.1 dbload.bash _dbload dbload.fish'
