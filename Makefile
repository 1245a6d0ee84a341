# nnc: build, test, demonstrate.   make help
LLVM    ?= $(shell for v in 22 21 20 19; do command -v llvm-config-$$v >/dev/null 2>&1 && { echo $$v; break; }; done)
PREFIX  ?= /usr/local
BUILD   ?= build
CC      ?= cc
CFLAGS  ?= -O2 -g
WARN     = -Wall -Wextra -Wshadow -Wstrict-prototypes -Werror=implicit-function-declaration -Wno-missing-field-initializers
LLVM_CONFIG = llvm-config-$(LLVM)
FLAGS    = -std=gnu11 $(WARN) $(CFLAGS) -Icompiler -I. -I$(BUILD) -MMD -MP

LAYERS   = base syntax ir sema pass emit driver
