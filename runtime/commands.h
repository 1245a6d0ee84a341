// The commands of a compiled program and their flags, once: the runtime reads them (flags.c), the
// compiler makes the program's help of them (driver/help.c).
#ifndef NN_RUNTIME_COMMANDS_H
#define NN_RUNTIME_COMMANDS_H

// Name, argument, what it does.
#define NN_COMMANDS(X) \
    X(train, "", "train, keep checkpoints, report on the test split") \
    X(eval, "", "loss and metrics of a split, with the best weights") \
    X(predict, "FILE", "outputs for the rows of a file, as CSV or NPY") \
    X(generate, "", "what the model makes of a prompt, place by place") \
    X(search, "", "train with other values of what declares a range") \
    X(gradcheck, "", "hold the gradients against central differences") \
    X(bench, "", "time the training step; prints one JSON line") \
    X(profile, "", "time each kernel of it, beside the machine's limits") \
    X(summary, "", "the layers, their shapes and sizes") \
    X(info, "", "the manifest that was compiled in") \
    X(help, "", "this text")

typedef enum Command {
#define X(name, argument, what) COMMAND_##name,
    NN_COMMANDS(X)
#undef X
    N_COMMAND,
} Command;

enum {  // whose flag it is
    TRAIN = 1 << COMMAND_train,
    EVAL = 1 << COMMAND_eval,
    PREDICT = 1 << COMMAND_predict,
    CHECK = 1 << COMMAND_gradcheck,
    GENERATE = 1 << COMMAND_generate,
    SEARCH = 1 << COMMAND_search,
    BENCH = 1 << COMMAND_bench | 1 << COMMAND_profile,
    RUN = TRAIN | EVAL | PREDICT | SEARCH | CHECK | BENCH | GENERATE,
};

// Name, argument, what it takes, from what number, to what number, whose it is, its place in
// Options, what it means.
#define NN_FLAGS(X) \
    X("data", "[NAME=]PATH", text, 0, 0, RUN, data, \
      "the data: a folder, or the file itself") \
    X("epochs", "N", count, 1, 1000000000, TRAIN | SEARCH, epochs, \
      "passes over the training split") \
    X("steps", "N", count, 1, 1000000000, TRAIN | BENCH | SEARCH, steps, \
      "updates to make; for bench and profile, steps to time") \
    X("batch-limit", "N", count, 1, 1000000000, TRAIN | EVAL | SEARCH, batch_limit, \
      "at most so many batches in an epoch, or of the split") \
    X("seed", "N", count, 0, 4294967295, RUN, seed, \
      "of initial values, dropout and the order of rows (default 1)") \
    X("threads", "N", count, 1, MAX_THREADS, RUN, threads, \
      "threads to use (default: the cores available); never changes a result") \
    X("ckpt", "PATH", text, 0, 0, TRAIN | EVAL | PREDICT | SEARCH | GENERATE, ckpt, \
      "folder of checkpoints (default NAME.ckpt); empty: keep none") \
    X("ckpt-every", "N", count, 1, 1000000000, TRAIN, ckpt_every, \
      "a checkpoint every N steps, besides those after each epoch") \
    X("keep", "K", count, 1, 100000, TRAIN, keep, \
      "how many of the last step-N checkpoints stay (default 2)") \
    X("resume", "[=auto|PATH]", maybe, 0, 0, TRAIN | SEARCH, resume, \
      "go on from a checkpoint, by default the last one") \
    X("load", "FILE", text, 0, 0, RUN, load, \
      "weights from a safetensors file with the same names") \
    X("log", "FILE", text, 0, 0, TRAIN | EVAL | SEARCH, log, \
      "JSON lines: one for each split and epoch") \
    X("log-every", "N", count, 1, 1000000000, TRAIN, log_every, \
      "a line in the log every N steps, too") \
    X("folds", "K", count, 2, 1000000, TRAIN | SEARCH, folds, \
      "cross-validation: K trainings, each validated on another Kth of the rows") \
    X("ensemble", "N", count, 2, 1000000, TRAIN, ensemble, \
      "train N members with seeds from --seed on; their outputs are averaged") \
    X("bagging", "", yes, 0, 0, TRAIN, bagging, \
      "each member on as many rows, drawn with replacement") \
    X("trials", "N", count, 1, 1000000, SEARCH, trials, "values drawn at random (default 20)") \
    X("grid", "N", count, 1, 1000000, SEARCH, grid, \
      "N values of each range instead, all of a list, all combinations") \
    X("by", "NAME", text, 0, 0, SEARCH, by, \
      "the validation's figure that decides (default loss)") \
    X("overfit", "N", count, 1, 1000000000, TRAIN, overfit, \
      "train on the first N rows alone, to see whether the loss vanishes") \
    X("patience", "N", count, 1, 1000000000, TRAIN | SEARCH, patience, \
      "stop after N epochs without a smaller validation loss") \
    X("max-time", "S", real, 0, 1000000000, TRAIN, max_time, "stop after S seconds") \
    X("dry-run", "", yes, 0, 0, TRAIN, dry_run, \
      "read all data and make one step; writes nothing") \
    X("quiet", "", yes, 0, 0, TRAIN | EVAL | SEARCH, quiet, "only the last line, and errors") \
    X("split", "NAME", split, 0, 0, EVAL, split, "train, valid or test (default test)") \
    X("output", "FILE", text, 0, 0, PREDICT, output, "also -o: where to write") \
    X("prompt", "TEXT", text, 0, 0, GENERATE, prompt, "what to go on from") \
    X("prompt-file", "FILE", text, 0, 0, GENERATE, prompt_file, "the same from a file") \
    X("length", "N", count, 0, 1000000000, GENERATE, length, "how many places to generate") \
    X("temperature", "X", real, 0, 1000000, GENERATE, temperature, \
      "what scores are divided by before one is drawn (default 1)") \
    X("top-k", "N", count, 0, 1000000000, GENERATE, top_k, "draw one of the N likeliest") \
    X("top-p", "X", real, 0, 1, GENERATE, top_p, \
      "draw one of the likeliest that have the probability X together") \
    X("greedy", "", yes, 0, 0, GENERATE, greedy, "take the likeliest") \
    X("count", "N", count, 1, 1000000, GENERATE, count, "sequences, each with draws of its own") \
    X("beam", "N", count, 1, 1000000, GENERATE, beam, \
      "the likeliest of N sequences that are followed side by side") \
    X("warmup", "N", count, 0, 1000000000, BENCH, warmup, "steps before the clock starts") \
    X("samples", "N", count, 1, 1000000000, CHECK, samples, \
      "elements to check of each parameter (default 50)") \
    X("tolerance", "X", real, 0, 1000000000, CHECK, tolerance, \
      "largest relative error (default 1e-6; 1e-2 in f32)")

#endif
