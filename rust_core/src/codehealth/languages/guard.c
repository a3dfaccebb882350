// Parses with a bound on memory and time that nothing inside the parser can step over.
//
// The library asks its caller for leave only between steps, one step may take gigabytes, and it ends the process when memory is
// refused. So all it allocates comes from here; what would pass a bound jumps out of the parser, and all is freed. Nothing but
// the parser's own C stands between the jump and its target. (A scanner's own state, at most some hundred bytes, is then lost.)

#include <setjmp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include "tree_sitter/api.h"

// Before each piece of memory; 32 bytes keep the alignment of malloc.
typedef struct Block {
  struct Block *next, *previous;
  size_t size, padding;
} Block;

#define ALLOCATIONS_PER_LOOK 1000

static _Thread_local struct {
  // All that the present parse holds, as a ring.
  Block held;
  size_t bytes, max_bytes;
  uint64_t end_ns;
  unsigned until_look;
  bool is_active;
  jmp_buf way_out;
  const char *text;
  uint32_t length;
} guard;

static uint64_t processor_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void refuse(void) {
  if (guard.is_active) longjmp(guard.way_out, 1);
  abort();
}

static void ask(size_t size) {
  if (!guard.is_active) return;
  if (guard.bytes + size > guard.max_bytes) refuse();
  if (guard.until_look-- == 0) {
    guard.until_look = ALLOCATIONS_PER_LOOK;
    if (processor_ns() > guard.end_ns) refuse();
  }
}

static void *hold(Block *block, size_t size) {
  block->size = size;
  block->next = NULL;
  if (guard.is_active) {
    block->next = guard.held.next;
    block->previous = &guard.held;
    block->next->previous = block;
    guard.held.next = block;
    guard.bytes += size;
  }
  return block + 1;
}

// What outlives its parse, such as the tree, is in no ring.
static void let_go(Block *block) {
  if (block->next == NULL) return;
  block->next->previous = block->previous;
  block->previous->next = block->next;
  guard.bytes -= block->size;
}

static void *guarded_malloc(size_t size) {
  ask(size);
  Block *block = malloc(sizeof(Block) + size);
  if (block == NULL) refuse();
  return hold(block, size);
}

static void *guarded_calloc(size_t count, size_t size) {
  ask(count * size);
  Block *block = calloc(1, sizeof(Block) + count * size);
  if (block == NULL) refuse();
  return hold(block, count * size);
}

static void *guarded_realloc(void *pointer, size_t size) {
  if (pointer == NULL) return guarded_malloc(size);
  Block *block = (Block *)pointer - 1;
  if (size > block->size) ask(size - block->size);
  let_go(block);
  Block *moved = realloc(block, sizeof(Block) + size);
  if (moved == NULL) {
    hold(block, block->size);
    refuse();
  }
  return hold(moved, size);
}

static void guarded_free(void *pointer) {
  if (pointer == NULL) return;
  Block *block = (Block *)pointer - 1;
  let_go(block);
  free(block);
}

static const char *read_text(void *payload, uint32_t offset, TSPoint position, uint32_t *length) {
  (void)payload, (void)position;
  *length = offset < guard.length ? guard.length - offset : 0;
  return guard.text + (offset < guard.length ? offset : guard.length);
}

static bool is_late(TSParseState *state) {
  (void)state;
  return processor_ns() > guard.end_ns;
}

// To be called once, before anything else of the library.
void codehealth_guard_allocations(void) {
  ts_set_allocator(guarded_malloc, guarded_calloc, guarded_realloc, guarded_free);
}

static TSTree *parse(const TSLanguage *language) {
  TSParser *parser = ts_parser_new();
  TSTree *tree = NULL;
  if (ts_parser_set_language(parser, language)) {
    TSInput input = {NULL, read_text, TSInputEncodingUTF8, NULL};
    TSParseOptions options = {NULL, is_late};
    tree = ts_parser_parse_with_options(parser, NULL, input, options);
  }
  ts_parser_delete(parser);
  return tree;
}

// Returns the tree, which is the caller's, or NULL when a bound was reached.
TSTree *codehealth_parse(
  const TSLanguage *language, const char *text, uint32_t length, uint64_t max_ns, size_t max_bytes
) {
  guard.held.next = guard.held.previous = &guard.held;
  guard.bytes = 0;
  guard.max_bytes = max_bytes;
  guard.end_ns = processor_ns() + max_ns;
  guard.until_look = ALLOCATIONS_PER_LOOK;
  guard.text = text;
  guard.length = length;
  TSTree *volatile tree = NULL;
  guard.is_active = true;
  bool is_refused = setjmp(guard.way_out) != 0;
  if (!is_refused) tree = parse(language);
  guard.is_active = false;
  for (Block *block = guard.held.next; block != &guard.held;) {
    Block *next = block->next;
    block->next = NULL;
    if (is_refused) free(block);
    block = next;
  }
  return is_refused ? NULL : tree;
}
