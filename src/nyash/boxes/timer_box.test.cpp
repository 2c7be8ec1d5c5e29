#include <doctest/doctest.h>

#include <chrono>
#include <memory>

#include "nyash/boxes/script_for_tests.h"
#include "nyash/runtime/native.h"

using namespace std::chrono_literals;
using nyash::ScriptForTests;

namespace {

nyash::Runtime::Options with_clock(std::shared_ptr<nya::Clock> clock) {
    nyash::Runtime::Options options;
    options.clock = std::move(clock);
    return options;
}

}  // namespace

TEST_CASE("a timer fires when its time has come, not before") {
    auto clock = std::make_shared<nya::ManualClock>();
    ScriptForTests script(with_clock(clock));
    auto& loop = *script.runtime.loop();
    CHECK(script.run("t = new TimerBox()\n"
                     "t.setTimeout(function() { print(\"once\") }, 100)\n"
                     "t.setInterval(function() { print(\"beat\") }, 40)") == "");
    clock->advance(39ms);
    loop.run_ready();
    CHECK(script.taken() == "");
    clock->advance(1ms);
    loop.run_ready();
    CHECK(script.taken() == "beat\n");
    clock->advance(60ms);  // 100: the beat of 80 is late, and the next is at 120, not at 140
    loop.run_ready();
    CHECK(script.taken() == "beat\nonce\n");
    clock->advance(20ms);
    loop.run_ready();
    CHECK(script.taken() == "beat\n");
    CHECK(loop.has_work());
    CHECK(script.run("t = null") == "");
    CHECK_FALSE(loop.has_work());
}

TEST_CASE("beats that were missed altogether are not made up for") {
    auto clock = std::make_shared<nya::ManualClock>();
    ScriptForTests script(with_clock(clock));
    script.run("t = new TimerBox()\nt.setInterval(function() { print(\"beat\") }, 10)");
    clock->advance(10s);
    script.runtime.loop()->run_ready();
    CHECK(script.taken() == "beat\n");
}

TEST_CASE("a limit reached inside a timer's function ends it and every other timer, unreported") {
    auto clock = std::make_shared<nya::ManualClock>();
    auto options = with_clock(clock);
    options.limits.max_steps = 100;
    ScriptForTests script(std::move(options));
    script.run(
        "t = new TimerBox()\n"
        "t.setInterval(function() { print(\"a\") loop(true) { } }, 1)\n"
        "t.setInterval(function() { print(\"b\") }, 2)");
    for (int i = 0; i < 3; ++i) {
        clock->advance(5ms);
        script.runtime.loop()->run_ready();
    }
    CHECK(script.taken() == "a\n");
    CHECK(script.err == "");
    CHECK_FALSE(script.runtime.loop()->has_work());
    CHECK_FALSE(script.runtime.vm().check_limits().has_value());  // whoever runs the loop is told
}

TEST_CASE("sleep has an asynchronous form: a future that is ready when the time is over") {
    auto clock = std::make_shared<nya::ManualClock>();
    ScriptForTests script(with_clock(clock));
    auto& runtime = script.runtime;
    script.run("time = new TimeBox()");
    const nyash::Value time = runtime.globals().find(runtime.names().intern("time"));
    const auto* sleep = runtime.type_of(time).find_method(runtime.names().intern("sleep")).native;
    REQUIRE((sleep->async_code != nullptr));
    nyash::Value ms = nyash::Value::integer(50);
    nyash::NativeCall call(runtime.vm(), *sleep, time, {&ms, 1});
    const auto result = sleep->async_code(call);
    REQUIRE(result.has_value());
    const auto* future = result->as<nyash::Future>();
    REQUIRE(future);
    clock->advance(49ms);
    runtime.loop()->run_ready();
    CHECK_FALSE(future->is_settled());
    CHECK(runtime.loop()->has_work());  // the script waits for it
    clock->advance(1ms);
    runtime.loop()->run_ready();
    CHECK(future->is_settled());
    CHECK(future->value().is_void());
}

TEST_CASE("timers and sleeps that are still to come when the script goes leave nothing behind") {
    const auto before = nyash::Object::live_count();
    {
        ScriptForTests script(with_clock(std::make_shared<nya::ManualClock>()));
        auto& runtime = script.runtime;
        script.run("t = new TimerBox()\ntime = new TimeBox()\nt.setInterval(function() { t.clear(1) }, 1000)");
        const nyash::Value time = runtime.globals().find(runtime.names().intern("time"));
        const auto* sleep = runtime.type_of(time).find_method(runtime.names().intern("sleep")).native;
        nyash::Value ms = nyash::Value::integer(50);
        nyash::NativeCall call(runtime.vm(), *sleep, time, {&ms, 1});
        REQUIRE(sleep->async_code(call).has_value());
        CHECK(runtime.loop()->timers() == 2);
    }
    CHECK(nyash::Object::live_count() == before);
}
