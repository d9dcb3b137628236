# SPDX-License-Identifier: MIT

# INITSYNC_CC_FLAGS(VARIABLE, FLAGS)
# Appends to VARIABLE those flags that the C compiler takes without a warning, and prints the answer for each: a misspelt
# flag shows as "no". -Werror, because clang only warns of an option that it does not know.
AC_DEFUN([INITSYNC_CC_FLAGS], [m4_foreach_w([_flag], [$2], [_INITSYNC_CC_FLAG([$1], m4_defn([_flag]))])])
AC_DEFUN([_INITSYNC_CC_FLAG], [
        AS_VAR_PUSHDEF([cache], [initsync_cv_cc_$2])
        AC_CACHE_CHECK([whether $CC takes $2], [cache], [
                initsync_saved=$CFLAGS
                CFLAGS="$CFLAGS -Werror $2"
                AC_COMPILE_IFELSE([AC_LANG_PROGRAM], [AS_VAR_SET([cache], [yes])], [AS_VAR_SET([cache], [no])])
                CFLAGS=$initsync_saved])
        AS_VAR_IF([cache], [yes], [AS_VAR_APPEND([$1], [" $2"])])
        AS_VAR_POPDEF([cache])])

# INITSYNC_LD_FLAGS(VARIABLE, FLAGS)
# The same for the linker.
AC_DEFUN([INITSYNC_LD_FLAGS], [m4_foreach_w([_flag], [$2], [_INITSYNC_LD_FLAG([$1], m4_defn([_flag]))])])
AC_DEFUN([_INITSYNC_LD_FLAG], [
        AS_VAR_PUSHDEF([cache], [initsync_cv_ld_$2])
        AC_CACHE_CHECK([whether the linker takes $2], [cache], [
                initsync_saved=$LDFLAGS
                LDFLAGS="$LDFLAGS $2"
                AC_LINK_IFELSE([AC_LANG_PROGRAM], [AS_VAR_SET([cache], [yes])], [AS_VAR_SET([cache], [no])])
                LDFLAGS=$initsync_saved])
        AS_VAR_IF([cache], [yes], [AS_VAR_APPEND([$1], [" $2"])])
        AS_VAR_POPDEF([cache])])

# INITSYNC_FORTIFY(VARIABLE)
# Appends what makes the C library's functions check sizes. It wants optimisation, and says so by a warning; a user or a distribution
# that has asked for another level keeps it, which shows as a warning as well.
AC_DEFUN([INITSYNC_FORTIFY], [
        AC_CACHE_CHECK([whether $CC takes -D_FORTIFY_SOURCE=3], [initsync_cv_fortify], [
                initsync_saved=$CPPFLAGS
                initsync_saved_cflags=$CFLAGS
                CPPFLAGS="-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3 $CPPFLAGS"
                CFLAGS="$CFLAGS -Werror"
                AC_COMPILE_IFELSE([AC_LANG_PROGRAM([#include <string.h>])],
                                  [initsync_cv_fortify=yes], [initsync_cv_fortify=no])
                CPPFLAGS=$initsync_saved
                CFLAGS=$initsync_saved_cflags])
        AS_VAR_IF([initsync_cv_fortify], [yes], [AS_VAR_APPEND([$1], [" -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3"])])])

# INITSYNC_PART(NAME, HELP, MISSING)
# --enable-NAME: built when the shell variable MISSING is empty. "yes" makes its absence an error, "no" leaves the part out.
# Sets build_NAME to "yes" or to a reason for the summary.
AC_DEFUN([INITSYNC_PART], [
        AC_ARG_ENABLE([$1], [AS_HELP_STRING([--enable-$1], [$2 (default: if all they need is there)])], [], [enable_$1=auto])
        AS_IF([test "$enable_$1" = no], [build_$1="no (--disable-$1)"],
              [test -z "$$3"], [build_$1=yes],
              [test "$enable_$1" = yes], [AC_MSG_ERROR([--enable-$1 needs:$$3])],
              [build_$1="no, missing:$$3"])])
