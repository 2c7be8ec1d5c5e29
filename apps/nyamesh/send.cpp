// nyamesh send, nyamesh request: one message, from a shell.
#include "commands.h"
#include "node.h"
#include "output.h"

namespace tool {

int run_send(const SendCommand& command) {
    const bool is_json = command.node.is_json;
    auto intent = typed_intent(command.intent, command.payload);
    if (!intent) return fail(intent.error(), is_json);
    auto box = open_node(command.node, "send");
    if (!box) return fail(box.error(), is_json);
    if (auto sent = box->send(command.to, *intent, {command.wait, command.node.timeout}); !sent)
        return fail(sent.error(), is_json);
    if (is_json) put_json(nya::Json{{"sent", true}, {"to", command.to}, {"intent", command.intent}});
    return kOk;
}

int run_request(const RequestCommand& command) {
    const bool is_json = command.node.is_json;
    auto intent = typed_intent(command.intent, command.payload);
    if (!intent) return fail(intent.error(), is_json);
    auto box = open_node(command.node, "request");
    if (!box) return fail(box.error(), is_json);
    const auto answer = box->request(command.to, *intent, {nyamesh::Wait::Handled, command.node.timeout});
    if (!answer) return fail(answer.error(), is_json);
    // Plain: a text as it is, so that a shell can use it.
    if (!is_json && answer->is_string()) return put_line(printable(answer->as_string())) ? kOk : kFailed;
    return put_json(*answer) ? kOk : kFailed;
}

}  // namespace tool
