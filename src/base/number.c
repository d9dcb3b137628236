/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include "base/number.h"

int number_read(const char **text, uint64_t max, uint64_t *ret) {
        const char *s = *text;
        uint64_t value = 0;
        int over = 0;

        if (*s < '0' || *s > '9')
                return -EINVAL;
        for (; *s >= '0' && *s <= '9'; s++) {
                uint64_t digit = (uint64_t)(*s - '0');

                if (digit > max || value > (max - digit) / 10)
                        over = 1;
                else
                        value = value * 10 + digit;
        }
        *text = s;
        if (over)
                return -ERANGE;
        *ret = value;
        return 0;
}
