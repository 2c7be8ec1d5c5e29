#include "line_editor.h"

#include <algorithm>
#include <cerrno>
#include <clocale>
#include <cstdio>
#include <cstdlib>
#include <cwchar>
#include <filesystem>

#include <fcntl.h>
#include <histedit.h>
#include <sys/ioctl.h>
#include <unistd.h>

namespace {

constexpr int kMostRemembered = 1000;
constexpr std::size_t kMostShown = 120;  // candidates of a completion

std::size_t terminal_width() {
    winsize size{};
    return ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

// Columns of a text in the locale's encoding.
std::size_t columns_of(std::string_view text) {
    std::size_t columns = 0;
    std::mbstate_t state{};
    while (!text.empty()) {
        wchar_t c = 0;
        const std::size_t bytes = std::mbrtowc(&c, text.data(), text.size(), &state);
        if (bytes == 0 || bytes > text.size()) return columns + text.size();
        columns += static_cast<std::size_t>(std::max(::wcwidth(c), 0));
        text.remove_prefix(bytes);
    }
    return columns;
}

void write_out(std::string_view text) {
    std::fwrite(text.data(), 1, text.size(), stdout);
}

std::string common_start(const std::vector<std::string>& words) {
    std::string common = words.front();
    for (const auto& word : words) {
        const auto [end, other] = std::ranges::mismatch(common, word);
        common.erase(end, common.end());
    }
    // Not half a character.
    while (!common.empty() && std::ranges::any_of(words, [&](const auto& word) {
        return common.size() < word.size() && (static_cast<unsigned char>(word[common.size()]) & 0xC0U) == 0x80U;
    }))
        common.pop_back();
    return common;
}

bool continues_name(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           static_cast<unsigned char>(c) >= 0x80;
}

}  // namespace

struct LineEditor::Impl {
    explicit Impl(Options o) : options(std::move(o)) {
        // Texts are UTF-8 whatever the environment says; libedit asks the locale.
        std::setlocale(LC_CTYPE, "");
        if (MB_CUR_MAX == 1) std::setlocale(LC_CTYPE, "C.UTF-8");
        editor = el_init("nyash", stdin, stdout, stderr);
        lines = history_init();
        HistEvent event;
        history(lines, &event, H_SETSIZE, kMostRemembered);
        history(lines, &event, H_SETUNIQUE, 1);
        if (!options.history_file.empty()) history(lines, &event, H_LOAD, options.history_file.c_str());
        el_set(editor, EL_CLIENTDATA, this);
        el_set(editor, EL_PROMPT, &show_prompt);
        el_set(editor, EL_EDITOR, "emacs");
        el_set(editor, EL_SIGNAL, 0);
        el_set(editor, EL_HIST, history, lines);
        el_set(editor, EL_GETCFN, &read_key);
        // The narrow form of this call leaks its texts.
        el_wset(editor, EL_ADDFN, L"nyash-complete", L"complete a name", &complete);
        el_set(editor, EL_BIND, "^I", "nyash-complete", nullptr);
        el_set(editor, EL_BIND, "^R", "em-inc-search-prev", nullptr);
        el_source(editor, nullptr);  // the user's ~/.editrc
    }
    ~Impl() {
        history_end(lines);
        el_end(editor);
    }
    Impl(const Impl&) = delete;
    Impl& operator=(const Impl&) = delete;

    static Impl& of(EditLine* editor) {
        void* self = nullptr;
        el_get(editor, EL_CLIENTDATA, &self);
        return *static_cast<Impl*>(self);
    }
    static char* show_prompt(EditLine* editor) { return of(editor).prompt.data(); }

    // One character, as its bytes come in: -1 gives the line up.
    static int read_key(EditLine* editor, wchar_t* key) {
        Impl& self = of(editor);
        std::mbstate_t state{};
        while (true) {
            self.is_editing = true;
            const bool has_key = self.options.wait_for_key();
            self.is_editing = false;
            if (self.is_pushed_aside) {
                write_out("\n");
                self.show_again();
            }
            if (!has_key) {
                self.is_given_up = true;
                return -1;
            }
            char byte = 0;
            const ssize_t size = ::read(STDIN_FILENO, &byte, 1);
            if (size < 0 && (errno == EINTR || errno == EAGAIN)) continue;
            if (size <= 0) return 0;
            const std::size_t used = std::mbrtowc(key, &byte, 1, &state);
            if (used == static_cast<std::size_t>(-2)) continue;  // more bytes to come
            if (used == static_cast<std::size_t>(-1)) {
                state = {};
                continue;  // not a character: as if it had not been typed
            }
            return 1;
        }
    }

    static unsigned char complete(EditLine* editor, int) {
        Impl& self = of(editor);
        const LineInfo* info = el_line(editor);
        const std::string_view before(info->buffer, static_cast<std::size_t>(info->cursor - info->buffer));
        if (before.find_first_not_of(" \t") == std::string_view::npos) {
            el_insertstr(editor, "    ");
            return CC_REFRESH;
        }
        std::size_t name = before.size();
        while (name > 0 && continues_name(before[name - 1])) --name;
        const std::size_t typed = before.size() - name;
        const auto candidates = self.options.complete(before);
        if (candidates.empty()) return CC_REFRESH_BEEP;
        const std::string common = common_start(candidates);
        if (common.size() > typed) {
            el_insertstr(editor, common.substr(typed).c_str());
            return CC_REFRESH;
        }
        if (candidates.size() == 1) return CC_REFRESH;
        self.show(candidates);
        return CC_REDISPLAY;
    }

    void show(const std::vector<std::string>& words) const {
        std::size_t widest = 0;
        const std::size_t shown = std::min(words.size(), kMostShown);
        for (std::size_t i = 0; i < shown; ++i) widest = std::max(widest, columns_of(words[i]));
        const std::size_t per_row = std::max<std::size_t>(1, terminal_width() / (widest + 2));
        std::string text = "\n";
        for (std::size_t i = 0; i < shown; ++i) {
            text += words[i];
            const bool ends_row = (i + 1) % per_row == 0 || i + 1 == shown;
            text += ends_row ? std::string("\n") : std::string(widest + 2 - columns_of(words[i]), ' ');
        }
        if (words.size() > shown) text += "… and " + std::to_string(words.size() - shown) + " more\n";
        write_out(text);
        std::fflush(stdout);
    }

    // From where the cursor is: up to the first row of prompt and line, all of it erased.
    void erase_line() const {
        const LineInfo* info = el_line(editor);
        const std::string_view before(info->buffer, static_cast<std::size_t>(info->cursor - info->buffer));
        // An input of several lines, called back from the history, is edited as one.
        std::size_t rows = 0;
        std::string row = prompt;
        for (const char c : before) {
            if (c != '\n') {
                row += c;
                continue;
            }
            rows += columns_of(row) / terminal_width() + 1;
            row.clear();
        }
        rows += columns_of(row) / terminal_width();
        if (rows > 0) write_out("\x1b[" + std::to_string(rows) + "A");
        write_out("\r\x1b[J");
    }

    void show_again() {
        is_pushed_aside = false;
        std::fflush(stdout);
        el_set(editor, EL_REFRESH);
    }

    Options options;
    EditLine* editor = nullptr;
    History* lines = nullptr;
    std::string prompt;
    bool is_editing = false;       // waiting for a key
    bool is_pushed_aside = false;  // output without a line end stands where prompt and line were
    bool is_given_up = false;
};

LineEditor::LineEditor(Options options) : impl_(std::make_unique<Impl>(std::move(options))) {}
LineEditor::~LineEditor() = default;

LineEditor::Ending LineEditor::read(const std::string& prompt, std::string& line) {
    impl_->prompt = prompt;
    impl_->is_given_up = false;
    el_resize(impl_->editor);
    el_set(impl_->editor, EL_PREP_TERM, 1);  // before the prompt shows: what is typed right after it is ours
    int size = 0;
    const char* text = el_gets(impl_->editor, &size);
    if (impl_->is_given_up) {
        write_out("^C\n");
        return Ending::GivenUp;
    }
    if (!text || size <= 0) {
        write_out("\n");
        return Ending::EndOfInput;
    }
    line.assign(text, static_cast<std::size_t>(size));
    while (line.ends_with('\n') || line.ends_with('\r')) line.pop_back();
    return Ending::Line;
}

void LineEditor::remember(const std::string& input) {
    HistEvent event;
    history(impl_->lines, &event, H_ENTER, input.c_str());
    if (impl_->options.history_file.empty()) return;
    const std::filesystem::path file(impl_->options.history_file);
    std::error_code error;
    if (!std::filesystem::exists(file.parent_path(), error)) {
        std::filesystem::create_directories(file.parent_path(), error);
        std::filesystem::permissions(file.parent_path(), std::filesystem::perms::owner_all, error);
    }
    // What people type is theirs alone, from the first byte on.
    const int made = ::open(file.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    if (made < 0) return;
    ::close(made);
    history(impl_->lines, &event, H_SAVE, file.c_str());
}

void LineEditor::write_above(std::string_view text) {
    if (text.empty()) return;
    if (!impl_->is_editing) return write_out(text);
    if (!impl_->is_pushed_aside) impl_->erase_line();
    impl_->is_pushed_aside = true;
    write_out(text);
    if (text.ends_with('\n')) impl_->show_again();
}

bool LineEditor::is_editing() const {
    return impl_->is_editing;
}
