/*
 * Seals and opens whole trains of packets in one call: AES-256-GCM and ChaCha20-Poly1305 (RFC 5116, RFC 8439) by the
 * OpenSSL inside of Node.js, with a context that is kept for the life of a key. What it saves is the cost of a call per
 * packet; what it does per packet is what apps/node/src/crypto/sodiumPackets.ts does, and a test compares the two.
 *
 * Layout of a packet: a clear header (associated data), the sealed bytes, a tag of 16 bytes. The nonce is the key's iv
 * XOR the packet number, padded on the left (RFC 9001, section 5.3).
 *
 * Arguments are checked by the TypeScript side (nativePackets.ts); what would lead outside of a buffer is refused here
 * once more, by throwing.
 */
#include <node_api.h>
#include <openssl/evp.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { TAG_BYTES = 16, IV_BYTES = 12, KEY_BYTES = 32, HEADER_MAX_BYTES = 64, TABLE_FIELDS = 4 };
enum { SUITE_CHACHA20_POLY1305 = 1, SUITE_AES_256_GCM = 2 };

typedef struct {
  EVP_CIPHER_CTX *seal;
  EVP_CIPHER_CTX *open;
  uint8_t iv[IV_BYTES];
} PacketKey;

static napi_value refuse(napi_env env, const char *why) {
  napi_throw_range_error(env, NULL, why);
  return NULL;
}

static void free_key(napi_env env, void *data, void *hint) {
  (void)env;
  (void)hint;
  PacketKey *key = data;
  EVP_CIPHER_CTX_free(key->seal);
  EVP_CIPHER_CTX_free(key->open);
  OPENSSL_cleanse(key, sizeof *key);
  OPENSSL_free(key);
}

static bool bytes_of(napi_env env, napi_value value, uint8_t **data, size_t *length) {
  napi_typedarray_type type;
  return napi_get_typedarray_info(env, value, &type, length, (void **)data, NULL, NULL) == napi_ok &&
         type == napi_uint8_array;
}

static bool unsigned_of(napi_env env, napi_value value, uint32_t *number) {
  return napi_get_value_uint32(env, value, number) == napi_ok;
}

static void nonce_of(const PacketKey *key, uint32_t packet_number, uint8_t nonce[IV_BYTES]) {
  memcpy(nonce, key->iv, IV_BYTES);
  nonce[8] ^= (uint8_t)(packet_number >> 24);
  nonce[9] ^= (uint8_t)(packet_number >> 16);
  nonce[10] ^= (uint8_t)(packet_number >> 8);
  nonce[11] ^= (uint8_t)packet_number;
}

/* createKey(suite, key, iv) -> an external that the other functions take; wiped when it is collected. */
static napi_value create_key(napi_env env, napi_callback_info info) {
  size_t argc = 3, key_length = 0, iv_length = 0;
  napi_value argv[3], result;
  uint32_t suite = 0;
  uint8_t *key_bytes = NULL, *iv = NULL;
  if (napi_get_cb_info(env, info, &argc, argv, NULL, NULL) != napi_ok || argc < 3) return refuse(env, "three arguments");
  if (!unsigned_of(env, argv[0], &suite)) return refuse(env, "a suite");
  if (!bytes_of(env, argv[1], &key_bytes, &key_length) || key_length != KEY_BYTES) return refuse(env, "a key of 32 bytes");
  if (!bytes_of(env, argv[2], &iv, &iv_length) || iv_length != IV_BYTES) return refuse(env, "an iv of 12 bytes");
  const EVP_CIPHER *cipher = suite == SUITE_AES_256_GCM         ? EVP_aes_256_gcm()
                             : suite == SUITE_CHACHA20_POLY1305 ? EVP_chacha20_poly1305()
                                                                : NULL;
  if (cipher == NULL) return refuse(env, "no such suite");
  PacketKey *key = OPENSSL_zalloc(sizeof *key);
  if (key == NULL) return refuse(env, "out of memory");
  memcpy(key->iv, iv, IV_BYTES);
  key->seal = EVP_CIPHER_CTX_new();
  key->open = EVP_CIPHER_CTX_new();
  if (key->seal == NULL || key->open == NULL || EVP_EncryptInit_ex(key->seal, cipher, NULL, key_bytes, NULL) != 1 ||
      EVP_DecryptInit_ex(key->open, cipher, NULL, key_bytes, NULL) != 1) {
    free_key(env, key, NULL);
    return refuse(env, "OpenSSL does not have this suite");
  }
  if (napi_create_external(env, key, free_key, NULL, &result) != napi_ok) {
    free_key(env, key, NULL);
    return refuse(env, "no external");
  }
  return result;
}

/* Bytes of a packet that are taken from elsewhere while it is sealed: length 0 for none. */
typedef struct {
  const uint8_t *source;
  uint32_t at; /* within the packet */
  uint32_t length;
} Body;

static bool encrypt(PacketKey *key, uint8_t *target, const uint8_t *source, uint32_t length) {
  int written = 0;
  return length == 0 || EVP_EncryptUpdate(key->seal, target, &written, source, (int)length) == 1;
}

static bool seal_one(PacketKey *key, uint8_t *packet, uint32_t header, uint32_t length, uint32_t packet_number, Body body) {
  uint8_t nonce[IV_BYTES];
  int written = 0;
  uint32_t end = length - TAG_BYTES;
  uint32_t body_at = body.length == 0 ? end : body.at, rest_at = body_at + body.length;
  nonce_of(key, packet_number, nonce);
  return EVP_EncryptInit_ex(key->seal, NULL, NULL, NULL, nonce) == 1 &&
         EVP_EncryptUpdate(key->seal, NULL, &written, packet, (int)header) == 1 &&
         encrypt(key, packet + header, packet + header, body_at - header) &&
         encrypt(key, packet + body_at, body.source, body.length) &&
         encrypt(key, packet + rest_at, packet + rest_at, end - rest_at) &&
         EVP_EncryptFinal_ex(key->seal, packet + end, &written) == 1 &&
         EVP_CIPHER_CTX_ctrl(key->seal, EVP_CTRL_AEAD_GET_TAG, TAG_BYTES, packet + end) == 1;
}

static bool open_one(PacketKey *key, uint8_t *packet, uint32_t header, uint32_t length, uint32_t packet_number) {
  uint8_t nonce[IV_BYTES];
  int written = 0, last = 0;
  uint8_t *body = packet + header;
  int plain = (int)(length - header - TAG_BYTES);
  nonce_of(key, packet_number, nonce);
  return EVP_DecryptInit_ex(key->open, NULL, NULL, NULL, nonce) == 1 &&
         EVP_CIPHER_CTX_ctrl(key->open, EVP_CTRL_AEAD_SET_TAG, TAG_BYTES, body + plain) == 1 &&
         EVP_DecryptUpdate(key->open, NULL, &written, packet, (int)header) == 1 &&
         EVP_DecryptUpdate(key->open, body, &written, body, plain) == 1 &&
         EVP_DecryptFinal_ex(key->open, body + written, &last) == 1;
}

/*
 * sealTrain(key, buffer, start, end, segmentBytes, headerBytes, packetNumber, bodies, source0, source1): seals the packets
 * of buffer[start, end) in place. Each has segmentBytes but the last, which may be shorter; sizes count header and tag.
 * Packet numbers run on. `bodies` has four numbers a packet: a source (0 or 1), where in it, where in the buffer, and how
 * many bytes: they are sealed from there, whatever the buffer holds. Length 0: none.
 */
static napi_value seal_train(napi_env env, napi_callback_info info) {
  size_t argc = 10, buffer_length = 0, bodies_length = 0, source_length[2] = {0, 0};
  napi_value argv[10];
  napi_typedarray_type type;
  PacketKey *key = NULL;
  uint8_t *buffer = NULL, *source[2] = {NULL, NULL};
  uint32_t *bodies = NULL, start = 0, end = 0, segment = 0, header = 0, packet_number = 0;
  if (napi_get_cb_info(env, info, &argc, argv, NULL, NULL) != napi_ok || argc < 10) return refuse(env, "ten arguments");
  if (napi_get_value_external(env, argv[0], (void **)&key) != napi_ok) return refuse(env, "a key");
  if (!bytes_of(env, argv[1], &buffer, &buffer_length)) return refuse(env, "a buffer");
  if (!unsigned_of(env, argv[2], &start) || !unsigned_of(env, argv[3], &end) || !unsigned_of(env, argv[4], &segment) ||
      !unsigned_of(env, argv[5], &header) || !unsigned_of(env, argv[6], &packet_number)) {
    return refuse(env, "numbers");
  }
  if (napi_get_typedarray_info(env, argv[7], &type, &bodies_length, (void **)&bodies, NULL, NULL) != napi_ok ||
      type != napi_uint32_array) {
    return refuse(env, "a table of bodies");
  }
  for (int i = 0; i < 2; i++) {
    if (!bytes_of(env, argv[8 + i], &source[i], &source_length[i])) return refuse(env, "two sources");
  }
  if (start > end || end > buffer_length || header > HEADER_MAX_BYTES || segment <= header + TAG_BYTES) {
    return refuse(env, "packets inside of the buffer");
  }
  size_t packets = ((size_t)end - start + segment - 1) / segment;
  if (packets > bodies_length / TABLE_FIELDS) return refuse(env, "a row for each packet");
  for (uint32_t at = start, *row = bodies; at < end; packet_number++, row += TABLE_FIELDS) {
    uint32_t left = end - at, length = left < segment ? left : segment;
    if (length <= header + TAG_BYTES) return refuse(env, "packets with a body");
    Body body = {NULL, 0, row[3]};
    if (body.length > 0) {
      uint32_t which = row[0], from = row[1], to = row[2];
      if (which > 1 || from > source_length[which] || body.length > source_length[which] - from) {
        return refuse(env, "bodies inside of their source");
      }
      if (to < at + header || to > at + length - TAG_BYTES || body.length > at + length - TAG_BYTES - to) {
        return refuse(env, "bodies inside of their packet");
      }
      body.source = source[which] + from;
      body.at = to - at;
    }
    if (!seal_one(key, buffer + at, header, length, packet_number, body)) return refuse(env, "OpenSSL could not seal");
    at += length;
  }
  return NULL;
}

/*
 * openPackets(key, buffer, table, count, headerBytes): opens in place. The table has four numbers a packet: where it
 * begins, its bytes with header and tag, its number, and the outcome, which is written: 1 for authentic, 0 for not, and
 * its bytes are then undefined.
 */
static napi_value open_packets(napi_env env, napi_callback_info info) {
  size_t argc = 5, buffer_length = 0, table_length = 0;
  napi_value argv[5];
  napi_typedarray_type type;
  PacketKey *key = NULL;
  uint8_t *buffer = NULL;
  uint32_t *table = NULL, count = 0, header = 0;
  if (napi_get_cb_info(env, info, &argc, argv, NULL, NULL) != napi_ok || argc < 5) return refuse(env, "five arguments");
  if (napi_get_value_external(env, argv[0], (void **)&key) != napi_ok) return refuse(env, "a key");
  if (!bytes_of(env, argv[1], &buffer, &buffer_length)) return refuse(env, "a buffer");
  if (napi_get_typedarray_info(env, argv[2], &type, &table_length, (void **)&table, NULL, NULL) != napi_ok ||
      type != napi_uint32_array) {
    return refuse(env, "a table");
  }
  if (!unsigned_of(env, argv[3], &count) || !unsigned_of(env, argv[4], &header)) return refuse(env, "numbers");
  if (header > HEADER_MAX_BYTES || count > table_length / TABLE_FIELDS) return refuse(env, "packets inside of the table");
  for (uint32_t i = 0; i < count; i++) {
    uint32_t *entry = table + TABLE_FIELDS * i;
    uint32_t start = entry[0], length = entry[1];
    if (start > buffer_length || length > buffer_length - start || length < header + TAG_BYTES) {
      return refuse(env, "packets inside of the buffer");
    }
    entry[3] = open_one(key, buffer + start, header, length, entry[2]) ? 1 : 0;
  }
  return NULL;
}

NAPI_MODULE_INIT() {
  napi_property_descriptor properties[] = {
      {"createKey", NULL, create_key, NULL, NULL, NULL, napi_enumerable, NULL},
      {"sealTrain", NULL, seal_train, NULL, NULL, NULL, napi_enumerable, NULL},
      {"openPackets", NULL, open_packets, NULL, NULL, NULL, napi_enumerable, NULL},
  };
  if (napi_define_properties(env, exports, sizeof properties / sizeof *properties, properties) != napi_ok) return NULL;
  return exports;
}
