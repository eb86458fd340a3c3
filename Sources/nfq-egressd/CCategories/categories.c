// The built-in category files, made part of the binary by the compiler: a daemon needs no files but its own.
#include "CCategories.h"

static const unsigned char advertising_and_tracking[] = {
#embed "lists/advertising-and-tracking.txt"
};
static const unsigned char api[] = {
#embed "lists/api.txt"
};
static const unsigned char cdn[] = {
#embed "lists/cdn.txt"
};
static const unsigned char cloud_provider[] = {
#embed "lists/cloud-provider.txt"
};
static const unsigned char code_hosting[] = {
#embed "lists/code-hosting.txt"
};
static const unsigned char documentation[] = {
#embed "lists/documentation.txt"
};
static const unsigned char doh_resolver[] = {
#embed "lists/doh-resolver.txt"
};
static const unsigned char dynamic_dns[] = {
#embed "lists/dynamic-dns.txt"
};
static const unsigned char file_sharing[] = {
#embed "lists/file-sharing.txt"
};
static const unsigned char llm_api[] = {
#embed "lists/llm-api.txt"
};
static const unsigned char news[] = {
#embed "lists/news.txt"
};
static const unsigned char package_registry[] = {
#embed "lists/package-registry.txt"
};
static const unsigned char paste[] = {
#embed "lists/paste.txt"
};
static const unsigned char reference[] = {
#embed "lists/reference.txt"
};
static const unsigned char search[] = {
#embed "lists/search.txt"
};
static const unsigned char social[] = {
#embed "lists/social.txt"
};
static const unsigned char telemetry[] = {
#embed "lists/telemetry.txt"
};
static const unsigned char user_content[] = {
#embed "lists/user-content.txt"
};
static const unsigned char webhook_and_tunnel[] = {
#embed "lists/webhook-and-tunnel.txt"
};

#define CATEGORY(name, bytes) {name, bytes, sizeof(bytes)}

static const struct builtin_category categories[] = {
    CATEGORY("advertising-and-tracking", advertising_and_tracking),
    CATEGORY("api", api),
    CATEGORY("cdn", cdn),
    CATEGORY("cloud-provider", cloud_provider),
    CATEGORY("code-hosting", code_hosting),
    CATEGORY("documentation", documentation),
    CATEGORY("doh-resolver", doh_resolver),
    CATEGORY("dynamic-dns", dynamic_dns),
    CATEGORY("file-sharing", file_sharing),
    CATEGORY("llm-api", llm_api),
    CATEGORY("news", news),
    CATEGORY("package-registry", package_registry),
    CATEGORY("paste", paste),
    CATEGORY("reference", reference),
    CATEGORY("search", search),
    CATEGORY("social", social),
    CATEGORY("telemetry", telemetry),
    CATEGORY("user-content", user_content),
    CATEGORY("webhook-and-tunnel", webhook_and_tunnel),
};

size_t builtin_category_count(void) { return sizeof(categories) / sizeof(categories[0]); }

struct builtin_category builtin_category_at(size_t place) {
  return categories[place < builtin_category_count() ? place : 0];
}
