// LineEditor: lines typed at a terminal, with editing, history and completion. The only file that knows libedit.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

class LineEditor {
public:
    struct Options {
        // Waits until a key has been pressed; false when the line is to be given up (Ctrl-C).
        std::function<bool()> wait_for_key;
        // What can stand in place of the name the text ends in.
        std::function<std::vector<std::string>(std::string_view before_cursor)> complete;
        std::string history_file;  // empty: nothing is kept
    };

    explicit LineEditor(Options options);
    ~LineEditor();
    LineEditor(const LineEditor&) = delete;
    LineEditor& operator=(const LineEditor&) = delete;

    enum class Ending : unsigned char { Line, EndOfInput, GivenUp };
    Ending read(const std::string& prompt, std::string& line);
    void remember(const std::string& input);

    // Output that may come while a line is being edited: it appears above that line.
    void write_above(std::string_view text);
    // Whether read() is waiting for a key.
    bool is_editing() const;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};
