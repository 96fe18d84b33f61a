#pragma once

#include <isa-l/crc.h>

/// The register of a CRC-32C after more bytes. `crc32_iscsi` only reads them, though its parameter is not const.
static inline unsigned int cisal_crc32c(unsigned int crc, const void *bytes, int count) {
  return crc32_iscsi((unsigned char *)bytes, count, crc);
}
