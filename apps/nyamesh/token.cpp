// nyamesh token: a signed token for a hub that asks for one.
#include "commands.h"
#include "output.h"

#include <fstream>
#include <iterator>

namespace tool {

int run_token(TokenCommand& command) {
    if (!command.key.file.empty()) {
        std::ifstream file(command.key.file, std::ios::binary);
        command.key.value.assign(std::istreambuf_iterator<char>(file), {});
        if (!file || command.key.value.empty()) {
            complain("cannot read the key from " + command.key.file);
            return kFailed;
        }
        // An editor's last line end is not part of a secret; the hub reads its file likewise.
        if (command.key.algorithm.starts_with("HS")) {
            while (command.key.value.ends_with('\n') || command.key.value.ends_with('\r')) command.key.value.pop_back();
        }
        command.key.file.clear();
    }
    command.token.lifetime = std::chrono::seconds(command.seconds);
    const auto token = make_token(command.token, command.key);
    if (!token) {
        complain(token.error());
        return kFailed;
    }
    return put_line(*token) ? kOk : kFailed;
}

}  // namespace tool
