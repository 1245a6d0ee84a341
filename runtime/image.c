#include "runtime/image.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jerror.h>
#include <jpeglib.h>
#include <png.h>

typedef struct Decoding {
    const unsigned char *file;
    size_t bytes, at;
    ImageShape shape;
    unsigned char *to;
    char *why;
    jmp_buf out;
} Decoding;

static bool fits(const Decoding *d, unsigned height, unsigned width) {
    if ((int)height == d->shape.height && (int)width == d->shape.width) return true;
    snprintf(d->why, 200, "%u x %u pixels, expected %d x %d (height x width)", height, width,
             d->shape.height, d->shape.width);
    return false;
}

// ---- JPEG

typedef struct JpegErrors {
    struct jpeg_error_mgr manager;
    Decoding *decoding;
} JpegErrors;

static void jpeg_fails(j_common_ptr jpeg) {
    JpegErrors *e = (JpegErrors *)jpeg->err;
    char text[JMSG_LENGTH_MAX];
    jpeg->err->format_message(jpeg, text);
    snprintf(e->decoding->why, 200, "corrupted JPEG: %.150s", text);
    longjmp(e->decoding->out, 1);
}

// Warnings mean that pixels were made up, but for bytes between markers, which cameras leave.
static void jpeg_warns(j_common_ptr jpeg, int level) {
    if (level < 0 && jpeg->err->msg_code != JWRN_EXTRANEOUS_DATA) jpeg_fails(jpeg);
}

static bool decode_rows(struct jpeg_decompress_struct *jpeg, Decoding *d) {
    jpeg_read_header(jpeg, TRUE);
    if (!fits(d, jpeg->image_height, jpeg->image_width)) return false;
    if (jpeg->jpeg_color_space == JCS_CMYK || jpeg->jpeg_color_space == JCS_YCCK) {
        snprintf(d->why, 200, "a JPEG for printing (CMYK), expected grey or colour");
        return false;
    }
    jpeg->out_color_space = d->shape.channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
    jpeg->dct_method = JDCT_ISLOW;
    jpeg_start_decompress(jpeg);
    size_t row_bytes = (size_t)d->shape.width * (size_t)d->shape.channels;
    while (jpeg->output_scanline < jpeg->output_height) {
        unsigned char *row = d->to + jpeg->output_scanline * row_bytes;
        jpeg_read_scanlines(jpeg, &row, 1);
    }
    jpeg_finish_decompress(jpeg);
    return true;
}

static bool decode_jpeg(Decoding *d) {
    struct jpeg_decompress_struct jpeg;
    JpegErrors errors = {.decoding = d};
    volatile bool done = false;
    jpeg.err = jpeg_std_error(&errors.manager);
    errors.manager.error_exit = jpeg_fails;
    errors.manager.emit_message = jpeg_warns;
    jpeg_create_decompress(&jpeg);
    if (!setjmp(d->out)) {
        jpeg_mem_src(&jpeg, d->file, d->bytes);
        done = decode_rows(&jpeg, d);
    }
    jpeg_destroy_decompress(&jpeg);
    return done;
}

// ---- PNG

static void png_fails(png_structp png, png_const_charp text) {
    Decoding *d = png_get_error_ptr(png);
    snprintf(d->why, 200, "corrupted PNG: %.150s", text);
    longjmp(d->out, 1);
}

static void png_warns(png_structp png, png_const_charp text) {
    (void)png, (void)text;
}

static void png_bytes(png_structp png, png_bytep to, size_t bytes) {
    Decoding *d = png_get_io_ptr(png);
    if (bytes > d->bytes - d->at) png_error(png, "ends too early");
    memcpy(to, d->file + d->at, bytes);
    d->at += bytes;
}

// From what the file holds to rows of one or three bytes a pixel.
static void make_plain(const unsigned char *from, int have, int want, size_t pixels,
                       unsigned char *to) {
    for (size_t i = 0; i < pixels; i++, from += have, to += want) {
        if (want == have) {
            memcpy(to, from, (size_t)want);
        } else if (want == 3) {
            memset(to, from[0], 3);
        } else {
            *to = (unsigned char)((19595u * from[0] + 38470u * from[1] + 7471u * from[2] + 32768u) >>
                                  16);
        }
    }
}

typedef struct PngRows {
    unsigned char *pixels;
    png_bytep *row;
} PngRows;

static bool decode_png_rows(png_structp png, png_infop info, Decoding *d, PngRows *rows) {
    png_set_read_fn(png, d, png_bytes);
    png_read_info(png, info);
    unsigned height = png_get_image_height(png, info), width = png_get_image_width(png, info);
    if (!fits(d, height, width)) return false;
    png_set_expand(png);
    png_set_scale_16(png);
    png_set_strip_alpha(png);
    png_set_interlace_handling(png);
    png_read_update_info(png, info);
    size_t row_bytes = png_get_rowbytes(png, info);
    int have = png_get_channels(png, info);
    rows->pixels = malloc(row_bytes * height);
    rows->row = malloc(sizeof *rows->row * height);
    if (!rows->pixels || !rows->row || (have != 1 && have != 3)) png_error(png, "cannot be held");
    for (unsigned i = 0; i < height; i++) rows->row[i] = rows->pixels + i * row_bytes;
    png_read_image(png, rows->row);
    png_read_end(png, NULL);
    make_plain(rows->pixels, have, d->shape.channels, (size_t)height * width, d->to);
    return true;
}

static bool decode_png(Decoding *d) {
    png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, d, png_fails, png_warns);
    png_infop info = png ? png_create_info_struct(png) : NULL;
    PngRows *rows = calloc(1, sizeof *rows);
    volatile bool done = false;
    if (!info || !rows) snprintf(d->why, 200, "no memory to read it");
    else if (!setjmp(d->out)) done = decode_png_rows(png, info, d, rows);
    png_destroy_read_struct(&png, &info, NULL);
    if (rows) {
        free(rows->pixels);
        free(rows->row);
    }
    free(rows);
    return done;
}

// ----

static bool is_jpeg(const unsigned char *start, size_t bytes) {
    return bytes >= 3 && memcmp(start, "\xff\xd8\xff", 3) == 0;
}

static bool is_png(const unsigned char *start, size_t bytes) {
    return bytes >= 8 && memcmp(start, "\x89PNG\r\n\x1a\n", 8) == 0;
}

bool image_is_known(const unsigned char *start, size_t bytes) {
    return is_jpeg(start, bytes) || is_png(start, bytes);
}

bool image_decode(const unsigned char *file, size_t bytes, ImageShape shape, unsigned char *to,
                  char why[200]) {
    Decoding d = {.file = file, .bytes = bytes, .shape = shape, .to = to, .why = why};
    if (is_jpeg(file, bytes)) return decode_jpeg(&d);
    if (is_png(file, bytes)) return decode_png(&d);
    snprintf(why, 200, "neither a JPEG nor a PNG file");
    return false;
}
