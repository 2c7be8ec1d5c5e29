# nya_floor(): one folder, one floor, one static library.
#
#   nya_floor(bus
#       HEADERS nyamesh/message_bus.h      # the floor's public headers, relative to include/
#       USES intent                        # the floors it stands on; their headers come along
#       PRIVATE Boost::json                # third parties behind a door, invisible to users
#       TEST_LIBRARIES nya_sim             # what its unit tests link besides
#       THREADS)                           # its unit tests run threads: they are repeated under TSan
#
# makes `nyamesh_bus` (alias nyamesh::bus) from every .cpp of the folder except the tests, and, with
# NYA_UNIT_TESTS, the executable `bus_tests` from every .test.cpp, which ctest runs under the label
# `bus`. Names that start with `nyash_` become nyash's: target `nyash_syntax`, alias nyash::syntax.
# tools/check_floors reads HEADERS and USES too: they are the picture of the floors, and it holds
# the #include lines to it.

# The target behind a floor's name.
function(nya_floor_target floor out)
    if(floor MATCHES "^nyash_")
        set(${out} "${floor}" PARENT_SCOPE)
    else()
        set(${out} "nyamesh_${floor}" PARENT_SCOPE)
    endif()
endfunction()

function(nya_floor floor)
    cmake_parse_arguments(PARSE_ARGV 1 arg "THREADS" "" "HEADERS;USES;PRIVATE;TEST_LIBRARIES")
    if(arg_UNPARSED_ARGUMENTS)
        message(FATAL_ERROR "nya_floor(${floor}): unknown argument ${arg_UNPARSED_ARGUMENTS}")
    endif()
    nya_floor_target(${floor} target)

    file(GLOB sources CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/*.cpp")
    set(tests ${sources})
    list(FILTER sources EXCLUDE REGEX "\\.test\\.cpp$")
    list(FILTER tests INCLUDE REGEX "\\.test\\.cpp$")

    # A floor whose code is all in its headers is an interface library.
    if(sources)
        add_library(${target} STATIC ${sources})
        set(public PUBLIC)
        target_include_directories(${target} PRIVATE "${PROJECT_SOURCE_DIR}/src")
        target_link_libraries(${target} PRIVATE ${arg_PRIVATE})
    else()
        add_library(${target} INTERFACE)
        set(public INTERFACE)
    endif()
    target_compile_features(${target} ${public} cxx_std_23)

    list(TRANSFORM arg_HEADERS PREPEND "${PROJECT_SOURCE_DIR}/include/" OUTPUT_VARIABLE headers)
    target_sources(${target} ${public} FILE_SET HEADERS BASE_DIRS "${PROJECT_SOURCE_DIR}/include" FILES ${headers})

    foreach(below IN LISTS arg_USES)
        nya_floor_target(${below} below_target)
        target_link_libraries(${target} ${public} ${below_target})
    endforeach()
    target_link_libraries(${target} ${public} Threads::Threads)

    string(REGEX REPLACE "^(nyamesh|nyash)_" "" short "${target}")
    string(REGEX MATCH "^(nyamesh|nyash)" family "${target}")
    add_library(${family}::${short} ALIAS ${target})
    set_target_properties(${target} PROPERTIES EXPORT_NAME ${short})
    set_property(GLOBAL APPEND PROPERTY nya_floors_of_${family} ${target})
    set_property(GLOBAL APPEND PROPERTY nya_private_of_${family} ${arg_PRIVATE})

    if(tests AND NYA_UNIT_TESTS)
        nya_unit_tests(${floor} SOURCES ${tests} LIBRARIES ${target} ${arg_PRIVATE} ${arg_TEST_LIBRARIES})
        if(arg_THREADS)
            nya_repeat_under_tsan(${floor}_tests)
        endif()
    endif()
endfunction()

# nya_unit_tests(name SOURCES … LIBRARIES …): the doctest executable `name_tests`, run by ctest under the label `name`.
function(nya_unit_tests name)
    cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;LIBRARIES")
    if(NOT TARGET nya_doctest_main)
        find_package(doctest REQUIRED)
        add_library(nya_doctest_main OBJECT "${PROJECT_SOURCE_DIR}/tests/support/doctest_main.cpp")
        target_link_libraries(nya_doctest_main PUBLIC doctest::doctest)
    endif()
    add_executable(${name}_tests ${arg_SOURCES})
    target_include_directories(${name}_tests PRIVATE "${PROJECT_SOURCE_DIR}/src" "${PROJECT_SOURCE_DIR}/tests")
    target_link_libraries(${name}_tests PRIVATE nya_doctest_main ${arg_LIBRARIES})
    add_test(NAME ${name}_tests COMMAND ${name}_tests)
    set_tests_properties(${name}_tests PROPERTIES LABELS ${name})
endfunction()

# nya_repeat_under_tsan(name): the executable and test `name` run threads, so ./test runs it under TSan as well.
function(nya_repeat_under_tsan name)
    add_dependencies(thread_tests ${name})
    set_property(TEST ${name} APPEND PROPERTY LABELS threads)
endfunction()

# nya_umbrella(nyamesh::nyamesh): one target that brings all floors of its family made so far.
function(nya_umbrella alias)
    string(REGEX MATCH "^[a-z]+" family "${alias}")
    get_property(floors GLOBAL PROPERTY nya_floors_of_${family})
    add_library(${family}_umbrella INTERFACE)
    target_link_libraries(${family}_umbrella INTERFACE ${floors})
    add_library(${alias} ALIAS ${family}_umbrella)
    set_target_properties(${family}_umbrella PROPERTIES EXPORT_NAME ${family})
    set_property(GLOBAL APPEND PROPERTY nya_floors_of_${family} ${family}_umbrella)
endfunction()
