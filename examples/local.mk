# SPDX-License-Identifier: MIT
#
# Each example is one file that uses nothing of ours but <initsync.h>. It exits with 0 on success, 77 when it cannot run
# here. `make check` runs them against the built library, `make installcheck` compiles and runs them against the installed one.

EXAMPLES = \
	examples/create-start \
	examples/exec \
	examples/layers \
	examples/many-sessions \
	examples/minimal \
	examples/sealed
if HAVE_CXX
EXAMPLES += examples/cxx
endif

# Every one has these three lines: the defaults are those of the tests, which see the library's inside.
EXAMPLE_CPPFLAGS = -I$(top_srcdir)/include

examples_create_start_SOURCES = examples/create-start.c examples/scratch.h
examples_create_start_CPPFLAGS = $(EXAMPLE_CPPFLAGS)
examples_create_start_LDADD = libinitsync.la

examples_cxx_SOURCES = examples/cxx.cc examples/scratch.h
examples_cxx_CPPFLAGS = $(EXAMPLE_CPPFLAGS)
examples_cxx_LDADD = libinitsync.la

examples_exec_SOURCES = examples/exec.c examples/scratch.h
examples_exec_CPPFLAGS = $(EXAMPLE_CPPFLAGS)
examples_exec_LDADD = libinitsync.la

examples_layers_SOURCES = examples/layers.c examples/scratch.h
examples_layers_CPPFLAGS = $(EXAMPLE_CPPFLAGS)
examples_layers_LDADD = libinitsync.la

examples_many_sessions_SOURCES = examples/many-sessions.c examples/scratch.h
examples_many_sessions_CPPFLAGS = $(EXAMPLE_CPPFLAGS)
examples_many_sessions_LDADD = libinitsync.la

examples_minimal_SOURCES = examples/minimal.c
examples_minimal_CPPFLAGS = $(EXAMPLE_CPPFLAGS)
examples_minimal_LDADD = libinitsync.la

examples_sealed_SOURCES = examples/sealed.c
examples_sealed_CPPFLAGS = $(EXAMPLE_CPPFLAGS)
examples_sealed_LDADD = libinitsync.la

check_PROGRAMS += $(EXAMPLES)
EXTRA_DIST += examples/README.md examples/installed.sh

installcheck-local:
	CC='$(CC)' CXX='$(CXX) -std=c++17' PKG_CONFIG='$(PKG_CONFIG)' FLAGS='$(CFLAGS) $(SANITIZE_CFLAGS)' \
	DESTDIR='$(DESTDIR)' libdir='$(libdir)' pkgconfigdir='$(pkgconfigdir)' \
	$(SHELL) $(top_srcdir)/examples/installed.sh $(top_srcdir) $(EXAMPLES)
