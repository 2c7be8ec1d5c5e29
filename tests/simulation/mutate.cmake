# Makes copies of session sources with a bug in them:
#
#   cmake -DMUTANT=mutants/NAME.cmake -DSOURCES=src/session -DTO=FOLDER -P mutate.cmake
#
# So the production code has no hooks for it. When a line that a mutant changes has changed itself, the build says so.
cmake_policy(VERSION 3.25)
function(mutate file old new)
    if(EXISTS "${TO}/${file}" AND file IN_LIST mutated)
        file(READ "${TO}/${file}" text)
    else()
        file(READ "${SOURCES}/${file}" text)
    endif()
    string(FIND "${text}" "${old}" place)
    if(place EQUAL -1)
        message(FATAL_ERROR "${MUTANT}: ${file} has no `${old}` any more: adapt the mutant to the code")
    endif()
    string(REPLACE "${old}" "${new}" text "${text}")
    file(WRITE "${TO}/${file}" "${text}")
    list(APPEND mutated "${file}")
    set(mutated "${mutated}" PARENT_SCOPE)
endfunction()

set(mutated "")
include("${MUTANT}")
