{
  "targets": [
    {
      "target_name": "packets",
      "sources": ["packets.c"],
      "defines": ["NAPI_VERSION=8"],
      "cflags": ["-O2", "-Wall", "-Wextra", "-Werror"],
      "xcode_settings": { "GCC_OPTIMIZATION_LEVEL": "2", "GCC_SYMBOLS_PRIVATE_EXTERN": "YES" }
    }
  ]
}
