// Replicate: a stored value that is cheap to compute again is computed in every region that
// reads it, into that region's scratch, and never stored: the padded copy of an image, for the
// convolution and for its weight gradient. So is, once, a large one that stands on a short product:
// attention's exponentials, with their scores.
#include "pass/fuse.h"
#include "pass/recompute.h"

typedef struct Site {  // a member that reads the value
    Region *region;
    Nest *nest;
    Value *reader;
} Site;

typedef struct Sites {
    Site *at;
    int n, cap;
} Sites;

typedef struct Replication {
    FunctionSchedule *fs;
    Arena *arena, *scratch;
    Map *sites;   // Value * to Sites *, of what a region computes
    Map *home;    // values that are kept stored, to the Region * that computes them
    Map *inside;  // values that are not, to the Region * that alone computes them
    Map *whole;   // values that something sees as a whole: results, reshapes, joins
    bool with_products;  // at last, when what is cheap is made again wherever it can be
} Replication;

static void add_site(Replication *r, Value *v, Site site) {
    Sites *sites = map_get(r->sites, v);
    if (!sites) {
        sites = NEW(r->scratch, Sites);
        map_set(r->sites, v, sites);
    }
    vec_push(r->scratch, sites, site);
}

static void add_sites(Replication *r, Region *region, Nest *nest, Value *v) {
    Values operands = value_operands(v, r->scratch);
    for (int i = 0; i < operands.n; i++)
        if (operands.at[i]->op > VAL_state) add_site(r, operands.at[i], (Site){region, nest, v});
}

static void drop_sites(Replication *r, const Region *region, const Value *v) {
    Values operands = value_operands(v, r->scratch);
    for (int i = 0; i < operands.n; i++) {
        Sites *sites = map_get(r->sites, operands.at[i]);
        int n = 0;
        for (int k = 0; sites && k < sites->n; k++)
            if (sites->at[k].region != region || sites->at[k].reader != v)
                sites->at[n++] = sites->at[k];
        if (sites) sites->n = n;
    }
}

static void note_member(Replication *r, Region *region, Nest *nest, const Member *member) {
    Value *v = member->v;
    map_set(member->keep == KEEP_stored ? r->home : r->inside, v, region);
    Values operands = value_operands(v, r->scratch);
    for (int i = 0; i < operands.n; i++) {
        Value *of = operands.at[i];
        if (v->op != VAL_index || of != storage_root(of)) map_set(r->whole, storage_root(of), v);
    }
    add_sites(r, region, nest, v);
}

static void note_all(Replication *r) {
    const Function *f = r->fs->fn;
    r->sites = map_new(r->scratch);
    r->home = map_new(r->scratch);
    r->inside = map_new(r->scratch);
    r->whole = map_new(r->scratch);
    for (int i = 0; i < r->fs->regions.n; i++) {
        Region *region = r->fs->regions.at[i];
        Values kept = {0};  // what a scan starts from and gives
        if (region->scan) kept = value_operands(region->scan, r->scratch);
        for (int k = 0; k < kept.n; k++) map_set(r->whole, storage_root(kept.at[k]), region->scan);
        for (int n = 0; n < region->nests.n; n++)
            for (int k = 0; k < region->nests.at[n]->members.n; k++)
                note_member(r, region, region->nests.at[n], &region->nests.at[n]->members.at[k]);
    }
    for (int i = 0; i < f->results.n; i++) {
        Value *root = storage_root(f->results.at[i].v);
        map_set(r->whole, root, root);
    }
}

static bool is_updated(const Function *f, const Value *leaf) {
    for (int i = 0; i < f->updates.n; i++)
        if (f->updates.at[i].target == leaf) return true;
    return false;
}

// Can the value be stored where it is computed, for what takes the place of a much larger one (a
// row's sum, for its softmax)?
static bool can_store(const Replication *r, const Value *v, const Value *instead_of) {
    enum { SMALL = 16 };
    const Region *region = map_get(r->inside, v);
    return region && !region->scan && v->op == VAL_index &&
           SMALL * type_count(&v->type) <= type_count(&instead_of->type);
}

// What v is made of can be read anywhere after v.
static bool is_stored_source(const Replication *r, Value *source, const Value *v) {
    if (source->op <= VAL_state) return !is_updated(r->fs->fn, source);
    return map_get(r->home, source) || can_store(r, source, v);
}

static bool has_stored_sources(const Replication *r, const Value *v) {
    Values operands = value_operands(v, r->scratch);
    for (int i = 0; i < operands.n; i++)
        if (!is_stored_source(r, storage_root(operands.at[i]), v)) return false;
    return true;
}

static void store(Replication *r, Value *v) {
    Region *region = map_get(r->inside, v);
    for (int n = 0; n < region->nests.n; n++)
        for (int k = 0; k < region->nests.at[n]->members.n; k++)
            if (region->nests.at[n]->members.at[k].v == v)
                region->nests.at[n]->members.at[k].keep = KEEP_stored;
    map_set(r->home, v, region);
    map_set(r->inside, v, NULL);
}

static void store_sources(Replication *r, const Value *v, const Value *but) {
    Values operands = value_operands(v, r->scratch);
    for (int i = 0; i < operands.n; i++) {
        Value *root = storage_root(operands.at[i]);
        if (root->op > VAL_state && root != but && !map_get(r->home, root)) store(r, root);
    }
}

// The reader's region runs over v's leading axes, and reads only what its iteration has made.
static bool can_stage(const Replication *r, const Value *v, const Site *site) {
    const Region *region = site->region;
    if (!region->n_outer || region->n_outer > v->type.rank || region->scan) return false;
    for (int i = 0; i < region->n_outer; i++)
        if (!dim_equal(region->outer[i], v->type.dim[i])) return false;
    const Value *reader = site->reader;
    for (int i = 0; i < reader->index.n_where; i++)
        if (reader->index.where[i].s) return false;
    Reads reads = scalar_reads(reader->index.body, r->scratch);
    for (int i = 0; i < reads.n; i++)
        if (reads.at[i]->read->v == v && read_prefix(reads.at[i]->read) < region->n_outer)
            return false;
    return true;
}

// The product that v, element by element, is made of beside what is stored: attention's scores, for
// their exponentials. Both are made again rather than stored, once, where v is large.
static Value *product_below(const Replication *r, const Region *home, const Value *v) {
    const double LARGE = 1 << 18;
    Value *product = NULL;
    if (!is_short_again(v, r->scratch) || (double)type_count(&v->type) * elem_size[v->type.elem] < LARGE)
        return NULL;
    Values operands = value_operands(v, r->scratch);
    for (int i = 0; i < operands.n; i++) {
        Value *of = operands.at[i];
        if (is_stored_source(r, storage_root(of), v)) continue;
        if (product || map_get(r->inside, of) != home || !is_short_product(of)) return NULL;
        if (!type_same_shape(&of->type, &v->type) || !has_stored_sources(r, of)) return NULL;
        product = of;
    }
    return product;
}

static bool can_stage_at_sites(const Replication *r, const Value *v, const Region *home, int *n_else) {
    const Sites *sites = map_get(r->sites, v);
    const Region *last = NULL;
    *n_else = 0;
    for (int i = 0; i < sites->n; i++) {
        const Region *region = sites->at[i].region;
        if (region != home && region != last) ++*n_else, last = region;
        if (!can_stage(r, v, &sites->at[i])) return false;
    }
    return true;
}

static bool can_replicate(const Replication *r, Region *home, Value *v) {
    int n_else;
    if (!map_get(r->sites, v) || map_has(r->whole, v) || map_has(r->fs->target_of, v)) return false;
    if (v->op != VAL_index || !can_stage_at_sites(r, v, home, &n_else)) return false;
    if (is_cheap_again(v, r->scratch) && has_stored_sources(r, v)) return n_else > 0;
    return r->with_products && n_else == 1 && product_below(r, home, v);
}

// Do all of the region's readers look at v where they are computed, in one nest?
static bool is_register(const Replication *r, const Region *region, const Value *v) {
    const Sites *sites = map_get(r->sites, v);
    const Nest *nest = NULL;
    for (int i = 0; i < sites->n; i++) {
        const Site *site = &sites->at[i];
        if (site->region != region) continue;
        const Value *reader = site->reader;
        if ((nest && site->nest != nest) || reader->index.nr || reader->index.np != v->index.np)
            return false;
        nest = site->nest;
        for (int d = 0; d < v->index.np; d++)
            if (!dim_equal(reader->index.extent[d], v->index.extent[d])) return false;
        Reads reads = scalar_reads(reader->index.body, r->scratch);
        for (int k = 0; k < reads.n; k++)
            if (reads.at[k]->read->v == v && !read_is_identity(reads.at[k]->read, v->index.np))
                return false;
    }
    return nest != NULL;
}

static void insert_member(Replication *r, Nest *nest, int at, Member member) {
    vec_push(r->arena, &nest->members, member);
    for (int i = nest->members.n - 1; i > at; i--) nest->members.at[i] = nest->members.at[i - 1];
    nest->members.at[at] = member;
}

static void insert_nest(Replication *r, Region *region, const Nest *before, Nest *nest) {
    int at = 0;
    while (region->nests.at[at] != before) at++;
    vec_push(r->arena, &region->nests, nest);
    for (int i = region->nests.n - 1; i > at; i--) region->nests.at[i] = region->nests.at[i - 1];
    region->nests.at[at] = nest;
}

static bool is_read_in(const Replication *r, const Region *region, const Value *v) {
    const Sites *sites = map_get(r->sites, v);
    for (int i = 0; i < sites->n; i++)
        if (sites->at[i].region == region) return true;
    return false;
}

static bool reads(const Replication *r, const Value *reader, const Value *v) {
    Values operands = value_operands(reader, r->scratch);
    for (int i = 0; i < operands.n; i++)
        if (operands.at[i] == v) return true;
    return false;
}

// The place in the nest of its first member that reads v; -1 where there is none.
static int first_reader(const Replication *r, const Nest *nest, const Value *v) {
    for (int i = 0; i < nest->members.n; i++)
        if (reads(r, nest->members.at[i].v, v)) return i;
    return -1;
}

// In a region that reads v and has none yet.
static void add_replica(Replication *r, Region *region, Value *v) {
    Member member = {.v = v, .keep = KEEP_scratch, .is_replica = true};
    int n = 0, at;
    while ((at = first_reader(r, region->nests.at[n], v)) < 0) n++;
    Nest *nest = region->nests.at[n];
    if (is_register(r, region, v)) {
        member.keep = KEEP_register;
        insert_member(r, nest, at, member);
    } else {
        Nest *before = nest;
        nest = NEW(r->arena, Nest);
        vec_push(r->arena, &nest->members, member);
        insert_nest(r, region, before, nest);
    }
    add_sites(r, region, nest, v);
}

// What v is made of, in the regions that have v now.
static void add_product(Replication *r, Region *home, Value *v, Value *product) {
    const Sites *sites = map_get(r->sites, product);
    for (int i = 0; i < sites->n; i++) {
        if (sites->at[i].reader != v || sites->at[i].region == home) continue;
        add_replica(r, sites->at[i].region, product);
        break;
    }
    for (int n = 0; n < home->nests.n; n++)
        for (int k = 0; k < home->nests.at[n]->members.n; k++)
            if (home->nests.at[n]->members.at[k].v == product)
                home->nests.at[n]->members.at[k].is_replica = true;
}

static void add_replicas(Replication *r, const Region *home, Value *v) {
    const Sites *sites = map_get(r->sites, v);
    Map *done = map_new(r->scratch);
    for (int i = 0; i < sites->n; i++) {
        Region *region = sites->at[i].region;
        if (region == home || map_has(done, region)) continue;
        map_set(done, region, region);
        add_replica(r, region, v);
    }
}

// Where v was made it stays, for readers there.
static void drop_member(Replication *r, Region *region, int at, int k) {
    Nest *nest = region->nests.at[at];
    Member *member = &nest->members.at[k];
    map_set(r->home, member->v, NULL);
    if (is_read_in(r, region, member->v)) {
        member->keep = is_register(r, region, member->v) ? KEEP_register : KEEP_scratch;
        member->is_replica = true;
        return;
    }
    drop_sites(r, region, member->v);
    nest->members.n--;
    for (int i = k; i < nest->members.n; i++) nest->members.at[i] = nest->members.at[i + 1];
    if (nest->members.n) return;
    region->nests.n--;
    for (int i = at; i < region->nests.n; i++) region->nests.at[i] = region->nests.at[i + 1];
}

// True where one of the region's values is now made in others.
static bool replicate_one(Replication *r, Region *home, Value **which) {
    if (home->scan) return false;
    for (int n = 0; n < home->nests.n; n++)
        for (int k = 0; k < home->nests.at[n]->members.n; k++) {
            Member member = home->nests.at[n]->members.at[k];
            if (member.keep != KEEP_stored || !can_replicate(r, home, member.v)) continue;
            Value *product = NULL;
            if (!has_stored_sources(r, member.v)) product = product_below(r, home, member.v);
            store_sources(r, member.v, product);
            add_replicas(r, home, member.v);
            if (product) store_sources(r, product, NULL), add_product(r, home, member.v, product);
            drop_member(r, home, n, k);
            *which = member.v;
            return true;
        }
    return false;
}

// What v is made of has other readers now, and may be made again itself: the first region
// where that is so, or `at`.
static int next_region(const Replication *r, const Value *v, int at) {
    Values operands = value_operands(v, r->scratch);
    for (int i = 0; i < operands.n; i++) {
        Region *home = map_get(r->home, operands.at[i]);
        if (home && home->id < at && can_replicate(r, home, operands.at[i])) at = home->id;
    }
    return at;
}

static void drop_empty_regions(FunctionSchedule *fs) {
    int n = 0;
    for (int i = 0; i < fs->regions.n; i++) {
        if (!fs->regions.at[i]->nests.n) continue;
        fs->regions.at[n] = fs->regions.at[i];
        fs->regions.at[n]->id = n;
        n++;
    }
    fs->regions.n = n;
}

void replicate(Module *m, FunctionSchedule *fs, Arena *scratch) {
    Replication r = {.fs = fs, .arena = m->arena, .scratch = scratch};
    note_all(&r);
    Value *v;
    for (int round = 0; round < 2; round++, r.with_products = true)
        for (int i = 0; i < fs->regions.n;)
            i = replicate_one(&r, fs->regions.at[i], &v) ? next_region(&r, v, i) : i + 1;
    drop_empty_regions(fs);
}
