# What `cmake --install` lays out, and how others find it:
#
#   lib/libnyamesh_*.a, lib/libnyash_*.a, include/{nya,nyamesh,nyash}, bin/{nyash,nyamesh}
#   lib/cmake/NyaMesh/     find_package(NyaMesh) gives nyamesh::nyamesh and nyash::nyash
#   lib/pkgconfig/         nyamesh.pc, nyash.pc
#
# The tree can be moved: nothing in it names the place it was installed to.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

# What pkg-config has to say for a third-party target. A floor that uses a new one adds it here and
# in NyaMeshConfig.cmake.in.
set(nya_link_of_Boost::headers "")  # nothing to link
set(nya_link_of_Boost::json -lboost_json)
set(nya_link_of_OpenSSL::SSL -lssl -lcrypto)
set(nya_link_of_re2::re2 -lre2)
set(nya_link_of_jwt::jwt -ljwt)
set(nya_link_of_OpenSSL::Crypto -lcrypto)

# The link line of a family's floors, topmost first, and of the third parties behind them.
function(nya_link_line family out)
    get_property(floors GLOBAL PROPERTY nya_floors_of_${family})
    set(line "")
    set(parties "")
    foreach(floor IN LISTS floors)
        get_target_property(type ${floor} TYPE)
        if(type STREQUAL "STATIC_LIBRARY")
            list(PREPEND line "-l${floor}")
        endif()
    endforeach()
    get_property(private GLOBAL PROPERTY nya_private_of_${family})
    foreach(party IN LISTS private)
        if(NOT DEFINED nya_link_of_${party})
            message(FATAL_ERROR "cmake/NyaInstall.cmake does not know how to link ${party}: add nya_link_of_${party}")
        endif()
        list(APPEND parties ${nya_link_of_${party}})
    endforeach()
    list(REMOVE_DUPLICATES parties)
    list(JOIN line " " line)
    list(JOIN parties " " parties)
    set(${out} "${line} ${parties}" PARENT_SCOPE)
endfunction()

function(nya_install_packages)
    set(package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/NyaMesh")
    get_property(nyamesh_floors GLOBAL PROPERTY nya_floors_of_nyamesh)
    get_property(nyash_floors GLOBAL PROPERTY nya_floors_of_nyash)
    install(TARGETS ${nyamesh_floors} EXPORT NyaMeshTargets FILE_SET HEADERS)
    install(TARGETS ${nyash_floors} EXPORT NyashTargets FILE_SET HEADERS)
    install(EXPORT NyaMeshTargets NAMESPACE nyamesh:: DESTINATION "${package_dir}")
    install(EXPORT NyashTargets NAMESPACE nyash:: DESTINATION "${package_dir}")

    configure_package_config_file("${PROJECT_SOURCE_DIR}/cmake/NyaMeshConfig.cmake.in"
        "${PROJECT_BINARY_DIR}/package/NyaMeshConfig.cmake" INSTALL_DESTINATION "${package_dir}")
    write_basic_package_version_file("${PROJECT_BINARY_DIR}/package/NyaMeshConfigVersion.cmake"
        COMPATIBILITY SameMinorVersion)
    install(FILES
        "${PROJECT_BINARY_DIR}/package/NyaMeshConfig.cmake"
        "${PROJECT_BINARY_DIR}/package/NyaMeshConfigVersion.cmake"
        "${PROJECT_SOURCE_DIR}/cmake/FindRE2.cmake"
        "${PROJECT_SOURCE_DIR}/cmake/FindJwt.cmake"
        DESTINATION "${package_dir}")

    # pkg-config files find their prefix from where they lie.
    file(RELATIVE_PATH NYA_PC_PREFIX "/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/")
    string(REGEX REPLACE "/$" "" NYA_PC_PREFIX "${NYA_PC_PREFIX}")
    nya_link_line(nyamesh NYA_PC_NYAMESH_LIBS)
    nya_link_line(nyash NYA_PC_NYASH_LIBS)
    foreach(name nyamesh nyash)
        configure_file("${PROJECT_SOURCE_DIR}/cmake/${name}.pc.in" "${PROJECT_BINARY_DIR}/package/${name}.pc" @ONLY)
        install(FILES "${PROJECT_BINARY_DIR}/package/${name}.pc" DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
    endforeach()

    if(TARGET nyash)
        install(TARGETS nyash)
    endif()
    if(TARGET nyamesh_command)
        install(TARGETS nyamesh_command)
    endif()
endfunction()
