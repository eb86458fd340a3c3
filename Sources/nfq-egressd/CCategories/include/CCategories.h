#ifndef CCATEGORIES_H
#define CCATEGORIES_H

#include <stddef.h>

/// A built-in category: its name and the bytes of its file, as lists/NAME.txt holds them.
struct builtin_category {
  const char *_Nonnull name;
  const unsigned char *_Nonnull bytes;
  size_t length;
};

/// Number of built-in categories that have a file.
size_t builtin_category_count(void);

/// The category at a place below `builtin_category_count`. Its memory is the program's own: it is never freed.
struct builtin_category builtin_category_at(size_t place);

#endif
