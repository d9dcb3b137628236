# SPDX-License-Identifier: MIT
#
# Every test prints TAP. To add one: a line in one of the four lists, and for C the file tests/NAME.c.

# Programs of cmocka that link libcore.la and thus reach the library's inside.
UNIT_TESTS = \
	tests/test-api \
	tests/test-channel \
	tests/test-console \
	tests/test-conversations \
	tests/test-deadline \
	tests/test-encode \
	tests/test-error \
	tests/test-exec-storm \
	tests/test-hook \
	tests/test-idmap \
	tests/test-json-differential \
	tests/test-message \
	tests/test-mount-request \
	tests/test-number \
	tests/test-oracle \
	tests/test-packet \
	tests/test-path \
	tests/test-policy \
	tests/test-reader \
	tests/test-reader-values \
	tests/test-refused \
	tests/test-relay \
	tests/test-replay \
	tests/test-seal \
	tests/test-session-blame \
	tests/test-session-child \
	tests/test-session-clock \
	tests/test-session-death \
	tests/test-session-fds \
	tests/test-session-fork \
	tests/test-session-hostile \
	tests/test-session-later \
	tests/test-session-limits \
	tests/test-session-listener \
	tests/test-session-loop \
	tests/test-session-meanwhile \
	tests/test-session-no-sender \
	tests/test-session-ok \
	tests/test-session-order \
	tests/test-session-rules \
	tests/test-session-sender \
	tests/test-session-signals \
	tests/test-session-silent \
	tests/test-session-slow \
	tests/test-session-wait \
	tests/test-turn

# The same, but they need root, and say so by a skip when they are not.
ROOT_TESTS = \
	tests/root-attach \
	tests/root-broker \
	tests/root-broker-death \
	tests/root-broker-hung \
	tests/root-broker-path \
	tests/root-console \
	tests/root-elsewhere \
	tests/root-fuse-descriptor \
	tests/root-hostile-view \
	tests/root-overlay \
	tests/root-overlay-embedder \
	tests/root-overlay-hung \
	tests/root-overlay-refused \
	tests/root-seal \
	tests/root-seal-kernel \
	tests/root-seal-path \
	tests/root-session \
	tests/root-session-many \
	tests/root-source \
	tests/root-source-attr \
	tests/root-source-path \
	tests/root-source-refused \
	tests/root-storm \
	tests/root-userns \
	tests/root-userns-cache \
	tests/root-userns-embedder \
	tests/root-userns-outside \
	tests/root-userns-race \
	tests/root-userns-refused

# What fails, dies and is in the way: each runs a share of what it could, and all of it with INITSYNC_LONG=1.
FAULT_TESTS = \
	tests/fault-calls \
	tests/fault-embedder \
	tests/fault-kernel \
	tests/fault-kill \
	tests/fault-limits \
	tests/fault-memory

SCRIPT_TESTS = \
	examples/run.sh \
	tests/exported-symbols.sh \
	tests/header.sh \
	tests/layering.sh \
	tests/raw-symbols.sh

# The tool is $$top_builddir/syncdemo, if it was built.
PYTHON_TESTS = \
	tests/compatibility.py \
	tests/doc-fragments.py \
	tests/hardening.py \
	tests/manual.py \
	tests/model.py \
	tests/peer/recordings.py \
	tests/peer/selftest.py \
	tests/system-calls.py \
	tests/security.py \
	tests/tool-bad-input.py \
	tests/tool-bad-mounts.py \
	tests/tool-console.py \
	tests/tool-bench.py \
	tests/tool-clocks.py \
	tests/tool-demo.py \
	tests/tool-dev.py \
	tests/tool-environment.py \
	tests/tool-equal.py \
	tests/tool-hang.py \
	tests/tool-hooks.py \
	tests/tool-hooks-end.py \
	tests/tool-hooks-fail.py \
	tests/tool-idmap.py \
	tests/tool-identity.py \
	tests/tool-init.py \
	tests/tool-init-binds.py \
	tests/tool-init-refused.py \
	tests/tool-layers.py \
	tests/tool-layers-options.py \
	tests/tool-layers-refused.py \
	tests/tool-left.py \
	tests/tool-mount-options.py \
	tests/tool-manual.py \
	tests/tool-matrix.py \
	tests/tool-mounts.py \
	tests/tool-old-mounts.py \
	tests/tool-namespaces.py \
	tests/tool-namespaces-mounts.py \
	tests/tool-process.py \
	tests/tool-mounts-race.py \
	tests/tool-mounts-refused.py \
	tests/tool-parent.py \
	tests/tool-program.py \
	tests/tool-relay.py \
	tests/tool-run.py \
	tests/tool-seal.py \
	tests/tool-seal-attacks.py \
	tests/tool-seccomp-agent.py \
	tests/tool-seccomp.py \
	tests/tool-seccomp-load.py \
	tests/tool-seccomp-refused.py \
	tests/tool-seccomp-stalled.py \
	tests/tool-signals.py \
	tests/tool-silent.py \
	tests/tool-terminal.py \
	tests/tool-traced.py \
	tests/tool-tty.py \
	tests/tool-usage.py \
	tests/tool-user.py \
	tests/tool-user-maps.py

# The tool as one that loads shared libraries, which an image may bring: where it is not linked like that, tests attack this.
if STATIC_TOOL
check_PROGRAMS += tests/support/syncdemo-dynamic
endif
tests_support_syncdemo_dynamic_SOURCES =
tests_support_syncdemo_dynamic_LDADD = $(syncdemo_OBJECTS) libinitsync.la $(JSON_C_LIBS) $(SECCOMP_LIBS) $(CAP_LIBS)

# Runs a command under a filter in which chosen system calls fail, or lie.
check_PROGRAMS += tests/support/deny-syscall
tests_support_deny_syscall_LDADD =

# Tells which of some system calls a command makes.
check_PROGRAMS += tests/support/watch-syscall
tests_support_watch_syscall_LDADD =

# Whose system calls are counted.
check_PROGRAMS += tests/support/operations
tests_support_operations_LDADD = libinitsync.la

# What runs inside of containers. Without sanitizers, which cannot be linked statically.
if HAVE_STATIC
check_PROGRAMS += tests/support/calls tests/support/hostile tests/support/probe
endif
tests_support_hostile_CFLAGS = $(WARN_CFLAGS) $(CODE_CFLAGS)
tests_support_hostile_LDFLAGS = -all-static
tests_support_hostile_LDADD =
tests_support_calls_CFLAGS = $(WARN_CFLAGS) $(CODE_CFLAGS)
tests_support_calls_LDFLAGS = -all-static
tests_support_calls_LDADD =
tests_support_probe_SOURCES = tests/support/probe.c tests/support/probe.h tests/support/probe_credentials.c \
	tests/support/probe_namespace.c tests/support/probe_path.c tests/support/probe_resources.c tests/support/probe_task.c
tests_support_probe_CPPFLAGS = $(FEATURE_CPPFLAGS) -I$(top_srcdir)/tests
tests_support_probe_CFLAGS = $(WARN_CFLAGS) $(CODE_CFLAGS)
tests_support_probe_LDFLAGS = -all-static
tests_support_probe_LDADD =

# Linked to every program of the first two lists.
tests_support_libsupport_la_SOURCES = \
	tests/support/bare.c \
	tests/support/bare.h \
	tests/support/bytes.c \
	tests/support/bytes.h \
	tests/support/converse.c \
	tests/support/converse.h \
	tests/support/deny.c \
	tests/support/deny.h \
	tests/support/document.h \
	tests/support/duo.c \
	tests/support/duo.h \
	tests/support/embedder.c \
	tests/support/embedder.h \
	tests/support/file.c \
	tests/support/file.h \
	tests/support/filter.c \
	tests/support/filter.h \
	tests/support/forked.c \
	tests/support/forked.h \
	tests/support/fuse.c \
	tests/support/fuse.h \
	tests/support/handshake.c \
	tests/support/handshake.h \
	tests/support/handshake_child.c \
	tests/support/handshake_child.h \
	tests/support/joined.c \
	tests/support/joined.h \
	tests/support/layers.c \
	tests/support/layers.h \
	tests/support/left.c \
	tests/support/left.h \
	tests/support/loop.c \
	tests/support/loop.h \
	tests/support/namespace.c \
	tests/support/namespace.h \
	tests/support/nursery.c \
	tests/support/nursery.h \
	tests/support/oracle.c \
	tests/support/oracle.h \
	tests/support/place.c \
	tests/support/place.h \
	tests/support/private.c \
	tests/support/private.h \
	tests/support/process.c \
	tests/support/process.h \
	tests/support/random.c \
	tests/support/recording.c \
	tests/support/recording.h \
	tests/support/seal_task.c \
	tests/support/seal_task.h \
	tests/support/sealing.c \
	tests/support/sealing.h \
	tests/support/sender.c \
	tests/support/sender.h \
	tests/support/slowfs.c \
	tests/support/slowfs.h \
	tests/support/socket.c \
	tests/support/socket.h \
	tests/support/source.c \
	tests/support/source.h \
	tests/support/steps.c \
	tests/support/steps.h \
	tests/support/supervised.c \
	tests/support/supervised.h \
	tests/support/support.c \
	tests/support/support.h \
	tests/support/userns.c \
	tests/support/userns.h
tests_support_libsupport_la_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
LDADD = tests/support/libsupport.la libcore.la $(CMOCKA_LIBS)

# A test of the shared library as its users see it.
tests_test_api_LDADD = libinitsync.la tests/support/libsupport.la $(CMOCKA_LIBS)
tests_test_api_CPPFLAGS = $(FEATURE_CPPFLAGS) -I$(top_srcdir)/include
# Of the tool, which has no library of its own.
CONSOLE_SOURCES = tools/console.h tools/console_parent.c tools/say.c tools/say.h
TOOL_CPPFLAGS = $(FEATURE_CPPFLAGS) -I$(top_srcdir)/include -I$(top_srcdir)/tools -I$(top_srcdir)/tests $(JSON_C_CFLAGS) \
	$(CMOCKA_CFLAGS)
tests_test_relay_SOURCES = tests/test-relay.c tools/relay.c tools/relay.h
tests_test_relay_CPPFLAGS = $(TOOL_CPPFLAGS)
tests_test_hook_SOURCES = tests/test-hook.c tools/hook.c tools/hook.h tools/hook_keeper.c tools/sweep.c tools/sweep.h tools/reap.c \
	tools/reap.h tools/say.c tools/say.h tools/signals.c tools/signals.h
tests_test_hook_CPPFLAGS = $(TOOL_CPPFLAGS)
tests_test_console_SOURCES = tests/test-console.c $(CONSOLE_SOURCES)
tests_test_console_CPPFLAGS = $(TOOL_CPPFLAGS)
tests_root_console_SOURCES = tests/root-console.c $(CONSOLE_SOURCES)
tests_root_console_CPPFLAGS = $(TOOL_CPPFLAGS)
tests_test_json_differential_CPPFLAGS = $(AM_CPPFLAGS) $(JSON_C_CFLAGS)
tests_test_json_differential_LDADD = $(LDADD) $(JSON_C_LIBS)

# The library once more, every system call of which can fail: see support/fault.h. Nothing of it is installed.
FAULT_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests -include support/fault_calls.h
tests_support_libfault_la_SOURCES = $(libcore_la_SOURCES) \
	tests/support/fault.c \
	tests/support/fault.h \
	tests/support/fault_calls.h
tests_support_libfault_la_CPPFLAGS = $(FAULT_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_support_libfault_la_CFLAGS = $(libcore_la_CFLAGS)
tests_support_libfault_la_LIBADD = tests/support/libfaultraw.la
tests_support_libfaultraw_la_SOURCES = $(libraw_la_SOURCES)
tests_support_libfaultraw_la_CPPFLAGS = $(FAULT_CPPFLAGS)
tests_support_libfaultraw_la_CFLAGS = $(libraw_la_CFLAGS)
$(tests_support_libfaultraw_la_OBJECTS): override CFLAGS += $(RAW_CFLAGS)
FAULT_LDADD = tests/support/libsupport.la tests/support/libfault.la $(CMOCKA_LIBS)
tests_fault_calls_SOURCES = tests/fault-calls.c tests/fault-errors.c tests/fault-errors.h tests/fault-scenes.c \
	tests/fault-scenes.h
tests_fault_calls_LDADD = $(FAULT_LDADD)

TESTS = $(SCRIPT_TESTS)
if HAVE_PYTHON3
TESTS += $(PYTHON_TESTS)
endif
if BUILD_TESTS
check_LTLIBRARIES += tests/support/libsupport.la tests/support/libfault.la tests/support/libfaultraw.la
check_PROGRAMS += $(UNIT_TESTS) $(ROOT_TESTS) $(FAULT_TESTS)
TESTS += $(UNIT_TESTS) $(ROOT_TESTS) $(FAULT_TESTS)
endif

TEST_EXTENSIONS = .sh .py
TAP_DRIVER = env AM_TAP_AWK='$(AWK)' $(SHELL) $(top_srcdir)/build-aux/tap-driver.sh
RUN_TAP = $(SHELL) $(top_srcdir)/tests/run-tap.sh
LOG_DRIVER = $(TAP_DRIVER)
LOG_COMPILER = $(RUN_TAP)
SH_LOG_DRIVER = $(TAP_DRIVER)
SH_LOG_COMPILER = $(RUN_TAP) $(SHELL)
PY_LOG_DRIVER = $(TAP_DRIVER)
PY_LOG_COMPILER = $(RUN_TAP) $(PYTHON3)

AM_TESTS_ENVIRONMENT = \
	top_srcdir='$(top_srcdir)'; export top_srcdir; \
	top_builddir='$(top_builddir)'; export top_builddir; \
	CC='$(CC)'; export CC; \
	CXX='$(TEST_CXX)'; export CXX; \
	NM='$(NM)'; export NM; \
	RAW_OBJECTS='$(libraw_la_OBJECTS)'; export RAW_OBJECTS; \
	SANITIZERS='$(with_sanitizers)'; export SANITIZERS; \
	COVERAGE='$(enable_coverage)'; export COVERAGE; \
	HARDENING='$(enable_hardening)'; export HARDENING; \
	HARDENING_FLAGS='$(HARDEN_CFLAGS) $(HARDEN_LDFLAGS) $(CODE_LDFLAGS) $(PIE_LDFLAGS) $(FORTIFY_CPPFLAGS)'; export HARDENING_FLAGS; \
	LIBRARY_OBJECTS='$(libcore_la_OBJECTS) $(libraw_la_OBJECTS)'; export LIBRARY_OBJECTS; \
	TOOL_OBJECTS='$(syncdemo_OBJECTS)'; export TOOL_OBJECTS; \
	EXAMPLES='$(EXAMPLES)'; export EXAMPLES;
if HAVE_CXX
TEST_CXX = $(CXX)
endif

check-unit:
	$(MAKE) $(AM_MAKEFLAGS) check TESTS='$(UNIT_TESTS)'
.PHONY: check-unit

# The library's, for a sanitizer of threads: the tool has none.
check-library:
	$(MAKE) $(AM_MAKEFLAGS) check TESTS='examples/run.sh $(UNIT_TESTS) $(ROOT_TESTS)'
.PHONY: check-library

# Tests that know INITSYNC_LONG do the whole of what they do a share of otherwise, for which the time of others is too short.
check-long:
	INITSYNC_LONG=1 INITSYNC_SEED=random INITSYNC_TEST_TIMEOUT=7200 $(MAKE) $(AM_MAKEFLAGS) check
	$(MAKE) $(AM_MAKEFLAGS) check-kernels
	$(MAKE) $(AM_MAKEFLAGS) check-missing
	$(MAKE) $(AM_MAKEFLAGS) check-mutations
	$(SHELL) $(top_srcdir)/tests/reproducible.sh $(top_srcdir)
.PHONY: check-long
EXTRA_DIST += tests/reproducible.sh

# What of the library the suite runs: a build of its own, the suite, a table. Fails under 95 % of the lines, 90 % of the branches.
COVERAGE_DIR = coverage
coverage:
	CC='$(CC)' $(SHELL) $(top_srcdir)/tests/coverage/run.sh $(top_srcdir) $(COVERAGE_DIR)
.PHONY: coverage
EXTRA_DIST += tests/coverage/counters.c tests/coverage/counters.ld tests/coverage/report.py tests/coverage/run.sh

# gcc -fanalyzer, clang's analyser, clang-tidy and cppcheck over src/ and tools/. ANALYZE='gcc cppcheck': these.
analyze: config.h
	top_srcdir='$(top_srcdir)' top_builddir='$(top_builddir)' \
	LIBRARY_CFLAGS='$(JSON_C_CFLAGS) $(SECCOMP_CFLAGS) $(CAP_CFLAGS)' \
	$(PYTHON3) $(top_srcdir)/tests/analysis/analyze.py $(ANALYZE)
.PHONY: analyze
EXTRA_DIST += .clang-tidy tools/.clang-tidy tests/analysis/analyze.py tests/analysis/planted.c

# On Debian's older kernels, under qemu: INITSYNC_KERNELS='6.12' is one of them, KERNEL_TESTS='tests/root-seal' a test. Left out is
# what measures time, what compares with other runtimes or with this kernel's documents, and faults of calls that are not there.
KERNEL_TESTS = $(ROOT_TESTS) $(UNIT_TESTS) tests/fault-kernel \
	$(filter-out tests/tool-bench.py tests/tool-equal.py tests/tool-hang.py tests/tool-manual.py tests/tool-seccomp-agent.py, \
	$(filter tests/tool-%.py,$(PYTHON_TESTS)))
check-kernels: all
	$(MAKE) $(AM_MAKEFLAGS) check TESTS=
	$(AM_TESTS_ENVIRONMENT) $(PYTHON3) $(top_srcdir)/tests/kernels/run.py $(KERNEL_TESTS)
.PHONY: check-kernels
EXTRA_DIST += tests/kernels/guest.sh tests/kernels/image.py tests/kernels/init.sh tests/kernels/packages.py tests/kernels/run.py \
	tests/kernels/skips
distclean-local:
	rm -rf kernels
.PHONY: distclean-local

# Without each of the newer system calls: MISSING='statmount' is one of them.
check-missing: all
	$(MAKE) $(AM_MAKEFLAGS) check TESTS=
	$(AM_TESTS_ENVIRONMENT) $(PYTHON3) $(top_srcdir)/tests/missing/run.py $(ROOT_TESTS) $(UNIT_TESTS) \
		$(filter-out tests/tool-bench.py tests/tool-equal.py tests/tool-manual.py,$(filter tests/tool-%.py,$(PYTHON_TESTS)))
.PHONY: check-missing
EXTRA_DIST += tests/missing/refused tests/missing/run.py

# Takes every defence out, one at a time, in a copy of the source, and looks whether its test fails. MUTATIONS='A01 L03': these.
check-mutations:
	$(PYTHON3) $(top_srcdir)/tests/mutations/run.py $(MUTATIONS)
.PHONY: check-mutations
EXTRA_DIST += tests/mutations tests/support/mutation.py

# Must fail under LeakSanitizer: shows that a quiet run of the suite means something. Built on request only.
EXTRA_PROGRAMS += tests/planted-leak
CLEANFILES += tests/planted-leak
tests_planted_leak_LDADD =

EXTRA_DIST += $(SCRIPT_TESTS) $(PYTHON_TESTS) \
	tests/bundles \
	tests/conversations \
	tests/json-verdict.py \
	tests/peer/child.py \
	tests/peer/hung_fuse.py \
	tests/peer/mapping_fuse.py \
	tests/peer/parent.py \
	tests/peer/silent_fuse.py \
	tests/peer/tap.py \
	tests/peer/wire.py \
	tests/run-tap.sh \
	tests/support/box.py \
	tests/support/container.py \
	tests/support/hooks.py \
	tests/support/pages.py \
	tests/support/runtimes.py \
	tests/support/agent.py \
	tests/support/processes.py \
	tests/support/halves.py \
	tests/support/sealing.py \
	tests/support/seccomp.py \
	tests/support/refusals.py \
	tests/support/notified.py \
	tests/support/elsewhere.py \
	tests/support/layers.py \
	tests/support/rootless.py \
	tests/support/sources.py \
	tests/support/tap.py \
	tests/support/terminal.py \
	tests/support/tool.py \
	tests/support/variations.py \
	tests/tap.sh
