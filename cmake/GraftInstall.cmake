# SPDX-License-Identifier: Apache-2.0
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(graft_config_dir "${CMAKE_INSTALL_LIBDIR}/cmake/graft")

set(graft_file_sets FILE_SET HEADERS DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}")
if(graft_bodies)
  list(APPEND graft_file_sets FILE_SET bodies DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}")
endif()
install(TARGETS graft EXPORT graftTargets ${graft_file_sets})
foreach(part IN LISTS graft_parts)
  install(TARGETS graft_${part} EXPORT graftTargets)
endforeach()
set(graft_version_arch ARCH_INDEPENDENT)
if(GRAFT_BUILD_COMPILED)
  install(TARGETS graft_compiled EXPORT graftTargets ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}")
  set(graft_version_arch)
endif()
install(EXPORT graftTargets NAMESPACE graft:: DESTINATION "${graft_config_dir}")

configure_package_config_file("${PROJECT_SOURCE_DIR}/cmake/graftConfig.cmake.in" "${PROJECT_BINARY_DIR}/graftConfig.cmake"
  INSTALL_DESTINATION "${graft_config_dir}")
# While the version is 0.x a minor release may change the interface.
write_basic_package_version_file("${PROJECT_BINARY_DIR}/graftConfigVersion.cmake"
  COMPATIBILITY SameMinorVersion ${graft_version_arch})
install(FILES
  "${PROJECT_BINARY_DIR}/graftConfig.cmake"
  "${PROJECT_BINARY_DIR}/graftConfigVersion.cmake"
  "${PROJECT_SOURCE_DIR}/cmake/FindOneDnn.cmake"
  DESTINATION "${graft_config_dir}")

# pkg-config knows nothing of imported targets: what it can name goes to Requires, the rest to flags.
set(graft_pc_cflags "")
set(graft_pc_libs "")
if(GRAFT_HAS_OPENMP)
  string(APPEND graft_pc_cflags " ${OpenMP_CXX_FLAGS}")
  string(APPEND graft_pc_libs " ${OpenMP_CXX_FLAGS}")
endif()
if(GRAFT_HAS_ONEDNN)
  string(APPEND graft_pc_cflags " -DGRAFT_WITH_ONEDNN=1")
  if(NOT OneDnn_INCLUDE_DIR IN_LIST CMAKE_CXX_IMPLICIT_INCLUDE_DIRECTORIES)
    string(APPEND graft_pc_cflags " -isystem ${OneDnn_INCLUDE_DIR}")
  endif()
  string(APPEND graft_pc_libs " -ldnnl")
endif()
file(RELATIVE_PATH graft_pc_up "/p/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/p")
string(REGEX REPLACE "/$" "" graft_pc_up "${graft_pc_up}")
configure_file("${PROJECT_SOURCE_DIR}/cmake/graft.pc.in" "${PROJECT_BINARY_DIR}/graft.pc" @ONLY)
install(FILES "${PROJECT_BINARY_DIR}/graft.pc" DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig")

install(FILES "${PROJECT_SOURCE_DIR}/LICENSE" DESTINATION "${CMAKE_INSTALL_DOCDIR}")
