# make demo            attendance of a lecture, from start to end (VIDEO=... PEOPLE=... ENROL=10 JSON=... for one of your own,
#                      EMBEDDER=facenet-20180408 for FaceNet, dlib-facenet-v1 for both)
# make run             the web application with all that it needs, on http://127.0.0.1:8000 (PORT=...)
# make test            all tests on all cores (TESTS=tests/recognition for some)
# make fuzz            hostile examples for all that reads files and names, ten minutes a file of them (MINUTES=1)
# make soak            300 recordings while workers, Valkey, PostgreSQL, disks and clocks fail, for 20 minutes (MINUTES=2);
#                      needs root
# make lint            style, types, imports between layers, and patterns that are often holes
# make lock            the files in locks/, from requirements*.txt, with the newest of what those need
# make audit           known holes in what is locked (asks PyPI)
# make sbom            the packages of each image, in CycloneDX's format, in build/sbom
# make pin-images      the images' digests of today in deploy/ (asks their registries; needs Docker)
# make bench           speed, compared with public peers
#                      (ONLY=facenet for one row, LECTURE=... for a lecture that is composed already, SHARED=... for the data)
# make bench-accuracy  accuracy, compared with the peers' rules (PEOPLE=... STRANGERS=... for folders of other photos,
#                      ENROL="1 3" PHOTOS=3:9 for which of them, LECTURES=... for lectures that are composed already,
#                      EMBEDDER=... for one embedder)
# make clients         the Python and TypeScript clients of the API in clients/ (CLIENTS=... for another folder; needs npm)
# make messages        collects the sentences to translate in campus/locale/*/LC_MESSAGES/django.po (needs GNU gettext)
# make clean           deletes .venv and its like, the demo's data and the caches; var/ and Reports/ stay

PYTHON ?= python3
PORT ?= 8000
TESTS ?= tests
MINUTES ?= 10
SHARED ?= ../shared
CLIENTS ?= clients
export PIP_DISABLE_PIP_VERSION_CHECK = 1

# A lock names every package, so pip looks for no others; what is built from sources is built with the locked setuptools.
INSTALL = python -m pip install --quiet --require-hashes --no-deps --no-build-isolation --use-pep517
LOCK = .venv-audit/bin/uv pip compile --quiet --universal --python-version 3.11 --upgrade --generate-hashes --no-annotate \
	--custom-compile-command "make lock"

MESSAGES = $(patsubst %.po,%.mo,$(wildcard campus/locale/*/LC_MESSAGES/django.po))
SCRIPTS = campus/web/static/vendor/ready

.PHONY: demo run test fuzz soak lint lock audit sbom pin-images clients messages bench bench-accuracy clean

demo: .venv/ready $(MESSAGES)
	@.venv/bin/python -m demo $(if $(VIDEO),--video "$(VIDEO)") $(if $(PEOPLE),--people "$(PEOPLE)") \
		$(if $(ENROL),--enrol "$(ENROL)") $(if $(JSON),--json "$(JSON)") $(if $(EMBEDDER),--embedder "$(EMBEDDER)")

run: .venv/ready $(MESSAGES) $(SCRIPTS)
	@exec .venv/bin/python -m deploy.local --port "$(PORT)"

test: .venv/ready-for-tests .venv-kubernetes/ready $(MESSAGES) $(SCRIPTS)
	.venv/bin/python -m pytest -n auto --dist worksteal $(TESTS)

# Each in a process of its own, since an example may end it.
fuzz: .venv/ready-for-tests
	@failed=0; for file in $$(ls tests/fuzz/test_*.py | sort -R); do \
		FUZZ_MINUTES="$(MINUTES)" .venv/bin/python -m pytest -q --capture=sys $$file || failed=1; \
	done; exit $$failed

soak: MINUTES = 20
soak: .venv/ready-for-tests
	SOAK_MINUTES="$(MINUTES)" .venv/bin/python -m pytest -q tests/soak

lint: .venv/ready-for-tests
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/bandit --quiet --recursive --configfile pyproject.toml .
	.venv/bin/mypy .
	.venv/bin/lint-imports

lock: .venv-audit/ready
	$(LOCK) requirements-build.txt --output-file locks/requirements-build.txt
	$(LOCK) requirements.txt --constraint requirements-build.txt --output-file locks/requirements.txt
	$(LOCK) requirements.txt requirements-gpu.txt --constraint locks/requirements.txt --no-emit-package tensorflow-cpu \
		--output-file locks/requirements-gpu.txt
	$(LOCK) requirements-dev.txt --constraint locks/requirements.txt --output-file locks/requirements-dev.txt
	$(LOCK) requirements-audit.txt --output-file locks/requirements-audit.txt
	$(LOCK) requirements-kubernetes.txt --constraint locks/requirements-dev.txt --output-file locks/requirements-kubernetes.txt

audit: .venv-audit/ready
	@for list in locks/*.txt requirements-facenet.txt; do \
		.venv-audit/bin/pip-audit --strict --require-hashes --disable-pip --progress-spinner off --requirement $$list || failed=1; \
	done; test -z "$$failed"

sbom: .venv-audit/ready
	.venv-audit/bin/python -m tools.make_sbom build/sbom

pin-images:
	$(PYTHON) -m tools.pin_images

clients: .venv/ready-for-tests
	mkdir -p $(CLIENTS)/typescript
	.venv/bin/python manage.py spectacular --file $(CLIENTS)/openapi.yaml
	.venv/bin/openapi-python-client generate --path $(CLIENTS)/openapi.yaml --config tools/clients/python.yaml \
		--output-path $(CLIENTS)/python --overwrite --fail-on-warning
	cp tools/clients/package.json tools/clients/package-lock.json $(CLIENTS)/typescript
	npm --prefix $(CLIENTS)/typescript ci --ignore-scripts --no-audit --no-fund --silent
	$(CLIENTS)/typescript/node_modules/.bin/openapi-typescript $(CLIENTS)/openapi.yaml \
		--output $(CLIENTS)/typescript/rollcall.ts

messages: .venv/ready
	cd campus && ../.venv/bin/python ../manage.py makemessages --locale de --add-location file --no-wrap

bench: .venv/ready .venv-peers/ready
	@.venv/bin/python -m benchmarks --shared "$(SHARED)" $(if $(ONLY),--only "$(ONLY)") $(if $(LECTURE),--lecture "$(LECTURE)")

bench-accuracy: .venv/ready
	@.venv/bin/python -m benchmarks.accuracy --shared "$(SHARED)" $(if $(LECTURES),--lectures "$(LECTURES)") \
		$(if $(PEOPLE),--people "$(PEOPLE)") $(if $(STRANGERS),--strangers "$(STRANGERS)") \
		$(if $(ENROL),--enrol $(ENROL)) $(if $(PHOTOS),--photos "$(PHOTOS)") $(if $(EMBEDDER),--embedder $(EMBEDDER))

clean:
	rm -rf clients .venv .venv-peers .venv-audit .venv-kubernetes build/sbom var/demo .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/ready: locks/requirements-build.txt locks/requirements.txt requirements-facenet.txt tools/make_venv.py
	$(PYTHON) tools/make_venv.py .venv
	.venv/bin/$(INSTALL) -r locks/requirements-build.txt
	.venv/bin/$(INSTALL) -r locks/requirements.txt -r requirements-facenet.txt
	@touch $@

$(SCRIPTS): tools/fetch_scripts.py
	$(PYTHON) tools/fetch_scripts.py $(@D)
	@touch $@

%.mo: %.po .venv/ready
	.venv/bin/pybabel --quiet compile --input-file $< --output-file $@

.venv/ready-for-tests: .venv/ready locks/requirements-dev.txt
	.venv/bin/$(INSTALL) -r locks/requirements-dev.txt
	@touch $@

.venv-audit/ready: locks/requirements-audit.txt tools/make_venv.py
	$(PYTHON) tools/make_venv.py .venv-audit
	.venv-audit/bin/$(INSTALL) -r $<
	@touch $@

.venv-kubernetes/ready: locks/requirements-kubernetes.txt tools/make_venv.py
	$(PYTHON) tools/make_venv.py .venv-kubernetes
	.venv-kubernetes/bin/$(INSTALL) -r $<
	@touch $@

# facenet-pytorch requires a PyTorch of 2024, but works with this one.
.venv-peers/ready: benchmarks/requirements-peers.txt tools/make_venv.py
	$(PYTHON) tools/make_venv.py .venv-peers
	.venv-peers/bin/python -m pip install --quiet -r benchmarks/requirements-peers.txt
	.venv-peers/bin/python -m pip install --quiet --no-deps facenet-pytorch==2.6.0
	@touch $@
