/* Certificates for tests: a throw-away authority and what it signs, as PEM. */
#pragma once

#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "base/buf.h"
#include "base/test.h"

typedef struct TlsIdentity {
    EVP_PKEY *key;
    X509 *certificate;
    Buf cert_pem, key_pem;
} TlsIdentity;

static inline Buf pem_of(BIO *bio) {
    Buf out = {0};
    char *bytes;
    long len = BIO_get_mem_data(bio, &bytes);
    buf_add(&out, span(bytes, (size_t)len));
    BIO_free(bio);
    return out;
}

static inline void add_extension(X509 *certificate, int kind, const char *value) {
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, kind, value);
    X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
}

/* `issuer` NULL: an authority that signs itself. `names`: as "DNS:localhost,IP:127.0.0.1". */
static inline TlsIdentity tls_identity(const TlsIdentity *issuer, const char *common_name,
                                       const char *names) {
    TlsIdentity made = {.key = EVP_EC_gen("P-256"), .certificate = X509_new()};
    X509 *certificate = made.certificate;
    X509_set_version(certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1 + (long)strlen(common_name));
    X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 86400);
    X509_set_pubkey(certificate, made.key);
    X509_NAME *name = X509_get_subject_name(certificate);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)common_name, -1,
                               -1, 0);
    X509_set_issuer_name(certificate, issuer ? X509_get_subject_name(issuer->certificate) : name);
    add_extension(certificate, NID_basic_constraints, issuer ? "CA:FALSE" : "critical,CA:TRUE");
    if (names)
        add_extension(certificate, NID_subject_alt_name, names);
    X509_sign(certificate, issuer ? issuer->key : made.key, EVP_sha256());
    BIO *cert = BIO_new(BIO_s_mem()), *key = BIO_new(BIO_s_mem());
    PEM_write_bio_X509(cert, certificate);
    PEM_write_bio_PrivateKey(key, made.key, NULL, NULL, 0, NULL, NULL);
    made.cert_pem = pem_of(cert);
    made.key_pem = pem_of(key);
    return made;
}

static inline void tls_identity_done(TlsIdentity *identity) {
    X509_free(identity->certificate);
    EVP_PKEY_free(identity->key);
    buf_done(&identity->cert_pem);
    buf_done(&identity->key_pem);
}
