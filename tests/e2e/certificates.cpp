// A folder of fresh certificates for tests in other languages: prints where it is, and removes it when its input ends.
// What is in it: ca.pem, and of each name that test_certificates.h has NAME.pem and NAME.key.
#include "support/test_certificates.h"

int main() {
    const nyamesh::testing::TestCertificates certificates;
    std::printf("%s\n", std::filesystem::path(certificates.ca_file()).parent_path().c_str());
    std::fflush(stdout);
    while (std::getchar() != EOF) {
    }
}
