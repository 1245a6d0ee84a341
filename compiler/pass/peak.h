// Peak: the order of an entry point's kernels, and what runs again, so that less is alive at the
// moment when the most is. No list that is found here changes a bit (runs.h).
//
// Step by step: of what lies in memory at the peak and is not touched there, something is made
// later, or used up earlier, or given up until it is wanted again and made by running (parts of)
// kernels a second time; what those read is kept until then, or made again, too. Each step is
// the one that frees the most bytes at the peak for the time that it costs.
#ifndef NNC_PASS_PEAK_H
#define NNC_PASS_PEAK_H

#include "pass/runs.h"

typedef struct Search {
    Model *m;
    Runs ordered;            // with every kernel once, in the best order
    VEC(Runs) descent;       // from there to the lowest peak that is found
    Runs now, trial, best;   // the list so far; one that is tried; the best of those
    Timeline *t, *tried, *before;
    int64_t target;          // fewer bytes than this gain nothing
    double best_score;
    int tried_less, best_less;  // the thing that a kernel at the peak is not to store
    Map *needed;             // pairs of a kernel and a thing that it can't do without
    Runs batch;              // what is to run again
    int *made;               // by thing: the version that the batch makes, or FRESH
    int *made_thing;         // what each run of the batch is for
    int n_made;
    int *next;               // by thing: the first run behind the peak that touches it
} Search;

Search *search_new(Model *m);

// Changes the order alone, for as long as that lowers the peak. Before all else.
void search_order(Search *s);
// Finds a list for which `bytes` are enough for what the function keeps in memory for a while.
bool search_fit(Search *s, int64_t bytes);
// The list where nothing was found that would lower the peak further.
void search_lowest(Search *s);

#endif
