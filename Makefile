# nnc: an ahead-of-time compiler for neural network training.   `make help` lists the targets.
LLVM    ?= $(firstword $(foreach v,22 21 20 19,$(if $(shell command -v llvm-config-$(v)),$(v))))
PREFIX  ?= /usr/local
BUILD   ?= build
CC      ?= cc
CFLAGS  ?= -O2 -g
FLEX    ?= flex
BISON   ?= bison

LLVM_CONFIG = llvm-config-$(LLVM)
WARN  = -Wall -Wextra -Wshadow -Wstrict-prototypes -Werror=implicit-function-declaration \
        -Wno-missing-field-initializers
FLAGS = -std=gnu11 $(WARN) $(CFLAGS) -ffp-contract=off -Icompiler -I. -I$(BUILD) -MMD -MP

.PHONY: all
all: $(BUILD)/nnc $(BUILD)/libnnrt.a

# ---- the compiler: one static library per layer, lower layers last

LAYERS = driver emit pass sema ir syntax base
objects = $(patsubst %.c,$(BUILD)/%.o,$(wildcard compiler/$(1)/*.c))
lib     = $(BUILD)/lib$(1).a

$(foreach l,$(LAYERS),$(eval $(call lib,$(l)): $(call objects,$(l))))
$(BUILD)/libsyntax.a: $(BUILD)/grammar/nn.l.o $(BUILD)/grammar/nn.y.o
$(BUILD)/libir.a:     $(BUILD)/grammar/ir.l.o $(BUILD)/grammar/ir.y.o
$(BUILD)/libsema.a:   $(BUILD)/std.o

$(BUILD)/lib%.a:
	@rm -f $@
	ar rcs $@ $^

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(FLAGS) -c $< -o $@

$(BUILD)/compiler/emit/%.o: FLAGS += $(shell $(LLVM_CONFIG) --cflags 2>/dev/null | sed 's/-std=[^ ]*//; s/-D_GNU_SOURCE//')

$(BUILD)/grammar/%.l.c $(BUILD)/grammar/%.l.h &: grammar/%.l
	@mkdir -p $(@D)
	$(FLEX) --outfile=$(BUILD)/grammar/$*.l.c --header-file=$(BUILD)/grammar/$*.l.h $<
$(BUILD)/grammar/%.y.c $(BUILD)/grammar/%.y.h &: grammar/%.y
	@mkdir -p $(@D)
	$(BISON) -Werror=conflicts-sr,conflicts-rr --header=$(BUILD)/grammar/$*.y.h --output=$(BUILD)/grammar/$*.y.c $<
$(BUILD)/grammar/%.o: $(BUILD)/grammar/%.c
	$(CC) $(FLAGS) -Wno-unused -Wno-shadow -Wno-sign-compare -c $< -o $@
$(BUILD)/grammar/nn.l.o $(BUILD)/grammar/nn.y.o $(call objects,syntax): | $(BUILD)/grammar/nn.l.h $(BUILD)/grammar/nn.y.h
$(BUILD)/grammar/ir.l.o $(BUILD)/grammar/ir.y.o $(call objects,ir): | $(BUILD)/grammar/ir.l.h $(BUILD)/grammar/ir.y.h

# The library of layers, embedded as text.
STD = $(sort $(wildcard compiler/std/*.nn))
$(BUILD)/std.c: $(STD) compiler/std/embed.sh
	@mkdir -p $(@D)
	sh compiler/std/embed.sh $(STD) > $@
$(BUILD)/std.o: $(BUILD)/std.c
	$(CC) $(FLAGS) -c $< -o $@

LIBS = $(foreach l,$(LAYERS),$(call lib,$(l)))
$(BUILD)/nnc: $(LIBS)
	$(CC) $(CFLAGS) -o $@ -Wl,--start-group $(LIBS) -Wl,--end-group \
	    $(shell $(LLVM_CONFIG) --ldflags --libs) -lm -lpthread

# ---- the runtime: no header of the compiler

RUNTIME = $(patsubst %.c,$(BUILD)/%.o,$(wildcard runtime/*.c))
$(BUILD)/libnnrt.a: $(RUNTIME)
	@rm -f $@
	ar rcs $@ $^
$(RUNTIME): FLAGS += -ffunction-sections -fdata-sections

# ---- unit tests: tests/unit/LAYER_*.c sees the layers up to LAYER; runtime_*.c the runtime

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
	@mkdir -p $(@D)
	$(CC) $(FLAGS) -o $@ $< $(BUILD)/libnnrt.a $(shell pkg-config --libs check) -lz -lm -lpthread
$(BUILD)/unit/%: tests/unit/%.c $$(foreach l,$$(unit_libs_$$(call layer_of,$$*)),$$(call lib,$$(l)))
	@mkdir -p $(@D)
	$(CC) $(FLAGS) -o $@ $< -Wl,--start-group $(filter %.a,$^) -Wl,--end-group \
	    $(shell pkg-config --libs check) $(if $(findstring libemit,$^),$(shell $(LLVM_CONFIG) --ldflags --libs)) -lm -lpthread

.PHONY: clean
clean:
	rm -rf $(BUILD)

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
