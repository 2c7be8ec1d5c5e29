# libjwt as jwt::jwt. Debian's package brings the shared library and no CMake files of its own. Installed with our
# package, which needs it too.
find_path(JWT_INCLUDE_DIR jwt.h)
find_library(JWT_LIBRARY jwt)
mark_as_advanced(JWT_INCLUDE_DIR JWT_LIBRARY)

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(Jwt REQUIRED_VARS JWT_LIBRARY JWT_INCLUDE_DIR)

if(Jwt_FOUND AND NOT TARGET jwt::jwt)
    add_library(jwt::jwt UNKNOWN IMPORTED)
    set_target_properties(jwt::jwt PROPERTIES
        IMPORTED_LOCATION "${JWT_LIBRARY}"
        INTERFACE_INCLUDE_DIRECTORIES "${JWT_INCLUDE_DIR}")
endif()
