/* SPDX-License-Identifier: MIT */
#ifndef FAULT_ERRORS_H
#define FAULT_ERRORS_H

/* fault_errors() - which errors are plausible for the call of this site; up to a 0 */
const int *fault_errors(int site);

#endif /* FAULT_ERRORS_H */
