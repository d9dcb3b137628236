# SPDX-License-Identifier: MIT
#
# The manual, in mdoc(7). A page is found by each function's name in its NAME section: links are made where it is installed.

MAN_PAGES = \
	doc/man/initsync.7 \
	doc/man/initsync_child.3 \
	doc/man/initsync_error.3 \
	doc/man/initsync_exe_seal.3 \
	doc/man/initsync_feature.3 \
	doc/man/initsync_idmap_parse.3 \
	doc/man/initsync_mount_open.3 \
	doc/man/initsync_overlay_open.3 \
	doc/man/initsync_parent.3 \
	doc/man/initsync_userns.3
dist_man_MANS = $(MAN_PAGES)
if BUILD_TOOLS
dist_man_MANS += doc/man/syncdemo.1
else
EXTRA_DIST += doc/man/syncdemo.1
endif

# Runs $$command with $$name and $$page for each name that is not its page's own.
FOR_MAN_LINKS = \
	for page in $(MAN_PAGES); do \
		file=$(srcdir)/$$page; page=$${page\#\#*/}; page=$${page%.*}; \
		for name in `sed -n '/^\.Nd/q; s/^\.Nm \([a-z_]*\).*/\1/p' $$file`; do \
			test $$name = $$page || eval "$$command" || exit 1; \
		done; \
	done

install-data-hook:
	@command='echo ".so man3/$$page.3" >"$(DESTDIR)$(man3dir)/$$name.3"'; $(FOR_MAN_LINKS)

uninstall-hook:
	@command='rm -f "$(DESTDIR)$(man3dir)/$$name.3"'; $(FOR_MAN_LINKS)
