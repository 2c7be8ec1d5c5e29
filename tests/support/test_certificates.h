// Certificates made when the test runs: a CA, and servers' that are good, or not in one way each.
#pragma once

#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>

#include <unistd.h>

namespace nyamesh::testing {

class TestCertificates {
public:
    TestCertificates() {
        std::string place = (std::filesystem::temp_directory_path() / "nya-certificates-XXXXXX").string();
        folder_ = ::mkdtemp(place.data());
        const Key ca_key = make_key();
        const Certificate ca = make("test CA", "CA:TRUE", "", 3600, *ca_key, *ca_key, nullptr);
        write(ca_file(), *ca);
        issue("good", "IP:127.0.0.1,DNS:localhost", 3600, *ca_key, *ca);
        issue("expired", "IP:127.0.0.1", -1800, *ca_key, *ca);
        issue("early", "IP:127.0.0.1", 7200, *ca_key, *ca, 3600);
        issue("wrong_host", "DNS:elsewhere.example", 3600, *ca_key, *ca);
        const Key own_key = make_key();
        write(certificate_file("self_signed"),
              *make("self_signed", "CA:FALSE", "IP:127.0.0.1", 3600, *own_key, *own_key, nullptr));
        write_key("self_signed", *own_key);
    }
    ~TestCertificates() { std::filesystem::remove_all(folder_); }
    TestCertificates(const TestCertificates&) = delete;
    TestCertificates& operator=(const TestCertificates&) = delete;

    std::string ca_file() const { return file("ca.pem"); }
    // "good", "expired", "early" (not valid yet), "wrong_host" or "self_signed".
    std::string certificate_file(const std::string& name) const { return file(name + ".pem"); }
    std::string key_file(const std::string& name) const { return file(name + ".key"); }

private:
    using Key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
    using Certificate = std::unique_ptr<X509, decltype(&X509_free)>;

    std::string file(const std::string& name) const { return folder_ + "/" + name; }
    static Key make_key() { return {EVP_EC_gen("P-256"), &EVP_PKEY_free}; }

    static void extend(X509& certificate, int nid, const std::string& value) {
        X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, nid, value.c_str());
        X509_add_ext(&certificate, extension, -1);
        X509_EXTENSION_free(extension);
    }
    // Valid from `begins_in` seconds from now until `ends_in`.
    static Certificate make(const char* name, const char* constraints, const std::string& hosts, long ends_in,
                            EVP_PKEY& key, EVP_PKEY& issuer_key, X509* issuer, long begins_in = -3600) {
        static long serial = 0;
        Certificate made(X509_new(), &X509_free);
        X509_set_version(made.get(), X509_VERSION_3);
        ASN1_INTEGER_set(X509_get_serialNumber(made.get()), ++serial);
        X509_gmtime_adj(X509_getm_notBefore(made.get()), begins_in);
        X509_gmtime_adj(X509_getm_notAfter(made.get()), ends_in);
        X509_set_pubkey(made.get(), &key);
        X509_NAME_add_entry_by_txt(X509_get_subject_name(made.get()), "CN", MBSTRING_ASC,
                                   reinterpret_cast<const unsigned char*>(name), -1, -1, 0);
        X509_set_issuer_name(made.get(), X509_get_subject_name(issuer == nullptr ? made.get() : issuer));
        extend(*made, NID_basic_constraints, std::string("critical,") + constraints);
        if (!hosts.empty()) extend(*made, NID_subject_alt_name, hosts);
        X509_sign(made.get(), &issuer_key, EVP_sha256());
        return made;
    }
    void issue(const std::string& name, const std::string& hosts, long ends_in, EVP_PKEY& ca_key, X509& ca,
               long begins_in = -3600) const {
        const Key key = make_key();
        write(certificate_file(name), *make(name.c_str(), "CA:FALSE", hosts, ends_in, *key, ca_key, &ca, begins_in));
        write_key(name, *key);
    }
    void write_key(const std::string& name, EVP_PKEY& key) const {
        FILE* out = std::fopen(key_file(name).c_str(), "w");
        PEM_write_PrivateKey(out, &key, nullptr, nullptr, 0, nullptr, nullptr);
        std::fclose(out);
    }
    static void write(const std::string& path, X509& certificate) {
        FILE* out = std::fopen(path.c_str(), "w");
        PEM_write_X509(out, &certificate);
        std::fclose(out);
    }

    std::string folder_;
};

}  // namespace nyamesh::testing
