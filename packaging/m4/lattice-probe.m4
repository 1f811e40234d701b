# SPDX-License-Identifier: Apache-2.0
# Small macros of our own, so that configure.ac stays on two screens.

# LP_SWITCH(NAME, HELP): --enable-NAME, off by default, kept in enable_NAME.
AC_DEFUN([LP_SWITCH],
  [AC_ARG_ENABLE([$1], [AS_HELP_STRING([--enable-$1], [$2])], [], [enable_$1=no])])

# LP_ADD_FLAGS(VARIABLE, FLAGS): appends each compiler flag that this compiler takes. gcc takes any
# -Wno-x in silence until it has something else to say, so -Wx is asked for instead.
AC_DEFUN([LP_ADD_FLAGS],
  [for lp_flag in $2; do
     AC_MSG_CHECKING([whether $CC takes $lp_flag])
     lp_saved_CFLAGS=$CFLAGS
     CFLAGS="$CFLAGS -Werror `AS_ECHO(["$lp_flag"]) | sed 's/^-Wno-/-W/'`"
     AC_COMPILE_IFELSE([AC_LANG_PROGRAM([], [])],
       [AC_MSG_RESULT([yes])
        $1="$$1 $lp_flag"],
       [AC_MSG_RESULT([no])])
     CFLAGS=$lp_saved_CFLAGS
   done])

# LP_NEED_FLAGS(VARIABLE, FLAGS): the same for flags that were asked for: configure stops when one
# does not compile and link.
AC_DEFUN([LP_NEED_FLAGS],
  [for lp_flag in $2; do
     AC_MSG_CHECKING([whether $CC builds with $lp_flag])
     lp_saved_CFLAGS=$CFLAGS
     CFLAGS="$CFLAGS -Werror $lp_flag"
     AC_LINK_IFELSE([AC_LANG_PROGRAM([], [])],
       [AC_MSG_RESULT([yes])
        $1="$$1 $lp_flag"],
       [AC_MSG_RESULT([no])
        AC_MSG_ERROR([$CC does not build with $lp_flag, which was asked for])])
     CFLAGS=$lp_saved_CFLAGS
   done])

# LP_PYTHON_MODULE(NAME): have_NAME is yes when $PYTHON3 can import it.
AC_DEFUN([LP_PYTHON_MODULE],
  [AC_MSG_CHECKING([whether $PYTHON3 has $1])
   AS_IF([$PYTHON3 -c 'import $1' >/dev/null 2>&1], [have_$1=yes], [have_$1=no])
   AC_MSG_RESULT([$have_$1])])

# LP_ADD_LDFLAGS(VARIABLE, FLAGS): the same for the linker.
AC_DEFUN([LP_ADD_LDFLAGS],
  [for lp_flag in $2; do
     AC_MSG_CHECKING([whether the linker takes $lp_flag])
     lp_saved_LDFLAGS=$LDFLAGS
     lp_saved_CFLAGS=$CFLAGS
     LDFLAGS="$LDFLAGS $lp_flag"
     CFLAGS="$CFLAGS $HARDEN_CFLAGS"
     AC_LINK_IFELSE([AC_LANG_PROGRAM([], [])],
       [AC_MSG_RESULT([yes])
        $1="$$1 $lp_flag"],
       [AC_MSG_RESULT([no])])
     LDFLAGS=$lp_saved_LDFLAGS
     CFLAGS=$lp_saved_CFLAGS
   done])

# LP_FORTIFY: _FORTIFY_SOURCE=3 when the compiler optimises and the user did not choose a level.
AC_DEFUN([LP_FORTIFY],
  [AC_MSG_CHECKING([whether _FORTIFY_SOURCE can be set])
   lp_saved_CPPFLAGS=$CPPFLAGS
   CPPFLAGS="$CPPFLAGS -Werror -D_FORTIFY_SOURCE=3"
   AC_COMPILE_IFELSE([AC_LANG_PROGRAM([[
#ifndef __OPTIMIZE__
#error "needs optimisation"
#endif
#include <string.h>]], [])],
     [AC_MSG_RESULT([yes])
      HARDEN_CPPFLAGS="-D_FORTIFY_SOURCE=3"],
     [AC_MSG_RESULT([no])])
   CPPFLAGS=$lp_saved_CPPFLAGS])

# LP_SYSTEMD_FOLDER(NAME, WHAT, UNDER-PREFIX): --with-NAME=DIR, the folder that WHAT is installed in;
# `no` leaves it out. Without the option: that of systemd's .pc file when the prefix is the system's, so
# that a user's own prefix, or that of make distcheck, needs no rights elsewhere.
AC_DEFUN([LP_SYSTEMD_FOLDER],
  [AC_ARG_WITH([$1],
     [AS_HELP_STRING([--with-$1=DIR], [install $2 in DIR; no: leave it out])],
     [],
     [AS_CASE([$prefix],
        [NONE|/usr|/usr/local], [with_$1=`$PKG_CONFIG --variable=$1 systemd 2>/dev/null`],
        [with_$1='${prefix}/$3'])])
   AS_CASE([$with_$1], [yes|""], [with_$1=/usr/$3])
   AC_SUBST([$1], [$with_$1])
   AM_CONDITIONAL([HAVE_]m4_toupper([$1]), [test "$with_$1" != no])])
