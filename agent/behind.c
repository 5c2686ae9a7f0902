/*
 * What stands behind the hooks, in any process that this library is loaded into. A launcher without hooks (a static one) hands LD_PRELOAD
 * on to programs of another C library, which must start as without it: every symbol that only one of them has is weak, and dlsym(),
 * which an old or another C library may lack or hide, is replaced by a walk through the symbol tables.
 */
#include "behind.h"

#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <string.h>

#pragma weak dlsym

struct search {
  const char *name;
  void *found;
};

struct tables {
  const char *strings;
  const ElfW(Sym) *symbols;
  const uint32_t *hash;
  const uint16_t *versions;
};

static struct tables tables_of(const struct dl_phdr_info *module, const ElfW(Phdr) *segment) {
  struct tables tables = {0};
  for (const ElfW(Dyn) *entry = (const void *)(module->dlpi_addr + segment->p_vaddr); entry->d_tag != DT_NULL; entry++) {
    /* glibc has added the base, musl has not. */
    uintptr_t at = entry->d_un.d_ptr;
    if (at < module->dlpi_addr) at += module->dlpi_addr;
    if (entry->d_tag == DT_STRTAB) tables.strings = (const char *)at;
    if (entry->d_tag == DT_SYMTAB) tables.symbols = (const ElfW(Sym) *)at;
    if (entry->d_tag == DT_GNU_HASH) tables.hash = (const uint32_t *)at;
    if (entry->d_tag == DT_VERSYM) tables.versions = (const uint16_t *)at;
  }
  return tables;
}

static uint32_t hash_of(const char *name) {
  uint32_t hash = 5381;
  for (; *name; name++) hash = hash * 33 + (uint8_t)*name;
  return hash;
}

static const ElfW(Sym) *look_up(const struct tables *tables, const char *name) {
  if (!tables->hash || !tables->strings || !tables->symbols) return NULL;
  const uint32_t count = tables->hash[0], first = tables->hash[1], bloom_words = tables->hash[2];
  const uint32_t *buckets = (const uint32_t *)((const uintptr_t *)(tables->hash + 4) + bloom_words), *chains = buckets + count;
  const uint32_t hash = hash_of(name);
  for (uint32_t at = count ? buckets[hash % count] : 0; at >= first && at; at++) {
    const ElfW(Sym) *symbol = tables->symbols + at;
    const bool is_old_version = tables->versions && tables->versions[at] & 0x8000;
    if ((chains[at - first] | 1) == (hash | 1) && symbol->st_shndx != SHN_UNDEF && !is_old_version &&
        (ELF64_ST_TYPE(symbol->st_info) == STT_FUNC || ELF64_ST_TYPE(symbol->st_info) == STT_OBJECT) && !strcmp(tables->strings + symbol->st_name, name))
      return symbol;
    if (chains[at - first] & 1) break;
  }
  return NULL;
}

static bool is_own(const struct dl_phdr_info *module) {
  for (uint16_t i = 0; i < module->dlpi_phnum; i++) {
    const ElfW(Phdr) *segment = module->dlpi_phdr + i;
    if (segment->p_type == PT_LOAD && (uintptr_t)is_own - (module->dlpi_addr + segment->p_vaddr) < segment->p_memsz) return true;
  }
  return false;
}

static int look_into(struct dl_phdr_info *module, size_t size, void *argument) {
  (void)size;
  struct search *search = argument;
  if (is_own(module)) return 0;
  for (uint16_t i = 0; i < module->dlpi_phnum && !search->found; i++) {
    if (module->dlpi_phdr[i].p_type != PT_DYNAMIC) continue;
    const struct tables tables = tables_of(module, module->dlpi_phdr + i);
    const ElfW(Sym) *symbol = look_up(&tables, search->name);
    if (symbol) search->found = (void *)(module->dlpi_addr + symbol->st_value);
  }
  return search->found != NULL;
}

void *behind_in(uintptr_t base, const char *name) {
  const ElfW(Ehdr) *header = (const void *)base;
  if (memcmp(header->e_ident, ELFMAG, SELFMAG)) return NULL;
  const ElfW(Phdr) *segments = (const void *)(base + header->e_phoff);
  const struct dl_phdr_info module = {.dlpi_addr = base, .dlpi_phdr = segments, .dlpi_phnum = header->e_phnum};
  for (uint16_t i = 0; i < header->e_phnum; i++) {
    /* Where it is not made for address 0 its addresses are not counted from its base. */
    if (segments[i].p_type == PT_LOAD && segments[i].p_offset == 0 && segments[i].p_vaddr) return NULL;
    if (segments[i].p_type != PT_DYNAMIC) continue;
    const struct tables tables = tables_of(&module, segments + i);
    const ElfW(Sym) *symbol = look_up(&tables, name);
    return symbol ? (void *)(base + symbol->st_value) : NULL;
  }
  return NULL;
}

void *behind_by_hand(const char *name) {
  struct search search = {name, NULL};
  dl_iterate_phdr(look_into, &search);
  return search.found;
}

void *behind(const char *name) { return dlsym ? dlsym(RTLD_NEXT, name) : behind_by_hand(name); }

bool libc_is_foreign(void) {
  const bool is_glibc = behind_by_hand("gnu_get_libc_version") != NULL;
#ifdef __GLIBC__
  return !is_glibc;
#else
  return is_glibc;
#endif
}
