#include "nyash/boxes/boxes.h"

#include "nyash/boxes/namespaces.h"

namespace nyash {

void add_boxes(Runtime& runtime) {
    add_any_box(runtime);
    add_null_box(runtime);
    add_bool_box(runtime);
    add_integer_box(runtime);
    add_float_box(runtime);
    add_string_box(runtime);
    add_array_box(runtime);
    add_map_box(runtime);
    add_json_box(runtime);
    add_function_box(runtime);
    add_result_box(runtime);
    add_future_box(runtime);
    add_error_box(runtime);
    add_console_box(runtime);
    add_math_box(runtime);
    add_random_box(runtime);
    add_time_box(runtime);
    add_date_time_box(runtime);
    add_timer_box(runtime);
    add_file_box(runtime);
    add_buffer_box(runtime);
    add_stream_box(runtime);
    add_regex_box(runtime);
    add_range_box(runtime);
    add_debug_box(runtime);
    add_namespaces(runtime);
}

}  // namespace nyash
