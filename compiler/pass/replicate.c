// Replicate: a stored value that is cheap to compute again is computed in every region that
// reads it, into that region's scratch, and never stored: the padded copy of an image, for the
// convolution and for its weight gradient.
#include "pass/fuse.h"
#include "pass/recompute.h"

typedef struct Site {  // a member that reads the value
    Region *region;
    Nest *nest;
    int at;
} Site;

typedef struct Sites {
    Site *at;
    int n, cap;
} Sites;

typedef struct Replication {
    FunctionSchedule *fs;
    Arena *arena, *scratch;
    Map *sites;   // Value * to Sites *
    Map *stored;  // values that are kept stored; and leaves that this function never updates
    Map *whole;   // values that something sees as a whole: results, reshapes, joins
} Replication;

static void add_site(Replication *r, Value *v, Site site) {
    Sites *sites = map_get(r->sites, v);
    if (!sites) {
        sites = NEW(r->scratch, Sites);
        map_set(r->sites, v, sites);
    }
    vec_push(r->scratch, sites, site);
}

static void note_member(Replication *r, Region *region, Nest *nest, int at) {
    Value *v = nest->members.at[at].v;
    if (nest->members.at[at].keep == KEEP_stored) map_set(r->stored, v, v);
    Values operands = value_operands(v, r->scratch);
    for (int i = 0; i < operands.n; i++) {
        Value *of = operands.at[i];
        if (v->op != VAL_index || of != storage_root(of))
            map_set(r->whole, storage_root(of), v);
        add_site(r, of, (Site){region, nest, at});
    }
}

static void note_all(Replication *r) {
    const Function *f = r->fs->fn;
    r->sites = map_new(r->scratch);
    r->stored = map_new(r->scratch);
    r->whole = map_new(r->scratch);
    for (int i = 0; i < r->fs->regions.n; i++) {
        Region *region = r->fs->regions.at[i];
        for (int n = 0; n < region->nests.n; n++)
            for (int k = 0; k < region->nests.at[n]->members.n; k++)
                note_member(r, region, region->nests.at[n], k);
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

// What v is made of can be read anywhere after v.
static bool has_stored_sources(const Replication *r, const Value *v) {
    Values operands = value_operands(v, r->scratch);
    for (int i = 0; i < operands.n; i++) {
        Value *root = storage_root(operands.at[i]);
        bool is_leaf = root->op <= VAL_state;
        if (is_leaf ? is_updated(r->fs->fn, root) : !map_has(r->stored, root)) return false;
    }
    return true;
}

// The reader's region runs over v's leading axes, and reads only what its iteration has made.
static bool can_stage(const Replication *r, const Value *v, const Site *site) {
    const Region *region = site->region;
    if (!region->n_outer || region->n_outer > v->type.rank) return false;
    for (int i = 0; i < region->n_outer; i++)
        if (!dim_equal(region->outer[i], v->type.dim[i])) return false;
    const Value *reader = site->nest->members.at[site->at].v;
    for (int i = 0; i < reader->index.n_where; i++)
        if (reader->index.where[i].s) return false;
    Reads reads = scalar_reads(reader->index.body, r->scratch);
    for (int i = 0; i < reads.n; i++)
        if (reads.at[i]->read->v == v && read_prefix(reads.at[i]->read) < region->n_outer)
            return false;
    return true;
}

static bool can_replicate(const Replication *r, Region *home, Value *v) {
    const Sites *sites = map_get(r->sites, v);
    if (!sites || map_has(r->whole, v) || map_has(r->fs->target_of, v)) return false;
    if (v->op != VAL_index || !is_cheap_again(v, r->scratch) || !has_stored_sources(r, v))
        return false;
    bool is_elsewhere = false;
    for (int i = 0; i < sites->n; i++) {
        is_elsewhere |= sites->at[i].region != home;
        if (!can_stage(r, v, &sites->at[i])) return false;
    }
    return is_elsewhere;
}

// Do all of the region's readers look at v where they are computed, in one nest?
static bool is_register(const Replication *r, const Region *region, const Value *v) {
    const Sites *sites = map_get(r->sites, v);
    const Nest *nest = NULL;
    for (int i = 0; i < sites->n; i++) {
        const Site *site = &sites->at[i];
        if (site->region != region) continue;
        const Value *reader = site->nest->members.at[site->at].v;
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

// The first of the region's members that reads v; NULL where there is none.
static const Site *first_site(const Replication *r, const Region *region, const Value *v) {
    const Sites *sites = map_get(r->sites, v);
    for (int i = 0; i < sites->n; i++)
        if (sites->at[i].region == region) return &sites->at[i];
    return NULL;
}

static void add_replica(Replication *r, Region *region, Value *v) {
    const Site *first = first_site(r, region, v);
    if (!first) return;
    Member member = {.v = v, .keep = KEEP_scratch, .is_replica = true};
    if (is_register(r, region, v)) {
        member.keep = KEEP_register;
        insert_member(r, first->nest, first->at, member);
        return;
    }
    Nest *nest = NEW(r->arena, Nest);
    vec_push(r->arena, &nest->members, member);
    insert_nest(r, region, first->nest, nest);
}

// Where v was made it stays, for readers there.
static void drop_member(Replication *r, Region *region, int at, int k) {
    Nest *nest = region->nests.at[at];
    Member *member = &nest->members.at[k];
    if (first_site(r, region, member->v)) {
        member->keep = is_register(r, region, member->v) ? KEEP_register : KEEP_scratch;
        member->is_replica = true;
        return;
    }
    nest->members.n--;
    for (int i = k; i < nest->members.n; i++) nest->members.at[i] = nest->members.at[i + 1];
    if (nest->members.n) return;
    region->nests.n--;
    for (int i = at; i < region->nests.n; i++) region->nests.at[i] = region->nests.at[i + 1];
}

static bool replicate_one(Replication *r) {
    for (int i = 0; i < r->fs->regions.n; i++) {
        Region *home = r->fs->regions.at[i];
        for (int n = 0; n < home->nests.n; n++)
            for (int k = 0; k < home->nests.at[n]->members.n; k++) {
                Member member = home->nests.at[n]->members.at[k];
                if (member.keep != KEEP_stored || !can_replicate(r, home, member.v)) continue;
                for (int g = i + 1; g < r->fs->regions.n; g++)
                    add_replica(r, r->fs->regions.at[g], member.v);
                drop_member(r, home, n, k);
                return true;
            }
    }
    return false;
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
    do note_all(&r);
    while (replicate_one(&r));
    drop_empty_regions(fs);
}
