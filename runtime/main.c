// The entry point of a compiled program, alone in its file: a program that brings its own
// main links without this one.
#include "runtime/run.h"

int main(int argc, char **argv) {
    return nn_main(argc, argv, &nn_program);
}
