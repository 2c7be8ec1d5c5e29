// How the simulated network works.
//
// One heap of events, ordered by time and, at the same time, by when they were made: that is the whole determinism. An
// event names what it is about by number (connection and generation, process, timer), never by pointer, so
// whatever is gone when it comes is simply not found.
//
// A connection has two ends and two ways. A way holds what was sent and not yet read; its packets say when how much of
// it arrives. Everything a real socket may do to us is decided there: partial sends when the way is full, portions
// cut at random, a FIN behind the last byte, resets that overtake.
#include "support/sim_loop.h"

#include "base/hash.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <deque>
#include <unordered_map>
#include <unordered_set>
#include <utility>

namespace nyamesh::testing {

using net::StreamEnd;

namespace {

constexpr std::size_t kReadBuffer = 128 * 1024;  // as the real loop's
constexpr std::size_t kMaxBacklog = 4'096;
constexpr std::int64_t kLinger = 2'000'000'000;   // as the real loop's, ns
constexpr char kStale = static_cast<char>(0xdd);  // over bytes that are not valid any more
constexpr std::size_t kConnecting = 0;            // index of an end
constexpr std::size_t kAccepting = 1;

enum class What : std::uint8_t { Turn, Timer, Syn, Open, Arrive, Writable, Reset, Closed, ConnectTime, Linger };

struct Event {
    std::int64_t time;
    std::uint64_t number;
    std::uint64_t subject;  // process, timer or connection
    std::uint32_t process;  // of a timer
    What what;
    std::uint8_t end;  // of a connection
};

// For std::push_heap, whose first is the greatest.
bool is_later(const Event& a, const Event& b) noexcept {
    return a.time != b.time ? a.time > b.time : a.number > b.number;
}

}  // namespace

class SimStream;
class SimListener;

struct SimProcess {
    std::uint32_t index = 0;
    std::string name;
    std::vector<nya::Task> tasks;
    std::unordered_map<std::uint64_t, nya::Task> timers;
    std::vector<std::pair<std::uint64_t, std::size_t>> dirty;  // connection and end
    std::unique_ptr<char[]> read_buffer;
    bool is_dead = false;
    bool is_unplugged = false;
    bool has_turn = false;  // its event is in the heap
    std::int64_t frozen_until = 0;
};

namespace {

struct Packet {
    std::int64_t arrival;
    std::size_t bytes;
    bool is_fin;
};

struct Way {
    std::string bytes;
    std::size_t begin = 0;
    std::size_t arrived = 0;  // readable
    std::deque<Packet> packets;
    std::int64_t last_arrival = 0;
    bool has_fin = false;  // arrived
    bool is_swallowed = false;
    bool has_reset = false;  // waits for the way to heal

    std::size_t held() const noexcept { return bytes.size() - begin; }
    void take(std::size_t n) {
        begin += n;
        arrived -= n;
        if (begin == bytes.size()) {
            bytes.clear();
            begin = 0;
        } else if (begin >= 65'536 && begin >= bytes.size() / 2) {
            bytes.erase(0, begin);
            begin = 0;
        }
    }
    void drop() {
        bytes.clear();
        packets.clear();
        begin = arrived = 0;
    }
};

struct End {
    SimStream* stream = nullptr;
    SimProcess* process = nullptr;
    net::StreamEvents* events = nullptr;
    StreamEnd ending;
    bool is_open = false;
    bool is_over = false;  // on_closed() has come or is about to
    bool is_paused = false;
    bool is_closing = false;
    bool has_sent_fin = false;
    bool is_dirty = false;
    bool is_blocked = false;  // waits for room in its way out
    bool was_high = false;
    bool took_bytes = false;
};

struct Connection {
    std::uint64_t id = 0;
    std::uint64_t serial = 0;
    net::Target target;
    std::string words;  // "127.0.0.1:8080"
    net::Address client;
    std::array<End, 2> ends;
    std::array<Way, 2> ways;  // by the end they lead to
    bool awaits_accept = false;
    bool is_cut = false;  // nothing arrives any more but the resets
};

}  // namespace

struct SimCore : std::enable_shared_from_this<SimCore> {
    SimSettings settings;
    std::shared_ptr<nya::ManualClock> manual_clock = std::make_shared<nya::ManualClock>();
    std::shared_ptr<nya::Clock> clock = manual_clock;
    std::shared_ptr<nya::Random> random;
    std::uint64_t draw_state = 0;

    std::int64_t now = 0;
    std::vector<Event> heap;
    std::uint64_t event_number = 0;
    std::uint64_t events_run = 0;
    std::uint64_t trace = 0;
    std::uint64_t last_timer = 0;
    std::uint64_t last_serial = 0;

    std::vector<std::shared_ptr<SimProcess>> processes;
    SimProcess* current = nullptr;
    std::vector<std::unique_ptr<Connection>> slots;
    std::vector<std::uint32_t> free_slots;
    std::unordered_map<std::string, SimListener*> listeners;
    std::unordered_set<std::string> refused;
    std::unordered_set<std::string> silent;
    std::unordered_map<std::string, std::string> hosts{{"localhost", "127.0.0.1"}};
    std::uint16_t next_port = 40'000;
    SimWorld::BytesCallback on_bytes;

    // Splitmix64: a draw costs a nanosecond.
    std::uint64_t draw() noexcept {
        std::uint64_t z = draw_state += 0x9e3779b97f4a7c15;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
        z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
        return z ^ (z >> 31);
    }
    std::int64_t draw_between(std::int64_t least, std::int64_t most) noexcept {
        return most <= least ? least
                             : least + static_cast<std::int64_t>(draw() % static_cast<std::uint64_t>(most - least));
    }
    std::int64_t latency() noexcept {
        return draw_between(settings.least_latency.count(), settings.most_latency.count());
    }

    void schedule(std::int64_t time, What what, std::uint64_t subject, std::size_t end = 0, std::uint32_t process = 0) {
        heap.push_back({std::max(time, now), ++event_number, subject, process, what, static_cast<std::uint8_t>(end)});
        std::ranges::push_heap(heap, is_later);
    }
    void note(std::uint64_t value) noexcept { trace = nya::detail::mix(trace ^ value, nya::detail::kOdd1) ^ value; }

    void want_turn(SimProcess& process) {
        if (process.has_turn || process.is_dead) return;
        process.has_turn = true;
        schedule(now + draw_between(0, settings.longest_turn.count()), What::Turn, process.index);
    }

    Connection* find(std::uint64_t id) const noexcept {
        const auto slot = static_cast<std::uint32_t>(id);
        if (slot >= slots.size() || slots[slot]->id != id) return nullptr;
        return slots[slot].get();
    }
    Connection& make_connection();
    void release_if_unused(Connection& connection);

    bool step();
    void run(const Event& event);
    const SimProcess* process_of(const Event& event) const;
    void run_turn(SimProcess& process);
    void run_timer(SimProcess& process, std::uint64_t timer);
    void run_connection(const Event& event, Connection& connection);

    void arrive_at_listener(Connection& connection);
    SimListener* find_listener(const std::string& ip, std::uint16_t port) const;
    void open(Connection& connection);
    void arrive(std::uint64_t id, std::size_t side);
    void flush(std::uint64_t id, std::size_t side);
    void send_packet(Connection& connection, std::size_t to, std::string_view bytes, bool is_fin);
    void send_fin(Connection& connection, std::size_t from);
    void send_reset(Connection& connection, std::size_t to);
    void end_later(Connection& connection, std::size_t side, StreamEnd::Kind kind, std::string message,
                   std::int64_t delay = 0);
    void end_now(Connection& connection, std::size_t side, StreamEnd::Kind kind, std::string message);
    void swallow(Connection& connection);
    void kill(SimProcess& process, SimLoop::Death how);
    void unplug(SimProcess& process, SimLoop::Death how);
};

namespace {

// While a callback of `process` runs.
class Inside {
public:
    Inside(SimCore& core, SimProcess& process) : core_(core), before_(std::exchange(core.current, &process)) {}
    ~Inside() { core_.current = before_; }
    Inside(const Inside&) = delete;
    Inside& operator=(const Inside&) = delete;

private:
    SimCore& core_;
    SimProcess* const before_;
};

}  // namespace

class SimStream final : public net::Stream {
public:
    SimStream(std::shared_ptr<SimCore> core, std::uint64_t connection, std::size_t side)
        : core_(std::move(core)), connection_(connection), side_(side) {}
    ~SimStream() override;

    void set_events(net::StreamEvents& events) override {
        if (Connection* connection = core_->find(connection_)) connection->ends[side_].events = &events;
    }
    void flush_later() override;
    void pause_reading() override {
        if (Connection* connection = core_->find(connection_)) connection->ends[side_].is_paused = true;
    }
    void resume_reading() override {
        Connection* connection = core_->find(connection_);
        if (connection == nullptr || !std::exchange(connection->ends[side_].is_paused, false)) return;
        core_->schedule(core_->now, What::Arrive, connection_, side_);
    }
    void close_after_flush() override {
        Connection* connection = core_->find(connection_);
        if (connection == nullptr || connection->ends[side_].is_over) return;
        if (std::exchange(connection->ends[side_].is_closing, true)) return;
        core_->schedule(core_->now, What::Arrive, connection_, side_);  // what is unread is dropped
        flush_later();
    }
    bool took_bytes_since_last_asked() noexcept override {
        Connection* connection = core_->find(connection_);
        return connection != nullptr && std::exchange(connection->ends[side_].took_bytes, false);
    }

    std::uint64_t connection() const noexcept { return connection_; }
    std::size_t low_mark() const noexcept { return low_mark_; }
    std::size_t high_mark() const noexcept { return high_mark_; }

private:
    const std::shared_ptr<SimCore> core_;
    const std::uint64_t connection_;
    const std::size_t side_;
};

SimStream::~SimStream() {
    Connection* connection = core_->find(connection_);
    if (connection == nullptr) return;
    End& end = connection->ends[side_];
    end.stream = nullptr;
    end.events = nullptr;
    if (!end.is_over && (end.is_open || connection->ends[1 - side_].stream != nullptr)) {
        const Way& in = connection->ways[side_];
        if (in.arrived > 0) {
            core_->send_reset(*connection, 1 - side_);  // as the kernel does when something is unread
        } else {
            core_->send_fin(*connection, side_);
        }
    }
    end.is_over = true;
    core_->release_if_unused(*connection);
}

void SimStream::flush_later() {
    Connection* connection = core_->find(connection_);
    if (connection == nullptr) return;
    End& end = connection->ends[side_];
    if (end.is_over || end.is_dirty || end.process->is_dead) return;
    end.is_dirty = true;
    end.process->dirty.emplace_back(connection_, side_);
    core_->want_turn(*end.process);
}

class SimListener final : public net::Listener {
public:
    SimListener(std::shared_ptr<SimCore> core, std::shared_ptr<SimProcess> process, std::string key, std::uint16_t port,
                net::Loop::AcceptCallback on_accept)
        : core_(std::move(core)),
          process_(std::move(process)),
          key_(std::move(key)),
          port_(port),
          on_accept_(std::make_shared<net::Loop::AcceptCallback>(std::move(on_accept))) {}
    ~SimListener() override { close(); }

    std::uint16_t port() const noexcept override { return port_; }
    void replace_tls(std::shared_ptr<const net::TlsContext>) override {}
    void pause() override { is_paused_ = true; }
    void resume() override {
        is_paused_ = false;
        auto waiting = std::exchange(backlog_, {});
        const auto keep = core_;
        // In a turn of the process, as in reality.
        for (const std::uint64_t id : waiting) core_->schedule(core_->now, What::Syn, id, kAccepting);
    }

    // The end of listening: those still waiting are reset.
    void close() {
        const auto listed = core_->listeners.find(key_);
        if (listed != core_->listeners.end() && listed->second == this) core_->listeners.erase(listed);
        for (const std::uint64_t id : std::exchange(backlog_, {})) {
            if (Connection* connection = core_->find(id)) drop(*connection);
        }
    }
    // False: the backlog is full.
    bool arrived(Connection& connection) {
        connection.awaits_accept = true;
        if (process_->frozen_until > core_->now) {  // the kernel has taken it; the process will hear of it
            core_->schedule(process_->frozen_until, What::Syn, connection.id, kAccepting);
            return true;
        }
        if (!is_paused_) {
            accept(connection);
            return true;
        }
        if (backlog_.size() == kMaxBacklog) return false;
        backlog_.push_back(connection.id);
        return true;
    }
    void accept(Connection& connection) {
        connection.awaits_accept = false;
        const End& client = connection.ends[kConnecting];
        if (client.stream == nullptr || client.is_over) return core_->release_if_unused(connection);
        End& end = connection.ends[kAccepting];
        auto stream = std::make_unique<SimStream>(core_, connection.id, kAccepting);
        end.stream = stream.get();
        end.process = process_.get();
        end.is_open = true;
        core_->schedule(core_->now, What::Arrive, connection.id, kAccepting);
        const auto call = on_accept_;  // which may destroy the listener
        const auto core = core_;
        const Inside inside(*core, *process_);
        (*call)(std::move(stream), connection.client);
    }
    const SimProcess& process() const noexcept { return *process_; }

private:
    void drop(Connection& connection) {
        connection.awaits_accept = false;
        core_->send_reset(connection, kConnecting);
        core_->release_if_unused(connection);
    }

    const std::shared_ptr<SimCore> core_;
    const std::shared_ptr<SimProcess> process_;
    const std::string key_;
    const std::uint16_t port_;
    const std::shared_ptr<net::Loop::AcceptCallback> on_accept_;
    std::vector<std::uint64_t> backlog_;
    bool is_paused_ = false;
};

// ---- connections ------------------------------------------------------------------------------------------------

Connection& SimCore::make_connection() {
    if (free_slots.empty()) {
        free_slots.push_back(static_cast<std::uint32_t>(slots.size()));
        slots.push_back(std::make_unique<Connection>());
        slots.back()->id = free_slots.back();
    }
    const std::uint32_t slot = free_slots.back();
    free_slots.pop_back();
    Connection& connection = *slots[slot];
    connection.id += std::uint64_t{1} << 32;
    connection.serial = ++last_serial;
    return connection;
}

void SimCore::release_if_unused(Connection& connection) {
    if (connection.serial == 0 || connection.awaits_accept) return;
    if (connection.ends[0].stream != nullptr || connection.ends[1].stream != nullptr) return;
    const std::uint64_t id = connection.id;
    connection = Connection{};
    connection.id = id + (std::uint64_t{1} << 32);  // events that name the old one find nothing
    free_slots.push_back(static_cast<std::uint32_t>(id));
}

void SimCore::send_packet(Connection& connection, std::size_t to, std::string_view bytes, bool is_fin) {
    Way& way = connection.ways[to];
    way.bytes.append(bytes);
    way.last_arrival = std::max(way.last_arrival, now + latency());
    way.packets.push_back({way.last_arrival, bytes.size(), is_fin});
    schedule(way.last_arrival, What::Arrive, connection.id, to);
}

void SimCore::send_fin(Connection& connection, std::size_t from) {
    if (std::exchange(connection.ends[from].has_sent_fin, true)) return;
    send_packet(connection, 1 - from, {}, true);
}

void SimCore::send_reset(Connection& connection, std::size_t to) {
    Way& way = connection.ways[to];
    if (way.is_swallowed) {
        way.has_reset = true;
    } else {
        schedule(now + latency(), What::Reset, connection.id, to);
    }
}

void SimCore::end_later(Connection& connection, std::size_t side, StreamEnd::Kind kind, std::string message,
                        std::int64_t delay) {
    End& end = connection.ends[side];
    if (std::exchange(end.is_over, true)) return;
    end.ending = {kind, std::move(message)};
    schedule(now + delay, What::Closed, connection.id, side);
}

void SimCore::end_now(Connection& connection, std::size_t side, StreamEnd::Kind kind, std::string message) {
    End& end = connection.ends[side];
    if (std::exchange(end.is_over, true) || end.stream == nullptr || end.events == nullptr) return;
    const Inside inside(*this, *end.process);
    end.events->on_closed({kind, std::move(message)});
}

void SimCore::swallow(Connection& connection) {
    for (Way& way : connection.ways) way.is_swallowed = true;
}

// A client's first packet has come to where it wanted.
void SimCore::arrive_at_listener(Connection& connection) {
    const auto known = hosts.find(connection.target.host);
    const std::string ip = known == hosts.end() ? connection.target.host : known->second;
    const auto address =
        net::Address::parse((ip.contains(':') ? "[" + ip + "]" : ip) + ":" + std::to_string(connection.target.port));
    if (!address || ip.empty()) {
        return end_later(connection, kConnecting, StreamEnd::Kind::NotFound,
                         "there is no host named " + connection.target.host);
    }
    connection.target = {address->ip, address->port};
    const std::string key = address->to_string();
    if (silent.contains(key)) return schedule(now + settings.connect_time.count(), What::ConnectTime, connection.id);
    SimListener* listener = find_listener(address->ip, address->port);
    if (listener == nullptr || refused.contains(key)) {
        return end_later(connection, kConnecting, StreamEnd::Kind::Refused, key + " refused the connection", latency());
    }
    const std::uint64_t id = connection.id;
    if (next_port == 65'535) next_port = 40'000;
    connection.client = {settings.client_ip, ++next_port};
    connection.ways[kConnecting].last_arrival = now + latency();
    schedule(connection.ways[kConnecting].last_arrival, What::Open, id, kConnecting);
    if (!listener->arrived(connection)) {
        connection.awaits_accept = false;
        schedule(now + settings.connect_time.count(), What::ConnectTime, id);
    }
}

SimListener* SimCore::find_listener(const std::string& ip, std::uint16_t port) const {
    for (const std::string& where : {ip, std::string("0.0.0.0"), std::string("::")}) {
        const auto found = listeners.find(net::Address{where, port}.to_string());
        if (found != listeners.end()) return found->second;
    }
    return nullptr;
}

void SimCore::open(Connection& connection) {
    End& end = connection.ends[kConnecting];
    if (end.is_over || end.events == nullptr) return;
    end.is_open = true;
    const std::uint64_t id = connection.id;
    {
        const Inside inside(*this, *end.process);
        end.events->on_open();
    }
    // What was written before it was open.
    Connection* still = find(id);
    if (still != nullptr && still->ends[kConnecting].stream != nullptr &&
        (!still->ends[kConnecting].stream->out().empty() || still->ends[kConnecting].is_closing)) {
        still->ends[kConnecting].stream->flush_later();
    }
}

// Sends what there is room for; at the end of a turn.
void SimCore::flush(std::uint64_t id, std::size_t side) {
    Connection* connection = find(id);
    if (connection == nullptr) return;
    End& end = connection->ends[side];
    end.is_dirty = false;
    if (end.stream == nullptr || end.is_over || !end.is_open) return;
    net::OutBuffer& out = end.stream->out();
    end.was_high = end.was_high || out.size() > end.stream->high_mark();

    const std::size_t held = connection->ways[1 - side].held();
    const std::size_t room = settings.socket_buffer - std::min(settings.socket_buffer, held);
    const std::size_t n = std::min(room, out.size());
    if (n > 0) {
        if (on_bytes) on_bytes(id, static_cast<SimWorld::Side>(side), out.view().substr(0, n));
        send_packet(*connection, 1 - side, out.view().substr(0, n), false);
        out.consume(n);
        end.took_bytes = true;
    }
    end.is_blocked = !out.empty();
    if (out.empty() && end.is_closing && !end.has_sent_fin) {
        send_fin(*connection, side);
        schedule(now + kLinger, What::Linger, id, side);
    }
    if (end.was_high && out.size() < end.stream->low_mark()) {
        end.was_high = false;
        if (end.events != nullptr) end.events->on_drained();
    }
}

// Hands over what has arrived and is wanted.
void SimCore::arrive(std::uint64_t id, std::size_t side) {
    Connection& connection = *find(id);
    Way& way = connection.ways[side];
    End& end = connection.ends[side];
    if (way.is_swallowed || connection.is_cut || connection.awaits_accept) return;
    while (!way.packets.empty() && way.packets.front().arrival <= now) {
        way.arrived += way.packets.front().bytes;
        way.has_fin = way.has_fin || way.packets.front().is_fin;
        way.packets.pop_front();
    }
    if (end.is_over || end.stream == nullptr) {
        if (way.arrived > 0 && end.stream == nullptr) send_reset(connection, 1 - side);
        return way.drop();
    }
    if (!end.is_open || (end.is_paused && !end.is_closing)) return;

    if (way.arrived > 0) {
        std::size_t n = std::min({way.arrived, kReadBuffer, settings.largest_portion});
        if (settings.splits_portions && !end.is_closing && draw() % 2 == 0) n = 1 + draw() % n;
        if (end.process->read_buffer == nullptr) end.process->read_buffer = std::make_unique<char[]>(kReadBuffer);
        char* const buffer = end.process->read_buffer.get();
        std::memcpy(buffer, way.bytes.data() + way.begin, n);
        way.take(n);
        note(nya::hash_bytes({buffer, n}));
        if (connection.ends[1 - side].is_blocked) {
            connection.ends[1 - side].is_blocked = false;
            schedule(now + latency(), What::Writable, id, 1 - side);
        }
        if (way.arrived > 0) schedule(now + draw_between(0, settings.longest_turn.count()), What::Arrive, id, side);
        if (!end.is_closing && end.events != nullptr) {
            const Inside inside(*this, *end.process);
            end.events->on_data({buffer, n});
            std::memset(buffer, kStale, n);
        }
    }
    Connection* still = find(id);  // on_data() may have destroyed the stream
    if (still == nullptr || still->ends[side].stream == nullptr || still->ends[side].is_over) return;
    if (!way.has_fin || way.arrived > 0 || !way.packets.empty() || (end.is_paused && !end.is_closing)) return;
    send_fin(connection, side);
    end_now(connection, side, StreamEnd::Kind::Closed, connection.words + " closed the connection");
}

// ---- events -------------------------------------------------------------------------------------------------------

bool SimCore::step() {
    if (heap.empty()) return false;
    std::ranges::pop_heap(heap, is_later);
    const Event event = heap.back();
    heap.pop_back();
    if (event.time > now) {
        manual_clock->advance(std::chrono::nanoseconds(event.time - now));
        now = event.time;
    }
    run(event);
    return !heap.empty();
}

// Whose callbacks it leads to.
const SimProcess* SimCore::process_of(const Event& event) const {
    if (event.what == What::Turn) return processes[event.subject].get();
    if (event.what == What::Timer) return processes[event.process].get();
    const Connection* connection = event.what == What::Syn ? nullptr : find(event.subject);
    return connection == nullptr ? nullptr : connection->ends[event.end].process;
}

void SimCore::run(const Event& event) {
    ++events_run;
    note(static_cast<std::uint64_t>(event.time));
    note(event.subject << 8 | static_cast<std::uint64_t>(event.what) << 1 | event.end);
    if (const SimProcess* process = process_of(event); process != nullptr && process->frozen_until > now) {
        return schedule(process->frozen_until, event.what, event.subject, event.end, event.process);
    }
    switch (event.what) {
        case What::Turn:
            run_turn(*processes[event.subject]);
            break;
        case What::Timer:
            run_timer(*processes[event.process], event.subject);
            break;
        default:
            if (Connection* connection = find(event.subject)) run_connection(event, *connection);
    }
}

void SimCore::run_turn(SimProcess& process) {
    process.has_turn = false;
    const Inside inside(*this, process);
    std::vector<nya::Task> tasks;
    tasks.swap(process.tasks);
    for (nya::Task& task : tasks) {
        if (process.is_dead) return;
        task();
        task = nullptr;
    }
    std::vector<std::pair<std::uint64_t, std::size_t>> dirty;
    dirty.swap(process.dirty);
    for (const auto& [id, side] : dirty) {
        if (process.is_dead) return;
        flush(id, side);
    }
    if (process.tasks.empty()) {  // their memory is for the next turn
        tasks.clear();
        process.tasks.swap(tasks);
    }
    if (process.dirty.empty()) {
        dirty.clear();
        process.dirty.swap(dirty);
    }
}

void SimCore::run_timer(SimProcess& process, std::uint64_t timer) {
    auto found = process.timers.extract(timer);
    if (found.empty()) return;
    const Inside inside(*this, process);
    found.mapped()();
}

void SimCore::run_connection(const Event& event, Connection& connection) {
    const std::size_t side = event.end;
    End& end = connection.ends[side];
    switch (event.what) {
        case What::Syn:
            if (side == kConnecting) {
                if (!connection.ends[kConnecting].is_over) arrive_at_listener(connection);
            } else if (SimListener* listener = find_listener(connection.target.host, connection.target.port)) {
                listener->arrived(connection);
            } else {
                connection.awaits_accept = false;
                send_reset(connection, kConnecting);
                release_if_unused(connection);
            }
            break;
        case What::Open:
            open(connection);
            break;
        case What::Arrive:
            arrive(connection.id, side);
            break;
        case What::Writable:
            if (end.stream != nullptr) end.stream->flush_later();
            break;
        case What::Reset:
            connection.ways[side].drop();
            end_now(connection, side, StreamEnd::Kind::Reset, "the connection to " + connection.words + " was reset");
            break;
        case What::Closed:
            if (end.stream != nullptr && end.events != nullptr && !end.process->is_dead) {
                const Inside inside(*this, *end.process);
                end.events->on_closed(StreamEnd(end.ending));
            }
            break;
        case What::ConnectTime:
            if (!end.is_open || connection.ends[kAccepting].stream == nullptr) {
                end_now(connection, side, StreamEnd::Kind::TimedOut, connection.words + " did not answer");
            }
            break;
        case What::Linger:
            end_now(connection, side, StreamEnd::Kind::Closed, "closed");
            break;
        case What::Turn:
        case What::Timer:
            break;
    }
}

void SimCore::kill(SimProcess& process, SimLoop::Death how) {
    if (std::exchange(process.is_dead, true)) return;
    // Their destructors may call us; so they go last.
    const auto tasks = std::exchange(process.tasks, {});
    const auto timers = std::exchange(process.timers, {});
    process.dirty.clear();
    std::vector<SimListener*> listening;
    for (const auto& [key, listener] : listeners) {
        if (&listener->process() == &process) listening.push_back(listener);
    }
    std::ranges::sort(listening, {}, [](const SimListener* one) { return one->port(); });  // not by address
    for (SimListener* listener : listening) listener->close();

    for (const auto& connection : slots) {
        for (const std::size_t side : {kConnecting, kAccepting}) {
            End& end = connection->ends[side];
            if (end.process != &process || end.stream == nullptr) continue;
            end.events = nullptr;
            if (how == SimLoop::Death::PeersSeeNothing) {
                swallow(*connection);
            } else if (!end.is_over && connection->ends[1 - side].stream != nullptr) {
                send_reset(*connection, 1 - side);
            }
            end.is_over = true;
        }
    }
}

// What a process's end is for others, without ending it.
void SimCore::unplug(SimProcess& process, SimLoop::Death how) {
    process.is_unplugged = true;
    for (const auto& connection : slots) {
        for (const std::size_t side : {kConnecting, kAccepting}) {
            End& end = connection->ends[side];
            if (end.process != &process || end.stream == nullptr || end.is_over) continue;
            if (how == SimLoop::Death::PeersSeeNothing) {
                swallow(*connection);
            } else if (connection->ends[1 - side].stream != nullptr) {
                send_reset(*connection, 1 - side);
            }
            connection->ways[side].drop();
            end_later(*connection, side, StreamEnd::Kind::Reset, "the network is gone");
        }
    }
}

// ---- SimWorld -----------------------------------------------------------------------------------------------------

SimWorld::SimWorld(std::uint64_t seed, const SimSettings& settings) : core_(std::make_shared<SimCore>()) {
    core_->settings = settings;
    core_->draw_state = seed;
    core_->random = nya::Random::seeded(core_->draw());
    core_->manual_clock->advance(std::chrono::hours(1));  // no time is special, 0 might be
    core_->now = core_->manual_clock->now().time_since_epoch().count();
}

SimWorld::~SimWorld() {
    for (std::size_t i = 0; i < core_->processes.size(); ++i) {
        core_->kill(*core_->processes[i], SimLoop::Death::PeersSeeNothing);
    }
}

std::shared_ptr<SimLoop> SimWorld::loop(std::string name) {
    auto process = std::make_shared<SimProcess>();
    process->index = static_cast<std::uint32_t>(core_->processes.size());
    process->name = std::move(name);
    core_->processes.push_back(process);
    return std::make_shared<SimLoop>(core_, std::move(process));
}

const std::shared_ptr<nya::Clock>& SimWorld::clock() const noexcept {
    return core_->clock;
}

nya::Clock::time_point SimWorld::now() const noexcept {
    return core_->clock->now();
}

const std::shared_ptr<nya::Random>& SimWorld::random() const noexcept {
    return core_->random;
}

SimSettings& SimWorld::settings() noexcept {
    return core_->settings;
}

bool SimWorld::step() {
    return core_->step();
}

bool SimWorld::run_until(nya::Clock::time_point time) {
    const std::int64_t end = time.time_since_epoch().count();
    while (!core_->heap.empty() && core_->heap.front().time <= end) core_->step();
    if (core_->now < end) {
        core_->manual_clock->advance(std::chrono::nanoseconds(end - core_->now));
        core_->now = end;
    }
    return !core_->heap.empty();
}

bool SimWorld::run_for(nya::Clock::duration duration) {
    return run_until(now() + duration);
}

bool SimWorld::run_until_idle(std::uint64_t most_events) {
    const std::uint64_t last = core_->events_run + most_events;
    while (!core_->heap.empty() && core_->events_run < last) core_->step();
    return core_->heap.empty();
}

bool SimWorld::run_until(const std::function<bool()>& is_so, nya::Clock::duration within) {
    const std::int64_t end = (now() + within).time_since_epoch().count();
    while (!is_so()) {
        if (core_->heap.empty() || core_->heap.front().time > end) return false;
        core_->step();
    }
    return true;
}

std::vector<SimWorld::ConnectionId> SimWorld::connections() const {
    std::vector<std::pair<std::uint64_t, ConnectionId>> living;
    for (const auto& connection : core_->slots) {
        const auto& ends = connection->ends;
        if (ends[0].is_open && ends[1].is_open && !(ends[0].is_over && ends[1].is_over)) {
            living.emplace_back(connection->serial, connection->id);
        }
    }
    std::ranges::sort(living);
    std::vector<ConnectionId> ids;
    ids.reserve(living.size());
    for (const auto& [serial, id] : living) ids.push_back(id);
    return ids;
}

std::vector<SimWorld::ConnectionId> SimWorld::connections(const SimLoop& of) const {
    std::vector<ConnectionId> ids = connections();
    std::erase_if(ids, [&](ConnectionId id) {
        const auto& ends = core_->find(id)->ends;
        return ends[0].process != of.process_.get() && ends[1].process != of.process_.get();
    });
    return ids;
}

SimWorld::ConnectionId SimWorld::connection_of(const net::Stream& stream) {
    return static_cast<const SimStream&>(stream).connection();
}

void SimWorld::cut(ConnectionId id) {
    Connection* connection = core_->find(id);
    if (connection == nullptr) return;
    for (const std::size_t side : {kConnecting, kAccepting}) {
        connection->ways[side].drop();
        core_->send_reset(*connection, side);
    }
    connection->is_cut = true;  // what is sent before the resets arrive comes to nothing
}

void SimWorld::cut_one_end(ConnectionId id, Side sees_it) {
    Connection* connection = core_->find(id);
    if (connection == nullptr) return;
    core_->send_reset(*connection, static_cast<std::size_t>(sees_it));
    core_->swallow(*connection);
}

void SimWorld::swallow(ConnectionId id) {
    if (Connection* connection = core_->find(id)) core_->swallow(*connection);
}

void SimWorld::heal(ConnectionId id) {
    Connection* connection = core_->find(id);
    if (connection == nullptr) return;
    for (const std::size_t side : {kConnecting, kAccepting}) {
        Way& way = connection->ways[side];
        if (!std::exchange(way.is_swallowed, false)) continue;
        if (std::exchange(way.has_reset, false)) core_->send_reset(*connection, side);
        way.last_arrival = core_->now + core_->latency();
        for (Packet& packet : way.packets) packet.arrival = way.last_arrival;
        core_->schedule(way.last_arrival, What::Arrive, id, side);
    }
}

void SimWorld::refuse(const net::Address& address, bool refuses) {
    if (refuses) {
        core_->refused.insert(address.to_string());
    } else {
        core_->refused.erase(address.to_string());
    }
}

void SimWorld::silence(const net::Address& address, bool is_silent) {
    if (is_silent) {
        core_->silent.insert(address.to_string());
    } else {
        core_->silent.erase(address.to_string());
    }
}

void SimWorld::name_host(std::string name, std::string ip) {
    core_->hosts.insert_or_assign(std::move(name), std::move(ip));
}

void SimWorld::on_bytes(BytesCallback callback) {
    core_->on_bytes = std::move(callback);
}

std::uint64_t SimWorld::trace_hash() const noexcept {
    return core_->trace;
}

std::uint64_t SimWorld::event_count() const noexcept {
    return core_->events_run;
}

// ---- SimLoop ------------------------------------------------------------------------------------------------------

SimLoop::SimLoop(std::shared_ptr<SimCore> core, std::shared_ptr<SimProcess> process)
    : core_(std::move(core)), process_(std::move(process)) {}

SimLoop::~SimLoop() {
    die();
}

void SimLoop::die(Death how) {
    core_->kill(*process_, how);
}

bool SimLoop::is_dead() const noexcept {
    return process_->is_dead;
}

void SimLoop::unplug(Death how) {
    core_->unplug(*process_, how);
}

void SimLoop::freeze(nya::Clock::duration duration) {
    process_->frozen_until = std::max(process_->frozen_until, core_->now + duration.count());
}

std::size_t SimLoop::timer_count() const noexcept {
    return process_->timers.size();
}

const std::string& SimLoop::name() const noexcept {
    return process_->name;
}

bool SimLoop::post(nya::Task task) {
    if (process_->is_dead) return false;
    process_->tasks.push_back(std::move(task));
    core_->want_turn(*process_);
    return true;
}

bool SimLoop::runs_here() const noexcept {
    return core_->current == process_.get();
}

const std::shared_ptr<nya::Clock>& SimLoop::clock() const noexcept {
    return core_->clock;
}

net::Loop::TimerId SimLoop::call_at(nya::Clock::time_point when, nya::Task task) {
    if (process_->is_dead) return 0;
    const TimerId timer = ++core_->last_timer;
    process_->timers.emplace(timer, std::move(task));
    core_->schedule(when.time_since_epoch().count(), What::Timer, timer, 0, process_->index);
    return timer;
}

void SimLoop::cancel(TimerId timer) {
    const auto task = process_->timers.extract(timer);  // what it captured may call us when it goes
}

std::unique_ptr<net::Stream> SimLoop::connect(const net::Target& target, std::shared_ptr<const net::TlsContext>,
                                              net::StreamEvents& events) {
    Connection& connection = core_->make_connection();
    connection.target = target;
    connection.words = net::Address{target.host, target.port}.to_string();
    auto stream = std::make_unique<SimStream>(core_, connection.id, kConnecting);
    End& end = connection.ends[kConnecting];
    end.stream = stream.get();
    end.process = process_.get();
    end.events = &events;
    if (process_->is_dead) {
        end.is_over = true;
    } else if (process_->is_unplugged) {
        core_->schedule(core_->now + core_->settings.connect_time.count(), What::ConnectTime, connection.id);
    } else {
        core_->schedule(core_->now + core_->latency(), What::Syn, connection.id, kConnecting);
    }
    return stream;
}

std::expected<std::unique_ptr<net::Listener>, std::string> SimLoop::listen(const net::Address& where,
                                                                           std::shared_ptr<const net::TlsContext>,
                                                                           AcceptCallback on_accept) {
    net::Address address = where;
    if (process_->is_dead) return std::unexpected("cannot listen on " + where.to_string() + ": the process is dead");
    while (address.port == 0 || (where.port == 0 && core_->listeners.contains(address.to_string()))) {
        if (core_->next_port == 65'535) core_->next_port = 40'000;
        address.port = ++core_->next_port;
    }
    const std::string key = address.to_string();
    if (core_->listeners.contains(key)) {
        return std::unexpected("cannot listen on " + key + ": the address is in use");
    }
    auto listener = std::make_unique<SimListener>(core_, process_, key, address.port, std::move(on_accept));
    core_->listeners.emplace(key, listener.get());
    return listener;
}

}  // namespace nyamesh::testing
