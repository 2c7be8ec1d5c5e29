#include "command_line.h"

#include "near.h"

#include <CLI/CLI.hpp>

#include <memory>

namespace tool {

namespace {

using Milliseconds = std::chrono::milliseconds;

constexpr const char* kExitCodes = "exit status: 0 ok, 1 failed, 2 an error on the command line\n";

// "500ms", "2s", "2m", "250" (milliseconds).
Milliseconds duration(const std::string& text) {
    static constexpr std::pair<std::string_view, std::int64_t> kUnits[] = {
        {"ms", 1}, {"s", 1'000}, {"m", 60'000}, {"", 1}};
    for (const auto& [unit, factor] : kUnits) {
        if (!std::string_view(text).ends_with(unit)) continue;
        const std::string number = text.substr(0, text.size() - unit.size());
        const bool is_number =
            !number.empty() && number.size() <= 9 && number.find_first_not_of("0123456789") == std::string::npos;
        if (is_number) return Milliseconds(std::stoll(number) * factor);
        break;
    }
    throw CLI::ValidationError("'" + text + "' is no time; write 500ms, 2s or 2m");
}

void add_duration(CLI::App& app, const std::string& name, Milliseconds& into, const std::string& text) {
    app.add_option_function<std::string>(
           name, [&into](const std::string& word) { into = duration(word); }, text)
        ->type_name("TIME");
}

// Defaults are written in the descriptions, where they say what they mean.
void add_json(CLI::App& app, bool& into) {
    app.add_flag("--json", into, "print JSON, one value a line");
}

void add_node_options(CLI::App& app, NodeOptions& node, const char* name_option) {
    app.add_option("--hub", node.url, "the hub's address (else $NYAMESH_HUB, else ws://127.0.0.1:8080)")
        ->type_name("URL");
    app.add_option(name_option, node.name, "the name to be known by (else one of no meaning)")->type_name("NAME");
    app.add_option("--key", node.key, "the secret that makes the name ours (else one kept for it)")->type_name("TEXT");
    app.add_option("--token", node.token, "for a hub that asks for one (else $NYAMESH_TOKEN)")
        ->envname("NYAMESH_TOKEN")
        ->type_name("TEXT");
    app.add_option("--ca-file", node.ca_file, "who signs the hub's certificate, PEM (else whom the system trusts)")
        ->type_name("FILE");
    add_duration(app, "--timeout", node.timeout, "how long to wait (5s)");
    add_json(app, node.is_json);
}

// All options, and what they fill in.
struct Words {
    CLI::App app{"NyaMesh from a shell: hubs, messages, measurements", "nyamesh"};
    HubCommand hub;
    SendCommand send;
    RequestCommand request;
    ListenCommand listen;
    NodesCommand nodes;
    PingCommand ping;
    TokenCommand token;
    VerifyCommand verify;
    EndCommand end;
    BenchCommand bench;
    std::string shell;

    CLI::App* add(const char* name, const char* what, const char* examples) {
        CLI::App* command = app.add_subcommand(name, what);
        command->footer(std::string("examples:\n") + examples + "\n" + kExitCodes);
        return command;
    }

    // A flag of the hub: kept until the file has been read.
    template <class Value>
    void hub_flag(CLI::App* command, const char* name, const char* text, void (*set)(HubCommand&, const Value&)) {
        command->add_option_function<Value>(
            name,
            [this, set](const Value& value) { hub.flags.emplace_back([set, value](HubCommand& c) { set(c, value); }); },
            text);
    }

    void add_hub();
    void add_talk();
    void add_token();
    void add_measurements();
    Words();
};

void Words::add_hub() {
    CLI::App* c = add("hub", "run a hub; prints its address",
                      "  nyamesh hub\n"
                      "  nyamesh hub --listen 127.0.0.1:0 --admin 127.0.0.1:9090\n"
                      "  nyamesh hub --listen :443 --tls-cert chain.pem --tls-key key.pem --auth-key secret.txt\n"
                      "  nyamesh hub --config hub.toml --log json\n"
                      "SIGTERM, SIGINT: clients are told to come again, then it ends; SIGHUP: certificates and keys "
                      "are read again\n");
    using Texts = std::vector<std::string>;
    using Text = std::string;
    hub_flag<Texts>(c, "--listen", "ADDRESS:PORT to listen on; several are fine (127.0.0.1:8080)",
                    [](HubCommand& h, const Texts& v) { h.options.listen = v; });
    c->add_option("--config", hub.config_file, "TOML file with any of the options; flags come after it")
        ->type_name("FILE");
    hub_flag<Text>(c, "--tls-cert", "PEM file: the certificate and its chain", [](HubCommand& h, const Text& v) {
        if (!h.options.tls) h.options.tls.emplace();
        h.options.tls->certificate_file = v;
    });
    hub_flag<Text>(c, "--tls-key", "PEM file: its key", [](HubCommand& h, const Text& v) {
        if (!h.options.tls) h.options.tls.emplace();
        h.options.tls->key_file = v;
    });
    hub_flag<Texts>(c, "--auth-key", "[ALGORITHM:]FILE that tokens are signed with; demands tokens (HS256)",
                    [](HubCommand& h, const Texts& v) {
                        h.options.auth.is_required = true;
                        for (const Text& word : v) {
                            nyamesh::HubKey key;
                            key.file = word;
                            for (const std::string_view algorithm : {"HS256", "RS256", "ES256"}) {
                                if (!word.starts_with(std::string(algorithm) + ":")) continue;
                                key.algorithm = algorithm;
                                key.file = word.substr(algorithm.size() + 1);
                            }
                            h.options.auth.keys.push_back(std::move(key));
                        }
                    });
    hub_flag<Text>(c, "--admin", "ADDRESS:PORT of /healthz, /metrics, /connections, /names (none)",
                   [](HubCommand& h, const Text& v) { h.options.admin = v; });
    c->add_flag_callback(
        "--insecure", [this] { hub.flags.emplace_back([](HubCommand& h) { h.options.is_insecure = true; }); },
        "allow a public address without TLS or tokens");
    hub_flag<Texts>(c, "--origin", "origin of web pages that may connect; '*': any",
                    [](HubCommand& h, const Texts& v) { h.options.allowed_origins = v; });
    hub_flag<Text>(c, "--state-dir", "keeps who owns which name over restarts (in memory)",
                   [](HubCommand& h, const Text& v) { h.options.state_directory = v; });
    c->add_option_function<Text>(
         "--log", [this](const Text& v) { hub.flags.emplace_back([v](HubCommand& h) { h.log = v; }); },
         "json, human or off (human), on stderr")
        ->check(CLI::IsMember({"json", "human", "off"}));
    c->add_option_function<Text>(
         "--drain",
         [this](const Text& v) { hub.flags.emplace_back([t = duration(v)](HubCommand& h) { h.drain = t; }); },
         "how long the clients' leaving is spread over (2s)")
        ->type_name("TIME");
    hub_flag<std::uint32_t>(c, "--max-connections", "(what the limit of open files allows)",
                            [](HubCommand& h, const std::uint32_t& v) { h.options.limits.connections = v; });
    hub_flag<std::uint32_t>(c, "--max-rate", "messages a second of one connection (20000)",
                            [](HubCommand& h, const std::uint32_t& v) { h.options.limits.messages_per_second = v; });
    hub_flag<std::uint32_t>(c, "--max-intent-bytes", "(262144)",
                            [](HubCommand& h, const std::uint32_t& v) { h.options.limits.max_intent_bytes = v; });
}

void Words::add_talk() {
    CLI::App* c = add("send", "send one message",
                      "  nyamesh send bob chat.message '{\"text\":\"hi\"}'\n"
                      "  nyamesh send bob chat.message hello --from alice --wait handled\n");
    c->add_option("to", send.to, "the node it is for")->required();
    c->add_option("intent", send.intent, "what it is called")->required();
    c->add_option("payload", send.payload, "JSON, or a text ({})");
    add_node_options(*c, send.node, "--from");
    c->add_option_function<std::string>(
         "--wait",
         [this](const std::string& word) {
             send.wait = word == "accepted"  ? nyamesh::Wait::Accepted
                         : word == "handled" ? nyamesh::Wait::Handled
                                             : nyamesh::Wait::Delivered;
         },
         "until it is accepted, delivered or handled (delivered)")
        ->check(CLI::IsMember({"accepted", "delivered", "handled"}));

    c = add("request", "ask a node, and print its answer",
            "  nyamesh request calculator add '[2,3]'\n"
            "  nyamesh request bob status --timeout 1s --json\n");
    c->add_option("to", request.to, "the node that is asked")->required();
    c->add_option("intent", request.intent, "what it is asked")->required();
    c->add_option("payload", request.payload, "JSON, or a text ({})");
    add_node_options(*c, request.node, "--from");

    c = add("listen", "print what a name receives: sender, intent, payload",
            "  nyamesh listen --name bob\n"
            "  nyamesh listen --name bob --intent chat.message --json | jq .payload.text\n"
            "  nyamesh listen --name echo --answer '{\"ok\":true}'\n");
    add_node_options(*c, listen.node, "--name");
    c->add_option("--intent", listen.intents, "only these intents (all)")->type_name("NAME");
    c->add_option("--answer", listen.answer, "what requests are answered with (nothing)")->type_name("JSON");
    c->add_option("-c,--count", listen.count, "end after so many (0: go on)")->type_name("N");

    c = add("nodes", "list the names the hub knows to be here", "  nyamesh nodes\n  nyamesh nodes sensor/ --json\n");
    c->add_option("prefix", nodes.prefix, "only names that begin so");
    add_node_options(*c, nodes.node, "--from");

    c = add("ping", "how long a node's endpoint takes to answer",
            "  nyamesh ping bob\n  nyamesh ping bob -c 1 --json\n");
    c->add_option("to", ping.to, "the node")->required();
    add_node_options(*c, ping.node, "--from");
    c->add_option("-c,--count", ping.count, "how often (4)")->type_name("N");
    add_duration(*c, "--interval", ping.interval, "between two of them (1s)");
}

void Words::add_token() {
    CLI::App* c =
        add("token", "print a token for a hub that asks for one",
            "  nyamesh token --key secret.txt --subject alice\n"
            "  nyamesh token --key ES256:private.pem --subject bots --name 'bot-*' --send bob --lifetime 600\n");
    c->add_option_function<std::string>(
         "--key",
         [this](const std::string& word) {
             token.key.file = word;
             for (const std::string_view algorithm : {"HS256", "RS256", "ES256"}) {
                 if (!word.starts_with(std::string(algorithm) + ":")) continue;
                 token.key.algorithm = algorithm;
                 token.key.file = word.substr(algorithm.size() + 1);
             }
         },
         "[ALGORITHM:]FILE to sign with (HS256)")
        ->required();
    c->add_option("--key-id", token.key.id, "the key's name, where the hub has several");
    c->add_option("--subject", token.token.subject, "who owns the names bound with it")->required();
    c->add_option("--name", token.token.names, "a node id it may bind, 'bot-*' for many (the subject)");
    c->add_option("--send", token.token.send, "an id it may send to ('*')");
    c->add_option("--audience", token.token.audience, "what the hub's audience is, if it has one");
    c->add_option("--lifetime", token.seconds, "seconds (3600)");
    c->add_flag("--once", token.token.is_for_one_connection, "for one connection only");
}

void Words::add_measurements() {
    CLI::App* c = add("verify", "does a message get lost here? numbered messages, cut cables, killed hubs",
                      "  nyamesh verify\n"
                      "  nyamesh verify --scenario hub --seeds 20\n"
                      "  nyamesh verify --hub ws://hub.example:8080 --cut 2s --json\n"
                      "scenarios: none, sender, receiver, both (whose cable is cut), silent (both go dead), hub (kill "
                      "-9 and restart)\n"
                      "fails if anything was lost, doubled or reordered without being told\n");
    c->add_option("--hub", verify.url, "through this hub (one of its own)")->type_name("URL");
    c->add_option("--messages", verify.messages, "(300)")->check(CLI::Range(1, 10'000'000));
    c->add_option("--rate", verify.rate, "a second (200)")->check(CLI::Range(1, 1'000'000));
    add_duration(*c, "--cut", verify.cut, "how long the cable is out, or the hub down (500ms)");
    add_duration(*c, "--latency", verify.latency, "of each cable, one way (0ms)");
    add_duration(*c, "--resume-window", verify.resume_window, "how long a peer may be away (2m)");
    c->add_option("--scenario", verify.scenarios, "only these (all)")
        ->check(CLI::IsMember({"none", "sender", "receiver", "both", "silent", "hub"}));
    c->add_flag_callback("--kill-hub", [this] { verify.scenarios.emplace_back("hub"); }, "as --scenario hub");
    c->add_option("--seeds", verify.seeds, "how often each, cut at other moments (1)")->check(CLI::Range(1, 100'000));
    c->add_option("--first-seed", verify.first_seed, "(1)");
    c->add_option("--jobs", verify.jobs, "runs at the same time (1)")->check(CLI::Range(1, 64));
    c->add_option("--other-hub", verify.other_hub)->group("");  // for benchmarks/cuts
    c->add_option("--other-end", verify.other_end)->group("");
    add_json(*c, verify.is_json);

    c = add("bench", "how fast and how soon, between two processes through a hub",
            "  nyamesh bench\n  nyamesh bench --messages 1000000 --bytes 100 --json\n");
    c->add_option("--hub", bench.url, "through this hub (one of its own)")->type_name("URL");
    c->add_option("--messages", bench.messages, "(100000)")->check(CLI::Range(1, 100'000'000));
    c->add_option("--bytes", bench.bytes, "of a payload (100)")->check(CLI::Range(2, 200'000));
    c->add_option("--pings", bench.pings, "requests for the latency (1000)")->check(CLI::Range(1, 1'000'000));
    add_json(*c, bench.is_json);

    c = add("verify-end", "one end of verify, in a process of its own", "");
    c->group("");  // for verify itself, not for people
    add_node_options(*c, end.node, "--name");
    add_duration(*c, "--resume-window", end.node.resume_window, "");
    c->add_option("--to", end.to);
    c->add_option("--messages", end.messages);
    c->add_option("--rate", end.rate);
}

Words::Words() {
    app.require_subcommand(1);
    app.set_version_flag("--version", std::string("nyamesh ") + NYAMESH_VERSION);
    app.footer(std::string("nyamesh COMMAND --help says more.\n") + kExitCodes);
    add_hub();
    add_talk();
    add_token();
    add_measurements();
    CLI::App* c = add("completion", "print a completion script for the shell", "  source <(nyamesh completion bash)\n");
    c->add_option("shell", shell, "bash")->required()->check(CLI::IsMember({"bash"}));
}

// The words there are, from the same table as the help.
std::string bash_completion(const CLI::App& app) {
    const auto is_shown = [](const CLI::App* command) { return !command->get_group().empty(); };
    std::string commands, cases;
    for (const CLI::App* command : app.get_subcommands(is_shown)) {
        commands += (commands.empty() ? "" : " ") + command->get_name();
        std::string options;
        for (const CLI::Option* option : command->get_options()) {
            if (option->get_group().empty()) continue;
            for (const std::string& name : option->get_lnames()) options += (options.empty() ? "--" : " --") + name;
        }
        cases += "        " + command->get_name() + ") words='" + options + "' ;;\n";
    }
    return "_nyamesh() {\n"
           "    local word=${COMP_WORDS[COMP_CWORD]} words=''\n"
           "    if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
           "        COMPREPLY=($(compgen -W '" +
           commands +
           " --help --version' -- \"$word\"))\n"
           "        return\n"
           "    fi\n"
           "    case ${COMP_WORDS[1]} in\n" +
           cases +
           "    esac\n"
           "    case $word in\n"
           "        -*) COMPREPLY=($(compgen -W \"$words\" -- \"$word\")) ;;\n"
           "        *) COMPREPLY=($(compgen -f -- \"$word\")) ;;\n"
           "    esac\n"
           "}\n"
           "complete -F _nyamesh nyamesh\n";
}

// The first option that the command does not have, if that is what is wrong.
std::string unknown_option(const CLI::App& command, int argc, const char* const* argv) {
    std::vector<std::string> names;
    for (const CLI::Option* option : command.get_options()) {
        for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
    }
    const std::vector<std::string_view> known(names.begin(), names.end());
    for (int i = 2; i < argc; ++i) {
        const std::string_view word = std::string_view(argv[i]).substr(0, std::string_view(argv[i]).find('='));
        if (word == "--") break;
        if (!word.starts_with("--") || std::find(known.begin(), known.end(), word) != known.end()) continue;
        const std::string_view near = nearest(word, known);
        return "no option '" + std::string(word) + "'" +
               (near.empty() ? "" : "; did you mean '" + std::string(near) + "'?");
    }
    return {};
}

std::string unknown_command(const CLI::App& app, std::string_view word) {
    std::vector<std::string> names;
    for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; }))
        names.push_back(command->get_name());
    const std::string_view near = nearest(word, std::vector<std::string_view>(names.begin(), names.end()));
    return "no command '" + std::string(word) + "'" +
           (near.empty() ? "" : "; did you mean '" + std::string(near) + "'?");
}

Said complaint(const Words& words, const CLI::ParseError& error, int argc, const char* const* argv) {
    std::string what = error.what();
    const auto chosen = words.app.get_subcommands();
    if (!chosen.empty()) {
        if (std::string option = unknown_option(*chosen.front(), argc, argv); !option.empty()) what = std::move(option);
    } else if (argc > 1) {
        what = unknown_command(words.app, argv[1]);
    }
    std::string text = "nyamesh: " + what + "\n";
    text += "try  nyamesh " + (chosen.empty() ? std::string() : chosen.front()->get_name() + " ") + "--help\n";
    return {std::move(text), kUsage};
}

}  // namespace

Command parse_command_line(int argc, const char* const* argv) {
    const auto words = std::make_unique<Words>();
    try {
        words->app.parse(argc, argv);
    } catch (const CLI::CallForHelp&) {
        const auto chosen = words->app.get_subcommands();
        return Said{chosen.empty() ? words->app.help() : chosen.front()->help("nyamesh")};
    } catch (const CLI::CallForVersion& version) {
        return Said{std::string(version.what()) + "\n"};
    } catch (const CLI::ParseError& error) {
        return complaint(*words, error, argc, argv);
    }
    const std::string name = words->app.get_subcommands().front()->get_name();
    if (name == "hub") return std::move(words->hub);
    if (name == "send") return words->send;
    if (name == "request") return words->request;
    if (name == "listen") return words->listen;
    if (name == "nodes") return words->nodes;
    if (name == "ping") return words->ping;
    if (name == "token") return words->token;
    if (name == "verify") return words->verify;
    if (name == "verify-end") return words->end;
    if (name == "bench") return words->bench;
    return Said{bash_completion(words->app)};
}

}  // namespace tool
