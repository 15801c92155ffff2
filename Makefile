# Everything runs from .venv, which is made when missing. `make help` lists what there is.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
# an allocator that keeps its memory: a seventh less time a step
FAST = MALLOC_TRIM_THRESHOLD_=8000000000 MALLOC_MMAP_THRESHOLD_=33554432 MALLOC_TOP_PAD_=268435456
TRAIN = $(FAST) $(BIN)/python -m monai.bundle run --config_file bundles/$(1)/configs/train.yaml --bundle_root bundles/$(1) \
	--dataset_dir $(DATA) --output_dir runs/$(1) --max_minutes $(MINUTES)
DATA ?= runs/synth
HEADS ?= 320
MINUTES ?= 60
JOBS ?= 2
CASES ?= 200
OUT ?= runs/trained
GPU_PYTHON ?= 3.12
GPU_PLATFORMS = _2_34_x86_64 _2_28_x86_64 _2_27_x86_64 _2_17_x86_64 2014_x86_64 1_x86_64
DEMO ?= demo
INTEROP_DEBIAN = chromium postgresql dcmtk dicom3tools pixelmed-apps orthanc orthanc-dicomweb

PARALLEL = OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(JOBS) --dist loadfile
SITE = $$($(1)/bin/python -c 'import site; print(site.getsitepackages()[0])')
# an environment of its own that also sees the packages of .venv and this checkout
BESIDE = test -x $(1)/bin/python || $(PYTHON) -m venv $(1); \
	printf '%s\n' '$(CURDIR)' "$(call SITE,.venv)" > "$(call SITE,$(1))/toolkit.pth"

.DEFAULT_GOAL := help
.PHONY: help install demo test test-quick test-interop test-clients fuzz check synth-sheet synth-audit train-data train-anatomy train-ich evaluate-synth train-all gpu-wheels bench bench-training bench-import bench-study bench-kills bench-service docs docs-serve viewer clean

help:  ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 16

install: $(READY)  ## make .venv and install the toolkit into it

$(READY): constraints.txt setup.cfg pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt torch
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[test,check,service,postgresql]'
	touch $@

demo: $(READY)  ## a synthetic study as DICOM, analyzed: truth beside result, masks over CT
	$(BIN)/python -m monai_ich.demo -o $(DEMO)

test: $(READY)  ## all tests but those that need other programs, in JOBS processes, and what share of the code they run
	$(FAST) $(PARALLEL) --durations 25 --cov --cov-report=

test-quick: $(READY)  ## the tests that take seconds
	$(FAST) $(PARALLEL) -m "not slow and not interop and not gpu" --durations 10

test-interop: $(READY)  ## tests with real external programs: Chromium, 3D Slicer's code (own environment, 1.2 GB), DICOM validators, Orthanc
	test -x .slicer-venv/bin/python || $(PYTHON) -m venv .slicer-venv
	.slicer-venv/bin/python -c 'import slicer' 2>/dev/null || \
		.slicer-venv/bin/pip install --quiet --disable-pip-version-check slicer-core vtk==9.6.2 || \
		echo 'slicer-core could not be installed: its tests will be skipped'
	test -x $(BIN)/segimage2itkimage || $(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt dcmqi || \
		echo 'dcmqi could not be installed: its tests will be skipped'
	$(BIN)/pip install --quiet --disable-pip-version-check bids-validator-deno || \
		echo 'bids-validator-deno could not be installed: the test of BIDS derivatives will be skipped'
	$(BIN)/pip install --quiet --disable-pip-version-check playwright || \
		echo 'playwright could not be installed: tests of the report in Chromium will be skipped'
	dpkg -s $(INTEROP_DEBIAN) >/dev/null 2>&1 || { apt-get update -qq && \
		DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $(INTEROP_DEBIAN) >/dev/null; } || \
		echo 'not installed (needs Debian and root), tests that need them will be skipped: $(INTEROP_DEBIAN)'
	$(FAST) $(PARALLEL) -m interop -rfEs --durations 10

test-clients: $(READY)  ## a real MONAI Label server, a MONAI Deploy app and NVFlare, each in an environment of its own (gigabytes)
	$(call BESIDE,.label-venv)
	test -d .label-venv/lib/python3*/site-packages/monailabel || .label-venv/bin/pip install --quiet \
		--disable-pip-version-check --no-deps --ignore-installed -r tools/label_requirements.txt || \
		echo 'MONAI Label could not be installed: its tests will be skipped'
	test -d .label-venv/lib/python3*/site-packages/torchvision || .label-venv/bin/pip install --quiet \
		--disable-pip-version-check --no-deps torchvision==0.28.0 || \
		echo 'torchvision could not be installed: tests of MONAI Label will be skipped'
	$(call BESIDE,.deploy-venv)
	test -d .deploy-venv/lib/python3*/site-packages/holoscan || { .deploy-venv/bin/pip install --quiet \
		--disable-pip-version-check -c constraints.txt monai-deploy-app-sdk==4.0.0 && .deploy-venv/bin/pip install --quiet \
		--disable-pip-version-check -c constraints.txt --no-deps --ignore-installed monai; } || \
		echo 'MONAI Deploy could not be installed: its tests will be skipped'
	$(call BESIDE,.federated-venv)
	.federated-venv/bin/pip install --quiet --disable-pip-version-check -c constraints.txt 'nvflare>=2.9,<2.10' || \
		echo 'NVFlare could not be installed: its tests will be skipped'
	$(BIN)/python -m pytest -m interop -rfEs $(addprefix tests/interop/test_,monai_label.py monai_deploy.py federated.py)

check: $(READY)  ## style, types, import layers, licenses of what is needed
	$(BIN)/ruff check monai_ich lab tests benchmarks examples tools setup.py
	$(BIN)/ruff format --check monai_ich lab tests benchmarks examples tools setup.py
	$(BIN)/mypy monai_ich
	$(BIN)/lint-imports
	$(BIN)/python tools/licenses.py

fuzz: $(READY)  ## damaged and hostile inputs for every reader, MINUTES long; goes on in runs/fuzz
	$(BIN)/python -m tests.fuzz --minutes $(MINUTES) --out runs/fuzz

synth-sheet: $(READY)  ## contact sheets of synthetic heads in runs/sheet, to look at before training
	$(BIN)/python -m lab.sheet -o runs/sheet

synth-audit: $(READY)  ## HU, volumes, thickness, shift of 200 synthetic heads in runs/audit; fails on labels in bone
	$(BIN)/python -m lab.audit -o runs/audit

train-data: $(READY)  ## HEADS synthetic heads in DATA to train on (goes on where it stopped)
	$(BIN)/monai-ich synth -n $(HEADS) -o $(DATA) --no-thickness

train-anatomy: train-data  ## train bundles/head_ct_anatomy for MINUTES (resumes from runs/)
	$(call TRAIN,head_ct_anatomy)

train-ich: train-data  ## train bundles/ich_segmentation for MINUTES (resumes from runs/)
	$(call TRAIN,ich_segmentation)

evaluate-synth: $(READY)  ## the shipped weights on 300 synthetic heads never trained on: targets beside what is seen (resumes)
	$(BIN)/python -m lab.evaluate_synth -o runs/evaluate --cases $(CASES)

train-all: $(READY)  ## heads, both trainings, evaluation, weights into OUT, in MINUTES all together (call again to go on)
	$(BIN)/python -m lab.train_all -o $(OUT) --minutes $(MINUTES)

gpu-wheels: $(READY)  ## packages for train-all on an offline Linux machine that has PyTorch and Python GPU_PYTHON, into runs/wheels
	rm -f runs/wheels/*.whl
	$(BIN)/pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: -d runs/wheels \
		--implementation cp --python-version $(GPU_PYTHON) $(addprefix --platform manylinux,$(GPU_PLATFORMS)) \
		-r configs/gpu_wheels.txt
	du -sh runs/wheels

bench: $(READY)  ## time and memory, end to end and stage by stage, beside stock MONAI and (NNUNET=python) nnU-Net v2
	$(BIN)/python -m benchmarks.analyze $(if $(NNUNET),--nnunet $(NNUNET))

bench-training: $(READY)  ## training throughput, and the share of the time in which the device computes
	$(FAST) $(BIN)/python -m benchmarks.training

bench-import: $(READY)  ## DICOM import beside other tools: the case table, time and memory
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps -c constraints.txt dcm2niix dicom2nifti
	$(BIN)/python -m benchmarks.import_cases
	$(BIN)/python -m benchmarks.import_speed

bench-study: $(READY)  ## a study of 40 synthetic scans, two broken, killed twice and resumed: is each there once?
	$(BIN)/python -m benchmarks.study

bench-kills: $(READY)  ## analyze killed 50 times onto earlier results, the service 200 times on each database, 10 with the networks: is anything lost?
	$(BIN)/python -m benchmarks.kills
	KILLS=200 REAL_KILLS=10 $(BIN)/python -m pytest -m interop tests/service/test_crashes.py tests/service/test_real_kills.py

bench-service: $(READY)  ## the service: 1,000 small studies by 8 senders, none lost? time of C-STORE, memory, recovery, worklist, real networks
	$(BIN)/python -m benchmarks.service

docs: .venv/.docs  ## the documentation as a website in site/; a warning or a broken link is an error
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet
	@echo site/index.html

docs-serve: .venv/.docs  ## the same on 127.0.0.1:8000, built anew when a page changes
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs serve --strict --dev-addr 127.0.0.1:8000

.venv/.docs: $(READY)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[docs]'
	touch $@

viewer:  ## bundle the report's viewer anew (needs node and npm; what it writes is committed)
	cd tools/viewer && npm ci --no-audit --no-fund && npm run build

clean:  ## remove what was built, keep runs/
	rm -rf .venv .slicer-venv .label-venv .deploy-venv .federated-venv build site *.egg-info demo .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
