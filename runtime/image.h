// Pictures: JPEG and PNG files in memory become bytes, by libjpeg and libpng.
#ifndef NN_RUNTIME_IMAGE_H
#define NN_RUNTIME_IMAGE_H

#include <stdbool.h>
#include <stddef.h>

#pragma GCC visibility push(hidden)

typedef struct ImageShape {
    int height, width, channels;  // 1 grey, 3 red, green and blue
} ImageShape;

// Does a file that begins so hold a picture that can be read?
bool image_is_known(const unsigned char *start, size_t bytes);

// Row by row, pixel by pixel, channel by channel. Grey becomes colour by being repeated, colour
// grey by its luma (0.299, 0.587, 0.114); transparency is dropped, 16 bits become 8. False, with
// the reason in `why`, where the file is broken or its picture has another size.
bool image_decode(const unsigned char *file, size_t bytes, ImageShape shape, unsigned char *to,
                  char why[200]);

#pragma GCC visibility pop

#endif
