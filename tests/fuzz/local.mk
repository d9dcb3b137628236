# SPDX-License-Identifier: MIT
#
# Each fuzzer is a program of libFuzzer with --enable-fuzzers, and else a test over its corpus: tests/fuzz/fuzz.h says more.

FUZZ_TESTS = \
	tests/fuzz/fuzz-child \
	tests/fuzz/fuzz-idmap \
	tests/fuzz/fuzz-message \
	tests/fuzz/fuzz-mount \
	tests/fuzz/fuzz-packet \
	tests/fuzz/fuzz-parent
if BUILD_TOOLS
FUZZ_TESTS += tests/fuzz/fuzz-config
endif

if FUZZERS
noinst_PROGRAMS += $(FUZZ_TESTS)
LDFLAGS_OF_FUZZERS = -fsanitize=fuzzer
FUZZ_MAIN =
else
check_PROGRAMS += $(FUZZ_TESTS)
TESTS += $(FUZZ_TESTS)
LDFLAGS_OF_FUZZERS =
FUZZ_MAIN = tests/fuzz/plain.c tests/support/bytes.h tests/support/random.c
endif

FUZZ_COMMON = tests/fuzz/fuzz.h tests/fuzz/peer.c tests/fuzz/peer.h
tests_fuzz_fuzz_child_SOURCES = tests/fuzz/fuzz-child.c $(FUZZ_COMMON) $(FUZZ_MAIN)
tests_fuzz_fuzz_child_LDFLAGS = $(AM_LDFLAGS) $(LDFLAGS_OF_FUZZERS)
tests_fuzz_fuzz_child_LDADD = libcore.la
tests_fuzz_fuzz_idmap_SOURCES = tests/fuzz/fuzz-idmap.c $(FUZZ_COMMON) $(FUZZ_MAIN)
tests_fuzz_fuzz_idmap_LDFLAGS = $(AM_LDFLAGS) $(LDFLAGS_OF_FUZZERS)
tests_fuzz_fuzz_idmap_LDADD = libcore.la
tests_fuzz_fuzz_message_SOURCES = tests/fuzz/fuzz-message.c $(FUZZ_COMMON) $(FUZZ_MAIN)
tests_fuzz_fuzz_message_LDFLAGS = $(AM_LDFLAGS) $(LDFLAGS_OF_FUZZERS)
tests_fuzz_fuzz_message_LDADD = libcore.la
tests_fuzz_fuzz_mount_SOURCES = tests/fuzz/fuzz-mount.c $(FUZZ_COMMON) $(FUZZ_MAIN)
tests_fuzz_fuzz_mount_LDFLAGS = $(AM_LDFLAGS) $(LDFLAGS_OF_FUZZERS)
tests_fuzz_fuzz_mount_LDADD = libcore.la
tests_fuzz_fuzz_packet_SOURCES = tests/fuzz/fuzz-packet.c $(FUZZ_COMMON) $(FUZZ_MAIN)
tests_fuzz_fuzz_packet_LDFLAGS = $(AM_LDFLAGS) $(LDFLAGS_OF_FUZZERS)
tests_fuzz_fuzz_packet_LDADD = libcore.la
tests_fuzz_fuzz_parent_SOURCES = tests/fuzz/fuzz-parent.c $(FUZZ_COMMON) $(FUZZ_MAIN)
tests_fuzz_fuzz_parent_LDFLAGS = $(AM_LDFLAGS) $(LDFLAGS_OF_FUZZERS)
tests_fuzz_fuzz_parent_LDADD = libcore.la

# All of the tool but its main().
FUZZ_TOOL = $(filter-out %-syncdemo.$(OBJEXT),$(syncdemo_OBJECTS))
tests_fuzz_fuzz_config_SOURCES = tests/fuzz/fuzz-config.c $(FUZZ_COMMON) $(FUZZ_MAIN)
tests_fuzz_fuzz_config_CPPFLAGS = $(FEATURE_CPPFLAGS) -I$(top_srcdir)/include -I$(top_srcdir)/tools $(JSON_C_CFLAGS)
tests_fuzz_fuzz_config_LDFLAGS = $(AM_LDFLAGS) $(LDFLAGS_OF_FUZZERS)
tests_fuzz_fuzz_config_LDADD = $(FUZZ_TOOL) libcore.la $(JSON_C_LIBS) $(SECCOMP_LIBS) $(CAP_LIBS)
tests_fuzz_fuzz_config_DEPENDENCIES = $(FUZZ_TOOL) libcore.la

EXTRA_DIST += tests/fuzz/README.md tests/fuzz/corpus tests/fuzz/config.dict tests/fuzz/json.dict tests/fuzz/plain.c
