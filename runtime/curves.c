#include "runtime/curves.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "runtime/log.h"
#include "runtime/output.h"

// Pixels. A panel for each figure, one below the other.
enum { WIDTH = 760, TOP = 46, LEFT = 72, RIGHT = 24, PANEL = 250, PLOT = 190 };

typedef struct Point {
    double x, y;  // epoch, value
} Point;

typedef enum Curve { CURVE_train, CURVE_valid, N_CURVE } Curve;
static const char *const curve_name[N_CURVE] = {"train", "valid"};
static const char *const curve_color[N_CURVE] = {"#2563eb", "#ea580c"};

typedef struct Panel {
    const char *name;
    Buffer points[N_CURVE];
    double low, high;  // of the axis
    bool is_log;
} Panel;

typedef struct Chart {
    Mem mem;
    int n;
    Panel *panel;
    double epochs;  // the last epoch
} Chart;

// ---- from the log's lines to points

static Panel *find_panel(Chart *c, const char *name) {
    for (int i = 0; i < c->n; i++) {
        if (strcmp(c->panel[i].name, name) == 0) return &c->panel[i];
    }
    if ((c->n & (c->n - 1)) == 0) {  // full
        Panel *more = mem_array(&c->mem, 2 * (size_t)c->n + 1, sizeof *more);
        if (c->n) memcpy(more, c->panel, (size_t)c->n * sizeof *more);
        c->panel = more;
    }
    c->panel[c->n] = (Panel){.name = name, .low = INFINITY, .high = -INFINITY};
    return &c->panel[c->n++];
}

static void add_line(Chart *c, const Json *line) {
    const char *split = json_text_in(line, "split", "");
    double epoch = json_number_in(line, "epoch", 0);
    int curve = 0;
    while (curve < N_CURVE && strcmp(curve_name[curve], split) != 0) curve++;
    if (curve == N_CURVE) return;
    for (const Json *f = line->first; f; f = f->next) {
        bool is_figure =
            f->kind == JSON_number && strcmp(f->key, "epoch") && strcmp(f->key, "step");
        Panel *p = is_figure ? find_panel(c, f->key) : NULL;
        if (!p) continue;
        Point point = {epoch, f->number};
        buffer_add(&p->points[curve], &point, sizeof point);
        p->low = point.y < p->low ? point.y : p->low;
        p->high = fmax(p->high, point.y);
        c->epochs = fmax(c->epochs, epoch);
    }
}

static void read_history(Chart *c, const char *history) {
    while (*history) {
        size_t length = line_length(history);
        JsonError error;
        const Json *line = json_parse(&c->mem, history, length, &error);
        if (line && line->kind == JSON_object) add_line(c, line);
        history += length;
    }
}

// ---- axes

// The step of about n ticks over a span: 1, 2 or 5 times a power of ten.
static double tick_step(double span, int n) {
    double power = pow(10, floor(log10(span / n))), rest = span / n / power;
    return power * (rest < 1.5 ? 1 : rest < 3.5 ? 2 : rest < 7.5 ? 5 : 10);
}

// Widens the range to whole ticks; a wide span is drawn by logarithms.
static void settle_axis(Panel *p) {
    p->is_log = p->low > 0 && p->high > 30 * p->low;
    if (p->is_log) {
        p->low = pow(10, floor(log10(p->low)));
        p->high = pow(10, ceil(log10(p->high)));
        return;
    }
    if (!(p->high > p->low)) {
        double room = fmax(fabs(p->high) * 0.1, 1e-6);
        p->low -= room;
        p->high += room;
    }
    double step = tick_step(p->high - p->low, 5);
    p->low = floor(p->low / step) * step;
    p->high = ceil(p->high / step) * step;
}

static double place_x(const Chart *c, double epoch) {
    double span = c->epochs > 1 ? c->epochs - 1 : 1;
    double at = c->epochs > 1 ? (epoch - 1) / span : 0.5;
    return LEFT + at * (WIDTH - LEFT - RIGHT);
}

static double place_y(const Panel *p, double top, double y) {
    double at =
        p->is_log ? log(y / p->low) / log(p->high / p->low) : (y - p->low) / (p->high - p->low);
    return top + PLOT * (1 - at);
}

static void draw_y_tick(Buffer *b, const Panel *p, double top, double y) {
    double at = place_y(p, top, y);
    buffer_format(b, "<path class=\"grid\" d=\"M%d %.1fH%d\"/>", LEFT, at, WIDTH - RIGHT);
    buffer_format(b, "<text class=\"tick\" x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%.6g</text>\n",
                  LEFT - 8, at + 4, y);
}

static void draw_y_axis(Buffer *b, const Panel *p, double top) {
    if (p->is_log) {
        for (double y = p->low; y <= p->high * 1.001; y *= 10) draw_y_tick(b, p, top, y);
        return;
    }
    double step = tick_step(p->high - p->low, 5);
    for (int i = 0; p->low + i * step <= p->high + step / 2; i++) {
        double y = p->low + i * step;
        draw_y_tick(b, p, top, fabs(y) < step * 1e-6 ? 0 : y);
    }
}

static void draw_x_axis(Buffer *b, const Chart *c, double top) {
    double step = fmax(1, tick_step(fmax(c->epochs - 1, 1), 10)), bottom = top + PLOT;
    buffer_format(b, "<path class=\"axis\" d=\"M%d %.1fH%d\"/>\n", LEFT, bottom, WIDTH - RIGHT);
    for (double x = step > 1 ? 0 : 1; x <= c->epochs; x += step) {
        double at = place_x(c, fmax(x, 1));
        buffer_format(b, "<path class=\"axis\" d=\"M%.1f %.1fv4\"/>", at, bottom);
        buffer_format(
            b, "<text class=\"tick\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%.0f</text>\n",
            at, bottom + 18, fmax(x, 1));
    }
}

// ---- drawing

static void draw_curve(Buffer *b, const Chart *c, const Panel *p, Curve curve, double top) {
    const Buffer *points = &p->points[curve];
    size_t n = points->length / sizeof(Point);
    const char *color = curve_color[curve];
    if (n == 0) return;
    buffer_format(b,
                  "<polyline fill=\"none\" stroke=\"%s\" stroke-width=\"2\" "
                  "stroke-linejoin=\"round\" stroke-linecap=\"round\" points=\"",
                  color);
    Point last = {0};
    for (size_t i = 0; i < n; i++) {
        memcpy(&last, points->data + i * sizeof last, sizeof last);
        buffer_format(b, "%.1f,%.1f ", place_x(c, last.x), place_y(p, top, last.y));
    }
    buffer_format(b, "\"/><circle cx=\"%.1f\" cy=\"%.1f\" r=\"3.5\" fill=\"%s\"/>\n",
                  place_x(c, last.x), place_y(p, top, last.y), color);
}

// Names at the right of the panel's title, each with its color and its last value.
static void draw_legend(Buffer *b, const Panel *p, double y) {
    int x = WIDTH - RIGHT - 120;
    for (int curve = N_CURVE - 1; curve >= 0; curve--) {
        const Buffer *points = &p->points[curve];
        if (points->length == 0) continue;
        Point last;
        memcpy(&last, points->data + points->length - sizeof last, sizeof last);
        buffer_format(b, "<path d=\"M%d %.1fh18\" stroke=\"%s\" stroke-width=\"3\"/>", x, y - 4,
                      curve_color[curve]);
        buffer_format(b, "<text class=\"legend\" x=\"%d\" y=\"%.1f\">%s %.4g</text>\n", x + 24, y,
                      curve_name[curve], last.y);
        x -= 140;
    }
}

static void put_escaped(Buffer *b, const char *text) {
    for (; *text; text++) {
        if (strchr("<>&\"", *text)) {
            buffer_format(b, "&#%d;", *text);
        } else {
            buffer_add(b, text, 1);
        }
    }
}

static void draw_panel(Buffer *b, const Chart *c, Panel *p, double top) {
    settle_axis(p);
    buffer_format(b, "<text class=\"name\" x=\"%d\" y=\"%.1f\">", LEFT, top - 12);
    put_escaped(b, p->name);
    buffer_format(b, "</text>\n");
    draw_legend(b, p, top - 12);
    draw_y_axis(b, p, top);
    draw_x_axis(b, c, top);
    for (int curve = 0; curve < N_CURVE; curve++) draw_curve(b, c, p, (Curve)curve, top);
}

static const char style[] =
    "<style>text{font-family:system-ui,-apple-system,'Segoe UI',sans-serif;fill:#1f2937}"
    ".title{font-size:16px;font-weight:600}.name{font-size:13px;font-weight:600}"
    ".tick{font-size:11px;fill:#6b7280}.legend{font-size:12px;fill:#374151}"
    ".grid{stroke:#e5e7eb;fill:none}.axis{stroke:#9ca3af;fill:none}</style>\n";

void curves_draw(Buffer *b, const char *title, const char *history) {
    Chart c = {0};
    read_history(&c, history);
    int height = TOP + c.n * PANEL + 24;
    buffer_format(b,
                  "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" "
                  "height=\"%d\">\n",
                  WIDTH, height, WIDTH, height);
    buffer_add(b, style, sizeof style - 1);
    buffer_format(b, "<rect width=\"%d\" height=\"%d\" fill=\"#ffffff\"/>\n", WIDTH, height);
    buffer_format(b, "<text class=\"title\" x=\"%d\" y=\"28\">", LEFT);
    put_escaped(b, title);
    buffer_format(b, "</text>\n");
    for (int i = 0; i < c.n; i++) draw_panel(b, &c, &c.panel[i], TOP + 30 + i * PANEL);
    buffer_format(
        b, "<text class=\"tick\" x=\"%d\" y=\"%d\" text-anchor=\"middle\">epoch</text>\n</svg>\n",
        (LEFT + WIDTH - RIGHT) / 2, height - 10);
    for (int i = 0; i < c.n; i++) {
        for (int k = 0; k < N_CURVE; k++) buffer_free(&c.panel[i].points[k]);
    }
    mem_free(&c.mem);
}

void curves_save(const char *folder, const char *title, const Buffer *history) {
    if (history->length == 0) return;
    Mem mem = {0};
    Buffer svg = {0};
    curves_draw(&svg, title, history->data);
    output_save(&mem, mem_format(&mem, "%s/curves.svg", folder), &svg);
    buffer_free(&svg);
    mem_free(&mem);
}
