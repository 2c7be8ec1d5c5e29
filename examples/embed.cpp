// Nyash inside a C++ program: the program lends its own things to a script, runs it, and calls what it defined.
#include <nyash/interpreter.h>

#include <iostream>
#include <string>

class Lamp {
public:
    explicit Lamp(std::string room) : room_(std::move(room)) {}
    void dim(int percent) {
        if (percent < 0 || percent > 100) throw std::out_of_range("a lamp dims from 0 to 100 percent");
        brightness_ = percent;
    }
    int brightness() const { return brightness_; }
    const std::string& room() const { return room_; }

private:
    std::string room_;
    int brightness_ = 100;
};

int main() {
    nyash::Interpreter::Options options;
    options.max_steps = 1'000'000;  // a script that never ends is ended
    nyash::Interpreter interpreter(std::move(options));

    interpreter.box<Lamp>("LampBox")
        .constructor<std::string>("room")
        .method("dim", &Lamp::dim, "percent")
        .property("room", &Lamp::room)
        .property("brightness", &Lamp::brightness);
    interpreter.define("sunset", [] { return 18; });

    const auto outcome = interpreter.run_source("house", R"(
        lamp = new LampBox("kitchen")
        function evening(hour) {
            if hour >= sunset() { lamp.dim(40) }
            return lamp.room + " at " + lamp.brightness + "%"
        }
        print("The script is ready")
    )");
    if (!outcome.ok()) return 1;

    for (const int hour : {12, 20}) std::cout << interpreter.call("evening", hour)->as_string() << std::endl;

    // The object the script made is the program's own class.
    interpreter.global("lamp").native<Lamp>()->dim(5);
    std::cout << interpreter.evaluate("lamp.brightness")->as_integer() << std::endl;

    // What goes wrong comes back as an error that says where.
    const auto failed = interpreter.evaluate("lamp.dim(200)");
    std::cout << failed.error().diagnostic;
}
