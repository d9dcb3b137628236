/* SPDX-License-Identifier: MIT */
#include <assert.h>
#include <json-c/json.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "bench_report.h"

struct series *report_series(struct report *report, const char *unit, const char *format, ...) {
        struct series *series = &report->series[report->n_series++];
        va_list args;

        assert(report->n_series <= REPORT_SERIES);
        series->unit = unit;
        va_start(args, format);
        vsnprintf(series->name, sizeof(series->name), format, args);
        va_end(args);
        return series;
}

static struct ratio *add_ratio(struct report *report, enum bound bound, double target) {
        struct ratio *ratio = &report->ratios[report->n_ratios++];

        assert(report->n_ratios <= REPORT_RATIOS);
        ratio->bound = bound;
        ratio->target = target;
        return ratio;
}

void report_ratio(struct report *report, const struct series *over, const struct series *under, enum bound bound, double target,
                  const char *format, ...) {
        struct ratio *ratio = add_ratio(report, bound, target);
        va_list args;

        ratio->over = over;
        ratio->under = under;
        va_start(args, format);
        vsnprintf(ratio->what, sizeof(ratio->what), format, args);
        va_end(args);
}

void report_value(struct report *report, double value, enum bound bound, double target, const char *format, ...) {
        struct ratio *ratio = add_ratio(report, bound, target);
        va_list args;

        ratio->value = value;
        va_start(args, format);
        vsnprintf(ratio->what, sizeof(ratio->what), format, args);
        va_end(args);
}

void report_note(struct report *report, const char *format, ...) {
        va_list args;

        if (report->n_notes == REPORT_NOTES)
                return;
        va_start(args, format);
        vsnprintf(report->notes[report->n_notes++], sizeof(report->notes[0]), format, args);
        va_end(args);
}

unsigned report_rounds(const struct report *report, unsigned full) {
        return report->quick ? 2 : full;
}

static struct summary summary(const struct ratio *ratio) {
        if (!ratio->over)
                return (struct summary){ ratio->value, ratio->value, ratio->value, 1 };
        return summary_of_ratio(ratio->over, ratio->under);
}

static bool met(const struct ratio *ratio, const struct summary *found) {
        return found->n > 0 && (ratio->bound == NO_BOUND ||
                                (ratio->bound == AT_MOST ? found->median <= ratio->target : found->median >= ratio->target));
}

int report_missed(const struct report *report) {
        size_t i;
        int missed = 0;

        for (i = 0; i < report->n_ratios; i++) {
                struct summary found = summary(&report->ratios[i]);

                missed += !met(&report->ratios[i], &found);
        }
        return missed;
}

/* As many digits as say something. */
static const char *number(double value, char to[static 24]) {
        double size = value < 0 ? -value : value;

        snprintf(to, 24, size < 10 ? "%.2f" : size < 1000 ? "%.1f" : "%.0f", value);
        return to;
}

static void print_row(const char *what, const struct summary *found, const char *unit, const char *target, const char *verdict) {
        char median[24], low[24], high[24], spread[64];

        if (found->n > 1)
                snprintf(spread, sizeof(spread), "%s .. %s", number(found->low, low), number(found->high, high));
        else
                spread[0] = '\0';
        printf("    %-62s %8s %-5s %-20s %-9s %s\n", what, found->n ? number(found->median, median) : "-", unit, spread, target,
               verdict);
}

void report_print(const struct report *report) {
        size_t i;

        printf("%s: %s\n", report->name, report->what);
        if (report->skipped[0])
                printf("    left out: %s\n", report->skipped);
        for (i = 0; i < report->n_ratios; i++) {
                const struct ratio *ratio = &report->ratios[i];
                struct summary found = summary(ratio);
                char target[32] = "", bound[24];

                if (ratio->bound != NO_BOUND)
                        snprintf(target, sizeof(target), "%s %s", ratio->bound == AT_MOST ? "<=" : ">=",
                                 number(ratio->target, bound));
                print_row(ratio->what, &found, ratio->over ? "x" : "", target,
                          ratio->bound == NO_BOUND ? "" : met(ratio, &found) ? "pass" : "MISS");
        }
        for (i = 0; i < report->n_series; i++) {
                struct summary found = summary_of(&report->series[i]);

                if (found.n)
                        print_row(report->series[i].name, &found, report->series[i].unit, "", "");
        }
        for (i = 0; i < report->n_notes; i++)
                printf("    (%s)\n", report->notes[i]);
        printf("\n");
}

static void add(struct json_object *to, const char *key, struct json_object *value) {
        json_object_object_add(to, key, value);
}

/* Four digits behind the point: json-c would print all seventeen that a double may have. */
static struct json_object *real(double value) {
        char text[64];

        snprintf(text, sizeof(text), "%.4f", value);
        return json_object_new_double_s(value, text);
}

static struct json_object *json_summary(const char *what, const struct summary *found) {
        struct json_object *object = json_object_new_object();

        add(object, "what", json_object_new_string(what));
        add(object, "median", real(found->median));
        add(object, "p10", real(found->low));
        add(object, "p90", real(found->high));
        add(object, "n", json_object_new_int64((int64_t)found->n));
        return object;
}

static struct json_object *json_ratios(const struct report *report) {
        struct json_object *list = json_object_new_array();
        size_t i;

        for (i = 0; i < report->n_ratios; i++) {
                const struct ratio *ratio = &report->ratios[i];
                struct summary found = summary(ratio);
                struct json_object *object = json_summary(ratio->what, &found);

                if (ratio->bound != NO_BOUND) {
                        add(object, ratio->bound == AT_MOST ? "at_most" : "at_least", real(ratio->target));
                        add(object, "pass", json_object_new_boolean(met(ratio, &found)));
                }
                json_object_array_add(list, object);
        }
        return list;
}

struct json_object *report_json(const struct report *report) {
        struct json_object *object = json_object_new_object(), *figures = json_object_new_array(),
                           *notes = json_object_new_array();
        size_t i;

        add(object, "name", json_object_new_string(report->name));
        add(object, "what", json_object_new_string(report->what));
        if (report->skipped[0])
                add(object, "left_out", json_object_new_string(report->skipped));
        add(object, "ratios", json_ratios(report));
        for (i = 0; i < report->n_series; i++) {
                struct summary found = summary_of(&report->series[i]);
                struct json_object *figure;

                if (!found.n)
                        continue;
                figure = json_summary(report->series[i].name, &found);
                add(figure, "unit", json_object_new_string(report->series[i].unit));
                json_object_array_add(figures, figure);
        }
        add(object, "figures", figures);
        for (i = 0; i < report->n_notes; i++)
                json_object_array_add(notes, json_object_new_string(report->notes[i]));
        add(object, "notes", notes);
        return object;
}

void report_clear(struct report *report) {
        size_t i;

        for (i = 0; i < report->n_series; i++)
                series_clear(&report->series[i]);
}
