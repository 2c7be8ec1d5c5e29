# libjwt as jwt::jwt: the static library where it and what it stands on (jansson, OpenSSL) are there, else the shared
# one. Debian's package brings no CMake files of its own. Installed with our package, which needs it too.
find_path(JWT_INCLUDE_DIR jwt.h)
find_library(JWT_STATIC_LIBRARY libjwt.a)
find_library(JANSSON_STATIC_LIBRARY libjansson.a)
if(JWT_STATIC_LIBRARY AND JANSSON_STATIC_LIBRARY)
    set(jwt_default "${JWT_STATIC_LIBRARY}")
else()
    find_library(JWT_SHARED_LIBRARY jwt)
    set(jwt_default "${JWT_SHARED_LIBRARY}")
endif()
set(JWT_LIBRARY "${jwt_default}" CACHE FILEPATH "libjwt")
mark_as_advanced(JWT_INCLUDE_DIR JWT_STATIC_LIBRARY JANSSON_STATIC_LIBRARY JWT_SHARED_LIBRARY JWT_LIBRARY)

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(Jwt REQUIRED_VARS JWT_LIBRARY JWT_INCLUDE_DIR)

if(Jwt_FOUND AND NOT TARGET jwt::jwt)
    find_package(OpenSSL REQUIRED)
    add_library(jwt::jwt UNKNOWN IMPORTED)
    set_target_properties(jwt::jwt PROPERTIES
        IMPORTED_LOCATION "${JWT_LIBRARY}"
        INTERFACE_INCLUDE_DIRECTORIES "${JWT_INCLUDE_DIR}")
    if(JWT_LIBRARY MATCHES "\\.a$")
        target_link_libraries(jwt::jwt INTERFACE "${JANSSON_STATIC_LIBRARY}" OpenSSL::Crypto)
    endif()
endif()
