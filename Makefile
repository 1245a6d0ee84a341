# nnc: an ahead-of-time compiler for neural network training.   `make help` lists the targets.
ifndef LLVM
LLVM    := $(shell for v in 22 21 20 19; do command -v llvm-config-$$v >/dev/null && echo $$v && break; done)
endif
PREFIX  ?= /usr/local
BUILD   ?= build
CC      ?= cc
CFLAGS  ?= -O2 -g
FLEX    ?= flex
BISON   ?= bison
N       ?= 1000

# Commands are shown with V=1 only.
Q = $(if $(V),,@)
say = @printf '  %-7s %s\n' $(1) $(2)

# In parallel unless told otherwise.
ifeq ($(MAKELEVEL)$(filter -j%,$(MAKEFLAGS)),0)
MAKEFLAGS += -j$(shell nproc)
endif

# What is missing is said once, before anything is built.
ifneq ($(filter-out help deps demo clean layers format,$(or $(MAKECMDGOALS),all)),)
MISSING := $(shell sh tools/install-deps.sh --list)
ifneq ($(MISSING),)
$(error missing: $(MISSING); `make deps` installs it)
endif
endif

LLVM_CONFIG = llvm-config-$(LLVM)
WARN  = -Wall -Wextra -Wshadow -Wstrict-prototypes -Werror=implicit-function-declaration \
        -Wno-missing-field-initializers
FLAGS = -std=gnu11 $(WARN) $(CFLAGS) -ffp-contract=off -Icompiler -I. -I$(BUILD) -MMD -MP

.PHONY: all
all: $(BUILD)/nnc $(BUILD)/libnnrt.a ## the compiler, build/nnc, and the runtime that programs link

# ---- the compiler: one static library per layer, lower layers last

LAYERS = driver emit pass sema ir syntax base
objects = $(patsubst %.c,$(BUILD)/%.o,$(wildcard compiler/$(1)/*.c))
lib     = $(BUILD)/lib$(1).a

$(foreach l,$(LAYERS),$(eval $(call lib,$(l)): $(call objects,$(l))))
$(BUILD)/libsyntax.a: $(BUILD)/grammar/nn.l.o $(BUILD)/grammar/nn.y.o
$(BUILD)/libir.a:     $(BUILD)/grammar/ir.l.o $(BUILD)/grammar/ir.y.o
$(BUILD)/libsema.a:   $(BUILD)/std.o

$(BUILD)/lib%.a:
	$(call say,AR,$@)
	@rm -f $@
	$(Q)ar rcs $@ $^

$(BUILD)/%.o: %.c
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(FLAGS) -c $< -o $@

$(BUILD)/compiler/emit/%.o: FLAGS += $(shell $(LLVM_CONFIG) --cflags 2>/dev/null | sed 's/-std=[^ ]*//; s/-D_GNU_SOURCE//')

$(BUILD)/grammar/%.l.c $(BUILD)/grammar/%.l.h &: grammar/%.l
	$(call say,FLEX,$<)
	@mkdir -p $(@D)
	$(Q)$(FLEX) --outfile=$(BUILD)/grammar/$*.l.c --header-file=$(BUILD)/grammar/$*.l.h $<
$(BUILD)/grammar/%.y.c $(BUILD)/grammar/%.y.h &: grammar/%.y
	$(call say,BISON,$<)
	@mkdir -p $(@D)
	$(Q)$(BISON) -Werror=conflicts-sr,conflicts-rr --header=$(BUILD)/grammar/$*.y.h --output=$(BUILD)/grammar/$*.y.c $<
$(BUILD)/grammar/%.o: $(BUILD)/grammar/%.c
	$(call say,CC,$<)
	$(Q)$(CC) $(FLAGS) -Wno-unused -Wno-shadow -Wno-sign-compare -c $< -o $@
$(BUILD)/grammar/nn.l.o $(BUILD)/grammar/nn.y.o $(call objects,syntax): | $(BUILD)/grammar/nn.l.h $(BUILD)/grammar/nn.y.h
$(BUILD)/grammar/ir.l.o $(BUILD)/grammar/ir.y.o $(call objects,ir): | $(BUILD)/grammar/ir.l.h $(BUILD)/grammar/ir.y.h

# The library of layers, embedded as text.
STD = $(sort $(wildcard compiler/std/*.nn))
$(BUILD)/std.c: $(STD) compiler/std/embed.sh
	@mkdir -p $(@D)
	$(Q)sh compiler/std/embed.sh $(STD) > $@
$(BUILD)/std.o: $(BUILD)/std.c
	$(call say,CC,$<)
	$(Q)$(CC) $(FLAGS) -c $< -o $@

LIBS = $(foreach l,$(LAYERS),$(call lib,$(l)))
$(BUILD)/nnc: $(LIBS)
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS) -o $@ -Wl,--start-group $(LIBS) -Wl,--end-group \
	    $(shell $(LLVM_CONFIG) --ldflags --libs) -lz -lm -lpthread

# ---- the runtime: no header of the compiler

RUNTIME = $(patsubst %.c,$(BUILD)/%.o,$(wildcard runtime/*.c))
$(BUILD)/libnnrt.a: $(RUNTIME)
	$(call say,AR,$@)
	@rm -f $@
	$(Q)ar rcs $@ $^
# It is part of every program: small. Nothing of it is where the time goes. Programs stay where
# they were linked (emit/output.c), which saves 1.6 KB.
small = $(shell echo | $(1) -Oz -xc -E - >/dev/null 2>&1 && echo -Oz || echo -Os)
# What GCC still does at -Oz that makes it larger: 1.7 KB of a program.
small += $(shell $(1) -dM -E - </dev/null | grep -q __clang__ || echo -fno-expensive-optimizations \
           -fno-inline-functions-called-once -fno-tree-loop-im -fno-move-loop-invariants -fno-caller-saves \
           -fno-tree-fre -fno-tree-sra)
runtime_flags = $(call small,$(1)) -fno-pie -fno-asynchronous-unwind-tables -ffunction-sections -fdata-sections \
                $(if $(filter x86_64-%,$(shell $(1) -dumpmachine)),-fno-plt)
OZ := $(call runtime_flags,$(CC))
$(RUNTIME): FLAGS += $(OZ)

# The same for another machine, for `nnc --target=$(TARGET)`: make runtime TARGET=aarch64-linux-gnu
.PHONY: runtime
ifdef TARGET
TARGET_CC     ?= $(TARGET)-gcc
TARGET_CFLAGS ?= -O2 -g
# What reads images needs the libraries' headers for that machine: without them it stays out.
has_there = $(shell echo | $(TARGET_CC) -E -include stdio.h $(addprefix -include ,$(1)) - >/dev/null 2>&1 && echo yes)
THERE = $(filter-out $(if $(call has_there,jpeglib.h png.h),,%/image.o),$(RUNTIME:$(BUILD)/%=$(BUILD)/$(TARGET)/%))
runtime: $(BUILD)/$(TARGET)/libnnrt.a
$(BUILD)/$(TARGET)/libnnrt.a: $(THERE)
	$(call say,AR,$@)
	@rm -f $@
	$(Q)ar rcs $@ $^
$(THERE): CC = $(TARGET_CC)
$(THERE): CFLAGS = $(TARGET_CFLAGS)
$(THERE): FLAGS += $(call runtime_flags,$(TARGET_CC))
$(BUILD)/$(TARGET)/%.o: %.c
	$(call say,CC,'$< for $(TARGET)')
	@command -v $(firstword $(TARGET_CC)) >/dev/null || \
	    { echo "there is no $(firstword $(TARGET_CC)): Debian's package gcc-$(TARGET) has one" >&2; exit 1; }
	@mkdir -p $(@D)
	$(Q)$(CC) $(FLAGS) -c $< -o $@

# What runs compiled programs for the tests, under an emulator.
.PHONY: elsewhere
elsewhere: $(BUILD)/$(TARGET)/elsewhere
$(BUILD)/$(TARGET)/elsewhere: tests/fuzz/elsewhere.c tests/fuzz/parts.h runtime/abi.h
	$(call say,CC,'$< for $(TARGET)')
	@mkdir -p $(@D)
	$(Q)$(TARGET_CC) -std=gnu11 $(TARGET_CFLAGS) -I. -o $@ $< -ldl
else
runtime: $(BUILD)/libnnrt.a ## the runtime library; TARGET=aarch64-linux-gnu for programs of another machine
endif

# ---- unit tests: tests/unit/LAYER_*.c sees the layers up to LAYER; runtime_*.c the runtime

comma := ,
UNITS = $(patsubst tests/unit/%.c,$(BUILD)/unit/%,$(wildcard tests/unit/*.c))
unit_libs_base    = base
unit_libs_syntax  = syntax base
unit_libs_ir      = ir base
unit_libs_sema    = sema ir syntax base
unit_libs_pass    = pass sema ir syntax base
unit_libs_emit    = emit pass sema ir syntax base
layer_of = $(firstword $(subst _, ,$(1)))
.SECONDEXPANSION:
$(BUILD)/unit/runtime_%: tests/unit/runtime_%.c $(BUILD)/libnnrt.a
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(FLAGS) -no-pie -o $@ $< $(addprefix -Wl$(comma)--undefined=,run_gradcheck run_profile) $(BUILD)/libnnrt.a $(shell pkg-config --libs check) -ljpeg -lpng -lz -lm -lpthread
$(BUILD)/unit/%: tests/unit/%.c $$(foreach l,$$(unit_libs_$$(call layer_of,$$*)),$$(call lib,$$(l)))
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(FLAGS) -o $@ $< -Wl,--start-group $(filter %.a,$^) -Wl,--end-group \
	    $(shell pkg-config --libs check) $(if $(findstring libemit,$^),$(shell $(LLVM_CONFIG) --ldflags --libs)) -lz -lm -lpthread

# ---- tests: a summary, and `N passed, N failed` as the last line

TOOLS = $(BUILD)/tests/make_inputs
$(BUILD)/tests/%: tests/train/reference/%.c
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(FLAGS) -o $@ $< -lm

.PHONY: test examples bless asan fuzz valgrind
test: all $(UNITS) $(TOOLS) $(BUILD)/agree $(BUILD)/fuzz $(BUILD)/torch ## all tests; SUITES="lang grad" for some, V=1 to list them
	@BUILD=$(BUILD) sh tests/run.sh $(SUITES)

bless: all ## rewrite the expected output of the text tests: read the difference
	@BUILD=$(BUILD) BLESS=1 sh tests/run.sh golden

SANITIZE = -fsanitize=address,undefined -fno-sanitize-recover=undefined
asan: ## all tests under the address and undefined behaviour sanitizers
	@mkdir -p $(BUILD)/asan
	@printf '#!/bin/sh\nexec $(CC) $(SANITIZE) "$$@"\n' > $(BUILD)/asan/cc  # links the programs
	@chmod +x $(BUILD)/asan/cc
	+$(MAKE) BUILD=$(BUILD)/asan CFLAGS="-O1 -g -fno-omit-frame-pointer $(SANITIZE)" test

examples: all ## train the examples briefly and check a figure of each; FULL=1 as their headers say
	@BUILD=$(BUILD) FULL=$(FULL) ONLY="$(ONLY)" SEED=$(SEED) sh tests/examples.sh | awk '{ print; fflush() } /^FAIL/ { bad = 1 } END { exit bad }'

valgrind: all ## the compiler on the examples under valgrind
	@BUILD=$(BUILD) sh tests/run.sh valgrind

FUZZ = $(patsubst %.c,$(BUILD)/%.o,$(filter-out %/run_compiled.c %/elsewhere.c,$(wildcard tests/fuzz/*.c)))
$(BUILD)/fuzz: $(FUZZ) $(foreach l,emit pass ir base,$(call lib,$(l)))
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS) -o $@ $(FUZZ) -Wl,--start-group $(filter %.a,$^) -Wl,--end-group \
	    $(shell $(LLVM_CONFIG) --ldflags --libs) -lz -lm -lpthread

# Holds programs against the interpreter.
AGREE = $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/agree/*.c) tests/fuzz/in_parts.c tests/fuzz/noise.c)
$(BUILD)/agree: $(AGREE) $(foreach l,emit pass sema ir syntax base,$(call lib,$(l)))
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS) -o $@ $(AGREE) -Wl,--start-group $(filter %.a,$^) -Wl,--end-group \
	    $(shell $(LLVM_CONFIG) --ldflags --libs) -lz -lm -lpthread

# Holds the library against figures by PyTorch.
TORCH = $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/torch/*.c) tests/fuzz/in_parts.c)
$(BUILD)/torch: $(TORCH) $(foreach l,emit pass sema ir syntax base,$(call lib,$(l)))
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS) -o $@ $(TORCH) -Wl,--start-group $(filter %.a,$^) -Wl,--end-group \
	    $(shell $(LLVM_CONFIG) --ldflags --libs) -lz -lm -lpthread

SEED ?= 1
fuzz: $(BUILD)/fuzz ## N random functions (from SEED on) against the interpreter
	$(BUILD)/fuzz --seed=$(SEED) --count=$(N)

# ---- benchmarks, demo, installation

.PHONY: bench demo deps install uninstall
bench: all ## the programs of bench/ beside PyTorch, NumPy and oneDNN, into bench/results.md
	BUILD=$(BUILD) sh bench/run.sh

deps: ## install what building needs (apt; sudo when not root)
	sh tools/install-deps.sh

demo: ## install what is missing, build, train examples/digits, show what it reached
	@sh tools/install-deps.sh
	@+$(MAKE) --no-print-directory all
	@BUILD=$(BUILD) sh tools/demo.sh

install: all ## into PREFIX (default /usr/local)
	install -D -m 755 $(BUILD)/nnc $(DESTDIR)$(PREFIX)/bin/nnc
	install -D -m 644 $(BUILD)/libnnrt.a $(DESTDIR)$(PREFIX)/lib/nnc/libnnrt.a
	for t in $(notdir $(patsubst %/libnnrt.a,%,$(wildcard $(BUILD)/*-*/libnnrt.a))); do \
	    install -D -m 644 $(BUILD)/$$t/libnnrt.a $(DESTDIR)$(PREFIX)/lib/nnc/$$t/libnnrt.a; done
	install -d $(DESTDIR)$(PREFIX)/share/nnc/examples/data $(DESTDIR)$(PREFIX)/share/doc/nnc
	install -m 644 examples/*.nn examples/README.md examples/examples.tsv $(DESTDIR)$(PREFIX)/share/nnc/examples
	install -m 644 examples/data/* $(DESTDIR)$(PREFIX)/share/nnc/examples/data
	install -m 644 README.md LICENSE docs/*.md $(DESTDIR)$(PREFIX)/share/doc/nnc

uninstall:
	rm -f $(DESTDIR)$(PREFIX)/bin/nnc
	rm -rf $(DESTDIR)$(PREFIX)/lib/nnc $(DESTDIR)$(PREFIX)/share/nnc $(DESTDIR)$(PREFIX)/share/doc/nnc

# ---- the source itself

.PHONY: layers format help clean
layers: ## check that includes point from higher layers to lower ones only
	@sh tools/layers.sh

format: ## clang-format 14 on the files changed since the last commit; ALL=1 for all
	@sh tools/format.sh $(ALL)

help: ## this list
	@sed -n 's/^\([a-z]*\):[^#]*## /    make \1\t/p' Makefile | expand -t 20

clean: ## remove what was built
	rm -rf $(BUILD)

-include $(shell find $(BUILD) -name '*.d' -type f -not -path '*/tests/work/*' 2>/dev/null)
