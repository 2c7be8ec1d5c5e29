// The built-in boxes that need nothing but the language. One file per box, each with one function that
// declares the box's constructor, methods and properties (runtime/box_type.h says how to read those).
//
// To add a box: write its file, declare its function here, call it in boxes.cpp.
#pragma once

namespace nyash {

class Runtime;

void add_any_box(Runtime& runtime);  // what every value answers: toString, equals, type, is, clone…
void add_null_box(Runtime& runtime);
void add_bool_box(Runtime& runtime);
void add_integer_box(Runtime& runtime);
void add_float_box(Runtime& runtime);
void add_string_box(Runtime& runtime);
void add_array_box(Runtime& runtime);
void add_map_box(Runtime& runtime);
void add_json_box(Runtime& runtime);
void add_function_box(Runtime& runtime);
void add_result_box(Runtime& runtime);
void add_future_box(Runtime& runtime);
void add_error_box(Runtime& runtime);
void add_console_box(Runtime& runtime);
void add_math_box(Runtime& runtime);
void add_random_box(Runtime& runtime);
void add_time_box(Runtime& runtime);
void add_date_time_box(Runtime& runtime);
void add_timer_box(Runtime& runtime);
void add_file_box(Runtime& runtime);
void add_buffer_box(Runtime& runtime);
void add_stream_box(Runtime& runtime);
void add_regex_box(Runtime& runtime);
void add_range_box(Runtime& runtime);
void add_debug_box(Runtime& runtime);

// All of the above.
void add_boxes(Runtime& runtime);

}  // namespace nyash
